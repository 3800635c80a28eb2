"""One folder is looked at in a thread of its own, which may hang without holding up anybody."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest

from daemon import lookout as room
from daemon.config import WatchConfig
from daemon.lookout import SILENT_SECONDS, Finding, Lookout
from daemon.mounts import Mount
from daemon.roots import Root
from tests.daemon.moments import wait_until


@pytest.fixture
def lookout(folder: Path) -> Iterator[Lookout]:
    """Started over the folder."""
    made = Lookout(Root.of(WatchConfig(folder=folder)), time.monotonic)
    made.start()
    yield made
    made.stop()


def no_file_left(*_: object) -> NoReturn:
    """As the system says it when all its open files are taken."""
    raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))


def found(lookout: Lookout) -> Finding:
    """The next walk that ends."""
    findings: list[Finding] = []

    def has_ended() -> bool:
        findings.extend(filter(None, [lookout.finding()]))
        return bool(findings)

    wait_until(has_ended)
    return findings[0]


def test_it_walks_when_it_is_asked_to(lookout, folder):
    (folder / "a.dm4").touch()
    before = time.monotonic()
    lookout.ask()
    finding = found(lookout)
    assert before < finding.begun < time.monotonic()
    assert len(finding.walked.arrivals) == 1
    assert lookout.finding() is None


def test_it_says_when_the_folder_is_gone_and_when_it_is_back(lookout, folder):
    lookout.ask()
    assert found(lookout).walked is not None
    folder.rmdir()
    wait_until(lambda: not lookout.is_there)
    lookout.ask()
    assert found(lookout).walked is None
    assert not lookout.is_another()
    folder.mkdir()
    wait_until(lookout.is_another)
    assert lookout.is_there
    assert not lookout.is_another()


def test_it_says_when_another_folder_has_taken_the_place(lookout, folder):
    lookout.ask()
    found(lookout)
    folder.rename(folder.with_name("before"))
    folder.mkdir()
    wait_until(lookout.is_another)


def test_a_share_mounted_over_the_folder_is_remembered(lookout, folder, monkeypatch):
    lookout.ask()
    found(lookout)
    mount = Mount(point=folder, file_system="cifs", source="//server/scope")
    monkeypatch.setattr("daemon.roots.mount_of", lambda _: mount)
    wait_until(lookout.is_another)
    assert lookout.root.mount == mount


def test_a_walk_that_hangs_is_noticed_and_holds_up_nobody(lookout, folder, monkeypatch):
    goes_on = threading.Event()
    walk = room.walk

    def hangs(*arguments):
        goes_on.wait(60)
        return walk(*arguments)

    monkeypatch.setattr(room, "walk", hangs)
    lookout.ask()
    wait_until(lambda: lookout.is_silent(time.monotonic() + SILENT_SECONDS))
    assert not lookout.is_silent(time.monotonic())
    assert lookout.finding() is None
    goes_on.set()
    found(lookout)
    wait_until(lambda: not lookout.is_silent(time.monotonic() + SILENT_SECONDS))


def test_a_bug_in_a_look_does_not_end_the_looking(lookout, folder, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        patch.setattr(room, "look", lambda _: 1 / 0)
        for _ in range(2):
            lookout.ask()
            assert "ZeroDivisionError" in found(lookout).failure
    assert caplog.text.count("failed inside fringewatch") == 1
    lookout.ask()
    assert found(lookout).walked is not None


@pytest.mark.parametrize("what", ["daemon.roots.mount_of", "daemon.lookout.walk"])
def test_a_walk_that_fails_says_so_and_nothing_has_vanished(lookout, monkeypatch, what):
    with monkeypatch.context() as patch:
        patch.setattr(what, no_file_left)
        lookout.ask()
        finding = found(lookout)
    assert finding.walked is None
    assert finding.failure == os.strerror(errno.ENFILE)
    assert lookout.is_there
    lookout.ask()
    finding = found(lookout)
    assert finding.walked is not None
    assert finding.failure is None


def test_a_folder_that_cannot_be_looked_at_is_not_asked_without_a_pause(lookout, monkeypatch):
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.2)
    looks: list[float] = []

    def fails(_: Path) -> Mount:
        looks.append(time.monotonic())
        lookout.ask()
        no_file_left()

    monkeypatch.setattr("daemon.roots.mount_of", fails)
    wait_until(lambda: len(looks) >= 4)
    assert min(late - early for early, late in pairwise(looks)) >= 0.2
