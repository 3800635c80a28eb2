"""Figures reckoned beside whoever looks: fresh where they can be, and never at any price."""

import sqlite3
from dataclasses import replace

import pytest

from daemon import reckoner as room
from daemon.clock import Clock
from daemon.reckoner import PAUSE_PER_WORK, Reckoner, Wanted
from schema import engine as database
from schema.outlook import outlook
from tests.daemon.moments import NOW
from tests.daemon.results import done, session

EVERYTHING = Wanted(session_uuid=None, revision=1)
UUID = "0b8e1a4e-6f0f-4f6e-9d2c-000000000001"


class Times:
    """A clock moved by hand; reckoning takes as long as it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.work_seconds = 0.0
        self.turns = 0
        self.clock = Clock(utc=lambda: NOW, monotonic=lambda: self.seconds)


@pytest.fixture
def times(monkeypatch) -> Times:
    found = Times()

    def slow(*given, **named):
        found.turns += 1
        found.seconds += found.work_seconds
        return outlook(*given, **named)

    monkeypatch.setattr(room, "outlook", slow)
    return found


@pytest.fixture
def reckoner(owner, state, times) -> Reckoner:
    done(owner, b"/data/a.dm4", "1")
    return Reckoner(database.reader(state.database), times.clock)


def test_nothing_is_reckoned_that_nobody_wants(reckoner, times):
    reckoner.turn()
    assert (times.turns, reckoner.found()) == (0, None)


def test_what_is_known_is_not_reckoned_again(reckoner, times):
    reckoner.want(EVERYTHING)
    reckoner.turn()
    times.seconds += 1000
    reckoner.turn()
    assert times.turns == 1
    found, age_seconds = reckoner.found()
    assert (found.population.particles, age_seconds) == (2, 0.0)


def test_it_rests_nine_times_as_long_as_it_has_worked(reckoner, times):
    times.work_seconds = 3.0
    reckoner.want(EVERYTHING)
    reckoner.turn()
    reckoner.want(replace(EVERYTHING, revision=2))
    times.seconds += 3.0 * PAUSE_PER_WORK - 0.5
    reckoner.turn()
    assert times.turns == 1
    assert reckoner.found()[1] == 3.0 + 26.5  # since it was begun
    times.seconds += 1.0
    reckoner.turn()
    assert times.turns == 2
    assert reckoner.found()[1] == 0.0


def test_quick_work_is_done_at_most_every_two_seconds(reckoner, times):
    reckoner.want(EVERYTHING)
    reckoner.turn()
    reckoner.want(replace(EVERYTHING, revision=2))
    times.seconds += 1.9
    reckoner.turn()
    assert times.turns == 1
    times.seconds += 0.2
    reckoner.turn()
    assert times.turns == 2


def test_another_session_does_not_wait_and_never_shows_the_figures_of_the_last(
    reckoner, times, owner
):
    session(owner, "morning", 1)
    reckoner.want(EVERYTHING)
    reckoner.turn()
    reckoner.want(Wanted(session_uuid=UUID, revision=1))
    assert reckoner.found() is None
    reckoner.turn()
    assert reckoner.found()[0].population.particles == 0


def test_a_session_begun_while_another_is_reckoned_does_not_wait_for_its_rest(
    reckoner, times, monkeypatch
):
    def interrupted(*given, **named):
        reckoner.want(Wanted(session_uuid=UUID, revision=1))
        return outlook(*given, **named)

    reckoner.want(EVERYTHING)
    with monkeypatch.context() as patched:
        patched.setattr(room, "outlook", interrupted)
        reckoner.turn()
    assert reckoner.found() is None
    reckoner.turn()
    assert reckoner.found()[0].population.particles == 0


def test_at_the_end_the_rest_is_over(reckoner, times):
    times.work_seconds = 3.0
    reckoner.want(EVERYTHING)
    reckoner.turn()
    reckoner.want(replace(EVERYTHING, revision=2))
    reckoner.finish()
    assert (times.turns, reckoner.found()[1]) == (2, 0.0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (sqlite3.OperationalError("disk I/O error"), "cannot be reckoned: disk I/O error"),
        (ZeroDivisionError("a bug"), "failed inside fringewatch"),
    ],
)
def test_what_fails_now_is_tried_again_later(reckoner, monkeypatch, caplog, error, words):
    reads: list[int] = []

    def unreadable(*given, **named):
        reads.append(1)
        if len(reads) == 1:
            raise error
        reckoner.stop()
        return outlook(*given, **named)

    monkeypatch.setattr(room, "outlook", unreadable)
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(room, "LEAST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(room, "FAILED_SECONDS", 0.0)
    reckoner.want(EVERYTHING)
    reckoner.start()
    reckoner._thread.join(60)
    assert reckoner.found()[0].population.particles == 2
    assert words in caplog.text
