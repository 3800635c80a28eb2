"""A population as it grows."""

from datetime import timedelta

import numpy as np
import pytest

from schema.choice import choose
from schema.gathering import gathered
from schema.outlook import outlook, per_minute
from schema.scope import EVERYTHING
from tests.schema.examples import NOW, done, particle, result
from tests.schema.test_choice import SUSPECT, of


def came(*minutes_ago: float, **changes):
    """A choice of results that came so many minutes before now."""
    return choose(
        [
            of(number, activated_at_utc=NOW - timedelta(minutes=ago), **changes)
            for number, ago in enumerate(minutes_ago, 1)
        ]
    )


@pytest.mark.parametrize(
    ("minutes_ago", "expected"),
    [
        ((), None),
        ((11, 30), None),  # nothing comes any more
        ((0, 1, 2, 9.9, 30), 0.4),  # four in the last ten minutes
        ((0, 1, 2, 4), 1.0),  # begun four minutes ago
        ((0, 0.1), 2.0),  # too new to be measured by less than a minute
    ],
)
def test_the_rate_is_of_the_last_ten_minutes_or_since_the_beginning(minutes_ago, expected):
    assert per_minute(came(*minutes_ago), NOW) == expected


def test_what_does_not_count_does_not_come():
    assert per_minute(came(0, 1, **SUSPECT), NOW) is None


def test_an_outlook_is_the_population_and_how_it_goes_on(connection):
    for number in range(12):
        sizes = (particle(1, 4.0 + number / 10), particle(2, 4.2 + number / 10))
        done(connection, f"{number}.dm4", result(f"{number}", sizes))
    found = outlook(connection, EVERYTHING, NOW, rng=np.random.default_rng(3))
    alone = gathered(connection).population(np.random.default_rng(3))
    assert found.population == alone
    assert found.population.diameter_nm.d50.low is not None
    assert found.drift_of_median.fields == 12
    assert found.drift_of_faults.reason == "the same in all fields of view"
    assert found.per_minute == 12.0  # all within the first minute
