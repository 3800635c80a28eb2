"""The daemon's loop over real folders and a real database; only the analysis is played."""

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from daemon import requests
from daemon.beside import Beside, Company
from daemon.clock import Clock
from daemon.config import Config, StateConfig, WatchConfig
from daemon.desk import Desk
from daemon.errors import DaemonError, Exit, StateFolderLost
from daemon.folders import Folders
from daemon.orphans import Leftovers
from daemon.outcomes import FileJob, Outcome, OutcomeKind
from daemon.pulse import Pulse
from daemon.supervisor import Moment, Supervisor
from daemon.turns import boot_id
from daemon.verdicts import Verdicts
from schema import ledger, sessions, standing
from schema.guard import Guard
from schema.records import FileState
from schema.standing import LedgerEntry
from schema.state import StateFolder
from tests.daemon.lookouts import PromptLookout
from tests.daemon.moments import NOW
from tests.daemon.results import result_of

Play = Callable[[FileJob], OutcomeKind]


class Player:
    """Stands for the runner: every job ends as the play says, at the next turn."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.jobs: list[FileJob] = []
        self.current: FileJob | None = None
        self.device = "cpu"
        self.stage = "analysing"
        self.fails_to_start = False
        self.is_ready = False
        self.pulse = Pulse()

    def start(self) -> None:
        self.is_ready = not self.fails_to_start

    def check(self) -> None:
        if self.fails_to_start:
            raise DaemonError("the model could not be loaded")

    def submit(self, job: FileJob) -> None:
        self.current = job
        self.jobs.append(job)

    def outcomes(self, wait_seconds: float) -> Sequence[Outcome]:
        if self.current is None:
            return []
        job, self.current = self.current, None
        kind = self.play(job)
        if kind is not OutcomeKind.DONE:
            return [Outcome(job=job, kind=kind, code="a_code", message="So it is.")]
        pixels = f"{job.source_file_id:064d}"
        return [Outcome(job=job, kind=kind, file_sha256="a" * 64, results=(result_of(pixels),))]

    def stop(self, grace_seconds: float) -> None:
        pass


@dataclass
class Owned:
    """Stands for a state folder that is owned."""

    folder: StateFolder
    engine: Engine
    assure: Callable[[], tuple[str, ...]]


class Daemon:
    """A supervisor on a clock that runs half a second ahead at every look at it."""

    def __init__(self, state: StateFolder, owner: Engine, config: Config) -> None:
        self.state = state
        self.owner = owner
        self.config = config
        self.seconds = 0.0
        self.player = Player(lambda job: OutcomeKind.DONE)
        self.moments: list[Moment] = []
        self.on_show: Callable[[Moment], None] = lambda moment: None
        self.on_tick: Callable[[float], None] = lambda seconds: None
        self.supervisor: Supervisor | None = None
        self.members: tuple[Beside, ...] = ()
        self.assure: Callable[[], tuple[str, ...]] = lambda: ()

    def monotonic(self) -> float:
        self.seconds += 0.5
        self.on_tick(self.seconds)
        return self.seconds

    def make(self, *, once: bool = True, only: frozenset[int] | None = None) -> Supervisor:
        clock = Clock(utc=lambda: NOW + timedelta(seconds=self.seconds), monotonic=self.monotonic)
        self.supervisor = Supervisor(
            self.config,
            Owned(self.state, self.owner, self.assure),  # type: ignore[arg-type]
            self.player,  # type: ignore[arg-type]
            clock,
            once=once,
            only=only,
            beside=Company(self.members, show=self._show),
            make_lookout=PromptLookout,
        )
        return self.supervisor

    def run(self, *, once: bool = True, only: frozenset[int] | None = None) -> Exit:
        return self.make(once=once, only=only).run()

    def _show(self, moment: Moment) -> None:
        self.moments.append(moment)
        self.on_show(moment)
        if self.seconds > 100_000:
            raise TimeoutError("the daemon does not come to an end")

    def entry(self, path: Path) -> LedgerEntry:
        with self.owner.begin() as connection:
            found = standing.entry_at(connection, os.fsencode(path))
        assert found is not None
        return found


@pytest.fixture
def daemon(state: StateFolder, owner: Engine, folder: Path) -> Daemon:
    config = Config(
        state=StateConfig(folder=state.path),
        watch=(WatchConfig(folder=folder, pixel_size_nm=0.03),),
    )
    return Daemon(state, owner, config)


def write(path: Path, text: str = "x") -> Path:
    path.write_text(text)
    return path


def test_once_works_off_what_is_there_and_ends(daemon, folder):
    good, foreign = write(folder / "a.dm4"), write(folder / "notes.txt")
    assert daemon.run() is Exit.DONE
    assert daemon.entry(good).state is FileState.DONE
    assert daemon.entry(foreign).state is FileState.REFUSED
    assert [job.pixel_size_nm for job in daemon.player.jobs] == [0.03]
    assert daemon.moments[-1].finished


def test_once_over_an_empty_folder_ends(daemon):
    assert daemon.run() is Exit.DONE


def test_a_second_run_has_nothing_to_do(daemon, folder):
    write(folder / "a.dm4")
    daemon.run()
    daemon.run()
    assert len(daemon.player.jobs) == 1


@pytest.mark.parametrize(
    ("kind", "verdict", "tries", "code"),
    [
        (OutcomeKind.REFUSED, FileState.REFUSED, 1, Exit.DONE),
        (OutcomeKind.UNREADABLE, FileState.QUARANTINED, 1, Exit.DONE),
        (OutcomeKind.CHILD_DIED, FileState.QUARANTINED, 3, Exit.DONE),
        (OutcomeKind.IO_FAILED, FileState.RETRY, 3, Exit.FAILED),
    ],
)
def test_once_ends_whatever_the_files_do(daemon, folder, kind, verdict, tries, code):
    bad, good = write(folder / "a.dm4"), write(folder / "b.dm4")
    bad_path = os.fsencode(bad)
    daemon.player.play = lambda job: kind if job.arrival.path == bad_path else OutcomeKind.DONE
    assert daemon.run() == code
    assert daemon.entry(bad).state is verdict
    assert daemon.entry(good).state is FileState.DONE
    assert [job.arrival.path for job in daemon.player.jobs].count(bad_path) == tries


def test_once_takes_up_what_an_earlier_run_gave_up(daemon, folder):
    path = write(folder / "a.dm4")
    daemon.player.play = lambda job: OutcomeKind.IO_FAILED
    assert daemon.run() is Exit.FAILED
    daemon.player.play = lambda job: OutcomeKind.DONE
    assert daemon.run() is Exit.DONE
    assert daemon.entry(path).state is FileState.DONE


def test_a_file_that_changed_before_its_turn_settles_anew_and_is_done(daemon, folder):
    path = write(folder / "a.dm4")

    def play(job: FileJob) -> OutcomeKind:
        if len(daemon.player.jobs) > 1:
            return OutcomeKind.DONE
        write(path, "longer")
        return OutcomeKind.CHANGED

    daemon.player.play = play
    assert daemon.run() is Exit.DONE
    assert [job.arrival.size_bytes for job in daemon.player.jobs] == [1, 6]
    assert daemon.entry(path).state is FileState.DONE


def test_a_file_named_by_hand_that_changed_before_its_turn_is_done_too(daemon, tmp_path):
    path = write(tmp_path / "by_hand.dm4")
    daemon.config = daemon.config.model_copy(update={"watch": ()})
    ids = Desk(daemon.owner, daemon.state).analyse({"paths": [str(path)]}, NOW)["ids"]
    write(path, "longer")

    def spool(job: FileJob) -> OutcomeKind:
        same = job.arrival.size_bytes == path.stat().st_size
        return OutcomeKind.DONE if same else OutcomeKind.CHANGED

    daemon.player.play = spool
    assert daemon.run(only=frozenset(ids)) is Exit.DONE
    assert daemon.entry(path).state is FileState.DONE


def without_looks(config: Config) -> Config:
    """Nothing is found but by the walk of the start."""
    intake = config.intake.model_copy(update={"poll": "always", "poll_walk_seconds": 1e6})
    return config.model_copy(update={"intake": intake})


def test_a_file_named_by_hand_has_the_pixel_size_of_its_folder(daemon, folder):
    (folder / "day").mkdir()
    daemon.config = without_looks(daemon.config)

    def on_show(moment: Moment) -> None:
        if len(daemon.moments) == 1:
            path = write(folder / "day" / "a.dm4")
            Desk(daemon.owner, daemon.state).analyse({"paths": [str(path)]}, NOW)
        elif daemon.player.jobs and moment.current is None:
            daemon.supervisor.stop()

    daemon.on_show = on_show
    daemon.run(once=False)
    assert daemon.player.jobs[0].pixel_size_nm == 0.03


def test_the_pixel_size_said_by_hand_is_used(daemon, folder):
    path = write(folder / "a.dm4")
    values = {"paths": [str(path)], "pixel_size_nm": 0.05, "force": True}
    Desk(daemon.owner, daemon.state).analyse(values, NOW)
    daemon.run()
    assert daemon.player.jobs[0].pixel_size_nm == 0.05
    assert daemon.player.jobs[0].force


def test_an_interrupted_file_is_taken_up_and_not_blamed(daemon, folder):
    path = write(folder / "a.dm4")
    daemon.player.play = lambda job: OutcomeKind.ABANDONED if first() else OutcomeKind.DONE

    def first() -> bool:
        daemon.supervisor.stop()
        return len(daemon.player.jobs) == 1

    daemon.run()
    found = daemon.entry(path)
    assert (found.state, found.attempts, found.child_deaths) == (FileState.READY, 0, 0)
    with daemon.owner.begin() as connection:
        ledger.begin(connection, found.source_file_id, "earlier boot", 1, NOW)
    daemon.run()
    assert daemon.entry(path).state is FileState.DONE


def test_a_file_keeps_its_session_after_the_session_ended(daemon, folder):
    path = write(folder / "a.dm4")
    desk = Desk(daemon.owner, daemon.state)
    uuid = desk.start_session({"name": "morning"}, NOW)["uuid"]
    desk.analyse({"paths": [str(path)]}, NOW)
    desk.end_session({}, NOW)
    daemon.run()
    assert [job.session_uuid for job in daemon.player.jobs] == [uuid]


def test_files_of_a_share_that_went_wait_and_once_says_so(daemon, folder):
    paths = [write(folder / name) for name in ("a.dm4", "b.dm4")]
    away = folder.with_name("away")

    def unplug(job: FileJob) -> OutcomeKind:
        folder.rename(away)
        return OutcomeKind.DONE

    daemon.player.play = unplug
    assert daemon.run() is Exit.FAILED
    assert len(daemon.player.jobs) == 1
    assert "is not there" in daemon.moments[-1].warnings[0]
    away.rename(folder)
    daemon.player.play = lambda job: OutcomeKind.DONE
    assert daemon.run() is Exit.DONE
    assert [daemon.entry(path).state for path in paths] == [FileState.DONE] * 2


def test_folders_take_turns_so_that_a_rush_in_one_holds_up_no_other(daemon, folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    watch = (*daemon.config.watch, WatchConfig(folder=other))
    daemon.config = daemon.config.model_copy(update={"watch": watch})
    for number in range(6):
        write(folder / f"{number}.dm4")
    for number in range(2):
        write(other / f"{number}.dm4")
    assert daemon.run() is Exit.DONE
    order = [os.path.basename(job.arrival.root) for job in daemon.player.jobs]
    assert order[:4].count(b"other") == 2
    assert order[4:] == [b"acquisition"] * 4


def test_what_is_named_by_hand_comes_before_the_other_folders_turn(daemon, folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    watch = (*daemon.config.watch, WatchConfig(folder=other))
    daemon.config = daemon.config.model_copy(update={"watch": watch})
    wanted = [write(folder / f"{number}.dm4") for number in range(3)]
    write(other / "0.dm4")
    Desk(daemon.owner, daemon.state).analyse({"paths": [str(path) for path in wanted]}, NOW)
    assert daemon.run() is Exit.DONE
    assert os.path.basename(daemon.player.jobs[-1].arrival.root) == b"other"


def test_requests_are_served_and_move_the_session(daemon, folder):
    request = requests.folder_of(daemon.state.path)
    request.mkdir()
    (request / "a.json").write_text(
        json.dumps({"kind": "session_start", "values": {"name": "morning"}})
    )
    paths: list[Path] = []

    def on_show(moment: Moment) -> None:
        if (request / "a.answer").exists() and not paths:
            paths.append(write(folder / "a.dm4"))
        if len(daemon.player.jobs) == 1 and moment.current is None:
            daemon.supervisor.stop()

    daemon.on_show = on_show
    daemon.run(once=False)
    with daemon.owner.begin() as connection:
        session_id, session = sessions.open_session(connection)
    assert session.name == "morning"
    assert daemon.entry(paths[0]).session_id == session_id
    assert json.loads((request / "a.answer").read_text())["uuid"] == session.uuid


def test_told_to_stop_the_daemon_ends_after_its_turn(daemon):
    daemon.on_show = lambda moment: daemon.supervisor.stop()
    assert daemon.run(once=False) is Exit.DONE
    assert daemon.moments[-1].finished


def test_a_stop_while_the_model_loads_is_a_plain_end(daemon):
    daemon.player.fails_to_start = True
    supervisor = daemon.make(once=False)
    supervisor.stop()
    assert supervisor.run() is Exit.DONE


def test_a_model_that_cannot_be_loaded_is_an_error(daemon):
    daemon.player.fails_to_start = True
    with pytest.raises(DaemonError, match="could not be loaded"):
        daemon.run(once=False)


def test_the_spool_is_empty_before_and_after(daemon, folder):
    left = daemon.state.spool / "7"
    left.mkdir()
    (left / "a.dm4").touch()
    write(folder / "a.dm4")
    daemon.run()
    assert list(daemon.state.spool.iterdir()) == []


def test_the_moment_tells_what_is_in_hand(daemon, folder):
    write(folder / "a.dm4")
    daemon.run()
    shown = [moment.current for moment in daemon.moments if moment.current is not None]
    assert {(current.name, current.stage) for current in shown} <= {("a.dm4", "analysing")}
    assert daemon.moments[0].folders[0].path == folder
    assert daemon.moments[0].device == "cpu"


def test_a_boot_has_a_name():
    assert boot_id() == boot_id()
    assert len(boot_id()) == 36 or not Path("/proc/sys/kernel/random/boot_id").exists()


def test_a_new_file_is_found_while_the_daemon_runs(daemon, folder):
    """Through the kernel's events, the ledger and the loop, without a walk."""
    daemon.config = daemon.config.model_copy(
        update={"intake": daemon.config.intake.model_copy(update={"walk_seconds": 1e6})}
    )
    writer = threading.Thread(target=write, args=(folder / "a.dm4",))

    def on_show(moment: Moment) -> None:
        if writer.ident is None:
            writer.start()
        if daemon.player.jobs and moment.current is None:
            daemon.supervisor.stop()

    daemon.on_show = on_show
    daemon.run(once=False)
    writer.join()
    assert daemon.entry(folder / "a.dm4").state is FileState.DONE


@pytest.mark.parametrize("locked_when", ["a file comes", "a file is done"])
def test_a_database_locked_by_somebody_else_loses_nothing(
    daemon, folder, caplog, monkeypatch, locked_when
):
    monkeypatch.setattr("daemon.supervisor.DATABASE_WAIT_SECONDS", 2.0)
    with daemon.owner.begin() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 20")
    somebody = sqlite3.connect(daemon.state.database, isolation_level=None)
    until = [0.0]

    def lock() -> None:
        if not until[0]:
            somebody.execute("BEGIN IMMEDIATE")
            until[0] = daemon.seconds + 25

    def play(job: FileJob) -> OutcomeKind:
        if locked_when == "a file is done":
            lock()
        return OutcomeKind.DONE

    def on_tick(seconds: float) -> None:
        if somebody.in_transaction and seconds > until[0]:
            somebody.rollback()

    def on_show(moment: Moment) -> None:
        if not (folder / "a.dm4").exists():
            write(folder / "a.dm4")
            if locked_when == "a file comes":
                lock()
        elif daemon.player.jobs and moment.current is None and until[0] < daemon.seconds:
            daemon.supervisor.stop()

    daemon.player.play, daemon.on_tick, daemon.on_show = play, on_tick, on_show
    try:
        assert daemon.run(once=False) is Exit.DONE
    finally:
        somebody.close()
    assert "the database cannot be written now" in caplog.text
    assert daemon.entry(folder / "a.dm4").state is FileState.DONE
    assert len(daemon.player.jobs) == 1


def test_the_state_folder_is_looked_after_every_five_seconds(daemon, caplog):
    asked: list[float] = []

    def assure() -> tuple[str, ...]:
        asked.append(daemon.seconds)
        if len(asked) == 4:
            raise StateFolderLost("the database is gone")
        return ("the log is long",)

    daemon.assure = assure
    with pytest.raises(StateFolderLost, match="gone"):
        daemon.run(once=False)
    assert max(late - early for early, late in pairwise(asked)) < 10  # on a clock that jumps ahead
    assert daemon.moments[-1].warnings == ("the log is long",)
    assert caplog.text.count("the log is long") == 1


def test_a_database_lost_while_a_file_is_done_ends_the_daemon(daemon, folder):
    guard = Guard(daemon.state.database)
    guard.watch(daemon.owner)
    path = write(folder / "a.dm4")

    def play(job: FileJob) -> OutcomeKind:
        daemon.state.database.unlink()
        return OutcomeKind.DONE

    daemon.player.play = play
    with pytest.raises(StateFolderLost, match="is gone"):
        daemon.run(once=False)
    assert path.exists()


def failure(code: int) -> OperationalError:
    """What SQLAlchemy raises where SQLite fails with this code."""
    orig = sqlite3.OperationalError("a failure")
    orig.sqlite_errorcode = code
    return OperationalError("COMMIT", {}, orig)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT])
def test_a_failing_disk_or_a_damaged_database_ends_the_daemon(daemon, code):
    def assure() -> tuple[str, ...]:
        raise failure(code)

    daemon.assure = assure
    with pytest.raises(OperationalError):
        daemon.run(once=False)


def test_a_stop_while_another_program_has_the_database_is_a_plain_end(daemon, folder, caplog):
    with daemon.owner.begin() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 20")
    somebody = sqlite3.connect(daemon.state.database, isolation_level=None)
    path = write(folder / "a.dm4")

    def play(job: FileJob) -> OutcomeKind:
        (daemon.state.spool / "a copy").touch()
        somebody.execute("BEGIN IMMEDIATE")
        daemon.supervisor.stop()
        return OutcomeKind.DONE

    daemon.player.play = play
    try:
        assert daemon.run(once=False) is Exit.DONE
    finally:
        somebody.close()
    assert "the next start makes up for it" in caplog.text
    assert list(daemon.state.spool.iterdir()) == []
    assert daemon.entry(path).state is FileState.PROCESSING
    daemon.player.play = lambda job: OutcomeKind.DONE
    daemon.run()
    assert (daemon.entry(path).state, daemon.entry(path).attempts) == (FileState.DONE, 0)


def test_an_end_that_fails_leaves_an_empty_spool_too(daemon, folder, monkeypatch):
    def fails(*_: object) -> None:
        (daemon.state.spool / "a copy").touch()
        raise failure(sqlite3.SQLITE_IOERR)

    monkeypatch.setattr(Verdicts, "settle", fails)
    write(folder / "a.dm4")
    with pytest.raises(OperationalError):
        daemon.run()
    assert list(daemon.state.spool.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "room", "verb", "verdict", "attempts"),
    [
        (OutcomeKind.REFUSED, Leftovers, "ended", FileState.REFUSED, 0),
        (OutcomeKind.CHANGED, Folders, "look_again", FileState.RETRY, 1),
    ],
)
def test_a_verdict_is_written_once_though_what_follows_finds_the_database_busy(
    daemon, folder, monkeypatch, kind, room, verb, verdict, attempts
):
    path = write(folder / "a.dm4")
    follow = getattr(room, verb)
    calls: list[object] = []

    def busy_at_first(one: object, about: object) -> None:
        calls.append(about)
        if len(calls) == 1:
            raise failure(sqlite3.SQLITE_BUSY)
        follow(one, about)
        daemon.supervisor.stop()

    monkeypatch.setattr(room, verb, busy_at_first)
    daemon.player.play = lambda job: kind
    assert daemon.run(once=False) is Exit.DONE
    assert len(calls) == 2
    assert (daemon.entry(path).state, daemon.entry(path).attempts) == (verdict, attempts)
    assert len(daemon.player.jobs) == 1


def test_a_file_named_by_hand_that_is_gone_is_tried_no_more(daemon, tmp_path):
    path = write(tmp_path / "by_hand.dm4")
    values = {"paths": [str(path)]}
    (file_id,) = Desk(daemon.owner, daemon.state).analyse(values, NOW)["ids"]
    path.unlink()
    daemon.player.play = lambda job: OutcomeKind.IO_FAILED
    daemon.run(only=frozenset({file_id}))
    assert len(daemon.player.jobs) == 1
    assert (daemon.entry(path).state, daemon.entry(path).present) == (FileState.RETRY, False)


def test_who_goes_along_begins_warns_is_waited_for_and_ends(daemon, folder):
    """What was copied into the spool before is gone by then, and the pictures' own place stays."""
    path, came = write(folder / "a.dm4"), []

    class Companion:
        through = 0

        def start(self) -> None:
            came.append(("start", sorted(daemon.state.spool.iterdir())))
            (daemon.state.spool / "pictures").mkdir()

        def stop(self) -> None:
            came.append(("stop", [each.name for each in daemon.state.spool.iterdir()]))

        def warnings(self) -> tuple[str, ...]:
            return ("pictures are late",)

        def is_through(self) -> bool:
            came.append(("asked", daemon.entry(path).state))
            self.through += 1
            return self.through > 3

    (daemon.state.spool / "7").mkdir()
    daemon.members = (Companion(),)
    assert daemon.run() is Exit.DONE
    assert came[0] == ("start", [])
    assert came[1:-1] == [("asked", FileState.DONE)] * 4
    assert came[-1] == ("stop", ["pictures"])
    assert daemon.moments[-1].warnings == ("pictures are late",)


def test_who_never_ends_keeps_no_daemon_from_being_stopped(daemon, folder):
    class Busy(Company):
        def is_through(self) -> bool:
            daemon.supervisor.stop()
            return False

    daemon.members = (Busy(),)
    assert daemon.run() is Exit.DONE
