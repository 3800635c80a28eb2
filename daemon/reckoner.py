"""Reckons what the live view shows of a population, beside whoever looks and never in their way.

A million particles take two seconds. So it is done in a thread of its own, only where something has
changed, and that thread rests nine times as long as it has worked: the daemon keeps its processor.
"""

import logging
import sqlite3
import threading
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from daemon.clock import Clock
from daemon.reading import BOOTSTRAP_SEED
from schema.errors import SchemaError
from schema.outlook import Outlook, outlook
from schema.scope import Scope

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
LAST_SECONDS = 5.0
LEAST_PAUSE_SECONDS = 2.0
FAILED_SECONDS = 60.0
PAUSE_PER_WORK = 9.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The files of which session, None for all, and as of which revision of the results."""

    session_uuid: str | None
    revision: object


class Reckoner:
    """Keeps one outlook as fresh as it may be.

    Args:
        engine: read-only.
        clock: wall clock and monotonic clock.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._wanted: Wanted | None = None
        self._found: tuple[Wanted, Outlook, float] | None = None
        self._rests_until = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reckoner", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Work no more; what is being reckoned is left behind."""
        self._stopping.set()

    def finish(self) -> None:
        """Stop, and reckon a last time, whether the rest is over or not."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(LAST_SECONDS)
        self._rests_until = float("-inf")
        self.turn()

    def want(self, wanted: Wanted) -> None:
        """What is to be known now; of another session it is reckoned without a rest."""
        known, self._wanted = self._wanted, wanted
        if known is not None and known.session_uuid != wanted.session_uuid:
            self._rests_until = float("-inf")

    def found(self) -> tuple[Outlook, float] | None:
        """The newest outlook of what is wanted, and how many seconds it has been out of date.

        None where nothing of that session was reckoned yet.
        """
        wanted, found = self._wanted, self._found
        if wanted is None or found is None or found[0].session_uuid != wanted.session_uuid:
            return None
        return found[1], 0.0 if found[0] == wanted else self._clock.monotonic() - found[2]

    def turn(self) -> None:
        """Reckon what is wanted, if it is not known and the rest is over."""
        wanted, begun = self._wanted, self._clock.monotonic()
        if wanted is None or (self._found is not None and self._found[0] == wanted):
            return
        if begun < self._rests_until:
            return
        with self._engine.begin() as connection:
            made = outlook(
                connection,
                Scope(session_uuid=wanted.session_uuid),
                self._clock.utc(),
                rng=np.random.default_rng(BOOTSTRAP_SEED),
            )
        ended = self._clock.monotonic()
        self._found = (wanted, made, begun)
        if self._wanted is not None and self._wanted.session_uuid == wanted.session_uuid:
            self._rests_until = ended + max(LEAST_PAUSE_SECONDS, PAUSE_PER_WORK * (ended - begun))

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.turn()
            except (SQLAlchemyError, sqlite3.Error, SchemaError) as error:
                log.warning("the figures of the live view cannot be reckoned: %s", error)
                self._rests_until = self._clock.monotonic() + LEAST_PAUSE_SECONDS
            except Exception:  # a bug must not leave old figures standing for good
                log.exception("the figures of the live view failed inside fringewatch")
                self._rests_until = self._clock.monotonic() + FAILED_SECONDS
