"""A population as it grows: its figures, whether they drift, and how fast it comes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from schema.choice import DEFAULT_RULES, Choice, Rules
from schema.correlation import Drift, drifts
from schema.gathering import gathered
from schema.population import Population
from schema.scope import Scope

RATE_WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """The population, the drift of its median and of its visible faults over fields of view.

    `per_minute`: micrographs that count and came within the last ten minutes, None where none did.
    """

    population: Population
    drift_of_median: Drift
    drift_of_faults: Drift
    per_minute: float | None


def outlook(
    connection: Connection,
    scope: Scope,
    now: datetime,
    rules: Rules = DEFAULT_RULES,
    rng: np.random.Generator | None = None,
) -> Outlook:
    """What there is, and what is coming.

    Args:
        connection: to read from.
        scope: of which micrographs.
        now: aware UTC.
        rules: what may count.
        rng: for the intervals; without one there are none.
    """
    found = gathered(connection, scope, rules)
    of_median, of_faults = drifts(found.sample)
    return Outlook(
        population=found.population(rng),
        drift_of_median=of_median,
        drift_of_faults=of_faults,
        per_minute=per_minute(found.choice, now),
    )


def per_minute(choice: Choice, now: datetime) -> float | None:
    """Micrographs that count and came within the last ten minutes, None where none did.

    A session that has just begun is measured by its own length.

    Args:
        choice: by when its results came.
        now: aware UTC.
    """
    came = [result.activated_at_utc for result in choice.results]
    recent = sum(now - RATE_WINDOW <= at <= now for at in came)
    if not recent:
        return None
    length = min(RATE_WINDOW, max(now - min(came), timedelta(minutes=1)))
    return recent / (length / timedelta(minutes=1))
