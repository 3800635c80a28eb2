"""Facts to words to the operator's command, and what is left of it after a restart."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from daemon.alarm_memory import path_of
from daemon.alerting import Alerting
from daemon.clock import Clock
from daemon.config import AlertsConfig
from schema.state import StateFolder
from tests.daemon.moments import NOW, wait_until
from tests.daemon.results import seen

Make = Callable[..., Alerting]


class Hands:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.clock = Clock(
            utc=lambda: NOW + timedelta(seconds=self.seconds), monotonic=lambda: self.seconds
        )


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    """Every alert that the command of these tests was given, a line each."""
    return tmp_path / "heard"


@pytest.fixture
def alerting(
    tmp_path: Path, state: StateFolder, owner: Engine, hands: Hands, heard: Path
) -> Iterator[Make]:
    """Makes one whose command writes down what it is told."""
    command = tmp_path / "tell"
    command.write_text(f'#!/bin/sh\ncat >> "{heard}"\n')
    command.chmod(0o755)
    made: list[Alerting] = []

    def make(command: Path = command, **limits: Any) -> Alerting:
        told = AlertsConfig(command=(str(command),), **limits)
        made.append(Alerting(told, state, hands.clock))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def events(heard: Path) -> list[tuple[str, str]]:
    lines = heard.read_text().splitlines() if heard.exists() else []
    told = [json.loads(line) for line in lines]
    return [(each["kind"], each["event"]) for each in told]


def test_a_limit_that_is_crossed_reaches_the_command(alerting: Make, hands: Hands, heard: Path):
    one = alerting(no_file_seconds=10)
    one.look()
    hands.seconds = 10
    one.look()
    one.look()
    assert events(heard) == [("no_file", "raised")]
    assert one.warnings() == ()


def test_the_end_is_told_too(alerting: Make, hands: Hands, heard: Path, owner: Engine):
    one = alerting(no_file_seconds=10)
    one.look()
    hands.seconds = 10
    one.look()
    seen(owner, b"/data/a.dm4")
    one.look()
    assert events(heard) == [("no_file", "raised"), ("no_file", "cleared")]


def test_a_daemon_that_is_started_again_and_again_tells_once(
    alerting: Make, hands: Hands, heard: Path
):
    for _ in range(5):
        one = alerting(free_fraction_below=0.9999999)
        one.start()
        one.look()
        one.stop()
        hands.seconds += 60
    assert events(heard) == [("disk", "raised")]


def test_it_is_kept_before_anybody_is_told(
    alerting: Make, state: StateFolder, tmp_path: Path, heard: Path
):
    """So a daemon that dies of its own command does not tell for ever."""
    reads = tmp_path / "reads"
    reads.write_text(f'#!/bin/sh\ncat "{path_of(state)}" > "{heard}"\n')
    reads.chmod(0o755)
    alerting(command=reads, free_fraction_below=0.9999999).look()
    assert json.loads(heard.read_text())["disk"]["told"]


def test_a_command_that_fails_is_a_warning_until_it_is_well(
    alerting: Make, hands: Hands, tmp_path: Path, owner: Engine
):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    one = alerting(command=broken, no_file_seconds=10)
    one.look()
    hands.seconds = 10
    one.look()
    (warning,) = one.warnings()
    assert "exit status 1" in warning and "people are not told" in warning
    broken.write_text("#!/bin/sh\nexit 0\n")
    seen(owner, b"/data/a.dm4")
    one.look()
    assert one.warnings() == ()


def test_a_command_that_is_not_there_is_a_warning_from_the_start(alerting: Make, tmp_path: Path):
    one = alerting(command=tmp_path / "nowhere", no_file_seconds=10)
    one.start()
    assert "is no program that can be run" in one.warnings()[0]


def test_a_database_that_cannot_be_read_is_passed_over(
    alerting: Make, state: StateFolder, owner: Engine, caplog: pytest.LogCaptureFixture
):
    one = alerting(no_file_seconds=10)
    owner.dispose()
    state.database.write_bytes(b"no database" * 1000)
    one.look()
    assert "cannot read the database" in caplog.text


def test_who_waits_for_the_end_of_the_work_waits_for_one_more_look(
    alerting: Make, heard: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("daemon.alerting.LOOK_SECONDS", 0.01)
    one = alerting(free_fraction_below=0.9999999)
    one.start()
    wait_until(lambda: events(heard) == [("disk", "raised")])  # it has looked before it was asked
    assert not one.is_through()
    wait_until(one.is_through)
