"""What is found out for alerts, on a clock moved by hand."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from daemon.alarms import FaultShare
from daemon.clock import Clock
from daemon.config import AlertsConfig
from daemon.facts import Look
from schema import engine as database
from schema import ledger, store
from schema.state import StateFolder
from tests.daemon.moments import NOW
from tests.daemon.results import done, result_of, seen, session
from tests.schema.examples import particle

Make = Callable[..., Look]


class Hands:
    def __init__(self) -> None:
        self.seconds = 100.0
        self.clock = Clock(
            utc=lambda: NOW + timedelta(seconds=self.seconds), monotonic=lambda: self.seconds
        )


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def looking(state: StateFolder, owner: Engine, hands: Hands) -> Iterator[Make]:
    """Makes a look for these limits."""
    reader = database.reader(state.database)

    def make(population: Any = None, **limits: Any) -> Look:
        return Look(reader, state, hands.clock, AlertsConfig(**limits), population)

    yield make
    reader.dispose()


def test_nothing_is_asked_that_no_limit_is_about(looking: Make, owner: Engine):
    session(owner, "morning", 1)

    def population(*_: object) -> None:
        raise AssertionError("nobody wants to know")

    facts = looking(population).now()
    assert (facts.failures, facts.faults, facts.fields) == (None, None, None)
    assert facts.session == "morning"
    assert facts.free is not None and 0 < facts.free <= 1


def test_a_silence_is_counted_from_the_last_new_file(looking: Make, owner: Engine, hands: Hands):
    done(owner, b"/data/a.dm4", "1")
    look = looking(no_file_seconds=60)
    hands.seconds += 5
    facts = look.now()
    assert (facts.seconds_without_file, facts.has_seen_file) == (5.0, False)
    seen(owner, b"/data/b.dm4")
    hands.seconds += 5
    facts = look.now()
    assert (facts.seconds_without_file, facts.has_seen_file) == (0.0, True)
    hands.seconds += 30
    assert look.now().seconds_without_file == 30.0


def test_failures_are_those_of_the_last_hour(looking: Make, owner: Engine, hands: Hands):
    look = looking(failures_per_hour=1)
    with_owner = seen(owner, b"/data/a.dm4")
    with owner.begin() as connection:
        ledger.refuse(connection, with_owner, "file_too_large", "It is too large.", NOW)
    assert look.now().failures == 1
    hands.seconds = 3601.0
    assert look.now().failures == 0


def test_fields_are_those_of_the_open_session(looking: Make, owner: Engine):
    done(owner, b"/data/a.dm4", "1")
    look = looking(fields_without_observable=5)
    (field,) = look.now().fields or ()
    assert (field.classified, field.observable) == (2, 2)
    session(owner, "evening", 2)
    assert look.now().fields == ()


def test_the_population_is_reckoned_once_a_minute_and_anew_for_another_session(
    looking: Make, owner: Engine, hands: Hands
):
    asked: list[str] = []

    def population(_: object, uuid: str) -> None:
        asked.append(uuid)

    look = looking(population, fault_fraction_above=0.5)
    assert look.now().faults is None
    assert asked == []  # no session is open
    session(owner, "morning", 1)
    for _ in range(3):
        look.now()
        hands.seconds += 19
    assert len(asked) == 1
    hands.seconds += 10
    look.now()
    assert len(asked) == 2
    session(owner, "evening", 2)
    look.now()
    assert asked[1] != asked[2]


def fill(owner: Engine, session_id: int, fields: int, *classes: str) -> None:
    """Fields of view with one particle of each class."""
    for number in range(fields):
        particles = tuple(
            particle(label, 5.0, particle_class=name) for label, name in enumerate(classes, 1)
        )
        file_id = seen(owner, f"/data/{number}.dm4".encode(), session_id)
        with owner.begin() as connection:
            found = [result_of(f"{number:08d}" * 8, particles=particles)]
            store.commit_results(connection, file_id, f"{number:064d}", found, NOW)


def test_the_lower_end_is_that_of_the_wider_interval(looking: Make, owner: Engine):
    fill(owner, session(owner, "morning", 1), 8, "stacking_fault", "no_stacking_fault")
    share = looking(fault_fraction_above=0.5).now().faults
    assert share is not None
    assert (share.value, share.observable) == (0.5, 16)
    assert share.low == pytest.approx(0.28, abs=0.01)  # Wilson's: all fields are alike


@pytest.mark.parametrize(("fields", "low"), [(7, None), (8, 0.676)])
def test_below_eight_fields_nothing_is_claimed_and_where_all_are_faulted_wilson_stands(
    looking: Make, owner: Engine, fields: int, low: float | None
):
    fill(owner, session(owner, "morning", 1), fields, "stacking_fault")
    share = looking(fault_fraction_above=0.5).now().faults
    assert share is not None
    assert share.value == 1.0
    assert share.low == (None if low is None else pytest.approx(low, abs=0.001))


def test_a_session_without_an_observable_particle_has_no_share(looking: Make, owner: Engine):
    fill(owner, session(owner, "morning", 1), 8, "misoriented")
    assert looking(fault_fraction_above=0.5).now().faults == FaultShare()
