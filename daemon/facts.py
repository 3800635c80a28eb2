"""Find out what alerts are about: from the database, read-only, and from the disk."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
from sqlalchemy import Connection, Engine

from daemon.alarms import Facts, FaultShare
from daemon.clock import Clock
from daemon.config import AlertsConfig
from daemon.errors import DaemonCode
from daemon.reading import BOOTSTRAP_SEED
from daemon.space import free_share
from schema import sessions, signs
from schema.gathering import gathered
from schema.population import Population
from schema.resampling import LEAST_FIELDS
from schema.scope import Scope
from schema.state import StateFolder

FAILURE_WINDOW = timedelta(hours=1)
REFUSALS = (DaemonCode.FILE_TOO_LARGE,)
"""A refused file is none of ours, unless a limit refuses what may be a micrograph."""

POPULATION_SECONDS = 60.0

PopulationOf = Callable[[Connection, str], Population | None]
"""The population of a session, by its uuid."""


class Look:
    """Looks at what the limits that are set are about, and at nothing else.

    Args:
        engine: read-only.
        state: whose disk is looked at.
        clock: wall clock and monotonic clock.
        limits: which of them are set.
        population: of a session; asked at most once a minute.
    """

    def __init__(
        self,
        engine: Engine,
        state: StateFolder,
        clock: Clock,
        limits: AlertsConfig,
        population: PopulationOf | None = None,
    ) -> None:
        self._engine = engine
        self._state = state
        self._clock = clock
        self._limits = limits
        self._population = population or session_population
        self._newest_file: int | None = None
        self._has_seen_file = False
        self._changed_at = clock.monotonic()
        self._share: tuple[str, FaultShare | None] = ("", None)
        self._reckon_at = 0.0

    def now(self) -> Facts:
        """The facts; what nobody has asked for is not known.

        Raises:
            SQLAlchemyError, sqlite3.Error: the database cannot be read now.
        """
        limits, now = self._limits, self._clock.utc()
        with self._engine.begin() as connection:
            opened = sessions.open_session(connection)
            session = None if opened is None else opened[1]
            uuid = None if session is None else session.uuid
            if limits.no_file_seconds is not None:
                self._hear_of_files(connection)
            return Facts(
                session=None if session is None else session.name,
                seconds_without_file=self._clock.monotonic() - self._changed_at,
                has_seen_file=self._has_seen_file,
                failures=None
                if limits.failures_per_hour is None
                else signs.failures_since(connection, now - FAILURE_WINDOW, REFUSALS),
                free=self._free(),
                faults=None
                if limits.fault_fraction_above is None or uuid is None
                else self._fault_share(connection, uuid),
                fields=None
                if limits.fields_without_observable is None
                else signs.latest_fields(connection, limits.fields_without_observable, uuid),
            )

    def _hear_of_files(self, connection: Connection) -> None:
        """By a count and the monotonic clock: clocks that are set raise no alarm."""
        newest = signs.newest_file(connection)
        if self._newest_file is not None and newest != self._newest_file:
            self._has_seen_file = True
            self._changed_at = self._clock.monotonic()
        self._newest_file = newest

    def _free(self) -> float | None:
        try:
            return free_share(self._state.path)
        except OSError:
            return None

    def _fault_share(self, connection: Connection, uuid: str) -> FaultShare | None:
        """That of a minute ago, if it is of the same session; a big session takes a while."""
        known, share = self._share
        if known != uuid or self._clock.monotonic() >= self._reckon_at:
            population = self._population(connection, uuid)
            share = None if population is None else fault_share(population)
            self._share = uuid, share
            self._reckon_at = self._clock.monotonic() + POPULATION_SECONDS
        return share


def session_population(connection: Connection, uuid: str) -> Population:
    """The population of a session, with the intervals that every surface shows."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    return gathered(connection, Scope(session_uuid=uuid)).population(rng)


def fault_share(population: Population) -> FaultShare:
    """The share as classified, and the lower end of its interval, the wider of the two.

    Particles of one micrograph are not independent, so below eight fields of view there is none.
    Where every particle, or none, is faulted, the fields have no interval and Wilson's stands.
    """
    fraction = population.stacking_fault_fraction
    lows = [low for low in (fraction.wilson.low, fraction.by_field.low) if low is not None]
    enough = population.fields_of_view >= LEAST_FIELDS
    return FaultShare(
        value=fraction.wilson.value,
        low=min(lows) if lows and enough else None,
        observable=fraction.wilson.total,
    )
