"""Whatever writers, walks, events and clocks do, every content is analysed once and none is lost.

Real files in a real folder, a ledger in memory; the model is what the files are now.
"""

import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from daemon.config import WatchConfig
from daemon.intake import Intake
from daemon.roots import Root
from daemon.settle import SettleTracker
from daemon.walk import walk
from daemon.watcher import Hint, HintKind
from schema import ledger
from schema.ledger import LedgerEntry
from schema.records import ArrivalRecord, FileState
from tests.daemon.moments import NOW
from tests.schema.memory import database_in_memory

NAMES = ("a.dm4", "b.mrc", "x_1.ser", "x.emi")
names = st.sampled_from(NAMES)
heard = st.booleans()


class Acquisition(RuleBasedStateMachine):
    """A folder in which anything happens, and the intake over it."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.engine = database_in_memory()
        self.connection = self.engine.connect()
        self.root = Root.of(WatchConfig(folder=self.folder))
        self.seconds = 0.0
        self.now = NOW
        self.versions: dict[str, int] = {}
        self.last_version = 0
        self.in_work: LedgerEntry | None = None
        self.finished: list[tuple[str, tuple[int, ...]]] = []
        self.hints: list[Hint] = []
        self.restart()

    def teardown(self):
        self.connection.close()
        self.engine.dispose()
        shutil.rmtree(self.folder)

    def hint(self, kind, name, is_heard):
        if is_heard:
            self.hints.append(Hint(kind=kind, path=os.fsencode(self.folder / name)))

    def stamp(self, name):
        """Every write has a time of its own, far from the wall clock."""
        self.last_version += 1
        self.versions[name] = self.last_version
        os.utime(self.folder / name, ns=(self.last_version, self.last_version))

    @rule(name=names, size=st.integers(0, 2), is_heard=heard)
    def write(self, name, size, is_heard):
        (self.folder / name).write_bytes(b"x" * size)
        self.stamp(name)
        self.hint(HintKind.CHANGED, name, is_heard)

    @rule(name=names, is_heard=heard)
    def append(self, name, is_heard):
        if name in self.versions:
            with (self.folder / name).open("ab") as file:
                file.write(b"more")
            self.stamp(name)
            self.hint(HintKind.CHANGED, name, is_heard)

    @rule(name=names, is_heard=heard)
    def close(self, name, is_heard):
        if name in self.versions:
            self.hint(HintKind.CLOSED, name, is_heard)

    @rule(name=names, size=st.integers(0, 2), is_heard=heard)
    def rename_into_place(self, name, size, is_heard):
        part = self.folder / f".{name}.part"
        part.write_bytes(b"y" * size)
        part.rename(self.folder / name)
        self.stamp(name)
        self.hint(HintKind.CLOSED, name, is_heard)

    @rule(name=names)
    def delete(self, name):
        if self.versions.pop(name, None) is not None:
            (self.folder / name).unlink()

    @rule(name=names)
    def restore_from_a_copy(self, name):
        """The same bytes and times under a new inode."""
        if name in self.versions:
            path = self.folder / name
            copy = shutil.copy2(path, self.folder / ".copy")
            path.unlink()
            Path(copy).rename(path)

    @rule()
    def walk(self):
        walked = walk(self.root)
        self.intake.take_in_walked(
            self.connection, walked.arrivals, self.seconds, self.now, self.seconds
        )
        self.intake.note_walked(self.connection, self.root, walked, self.seconds)

    @rule()
    def hear(self):
        self.intake.hear(self.connection, self.hints, self.now, self.seconds)
        self.hints.clear()

    @rule(seconds=st.sampled_from((0.5, 2.0, 10.0)))
    def time_passes(self, seconds):
        self.seconds += seconds
        self.now += timedelta(seconds=seconds)

    @rule(days=st.integers(-2, 2))
    def the_wall_clock_jumps(self, days):
        self.now += timedelta(days=days)

    @rule()
    def restart(self):
        """The daemon is killed and starts again: what it held in memory is gone."""
        ledger.recover(self.connection, self.now)
        self.in_work = None
        self.hints.clear()
        self.intake = Intake([self.root], SettleTracker(2.0, 10.0))
        self.walk()

    @precondition(lambda self: self.in_work is None)
    @rule()
    def begin(self):
        for entry in ledger.next_ready(self.connection, self.now, 1):
            ledger.begin(self.connection, entry.source_file_id, "boot", 1, self.now)
            self.in_work = entry

    @precondition(lambda self: self.in_work is not None)
    @rule()
    def finish(self):
        """The attempt ends as the spool would have it: only what had settled is analysed."""
        entry, self.in_work = self.in_work, None
        members = [(entry.path, entry.size_bytes, entry.mtime_ns)]
        members += [(c.path, c.size_bytes, c.mtime_ns) for c in entry.companions]
        if all(_is_on_disk(*member) for member in members):
            ledger.finish(
                self.connection,
                entry.source_file_id,
                file_sha256="a" * 64,
                content_sha256=None,
                suspect=None,
                now=self.now,
            )
            name = os.path.basename(os.fsdecode(entry.path))
            self.finished.append((name, tuple(mtime_ns for _, _, mtime_ns in members)))
            return
        again_at = self.now + timedelta(seconds=10)
        ledger.retry_later(
            self.connection, entry.source_file_id, "still_written", "No.", again_at, self.now
        )
        self.intake.look_again(self.connection, _arrival(entry), self.now, self.seconds)

    @rule()
    def everything_comes_to_rest(self):
        """Nobody writes any more; minutes pass, the walks and the worker go on."""
        self.now += timedelta(days=3)  # past every wait that a clock set back had prolonged
        for _ in range(4):
            self.walk()
            for _ in range(22):
                self.time_passes(0.5)
                self.hear()
            self.work_off()
        self.all_is_done()

    def work_off(self):
        while True:
            if self.in_work is None:
                self.begin()
            if self.in_work is None:
                return
            self.finish()

    def all_is_done(self):
        assert self.intake.unsettled == 0
        assert ledger.unfinished(self.connection) == 0
        emi_is_alone = "x_1.ser" not in self.versions
        for name, version in self.versions.items():
            found = ledger.entry_at(self.connection, os.fsencode(self.folder / name))
            if name == "x.emi" and not emi_is_alone:
                assert found is None or found.state is FileState.SUPERSEDED
                continue
            assert found is not None
            assert (found.state, found.present) == (FileState.DONE, True)
            assert found.mtime_ns == version
        if "x.emi" in self.versions and not emi_is_alone:
            both = (self.versions["x_1.ser"], self.versions["x.emi"])
            assert ("x_1.ser", both) in self.finished

    @invariant()
    def no_content_is_analysed_twice(self):
        done = [each for each in self.finished if each[0] != "x.emi"]  # alone, with, alone again
        assert len(done) == len(set(done))

    @invariant()
    def the_ledger_adds_up(self):
        assert ledger.counts(self.connection).adds_up()

    @invariant()
    def a_path_has_at_most_one_live_row(self):
        query = (
            "SELECT count(*) FROM source_file WHERE state <> 'superseded' "
            "GROUP BY path HAVING count(*) > 1"
        )
        assert self.connection.exec_driver_sql(query).all() == []


def _is_on_disk(path: bytes, size_bytes: int, mtime_ns: int) -> bool:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return False
    return (status.st_size, status.st_mtime_ns) == (size_bytes, mtime_ns)


def _arrival(entry: LedgerEntry) -> ArrivalRecord:
    return ArrivalRecord(
        path=entry.path,
        root=entry.root,
        size_bytes=entry.size_bytes,
        mtime_ns=entry.mtime_ns,
        inode=entry.inode,
        companions=entry.companions,
    )


TestAcquisition = Acquisition.TestCase
TestAcquisition.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
