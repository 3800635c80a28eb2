"""Whoever looks on sees what the database holds and what the daemon knows."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from daemon.clock import Clock
from daemon.lock import owned
from daemon.notices import Notices
from daemon.onlooker import Eyes
from daemon.snapshot import Moment
from schema import engine as database
from schema import ledger
from schema.population import Population
from schema.state import StateFolder
from tests.daemon.moments import NOW
from tests.daemon.results import STRANGE, done, seen, session


class Hands:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.clock = Clock(
            utc=lambda: NOW + timedelta(seconds=self.seconds), monotonic=lambda: self.seconds
        )


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def eyes(owner: Engine, state: StateFolder, hands: Hands) -> Eyes:
    return Eyes(database.reader(state.database), state, hands.clock)


def figures(eyes: Eyes) -> Population:
    """What is shown once it was reckoned."""
    eyes.look(None)
    eyes.reckoner.turn()
    return eyes.look(None).population


def test_an_empty_state_is_an_empty_picture(eyes):
    snapshot = eyes.look(None)
    assert snapshot.ledger.seen == 0
    assert snapshot.ledger.adds_up()
    assert snapshot.population is None
    assert snapshot.session is None
    assert snapshot.seconds_since_last is None
    assert snapshot.rate_per_minute is None


AT_WORK = Moment(current=None, device="cpu:0", folders=(), warnings=())


def test_a_picture_has_session_files_and_population(eyes, owner, hands):
    session_id = session(owner, "morning", 1, sample="Au")
    done(owner, b"/data/a.dm4", "1", session_id)
    refused = seen(owner, STRANGE)
    with owner.begin() as connection:
        ledger.refuse(connection, refused, "spectrum", "This is a spectrum.", NOW)
    hands.seconds = 60.0
    eyes.look(None)
    eyes.reckoner.turn()
    snapshot = eyes.look(None)
    assert (snapshot.session.name, snapshot.session.sample) == ("morning", "Au")
    assert (snapshot.ledger.done, snapshot.ledger.refused) == (1, 1)
    assert snapshot.population.particles == 2
    assert snapshot.seconds_since_last == 60.0
    assert snapshot.started_at is None
    assert snapshot.rate_per_minute == pytest.approx(0.2)  # two verdicts in ten minutes
    at_work = eyes.look(AT_WORK)
    assert at_work.rate_per_minute == pytest.approx(2.0)  # two since it began, a minute ago
    assert {line.state for line in snapshot.recent} == {"done", "refused"}
    assert snapshot.bundle.name == "default"


def test_the_population_is_of_the_open_session(eyes, owner, hands):
    done(owner, b"/data/a.dm4", "1", session(owner, "morning", 1))
    assert figures(eyes).particles == 2
    session(owner, "evening", 2)
    assert eyes.look(None).population is None  # never those of another session
    assert figures(eyes).particles == 0


def test_whoever_looks_does_not_wait_for_figures(eyes, owner):
    done(owner, b"/data/a.dm4", "1")
    assert eyes.look(None).population is None
    assert figures(eyes).particles == 2


def test_a_daemon_in_another_process_tells_its_warnings(eyes, state):
    Notices(state).tell(["/data is not there"])
    assert eyes.look(None).warnings == ()
    with owned(state.path):
        assert eyes.look(None).warnings == ("/data is not there",)
        assert eyes.look(AT_WORK).warnings == ()  # its own count where it is this process
