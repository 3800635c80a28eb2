"""From first sight to `ready`: real files, a real ledger, a clock moved by hand."""

import errno
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from daemon.allowance import HOUR_SECONDS, Allowance, Hourly
from daemon.bounded import DoesNotAnswer
from daemon.config import WatchConfig
from daemon.descent import open_below
from daemon.intake import Intake
from daemon.roots import Root, RootVanished
from daemon.settle import SettleTracker
from daemon.spool import spool_arrival
from daemon.walk import Walked, single, walk
from daemon.watcher import Hint, HintKind
from schema import ledger, sessions, standing, store
from schema.records import FileState, SessionRecord
from schema.standing import LedgerEntry
from tests.daemon.moments import NOW
from tests.daemon.results import result_of
from tests.daemon.test_walk import calls_made


class Watch:
    """An intake over one folder, and what happens to it second by second."""

    def __init__(
        self,
        connection: Connection,
        root: Root,
        allowance: Allowance | None = None,
        *,
        polled: bool = False,
    ) -> None:
        self.connection = connection
        self.root = root
        self.seconds = 1000.0
        self.intake = Intake([root], SettleTracker(2.0, 10.0), lambda _: polled, allowance)

    @property
    def now(self):
        return NOW + timedelta(seconds=self.seconds)

    def walk(self) -> None:
        try:
            walked = walk(self.root)
        except RootVanished:
            self.intake.lose(self.root)
            return
        begun = self.seconds
        self.intake.find(self.root)
        self.take_in(walked, begun)

    def take_in(self, walked: Walked, begun: float) -> None:
        """A walk that began then has ended."""
        arrivals = walked.arrivals
        self.intake.take_in_walked(self.connection, arrivals, begun, self.now, self.seconds)
        self.intake.note_walked(self.connection, self.root, walked, begun)

    def hear(self, *hints: tuple[HintKind, Path | bytes]) -> None:
        heard = [Hint(kind=kind, path=os.fsencode(path)) for kind, path in hints]
        self.intake.hear(self.connection, heard, self.now, self.seconds)

    def wait(self, seconds: float, *, step: float = 0.5) -> None:
        """Time passes, with a look at every step and a walk each minute."""
        for _ in range(round(seconds / step)):
            self.seconds += step
            self.hear()

    def settle(self) -> None:
        """Everything that was written is ready."""
        self.walk()
        self.wait(11.0)

    def entry(self, path: Path | bytes) -> LedgerEntry:
        found = standing.entry_at(self.connection, os.fsencode(path))
        assert found is not None
        return found

    def state(self, path: Path | bytes) -> FileState:
        return self.entry(path).state

    def begin(self, path: Path) -> int:
        file_id = self.entry(path).source_file_id
        ledger.begin(self.connection, file_id, "boot", 1, self.now)
        return file_id

    def finish(self, path: Path, pixels: str = "0" * 64) -> None:
        file_id = self.begin(path)
        store.commit_results(self.connection, file_id, "a" * 64, [result_of(pixels)], self.now)

    @property
    def counts(self):
        return standing.counts(self.connection)


@pytest.fixture
def watch(connection: Connection, folder: Path) -> Watch:
    return Watch(connection, Root.of(WatchConfig(folder=folder)))


def write(path: Path, text: str = "x") -> Path:
    path.write_text(text)
    return path


def append(path: Path, text: str = "more") -> None:
    """Write on, later than the last time on any clock."""
    mtime_ns = path.stat().st_mtime_ns
    with path.open("a") as file:
        file.write(text)
    os.utime(path, ns=(mtime_ns + 1000, mtime_ns + 1000))


def test_a_file_that_was_there_at_the_start_settles_like_all_others(watch, folder):
    path = write(folder / "a.dm4")
    watch.walk()
    assert watch.state(path) is FileState.SETTLING
    watch.wait(9.5)
    assert watch.state(path) is FileState.SETTLING
    watch.wait(0.5)
    assert watch.state(path) is FileState.READY


def test_a_file_seen_twice_is_queued_once(watch, folder):
    path = write(folder / "a.dm4")
    for _ in range(3):
        watch.walk()
        watch.hear((HintKind.CHANGED, path), (HintKind.CLOSED, path))
    watch.settle()
    watch.walk()
    assert watch.counts.seen == watch.counts.pending == 1
    assert watch.entry(path).revision == 1


def test_a_file_that_was_closed_is_ready_after_two_seconds(watch, folder):
    path = write(folder / "a.dm4")
    watch.hear((HintKind.CHANGED, path), (HintKind.CLOSED, path))
    watch.wait(1.5)
    assert watch.state(path) is FileState.SETTLING
    watch.wait(0.5)
    assert watch.state(path) is FileState.READY


def test_a_slow_write_in_place_is_ready_only_when_it_stops(watch, folder):
    path = write(folder / "a.dm4")
    watch.hear((HintKind.CHANGED, path))
    for _ in range(20):
        watch.wait(5.0)
        append(path)
        watch.hear((HintKind.CHANGED, path))
        assert watch.state(path) is FileState.SETTLING
    watch.hear((HintKind.CLOSED, path))
    watch.wait(2.5)
    found = watch.entry(path)
    assert (found.state, found.size_bytes) == (FileState.READY, path.stat().st_size)


def test_a_slow_write_without_events_is_ready_only_when_it_stops(watch, folder):
    path = write(folder / "a.dm4")
    watch.walk()
    for _ in range(5):
        watch.wait(9.0)
        append(path)
    watch.wait(9.5)
    assert watch.state(path) is FileState.SETTLING
    watch.wait(1.0)
    assert watch.state(path) is FileState.READY


def test_a_name_for_the_time_of_writing_is_never_seen(watch, folder):
    part = write(folder / "a.dm4.part")
    watch.hear((HintKind.CHANGED, part), (HintKind.CLOSED, part))
    watch.settle()
    assert watch.counts.seen == 0
    path = part.rename(folder / "a.dm4")
    watch.hear((HintKind.CLOSED, path))
    watch.wait(2.5)
    assert watch.state(path) is FileState.READY
    assert watch.counts.seen == 1


def test_a_file_written_again_after_its_close_waits_again(watch, folder):
    path = write(folder / "a.dm4")
    watch.hear((HintKind.CLOSED, path))
    watch.wait(1.0)
    append(path)
    watch.hear((HintKind.CHANGED, path))
    watch.wait(9.0)
    assert watch.state(path) is FileState.SETTLING
    watch.hear((HintKind.CLOSED, path))
    watch.wait(2.5)
    assert watch.state(path) is FileState.READY


def test_a_file_that_changes_while_it_waits_for_its_turn_settles_anew(watch, folder):
    path = write(folder / "a.dm4")
    watch.settle()
    append(path)
    watch.hear((HintKind.CHANGED, path))
    assert watch.state(path) is FileState.SETTLING
    watch.hear((HintKind.CLOSED, path))
    watch.wait(2.5)
    found = watch.entry(path)
    assert (found.state, found.revision) == (FileState.READY, 1)


def test_a_file_that_changes_after_its_verdict_is_the_next_revision(watch, folder):
    path = write(folder / "a.dm4")
    watch.settle()
    watch.finish(path)
    append(path)
    watch.settle()
    found = watch.entry(path)
    assert (found.state, found.revision) == (FileState.READY, 2)
    assert (watch.counts.superseded, watch.counts.pending, watch.counts.done) == (1, 1, 0)


def test_a_file_that_changes_in_work_is_looked_at_after_its_verdict(watch, folder):
    path = write(folder / "a.dm4")
    watch.settle()
    file_id = watch.begin(path)
    append(path)
    watch.walk()
    watch.hear((HintKind.CHANGED, path), (HintKind.CLOSED, path))
    assert watch.state(path) is FileState.PROCESSING
    store.commit_results(watch.connection, file_id, "a" * 64, [result_of("0" * 64)], watch.now)
    watch.settle()
    assert watch.entry(path).revision == 2


def test_a_file_that_was_not_what_had_settled_settles_anew(watch, folder):
    path = write(folder / "a.dm4")
    watch.settle()
    arrival = single(os.fsencode(path), watch.root.path)
    file_id = watch.begin(path)
    append(path)
    ledger.retry_later(watch.connection, file_id, "still_written", "It changed.", watch.now, NOW)
    watch.intake.look_again(watch.connection, arrival, watch.now, watch.seconds)
    found = watch.entry(path)
    assert (found.state, found.attempts) == (FileState.SETTLING, 0)
    watch.wait(11.0)
    assert watch.state(path) is FileState.READY


def test_a_file_outside_the_roots_settles_too_once_it_changed(watch, tmp_path):
    path = write(tmp_path / "by_hand.dm4")
    arrival = single(os.fsencode(path))
    watch.intake.look_again(watch.connection, arrival, watch.now, watch.seconds)
    assert watch.intake.unsettled() == 1
    watch.wait(5.0)
    append(path)
    watch.wait(9.5)
    assert watch.state(path) is FileState.SETTLING
    watch.wait(1.0)
    found = watch.entry(path)
    assert (found.state, found.size_bytes) == (FileState.READY, path.stat().st_size)


def test_a_file_outside_the_roots_settles_though_the_daemon_was_killed_meanwhile(watch, tmp_path):
    path = write(tmp_path / "by_hand.dm4")
    arrival = single(os.fsencode(path))
    watch.intake.look_again(watch.connection, arrival, watch.now, watch.seconds)
    again = Watch(watch.connection, watch.root)
    for _ in range(2):
        again.intake.take_up(again.connection, again.seconds)
    assert again.intake.unsettled() == 1
    again.wait(11.0)
    assert again.state(path) is FileState.READY
    path.unlink()
    again.intake.take_up(again.connection, again.seconds)


def test_a_file_outside_the_roots_that_vanishes_is_given_up(watch, tmp_path):
    path = write(tmp_path / "by_hand.dm4")
    arrival = single(os.fsencode(path))
    watch.intake.look_again(watch.connection, arrival, watch.now, watch.seconds)
    path.unlink()
    watch.intake.look_again(watch.connection, arrival, watch.now, watch.seconds)
    watch.wait(1.0)
    assert watch.intake.unsettled() == 0
    assert not watch.entry(path).present


def by_hand(watch: Watch, path: Path, state: FileState) -> None:
    """A file outside the roots that was named by hand, and waits or is still being written."""
    arrival = single(os.fsencode(write(path)))
    watch.intake.look_again(watch.connection, arrival, watch.now, watch.seconds)
    if state is FileState.RETRY:
        watch.intake = Watch(watch.connection, watch.root).intake
        file_id = watch.entry(path).source_file_id
        ledger.retry_later(watch.connection, file_id, "io_error", "No.", watch.now, watch.now)


def tried_again(watch: Watch, path: Path) -> None:
    """The next attempt could not read it either."""
    arrival = watch.entry(path).arrival
    watch.intake.look_again(watch.connection, arrival, watch.now, watch.seconds)


def test_a_file_outside_the_roots_that_waits_and_is_gone_is_tried_no_more(watch, tmp_path):
    path = tmp_path / "usb" / "by_hand.dm4"
    path.parent.mkdir()
    by_hand(watch, path, FileState.RETRY)
    assert watch.entry(path).present
    path.unlink()
    tried_again(watch, path)
    found = watch.entry(path)
    assert (found.state, found.present) == (FileState.RETRY, False)
    assert standing.next_ready(watch.connection, watch.now, 9) == ()


def test_a_file_in_a_root_that_is_gone_is_left_to_the_walk(watch, folder):
    path = write(folder / "a.dm4")
    watch.settle()
    path.unlink()
    tried_again(watch, path)
    assert watch.entry(path).present


@pytest.mark.parametrize("known", [FileState.RETRY, FileState.SETTLING])
@pytest.mark.parametrize("why", ["pulled out", "sick", "silent"])
def test_a_file_outside_the_roots_that_is_out_of_reach_is_not_gone(
    watch, tmp_path, monkeypatch, known, why
):
    path = tmp_path / "usb" / "by_hand.dm4"
    path.parent.mkdir()
    by_hand(watch, path, known)
    away = tmp_path / "away"
    if why == "pulled out":
        path.parent.rename(away)
    else:
        error = OSError(errno.EIO, "sick") if why == "sick" else DoesNotAnswer("no answer")
        monkeypatch.setattr("daemon.afield.named", _failing(error, path))
    tried_again(watch, path)
    watch.hear()
    assert watch.entry(path).present
    assert watch.intake.unsettled() == 0
    watch.wait(30.0)
    if why == "pulled out":
        away.rename(path.parent)
    monkeypatch.undo()
    watch.wait(80.0)
    expected = FileState.READY if known is FileState.SETTLING else known
    assert (watch.state(path), watch.entry(path).present) == (expected, True)


def _failing(error: OSError, path: Path):
    """Looks of files by their names, of which one fails."""

    def look(folder, names, root=None):
        if isinstance(error, DoesNotAnswer):
            raise error
        return dict.fromkeys(names, error)

    return look


def test_a_share_that_does_not_answer_is_asked_once_a_minute(watch, folder, tmp_path, monkeypatch):
    path = tmp_path / "by_hand.dm4"
    by_hand(watch, path, FileState.SETTLING)
    asked = []

    def look(place, names, root=None):
        asked.append(watch.seconds)
        raise DoesNotAnswer("no answer")

    monkeypatch.setattr("daemon.afield.named", look)
    inside = write(folder / "a.dm4")
    watch.walk()
    watch.wait(90.0)
    assert watch.state(inside) is FileState.READY
    assert asked == [1000.5, 1060.5]


@pytest.mark.parametrize("how", ["look", "walk"])
def test_a_file_that_vanishes_before_it_settled_is_no_longer_waited_for(watch, folder, how):
    path = write(folder / "a.dm4")
    watch.walk()
    assert watch.intake.unsettled() == 1
    path.unlink()
    if how == "look":
        watch.hear()
    else:
        watch.walk()
    assert watch.intake.unsettled() == 0
    found = watch.entry(path)
    assert (found.state, found.present) == (FileState.SETTLING, False)
    watch.settle()
    write(path)
    watch.settle()
    found = watch.entry(path)
    assert (found.state, found.present, found.revision) == (FileState.READY, True, 1)


def test_archiving_a_raw_file_changes_nothing_but_its_presence(watch, folder):
    path = write(folder / "a.dm4")
    watch.settle()
    watch.finish(path)
    path.unlink()
    watch.walk()
    found = watch.entry(path)
    assert (found.state, found.present) == (FileState.DONE, False)


def test_archiving_raw_files_one_by_one_supersedes_no_result(watch, folder):
    ser, emi = write(folder / "x_1.ser"), write(folder / "x.emi")
    watch.settle()
    watch.finish(ser)
    emi.unlink()
    watch.settle()
    assert watch.state(ser) is FileState.DONE
    ser.unlink()
    watch.settle()
    assert (watch.counts.done, watch.counts.seen) == (1, 1)


@pytest.mark.parametrize("name", ["notes.txt", "a.jpg", "noname", "a.dm4.bak", "two\nlines.xml"])
def test_what_is_no_file_of_a_microscope_is_refused_at_once(watch, folder, name):
    path = write(folder / name)
    watch.walk()
    found = watch.entry(path)
    assert (found.state, found.error_code) == (FileState.REFUSED, "unknown_suffix")
    assert "\n" not in found.error_message
    assert watch.intake.unsettled() == 0


def test_a_log_file_that_grows_all_day_is_refused_once(watch, folder):
    path = write(folder / "session.log")
    for _ in range(5):
        watch.walk()
        append(path)
        watch.hear((HintKind.CHANGED, path), (HintKind.CLOSED, path))
    assert (watch.counts.seen, watch.counts.refused) == (1, 1)


def test_log_files_take_no_room_from_the_micrographs_beside_them(connection, folder):
    root = Root.of(WatchConfig(folder=folder))
    hourly = {root.path: Hourly(files=2, bytes=10**9)}
    watch = Watch(connection, root, Allowance(hourly))
    for number in range(3):
        write(folder / f"session{number}.log")
    watch.walk()
    assert watch.counts.refused == 3  # of one walk
    write(folder / "session3.log")
    watch.walk()
    assert watch.counts.refused == 3
    first, second = write(folder / "a.dm4"), write(folder / "b.dm4")
    watch.settle()
    write(folder / "c.dm4")
    watch.settle()
    assert (watch.counts.refused, watch.counts.pending) == (3, 2)
    assert watch.state(first) is watch.state(second) is FileState.READY
    watch.wait(HOUR_SECONDS)
    watch.settle()
    assert (watch.counts.refused, watch.counts.pending) == (4, 3)


def test_an_unmounted_root_freezes_its_files(connection, folder):
    settled, settling = write(folder / "a.dm4"), write(folder / "b.dm4")
    root = Root.of(WatchConfig(folder=folder))
    watch = Watch(connection, root)
    watch.settle()
    append(settling)
    watch.walk()
    before = (watch.entry(settled), watch.entry(settling))

    # The folder is moved away: nothing was deleted, and the mount point may look empty.
    folder.rename(folder.with_name("elsewhere"))
    watch.settle()
    watch.hear((HintKind.CHANGED, settling))
    assert (watch.entry(settled), watch.entry(settling)) == before
    assert watch.intake.vanished == {root.path}
    assert watch.intake.unsettled() == 0
    assert standing.next_ready(connection, watch.now, 9, frozen=watch.intake.vanished) == ()

    folder.with_name("elsewhere").rename(folder)
    watch.settle()
    assert watch.state(settling) is FileState.READY
    assert watch.intake.vanished == frozenset()


def test_an_empty_mount_point_in_place_of_the_share_freezes_its_files(connection, folder):
    path = write(folder / "a.dm4")
    root = Root.of(WatchConfig(folder=folder))
    below = replace(root, mount=replace(root.mount, point=folder))
    watch = Watch(connection, root)
    watch.settle()
    path.unlink()
    unmounted = Watch(connection, below)
    unmounted.walk()
    assert watch.entry(path).present


def test_a_folder_that_does_not_answer_has_nothing_to_wait_for(watch, folder):
    write(folder / "a.dm4")
    watch.walk()
    assert watch.intake.unsettled() == 1
    assert watch.intake.unsettled(absent={os.fsencode(folder)}) == 0
    assert watch.intake.unsettled(absent={b"/other"}) == 1


@pytest.mark.parametrize(("errno", "present"), [(5, True), (116, True), (13, False)])
def test_a_listing_that_fails_removes_nothing(watch, folder, monkeypatch, errno, present):
    (folder / "day").mkdir()
    path = write(folder / "day" / "a.dm4")
    watch.settle()

    def fail(root: bytes, place: bytes, flags: int) -> int:
        if place == os.fsencode(folder / "day"):
            raise OSError(errno, os.strerror(errno))
        return open_below(root, place, flags)

    monkeypatch.setattr("daemon.walk.open_below", fail)
    append(path)
    watch.walk()
    assert watch.entry(path).present == present
    watch.hear((HintKind.CHANGED, path))
    monkeypatch.undo()
    watch.settle()
    found = watch.entry(path)
    assert (found.state, found.present) == (FileState.READY, True)


def test_a_companion_that_comes_late_reopens_its_primary(watch, folder):
    ser = write(folder / "x_1.ser")
    watch.settle()
    watch.finish(ser)
    emi = write(folder / "x.emi")
    watch.hear((HintKind.CHANGED, emi), (HintKind.CLOSED, emi))
    found = watch.entry(ser)
    assert (found.revision, len(found.companions)) == (2, 1)
    watch.wait(11.0)
    assert watch.state(ser) is FileState.READY
    assert watch.counts.seen == 2


def test_a_companion_that_came_first_no_longer_stands_for_itself(watch, folder):
    emi = write(folder / "x.emi")
    watch.settle()
    assert watch.state(emi) is FileState.READY
    ser = write(folder / "x_1.ser")
    watch.settle()
    assert watch.state(emi) is FileState.SUPERSEDED
    assert watch.state(ser) is FileState.READY


def test_closing_the_companion_does_not_close_the_primary(watch, folder):
    ser = write(folder / "x_1.ser")
    watch.hear((HintKind.CHANGED, ser))
    emi = write(folder / "x.emi")
    watch.hear((HintKind.CHANGED, emi))
    watch.hear((HintKind.CLOSED, emi))
    watch.wait(9.0)  # the camera pauses
    assert watch.state(ser) is FileState.SETTLING
    append(ser)
    watch.hear((HintKind.CLOSED, ser))
    watch.wait(2.5)
    assert watch.state(ser) is FileState.READY


def test_a_companion_still_being_written_keeps_its_primary_waiting(watch, folder):
    ser, emi = write(folder / "x_1.ser"), write(folder / "x.emi")
    watch.hear((HintKind.CHANGED, emi), (HintKind.CLOSED, ser))
    watch.wait(5.0)
    assert watch.state(ser) is FileState.SETTLING
    watch.hear((HintKind.CLOSED, emi))
    watch.wait(2.5)
    assert watch.state(ser) is FileState.READY


def test_a_companion_that_grows_without_events_keeps_its_primary_waiting(watch, folder):
    ser, emi = write(folder / "x_1.ser"), write(folder / "x.emi")
    watch.walk()
    for _ in range(3):
        watch.wait(9.0)
        append(emi)
    watch.wait(9.5)
    assert watch.state(ser) is FileState.SETTLING
    watch.wait(1.0)
    assert watch.state(ser) is FileState.READY


def test_a_file_asked_for_by_hand_before_it_settled_is_left_to_its_worker(watch, folder):
    path = write(folder / "a.dm4")
    watch.walk()
    file_id = watch.entry(path).source_file_id
    ledger.reopen(watch.connection, [file_id], now=watch.now)
    ledger.begin(watch.connection, file_id, "boot", 1, watch.now)
    watch.wait(11.0)
    assert watch.state(path) is FileState.PROCESSING
    assert watch.intake.unsettled() == 0


def test_in_a_polled_root_only_the_walk_looks(connection, folder):
    path = write(folder / "a.dm4")
    watch = Watch(connection, Root.of(WatchConfig(folder=folder)), polled=True)
    watch.walk()
    watch.wait(60.0)
    assert watch.state(path) is FileState.SETTLING
    watch.walk()
    watch.hear()
    assert watch.state(path) is FileState.READY


def session_of(watch: Watch, name: str, folder: Path | None = None) -> int:
    session = SessionRecord(
        uuid=f"0b8e1a4e-6f0f-4f6e-9d2c-{len(name):012d}",
        name=name,
        started_at_utc=watch.now,
        folder=None if folder is None else os.fsencode(folder),
    )
    session_id = sessions.start(watch.connection, session)
    watch.intake.session = (session_id, session)
    return session_id


def test_a_file_belongs_to_the_session_it_was_first_seen_in(watch, folder):
    early = write(folder / "early.dm4")
    watch.walk()
    morning = session_of(watch, "morning")
    late = write(folder / "late.dm4")
    watch.walk()
    session_of(watch, "afternoon")
    watch.settle()
    assert watch.entry(early).session_id is None
    assert watch.entry(late).session_id == morning


def test_a_session_with_a_folder_has_only_the_files_below_it(watch, folder):
    for name in ("grid", "grid_2"):
        (folder / name).mkdir()
    inside = write(folder / "grid" / "a.dm4")
    beside = write(folder / "grid_2" / "a.dm4")
    above = write(folder / "a.dm4")
    grid = session_of(watch, "grid", folder / "grid")
    watch.walk()
    assert watch.entry(inside).session_id == grid
    assert watch.entry(beside).session_id is None
    assert watch.entry(above).session_id is None


@pytest.mark.parametrize("days", [-1, 1])
def test_the_clock_of_the_microscope_may_be_days_off(watch, folder, days):
    path = write(folder / "a.dm4")
    mtime_ns = path.stat().st_mtime_ns + days * 86_400 * 10**9
    os.utime(path, ns=(mtime_ns, mtime_ns))
    watch.hear((HintKind.CLOSED, path))
    watch.wait(2.5)
    assert watch.state(path) is FileState.READY


def test_a_time_of_zero_is_a_time(watch, folder):
    path = write(folder / "a.dm4")
    os.utime(path, ns=(0, 0))
    watch.settle()
    assert watch.state(path) is FileState.READY


@pytest.mark.parametrize("year", [1900, 2300])
def test_a_time_far_from_now_is_a_time(watch, folder, year):
    path = write(folder / "a.dm4")
    mtime_ns = (year - 1970) * 31_556_952 * 10**9
    os.utime(path, ns=(mtime_ns, mtime_ns))
    if path.stat().st_mtime_ns != mtime_ns:
        pytest.skip("this file system keeps no such time")
    watch.settle()
    found = watch.entry(path)
    assert found.state is FileState.READY
    spooled = spool_arrival(found.arrival, folder.parent / "spool", 2**20)
    assert spooled.primary.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("hidden", [".~tmp~", ".sync/day"])
def test_what_is_heard_from_a_hidden_folder_is_left_alone(watch, folder, hidden):
    (folder / hidden).mkdir(parents=True)
    path = write(folder / hidden / "a.dm4")
    watch.hear((HintKind.CLOSED, path))
    watch.settle()
    assert watch.counts.seen == 0


def test_an_inode_beyond_sqlites_integers_is_kept(watch, folder):
    path = write(folder / "a.dm4")
    arrival = replace(single(os.fsencode(path), watch.root.path), inode=2**64 - 1)
    for _ in range(2):
        watch.intake.take_in(watch.connection, [arrival], watch.now, watch.seconds)
    assert watch.counts.seen == 1


def test_a_file_overwritten_block_by_block_is_not_taken_half_way(watch: Watch, folder: Path):
    path = folder / "a.mrc"
    path.write_bytes(b"old" * 100)
    watch.settle()
    watch.finish(path)
    with path.open("r+b", buffering=0) as file:
        file.write(b"new" * 50)
        os.utime(path, ns=(1, 1))
        watch.hear((HintKind.CHANGED, path))
        watch.wait(60.0)
        assert watch.state(path) is FileState.SETTLING
        file.write(b"new" * 50)
    os.utime(path, ns=(2, 2))
    watch.hear((HintKind.CLOSED, path))
    watch.wait(3.0)
    assert watch.state(path) is FileState.READY


def test_a_companion_that_comes_late_settles_when_it_is_closed(watch: Watch, folder: Path):
    path, settings = folder / "a.mrc", folder / "a.mrc.mdoc"
    path.write_bytes(b"pixels")
    watch.settle()
    watch.finish(path)
    with settings.open("wb", buffering=0) as file:
        file.write(b"PixelSpacing = 0.4")
        watch.hear((HintKind.CHANGED, settings))
        watch.wait(60.0)
        assert watch.state(path) is FileState.SETTLING
        file.write(b"132\n")
    watch.hear((HintKind.CHANGED, settings), (HintKind.CLOSED, settings))
    watch.wait(11.0)
    assert watch.state(path) is FileState.READY


def in_folders(folder: Path, count: int, files: int = 1) -> list[Path]:
    """New files, so many in each of so many folders."""
    paths = [folder / f"grid_{n:03d}" / f"{m:03d}.dm4" for n in range(count) for m in range(files)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return paths


def test_a_look_at_many_folders_costs_so_much_a_file(watch, folder):
    paths = in_folders(folder, 150, files=10)
    watch.walk()
    watch.seconds += 1
    calls = calls_made(watch.hear)
    assert calls.total() < 500 * len(paths)


def test_folders_take_turns_and_no_news_is_lost(watch, folder, monkeypatch):
    monkeypatch.setattr("daemon.news.FOLDERS_AT_ONCE", 2)
    paths = in_folders(folder, 5)
    watch.hear(*((HintKind.CLOSED, path) for path in paths))
    assert watch.counts.seen == 2
    assert watch.intake.unsettled() == 5
    watch.hear()
    assert watch.counts.seen == 4
    watch.hear()
    assert watch.counts.seen == 5
    watch.wait(10.0)
    assert [watch.state(path) for path in paths] == [FileState.READY] * 5


def test_a_rush_in_one_folder_does_not_keep_another_from_settling(watch, folder, monkeypatch):
    monkeypatch.setattr("daemon.news.FOLDERS_AT_ONCE", 1)
    busy, quiet = in_folders(folder, 2)
    watch.walk()
    for _ in range(30):
        watch.seconds += 0.5
        watch.hear((HintKind.CHANGED, busy))
    assert watch.state(quiet) is FileState.READY


def test_of_very_many_files_so_many_become_ready_at_once(watch, folder, monkeypatch):
    monkeypatch.setattr("daemon.intake.SETTLED_AT_ONCE", 2)
    paths = in_folders(folder, 1, files=5)
    watch.walk()
    watch.seconds += 10.0
    ready = []
    for _ in range(3):
        watch.hear()
        ready.append(sum(watch.state(path) is FileState.READY for path in paths))
    assert ready == [2, 4, 5]
