"""What people ask of the owner of a state folder."""

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon import byhand
from daemon import desk as desk_room
from daemon.desk import BY_HAND_PRIORITY, MOST_PATHS, Desk
from daemon.errors import DaemonError, Exit, Misused
from daemon.walk import named, single
from schema import ledger, sessions, sightings, standing
from schema.records import FileState, SessionRecord
from schema.standing import LedgerEntry
from schema.state import StateFolder
from tests.daemon.moments import NOW

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def announced() -> list[tuple[int, SessionRecord] | None]:
    """What the desk told of sessions."""
    return []


@pytest.fixture
def desk(owner: Engine, state: StateFolder, announced) -> Desk:
    return Desk(owner, state, announced.append)


def write(path: Path) -> Path:
    path.write_text("x")
    return path


def entry(owner: Engine, path: Path) -> LedgerEntry:
    with owner.begin() as connection:
        found = standing.entry_at(connection, os.fsencode(path))
    assert found is not None
    return found


def put(owner: Engine, path: Path, state: FileState) -> int:
    """A file with this state, seen before."""
    arrival = single(os.fsencode(path))
    with owner.begin() as connection:
        (sighting,) = sightings.observe(connection, [arrival], None, NOW)
        file_id = sighting.source_file_id
        ledger.ready(connection, file_id, arrival, NOW)
        ledger.begin(connection, file_id, "boot", 1, NOW)
        if state is FileState.REFUSED:
            ledger.refuse(connection, file_id, "spectrum", "A spectrum.", NOW)
        elif state is FileState.QUARANTINED:
            ledger.quarantine(connection, file_id, "truncated", "Ends early.", NOW)
        elif state is FileState.RETRY:
            ledger.retry_later(connection, file_id, "io_error", "Not now.", LATER, NOW)
    return file_id


def test_a_session_asked_for_again_under_the_same_key_is_the_same(desk, owner):
    """A daemon that was killed before it answered finds the request again."""
    key, values = "0123456789abcdef0123456789abcdef", {"name": "morning"}
    first = desk.serve("session_start", NOW, values, key)
    assert desk.serve("session_start", LATER, values, key) == first
    with owner.begin() as connection:
        assert len(sessions.all_sessions(connection)) == 1
        assert sessions.open_session(connection)[1].started_at_utc == NOW


@pytest.mark.parametrize("material", ["CdSe", "Au", "Co3O4"])
def test_a_session_may_state_its_material(desk, owner, state, material):
    desk.serve("session_start", NOW, {"name": "morning", "material": material})
    with owner.begin() as connection:
        assert sessions.open_session(connection)[1].material == material
    assert sessions.read_files(state)[0].material == material


@pytest.mark.parametrize("material", ["gold", "Au on carbon", "CdSe-wz", "3Au"])
def test_a_material_that_is_no_formula_is_declined(desk, owner, material):
    with pytest.raises(Misused, match="no formula"):
        desk.serve("session_start", NOW, {"name": "morning", "material": material})
    with owner.begin() as connection:
        assert sessions.open_session(connection) is None


def test_a_session_may_state_how_sure_its_calibration_is(desk, owner, state):
    values = {"name": "morning", "pixel_size_uncertainty_percent": 1.5}
    desk.serve("session_start", NOW, values)
    with owner.begin() as connection:
        assert sessions.open_session(connection)[1].pixel_size_uncertainty == 0.015
    assert sessions.read_files(state)[0].pixel_size_uncertainty == 0.015


@pytest.mark.parametrize("percent", [0, -1, 50, float("nan"), "1", True])
def test_a_calibration_that_cannot_be_is_declined(desk, owner, percent):
    values = {"name": "morning", "pixel_size_uncertainty_percent": percent}
    with pytest.raises(Misused, match="a pixel size is not known to"):
        desk.serve("session_start", NOW, values)
    with owner.begin() as connection:
        assert sessions.open_session(connection) is None


def test_a_session_is_a_row_and_a_file(desk, owner, state, announced):
    answer = desk.serve("session_start", NOW, {"name": "morning", "sample": "CdSe", "run": "7"})
    with owner.begin() as connection:
        session_id, session = sessions.open_session(connection)
    assert (session.uuid, session.name, session.sample) == (answer["uuid"], "morning", "CdSe")
    assert list(sessions.read_files(state)) == [session]
    assert announced == [(session_id, session)]


def test_starting_a_session_ends_the_open_one(desk, owner, state):
    desk.serve("session_start", NOW, {"name": "morning"})
    desk.serve("session_start", LATER, {"name": "afternoon"})
    with owner.begin() as connection:
        found = sessions.all_sessions(connection)
    assert [session.name for session in found] == ["morning", "afternoon"]
    assert [session.ended_at_utc for session in found] == [LATER, None]
    assert tuple(sessions.read_files(state)) == found


def test_ending_a_session_is_announced(desk, owner, announced):
    desk.serve("session_start", NOW, {"name": "morning"})
    assert desk.serve("session_end", LATER, {})["name"] == "morning"
    assert announced[-1] is None
    with owner.begin() as connection:
        assert sessions.open_session(connection) is None


def test_no_session_cannot_be_ended(desk):
    with pytest.raises(DaemonError, match="no session is open"):
        desk.serve("session_end", NOW, {})


@pytest.mark.parametrize("values", [{}, {"name": ""}, {"name": None}])
def test_a_session_needs_a_name(desk, values):
    with pytest.raises(Misused, match="needs a name"):
        desk.serve("session_start", NOW, values)


def test_a_name_that_is_no_text_is_kept_as_its_escapes(desk, owner):
    desk.serve("session_start", NOW, {"name": "Au \udcff\x1b[31m"})
    with owner.begin() as connection:
        assert sessions.open_session(connection)[1].name == r"Au \xff\x1b[31m"


def test_an_unknown_request_is_refused(desk):
    with pytest.raises(DaemonError, match="does not know the request 'format_disk'"):
        desk.serve("format_disk", NOW, {})


def test_files_named_by_hand_come_first_and_in_their_order(desk, owner, folder):
    waiting = write(folder / "a.dm4")
    put(owner, waiting, FileState.RETRY)
    desk.serve("retry", NOW, {})
    named = [write(folder / name) for name in ("c.dm4", "b.dm4")]
    ids = desk.serve("analyse", LATER, {"paths": [str(path) for path in named]})["ids"]
    assert ids == [entry(owner, path).source_file_id for path in named]
    with owner.begin() as connection:
        queue = standing.next_ready(connection, LATER, 9)
    assert [file.source_file_id for file in queue][:2] == ids
    assert [file.priority for file in queue] == [BY_HAND_PRIORITY, BY_HAND_PRIORITY, 0]


@pytest.mark.parametrize(
    "verdict", [FileState.REFUSED, FileState.QUARANTINED, FileState.RETRY], ids=str
)
def test_analysing_by_hand_reopens_a_verdict(desk, owner, folder, verdict):
    path = write(folder / "a.dm4")
    file_id = put(owner, path, verdict)
    values = {"paths": [str(path)], "force": True, "pixel_size_nm": 0.05}
    assert desk.serve("analyse", LATER, values)["ids"] == [file_id]
    found = entry(owner, path)
    assert (found.state, found.attempts, found.error_code) == (FileState.READY, 0, None)
    assert (found.forced, found.pixel_size_nm) == (True, 0.05)


def test_a_companion_named_by_hand_is_its_primary_file(desk, owner, folder):
    ser, emi = write(folder / "x_1.ser"), write(folder / "x.emi")
    (by_emi,) = desk.serve("analyse", NOW, {"paths": [str(emi)]})["ids"]
    assert by_emi == entry(owner, ser).source_file_id


def test_a_file_named_twice_and_by_its_companion_is_one_file(desk, owner, folder):
    ser, emi = write(folder / "x_1.ser"), write(folder / "x.emi")
    ids = desk.serve("analyse", NOW, {"paths": [str(ser), str(emi), str(ser)]})["ids"]
    assert ids == [entry(owner, ser).source_file_id] * 3


def test_a_folder_is_listed_once_for_all_its_files(desk, folder, monkeypatch):
    paths = [write(folder / f"Au_{number:03d}.tif") for number in range(MOST_PATHS)]
    listed = []
    listdir = os.listdir
    monkeypatch.setattr(
        "daemon.walk.os.listdir", lambda place: listed.append(place) or listdir(place)
    )
    assert len(desk.serve("analyse", NOW, {"paths": [str(path) for path in paths]})["ids"]) == 200
    assert listed == [os.fsencode(folder)]


def test_a_request_for_too_many_files_is_declined_unread(desk, folder):
    paths = [str(folder / "nowhere.dm4")] * (MOST_PATHS + 1)
    with pytest.raises(Misused, match="at most 200 files, not 201"):
        desk.serve("analyse", NOW, {"paths": paths})


def test_very_many_files_are_asked_for_in_parts(desk, owner, folder):
    paths = [write(folder / f"Au_{number:03d}.tif") for number in range(2 * MOST_PATHS + 1)]
    sizes = []

    def ask(values):
        sizes.append(len(values["paths"]))
        return desk.serve("analyse", NOW, values)

    values = {"paths": [str(path) for path in paths], "force": True}
    ids = byhand.asked(ask, values)
    assert sizes == [MOST_PATHS, MOST_PATHS, 1]
    assert ids == [entry(owner, path).source_file_id for path in paths]
    assert entry(owner, paths[-1]).forced


def test_a_companion_in_a_later_part_does_not_begin_its_primary_anew(desk, owner, folder):
    """`analyse *.ser *.emi`: the daemon may be at work by the time of the second part."""
    ser, emi = write(folder / "x_1.ser"), write(folder / "x.emi")
    sers = [ser] * MOST_PATHS

    def ask(values):
        answer = desk.serve("analyse", NOW, values)
        if not values["before"]:
            with owner.begin() as connection:
                ledger.begin(connection, answer["ids"][0], "boot", 1, NOW)
        return answer

    ids = byhand.asked(ask, {"paths": [str(path) for path in (*sers, emi)]})
    assert set(ids) == {entry(owner, ser).source_file_id}
    assert entry(owner, ser).state is FileState.PROCESSING


def test_files_are_looked_at_before_the_database_is_held(desk, owner, folder, monkeypatch):
    held = []

    def look(place, names):
        held.append(owner.pool.checkedout())
        return named(place, names)

    monkeypatch.setattr(desk_room, "named", look)
    desk.serve("analyse", NOW, {"paths": [str(write(folder / "a.dm4"))]})
    assert held == [0]


def test_a_share_that_does_not_answer_is_said_so(desk, folder, monkeypatch):
    goes_on = threading.Event()
    monkeypatch.setattr(desk_room, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(desk_room, "named", lambda *_: goes_on.wait(20) and {})
    with pytest.raises(DaemonError, match="acquisition does not answer"):
        desk.serve("analyse", NOW, {"paths": [str(folder / "a.dm4")]})
    goes_on.set()


def test_a_file_in_work_is_not_taken_away(desk, owner, folder):
    path, other = write(folder / "a.dm4"), write(folder / "b.dm4")
    put(owner, path, FileState.PROCESSING)
    with pytest.raises(DaemonError, match="being analysed right now"):
        desk.serve("analyse", NOW, {"paths": [str(other), str(path)]})
    with owner.begin() as connection:
        assert standing.entry_at(connection, os.fsencode(other)) is None


def test_a_file_that_is_not_there_is_said_so(desk, folder):
    with pytest.raises(DaemonError, match=r"nowhere\.dm4: No such file or directory"):
        desk.serve("analyse", NOW, {"paths": [str(folder / "nowhere.dm4")]})


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_only_regular_files_are_analysed(desk, folder, kind):
    path = folder / "a.dm4"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(write(folder / "b.dm4"))
    with pytest.raises(Misused, match="not a regular file") as error:
        desk.serve("analyse", NOW, {"paths": [str(path)]})
    assert error.value.exit_code == Exit.MISUSED


@pytest.mark.parametrize("size", [0, -1, 1000, float("nan"), float("inf")])
def test_a_pixel_size_that_makes_no_sense_is_refused(desk, folder, size):
    path = write(folder / "a.dm4")
    with pytest.raises(Misused, match="makes no sense"):
        desk.serve("analyse", NOW, {"paths": [str(path)], "pixel_size_nm": size})


def test_by_hand_belongs_to_the_open_session(desk, owner, folder):
    desk.serve("session_start", NOW, {"name": "morning"})
    path = write(folder / "a.dm4")
    desk.serve("analyse", NOW, {"paths": [str(path)]})
    assert entry(owner, path).session_id == 1


def test_retry_takes_up_every_failed_file_and_no_other(desk, owner, folder):
    states = (FileState.REFUSED, FileState.QUARANTINED, FileState.RETRY, FileState.PROCESSING)
    paths = {state: write(folder / f"{state}.dm4") for state in states}
    for state, path in paths.items():
        put(owner, path, state)
    assert desk.serve("retry", LATER, {}) == {"count": 3}
    assert [entry(owner, paths[state]).state for state in states] == [
        *[FileState.READY] * 3,
        FileState.PROCESSING,
    ]


def test_retry_takes_up_the_files_named(desk, owner, folder):
    paths = [write(folder / name) for name in ("a.dm4", "b.dm4")]
    for path in paths:
        put(owner, path, FileState.QUARANTINED)
    assert desk.serve("retry", LATER, {"paths": [str(paths[0])]}) == {"count": 1}
    assert entry(owner, paths[1]).state is FileState.QUARANTINED
