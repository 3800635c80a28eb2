"""What keeps micrographs waiting is said when it begins and when it is over."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import Engine

from daemon import supervisor
from daemon.config import Config, StateConfig, WatchConfig
from daemon.errors import Exit
from daemon.notices import posted
from schema.records import FileState
from schema.state import StateFolder
from tests.daemon.test_supervisor import Daemon, write


@pytest.fixture
def daemon(state: StateFolder, owner: Engine, folder: Path) -> Daemon:
    """Watches one folder, which may bring two files within an hour."""
    watch = WatchConfig(folder=folder, files_per_hour=2)
    return Daemon(state, owner, Config(state=StateConfig(folder=state.path), watch=(watch,)))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the service manager is told."""
    found: list[str] = []
    monkeypatch.setattr(supervisor, "notify", lambda *lines: found.extend(lines))
    return found


def run_for(daemon: Daemon, seconds: float) -> None:
    """The daemon runs until it is stopped after that time."""
    until = daemon.seconds + seconds
    daemon.on_tick = lambda now: daemon.supervisor.stop() if now > until else None
    daemon.run(once=False)


def test_a_share_that_goes_and_comes_back_is_logged_and_told(daemon, folder, told, caplog):
    caplog.set_level("INFO")
    away = folder.with_name("away")

    def tick(seconds: float) -> None:
        if seconds == 100:
            folder.rename(away)
        if seconds == 200:
            away.rename(folder)
        if seconds == 300:
            daemon.supervisor.stop()

    daemon.on_tick = tick
    daemon.run(once=False)
    words = f"{folder} is not there; its files are left as they were"
    said = [line.getMessage() for line in caplog.records if words in line.getMessage()]
    assert said == [words, f"this is over: {words}"]
    statuses = [line for line in told if line.startswith("STATUS=0 done")]
    assert any(words in line for line in statuses)
    assert words not in statuses[0]
    assert words not in statuses[-1]


def test_the_start_says_which_folder_is_away(daemon, folder, caplog):
    caplog.set_level("INFO")
    run_for(daemon, 60)
    folder.rmdir()
    run_for(daemon, 60)
    said = [line for line in caplog.messages if line.startswith("watching ")]
    assert said == [
        f"watching {folder}, analysing on cpu",
        f"watching {folder} (away), analysing on cpu",
    ]


def test_once_takes_in_more_than_a_folder_may_bring_within_an_hour(daemon, folder, monkeypatch):
    monkeypatch.setattr("daemon.folders.FILES_AT_ONCE", 2)
    paths = [write(folder / f"a{number}.dm4") for number in range(5)]
    assert daemon.run() is Exit.DONE
    assert {daemon.entry(path).state for path in paths} == {FileState.DONE}


def test_once_over_a_folder_that_could_not_be_walked_says_so(daemon, folder, monkeypatch, caplog):
    def fails(*_: object) -> NoReturn:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    monkeypatch.setattr("daemon.lookout.walk", fails)
    assert daemon.run() is Exit.FAILED
    assert caplog.text.count(f"{folder} could not be walked (Too many open files in system)") == 1


def test_a_disk_that_fills_is_logged_once_and_not_with_every_figure(daemon, monkeypatch, caplog):
    free = iter(range(400, 0, -1))
    monkeypatch.setattr(supervisor, "free_share", lambda _: next(free) / 10_000)
    run_for(daemon, 200)
    assert "only 4.0% of the disk" in caplog.text
    assert caplog.text.count("of the disk of the state folder is free") == 1
    assert "only 4.0%" not in daemon.moments[-1].warnings[0]


def test_warnings_are_posted_for_other_processes_while_the_daemon_runs(daemon, folder, state):
    away, seen = folder.with_name("away"), dict[float, tuple[str, ...]]()

    def tick(seconds: float) -> None:
        seen[seconds] = posted(state)
        if seconds == 100:
            folder.rename(away)
        if seconds == 200:
            daemon.supervisor.stop()

    state.notices.write_text("of one that was killed\n", encoding="utf-8")
    daemon.on_tick = tick
    daemon.run(once=False)
    assert seen[100] == ()
    assert seen[200] == (f"{folder} is not there; its files are left as they were",)
    assert posted(state) == ()
    assert not state.notices.exists()
