"""Several watched folders in one ledger: none holds up another, and what is newer counts."""

import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import Engine

from daemon import lookout
from daemon.allowance import HOUR_SECONDS
from daemon.bounded import DoesNotAnswer
from daemon.clock import Clock
from daemon.config import Config, StateConfig, WatchConfig
from daemon.errors import ConfigError, DaemonError
from daemon.folders import SPENT_SECONDS, Folders, opened_roots
from daemon.lookout import SILENT_SECONDS, Lookout
from daemon.walk import Walked
from schema import ledger, standing
from schema.records import FileState
from schema.state import StateFolder
from tests.daemon.lookouts import PromptLookout
from tests.daemon.moments import NOW, wait_until


def no_file_left(*_: object) -> NoReturn:
    """As the system says it when all its open files are taken."""
    raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))


class Two:
    """Two watched folders under one clock, moved by hand."""

    def __init__(self, state: StateFolder, owner: Engine, folder: Path) -> None:
        self.owner = owner
        self.first, self.second = folder / "first", folder / "second"
        for each in (self.first, self.second):
            each.mkdir()
        self.config = Config(
            state=StateConfig(folder=state.path),
            watch=(WatchConfig(folder=self.first), WatchConfig(folder=self.second)),
        )
        self.seconds = 1000.0
        self.folders = self.make()

    def make(self, lookouts: type[Lookout] = PromptLookout, *, limited: bool = True) -> Folders:
        clock = Clock(
            utc=lambda: NOW + timedelta(seconds=self.seconds), monotonic=lambda: self.seconds
        )
        self.folders = Folders(
            self.config,
            self.owner,
            clock,
            roots=opened_roots(self.config, self.owner),
            strays=True,
            limited=limited,
            make_lookout=lookouts,
        )
        return self.folders

    def turn(self) -> None:
        self.folders.take_in()
        self.folders.hear()
        self.folders.watch()

    def wait(self, seconds: int) -> None:
        """Time passes, a turn each second."""
        for _ in range(seconds):
            self.seconds += 1
            self.turn()

    def state_of(self, path: Path) -> FileState | None:
        with self.owner.begin() as connection:
            entry = standing.entry_at(connection, os.fsencode(path))
        return entry.state if entry else None

    def is_present(self, path: Path) -> bool:
        with self.owner.begin() as connection:
            entry = standing.entry_at(connection, os.fsencode(path))
        assert entry is not None
        return entry.present


@pytest.fixture
def two(state: StateFolder, owner: Engine, folder: Path):
    made = Two(state, owner, folder)
    yield made
    made.folders.stop()


def test_what_lies_in_every_folder_becomes_ready(two):
    paths = [each / "a.dm4" for each in (two.first, two.second)]
    for path in paths:
        path.touch()
    two.folders.start()
    assert not two.folders.have_been_walked
    two.wait(15)
    assert two.folders.have_been_walked
    assert [two.state_of(path) for path in paths] == [FileState.READY] * 2


def test_a_folder_that_hangs_holds_up_no_other(two, monkeypatch):
    """The walk of one never ends, as on a share whose server is away."""
    goes_on = threading.Event()
    walk = lookout.walk

    def hangs(root, beat) -> Walked:
        if root.path == os.fsencode(two.first):
            goes_on.wait(60)
        return walk(root, beat)

    monkeypatch.setattr(lookout, "walk", hangs)
    for each in (two.first, two.second):
        (each / "a.dm4").touch()
    two.make(Lookout).start()

    def is_ready(path: Path) -> bool:
        two.wait(1)
        return two.state_of(path) is FileState.READY

    wait_until(lambda: is_ready(two.second / "a.dm4"))
    two.wait(round(SILENT_SECONDS) + 1)
    assert two.folders.absent == {os.fsencode(two.first)}
    assert two.folders.have_been_walked
    assert [w for w in two.folders.warnings() if "first does not answer" in w]
    goes_on.set()
    wait_until(lambda: is_ready(two.first / "a.dm4"))
    assert two.folders.warnings() == ()


def test_what_is_written_in_a_folder_that_hangs_is_not_waited_for(two, monkeypatch):
    goes_on = threading.Event()
    for each in (two.first, two.second):
        (each / "a.dm4").touch()
    two.make(Lookout).start()

    def both_are_known() -> bool:
        two.turn()
        return two.folders.unsettled == 2

    wait_until(both_are_known)
    monkeypatch.setattr(lookout, "walk", lambda *_: goes_on.wait(60))
    two.folders.walk_all()

    def nothing_is_waited_for() -> bool:
        two.seconds += SILENT_SECONDS + 1
        two.folders.watch()
        return two.folders.unsettled == 0

    wait_until(nothing_is_waited_for)
    goes_on.set()


def test_a_walk_that_failed_is_made_again_and_nothing_is_gone_for_it(two, monkeypatch):
    path = two.first / "a.dm4"
    path.touch()
    two.make(Lookout).start()

    def is_so(condition: Callable[[], bool]) -> bool:
        two.wait(1)
        return condition()

    wait_until(lambda: is_so(lambda: two.state_of(path) is FileState.READY))
    with monkeypatch.context() as patch:
        patch.setattr(lookout, "walk", no_file_left)
        two.folders.walk_all()
        wait_until(lambda: is_so(lambda: len(two.folders.unwalked) == 2))
    assert two.is_present(path)
    assert two.folders.absent == frozenset()
    words = f"{two.first} could not be walked (Too many open files in system); it is tried again"
    assert two.folders.warnings()[0] == words
    wait_until(lambda: is_so(lambda: not two.folders.unwalked))  # when the next walk is due
    assert two.folders.warnings() == ()


def test_a_first_walk_that_fails_does_not_keep_the_daemon_from_its_start(two, monkeypatch):
    monkeypatch.setattr(lookout, "walk", no_file_left)
    two.folders.start()
    two.wait(1)
    assert two.folders.have_been_walked


def test_a_folder_of_which_nothing_can_be_known_is_not_absent(two, monkeypatch):
    two.folders.start()
    two.wait(1)
    monkeypatch.setattr("daemon.roots.mount_of", no_file_left)
    assert two.folders.absent == frozenset()


def test_a_folder_that_was_there_once_is_waited_for(two):
    (two.first / "a.dm4").touch()
    two.folders.start()
    two.wait(15)
    away = two.first.rename(two.first.with_name("away"))
    two.folders.stop()
    two.make().start()
    (two.second / "b.dm4").touch()
    two.wait(70)
    assert two.folders.absent == {os.fsencode(two.first)}
    assert two.is_present(two.first / "a.dm4")
    assert two.state_of(two.second / "b.dm4") is FileState.READY
    away.rename(two.first)
    (two.first / "c.dm4").touch()
    two.wait(15)
    assert two.folders.absent == frozenset()
    assert two.state_of(two.first / "c.dm4") is FileState.READY


def test_a_folder_that_never_was_there_is_a_mistake(two, monkeypatch):
    two.first.rmdir()
    with pytest.raises(ConfigError, match="first: No such file"):
        two.make()

    def hangs(*_: object) -> None:
        raise DoesNotAnswer("no answer within 20 s")

    monkeypatch.setattr("daemon.folders.opened", hangs)
    with pytest.raises(DaemonError, match="no answer") as caught:
        two.make()
    assert not isinstance(caught.value, ConfigError)


def test_another_folder_in_the_place_of_one_is_heard(two):
    """Events tell of the old one, wherever it was moved to."""
    two.folders.start()
    two.wait(5)
    two.first.rename(two.first.with_name("before"))
    two.first.mkdir()
    two.wait(2)
    (two.first / "a.dm4").touch()

    def is_heard() -> bool:
        two.turn()
        return two.state_of(two.first / "a.dm4") is not None

    wait_until(is_heard)  # no walk is due yet: the clock stands still


class SlowLookout(PromptLookout):
    """A walk ends when it is told to; until then it is on its way."""

    held = False

    def finding(self):
        return None if self.held else super().finding()


def test_a_walk_does_not_undo_what_was_seen_after_it_began(two):
    two.make(SlowLookout).start()
    two.wait(5)
    slow = two.folders._looked[os.fsencode(two.first)].lookout
    slow.held = True
    two.folders.walk_all()  # before the file is there
    two.seconds += 1
    path = two.first / "a.dm4"
    path.touch()

    def is_heard() -> bool:
        two.turn()
        return two.state_of(path) is not None

    wait_until(is_heard)
    slow.held = False
    two.turn()
    assert two.is_present(path)
    two.wait(15)
    assert two.state_of(path) is FileState.READY


def test_a_newer_look_counts_more_than_a_walk_on_its_way(two):
    path = two.first / "a.dm4"
    path.write_text("old")
    two.make(SlowLookout).start()
    two.wait(15)
    slow = two.folders._looked[os.fsencode(two.first)].lookout
    slow.held = True
    two.folders.walk_all()
    two.seconds += 1
    path.write_text("a longer one")

    def is_heard() -> bool:
        two.turn()
        with two.owner.begin() as connection:
            return standing.entry_at(connection, os.fsencode(path)).size_bytes > 3

    wait_until(is_heard)
    slow.held = False
    two.turn()
    assert is_heard()


def test_folders_beyond_the_systems_watches_are_polled_as_soon_as_a_walk_counts_them(
    two, monkeypatch
):
    monkeypatch.setattr("daemon.watcher.watch_limit", lambda: 20.0)
    two.folders.start()
    two.wait(2)
    assert {its.mode for its in two.folders.shown()} == {"events"}
    for number in range(10):  # with those of the other folder too many, by themselves not
        (two.first / f"d{number}").mkdir()
        (two.second / f"d{number}").mkdir()
    two.folders.walk_all()
    two.turn()
    assert {its.mode for its in two.folders.shown()} == {"events", "polling"}


def test_rights_that_were_repaired_start_the_attempts_anew(two):
    path = two.first / "a.dm4"
    path.touch()
    two.folders.start()
    two.wait(15)
    with two.owner.begin() as connection:
        entry = standing.entry_at(connection, os.fsencode(path))
        later = NOW + timedelta(days=1)
        ledger.retry_later(connection, entry.source_file_id, "io_error", "No.", later, NOW)
    path.chmod(0o640)
    two.folders.walk_all()
    two.wait(15)
    assert two.state_of(path) is FileState.READY
    with two.owner.begin() as connection:
        assert standing.entry_at(connection, os.fsencode(path)).attempts == 0


def test_rights_that_change_after_the_verdict_change_nothing(two):
    path = two.first / "a.dm4"
    path.touch()
    two.folders.start()
    two.wait(15)
    with closing(sqlite3.connect(two.config.state.folder / "fringewatch.sqlite")) as database:
        database.execute("UPDATE source_file SET state = 'done'")
        database.commit()
    path.chmod(0o640)
    two.folders.walk_all()
    two.wait(15)
    assert two.state_of(path) is FileState.DONE


def bring(two: Two, files: int, allowed: int) -> None:
    """The first folder holds so many files, and may bring so many within an hour."""
    watch = two.config.watch[0].model_copy(update={"files_per_hour": allowed})
    two.config = two.config.model_copy(update={"watch": (watch, two.config.watch[1])})
    for number in range(files):
        (two.first / f"a{number}.dm4").touch()


def test_a_folder_beyond_its_allowance_waits_and_loses_nothing(two):
    bring(two, files=3, allowed=3)
    two.make().start()
    two.wait(15)
    (two.first / "late.dm4").touch()
    (two.second / "b.dm4").touch()
    two.folders.walk_all()
    two.wait(15)
    assert two.state_of(two.first / "late.dm4") is None
    assert two.state_of(two.second / "b.dm4") is FileState.READY
    assert [w for w in two.folders.warnings() if "first has brought more" in w]
    (two.first / "a0.dm4").write_text("those that are known may still change")
    two.folders.walk_all()
    two.turn()
    assert two.state_of(two.first / "a0.dm4") is FileState.SETTLING
    two.seconds += 3600
    two.wait(75)
    assert two.state_of(two.first / "late.dm4") is FileState.READY
    assert two.folders.warnings() == ()


def test_where_nothing_is_limited_a_folder_brings_what_it_holds(two):
    bring(two, files=3, allowed=3)
    two.make(limited=False).start()
    (two.first / "late.dm4").touch()
    two.folders.walk_all()
    two.wait(15)
    assert two.state_of(two.first / "late.dm4") is FileState.READY
    assert two.folders.warnings() == ()


def test_the_warning_of_a_spent_allowance_does_not_come_and_go_with_every_file(two):
    bring(two, files=3, allowed=3)
    two.make().start()
    taken = two.seconds
    two.turn()
    two.seconds = taken + HOUR_SECONDS - 1
    assert two.folders.warnings() != ()
    two.seconds += 2
    assert two.folders.warnings() != ()
    two.seconds += SPENT_SECONDS
    assert two.folders.warnings() == ()
