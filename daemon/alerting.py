"""Look after the limits of `[alerts]` from a thread of its own, and tell people through a command.

Nothing it does, or waits for, holds up the daemon: it reads the database, runs one command at a
time, and leaves what went wrong as a warning.
"""

import logging
import sqlite3
import threading

from sqlalchemy.exc import SQLAlchemyError

from daemon import alarm_memory
from daemon.alarms import Alert, AlertEvent, Memory, judged, watchpoints
from daemon.clock import Clock
from daemon.config import AlertsConfig
from daemon.facts import Look, PopulationOf
from daemon.telling import NotTold, Teller, command_fault
from schema import engine as database
from schema.errors import SchemaError
from schema.state import StateFolder

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
STOP_SECONDS = 2.0


class Alerting:
    """Tells people of limits that are crossed.

    Args:
        limits: at least one of them is set.
        state: its database is read, and what was told of is kept there.
        clock: wall clock and monotonic clock.
        population: of a session, by its uuid; None reckons it.
    """

    def __init__(
        self,
        limits: AlertsConfig,
        state: StateFolder,
        clock: Clock,
        population: PopulationOf | None = None,
    ) -> None:
        self._limits = limits
        self._state = state
        self._clock = clock
        self._engine = database.reader(state.database)
        self._look = Look(self._engine, state, clock, limits, population)
        self._teller = Teller(limits.command, state)
        self._memory: Memory = {}
        self._warnings: tuple[str, ...] = ()
        self._stop, self._asked, self._through = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._run, name="alerting", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._memory = alarm_memory.remembered(self._state)
        self._warn(command_fault(self._limits.command))
        self._thread.start()

    def stop(self) -> None:
        """End, and with it a command that runs just now."""
        self._stop.set()
        self._teller.stop()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def warnings(self) -> tuple[str, ...]:
        """Why people are not told, where they are not."""
        return self._warnings

    def is_through(self) -> bool:
        """Whether it has looked once more since it was asked first."""
        self._asked.set()
        return self._through.is_set()

    def look(self) -> None:
        """One look, and what follows from it."""
        try:
            facts = self._look.now()
        except (SQLAlchemyError, sqlite3.Error, SchemaError) as error:
            log.warning("alerts cannot read the database: %s", error)
            return
        now = self._clock.utc()
        found = watchpoints(facts, self._limits)
        memory, alerts = judged(self._memory, found, now, self._limits.every_seconds)
        if memory != self._memory:
            # Kept before anybody is told: a daemon that dies of it tells once, not for ever.
            self._memory = memory
            alarm_memory.keep(self._state, memory)
        for alert in alerts:
            if self._stop.is_set():
                return
            self._tell(alert)

    def _tell(self, alert: Alert) -> None:
        level = logging.INFO if alert.event is AlertEvent.CLEARED else logging.WARNING
        log.log(level, "alert %s %s: %s", alert.kind, alert.event, alert.message)
        try:
            self._teller.tell(alert)
        except NotTold as error:
            self._warn(str(error))
        else:
            self._warn(None)

    def _warn(self, reason: str | None) -> None:
        self._warnings = () if reason is None else (f"{reason}: people are not told of alerts",)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            asked = self._asked.is_set()
            try:
                self.look()
            except Exception:
                log.exception("a look for alerts failed inside fringewatch")
            if asked:
                self._through.set()
        self._engine.dispose()
