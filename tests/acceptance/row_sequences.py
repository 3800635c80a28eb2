"""Row 14: whatever writers, walks, events, restarts and clocks do, the ledger says what is there.

Real files in a real folder, the real intake, and a database as the daemon makes it; the model is
what the files are now and which of them were analysed.
"""

import functools
import hashlib
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from daemon.config import WatchConfig
from daemon.intake import Intake
from daemon.roots import Root
from daemon.settle import SettleTracker
from daemon.walk import walk
from daemon.watcher import Hint, HintKind
from schema import engine, ledger, migrate, standing, store
from schema.records import FileState
from schema.standing import LedgerEntry
from tests.daemon.moments import NOW
from tests.daemon.results import result_of

NAMES = ("a.dm4", "b.mrc", "x_1.ser", "x.emi")
STEPS = 10
WAITS_SECONDS = (2.0, 10.0, 30.0)  # after a close, without one, for one
RETRY_SECONDS = 10.0
MEMORY = Path("/dev/shm")  # commits wait for no disk: what is tested is their order

COMPILED: dict[Any, Any] = {}  # statements, which the thousands of engines share

names = st.sampled_from(NAMES)
sizes = st.integers(0, 2)
heard = st.booleans()


@functools.cache
def _migrated() -> bytes:
    """A database as the daemon makes it: migrating once is enough."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fringewatch.sqlite"
        migrate.upgrade(path, NOW)
        return path.read_bytes()


class Acquisition(RuleBasedStateMachine):
    """A folder in which anything happens, and the intake over it."""

    def __init__(self):
        super().__init__()
        self.place = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.folder = self.place / "acquisition"
        self.folder.mkdir()
        self.database = self.place / "fringewatch.sqlite"
        self.database.write_bytes(_migrated())
        self.owner = self.opened()
        self.root = Root.of(WatchConfig(folder=self.folder))
        self.seconds = 0.0
        self.now = NOW
        self.versions: dict[str, int] = {}
        self.last_version = 0
        self.in_work: LedgerEntry | None = None
        self.finished: list[tuple[str, tuple[int, ...]]] = []
        self.pictures: set[str] = set()
        self.hints: list[Hint] = []
        self.restart()

    def opened(self):
        return engine.writer(self.database).execution_options(compiled_cache=COMPILED)

    def teardown(self):
        self.owner.dispose()
        shutil.rmtree(self.place)

    def hint(self, kind, name, is_heard):
        if is_heard:
            self.hints.append(Hint(kind=kind, path=os.fsencode(self.folder / name)))

    def stamp(self, name):
        """Every write has a time of its own, far from the wall clock."""
        self.last_version += 1
        self.versions[name] = self.last_version
        os.utime(self.folder / name, ns=(self.last_version, self.last_version))

    @rule(name=names, size=sizes, is_heard=heard)
    def create(self, name, size, is_heard):
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
    def overwrite(self, name, is_heard):
        """In place: the size stays."""
        if name in self.versions:
            with (self.folder / name).open("r+b") as file:
                file.write(b"z" * bool(os.fstat(file.fileno()).st_size))
            self.stamp(name)
            self.hint(HintKind.CHANGED, name, is_heard)

    @rule(name=names, is_heard=heard)
    def close(self, name, is_heard):
        if name in self.versions:
            self.hint(HintKind.CLOSED, name, is_heard)

    @rule(name=names, size=sizes, is_heard=heard)
    def rename_into_place(self, name, size, is_heard):
        part = self.folder / f".{name}.part"
        part.write_bytes(b"y" * size)
        part.rename(self.folder / name)
        self.stamp(name)
        self.hint(HintKind.CLOSED, name, is_heard)

    @rule(name=names, other=names, is_heard=heard)
    def rename(self, name, other, is_heard):
        """Over what may have the other name."""
        if name in self.versions and name != other:
            (self.folder / name).rename(self.folder / other)
            self.versions[other] = self.versions.pop(name)
            self.hint(HintKind.CLOSED, other, is_heard)

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
        with self.owner.begin() as connection:
            walked, begun = walk(self.root), self.seconds
            arrivals = walked.arrivals
            self.intake.take_in_walked(connection, arrivals, begun, self.now, self.seconds)
            self.intake.note_walked(connection, self.root, walked, begun)

    @rule()
    def hear(self):
        with self.owner.begin() as connection:
            self.intake.hear(connection, self.hints, self.now, self.seconds)
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
        self.owner.dispose()
        self.owner = self.opened()
        with self.owner.begin() as connection:
            ledger.recover(connection, self.now)
        self.in_work = None
        self.hints.clear()
        self.intake = Intake([self.root], SettleTracker(*WAITS_SECONDS))
        self.walk()

    @precondition(lambda self: self.in_work is None)
    @rule()
    def begin(self):
        with self.owner.begin() as connection:
            for entry in standing.next_ready(connection, self.now, 1):
                ledger.begin(connection, entry.source_file_id, "boot", 1, self.now)
                self.in_work = entry

    @precondition(lambda self: self.in_work is not None)
    @rule()
    def finish(self):
        """The attempt ends as the spool would have it: only what had settled is analysed."""
        entry, self.in_work = self.in_work, None
        members = [(entry.path, entry.size_bytes, entry.mtime_ns)]
        members += [(c.path, c.size_bytes, c.mtime_ns) for c in entry.companions]
        if all(_is_on_disk(*member) for member in members):
            self.analyse(entry)
            name = os.path.basename(os.fsdecode(entry.path))
            self.finished.append((name, tuple(mtime_ns for _, _, mtime_ns in members)))
        else:
            self.give_back(entry, "still_written")

    @precondition(lambda self: self.in_work is not None)
    @rule()
    def fail(self):
        """The attempt ends without a result, whatever the reason."""
        entry, self.in_work = self.in_work, None
        self.give_back(entry, "unreadable")

    def analyse(self, entry):
        pixels = _pixels(Path(os.fsdecode(entry.path)))
        with self.owner.begin() as connection:
            results = [result_of(pixels)]
            store.commit_results(connection, entry.source_file_id, pixels, results, self.now)
        self.pictures.add(pixels)

    def give_back(self, entry, code):
        again_at = self.now + timedelta(seconds=RETRY_SECONDS)
        said = (code, "No.", again_at, self.now)
        with self.owner.begin() as connection:
            ledger.retry_later(connection, entry.source_file_id, *said)
            self.intake.look_again(connection, entry.arrival, self.now, self.seconds)

    @rule()
    def everything_comes_to_rest(self):
        """Nobody writes any more; two minutes pass, the walks and the worker go on."""
        for _ in range(4):
            self.walk()
            for _ in range(3):
                self.time_passes(max(WAITS_SECONDS) / 3)
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
        with self.owner.begin() as connection:
            assert self.intake.unsettled() == 0
            assert standing.unfinished(connection) == 0
            query = "SELECT path, state, mtime_ns FROM source_file WHERE present = 1"
            rows = connection.exec_driver_sql(query + " AND state <> 'superseded'").all()
            query = "SELECT path, pixel_sha256, state FROM current_micrograph WHERE present = 1"
            shown = connection.exec_driver_sql(query).all()
        primaries = set(self.versions) - ({"x.emi"} if "x_1.ser" in self.versions else set())
        expected = [
            (os.fsencode(self.folder / name), FileState.DONE, self.versions[name])
            for name in sorted(primaries)
        ]
        assert sorted(rows) == expected
        pixels = [_pixels(self.folder / name) for name in sorted(primaries)]
        assert [found for _, found, _ in sorted(shown)] == pixels
        if {"x.emi", "x_1.ser"} <= self.versions.keys():
            both = (self.versions["x_1.ser"], self.versions["x.emi"])
            assert ("x_1.ser", both) in self.finished

    @invariant()
    def no_content_is_analysed_twice(self):
        for name in set(NAMES) - {"x.emi"}:  # which is alone, with its pixels, alone again
            stamps = [stamps for done, stamps in self.finished if done == name]
            assert all(stamps[i] != stamps[i + 1] for i in range(len(stamps) - 1))

    @invariant()
    def the_ledger_adds_up(self):
        """And a picture has one result, a path one live row."""
        results = "SELECT count(*), count(DISTINCT image_key), sum(is_current) FROM analysis"
        live = "SELECT path FROM source_file WHERE state <> 'superseded'"
        with self.owner.begin() as connection:
            assert standing.counts(connection).adds_up()
            found = connection.exec_driver_sql(results).one()
            paths = connection.exec_driver_sql(live).scalars().all()
        number = len(self.pictures)
        assert found == (number, number, number or None)
        assert len(paths) == len(set(paths))


def _is_on_disk(path: bytes, size_bytes: int, mtime_ns: int) -> bool:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return False
    return (status.st_size, status.st_mtime_ns) == (size_bytes, mtime_ns)


def _pixels(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def every_sequence_equals_the_model(folder: Path, *, sequences: int, seed: int = 0) -> str:
    """Row 14 of the acceptance tests; `folder` is not needed: each sequence has one of its own."""
    del folder
    chosen = settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(hypothesis.seed(seed)(Acquisition), settings=chosen)
    return f"{sequences} sequences of at most {STEPS} steps equal the model"
