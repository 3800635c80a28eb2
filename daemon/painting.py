"""Draw an overlay of every result while the daemon works, in its shadow.

From a thread of lower priority, after the results are committed: what it cannot do in time it does
later, also after a restart, and what goes wrong is a warning and never holds up a micrograph.
"""

import contextlib
import logging
import os
import sqlite3
import threading
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from daemon import space
from daemon.backlog import Backlog
from daemon.bounded import DoesNotAnswer, within
from daemon.clock import Clock
from daemon.config import LimitsConfig
from daemon.easel import WRITE_SECONDS, CannotDraw, Easel, FolderFailed
from daemon.names import printable
from schema import engine as database
from schema import pictures, standing
from schema.errors import SchemaError
from schema.state import StateFolder

log = logging.getLogger(__name__)

NICENESS = 10  # the analysis comes first
LOOK_SECONDS = 2.0
HOLD_SECONDS = 60.0
IDLE_SECONDS = 60.0
STOP_SECONDS = 2.0


class Painting:
    """Draws what is missing, the newest first.

    Args:
        state: its results are drawn; copies of raw files go into its spool.
        folder: takes the pictures.
        limits: what a file may cost, and how much of the disk stays free.
        clock: only its monotonic clock is read.
    """

    def __init__(
        self, state: StateFolder, folder: Path, limits: LimitsConfig, clock: Clock
    ) -> None:
        self._state = state
        self._limits = limits
        self._clock = clock
        self._scratch = state.spool / "pictures"
        self._stop, self._asked, self._through = (threading.Event() for _ in range(3))
        self._easel = Easel(state, folder, self._scratch, limits, self._stop.is_set)
        self._engine = database.reader(state.database)
        self._backlog = Backlog()
        self._newest = 0
        self._look_at = 0.0
        self._hold_until = 0.0
        self._busy_at = clock.monotonic()
        self._warnings: tuple[str, ...] = ()
        self._thread = threading.Thread(target=self._run, name="painting", daemon=True)

    def start(self) -> None:
        """Begin; the spool has been emptied, and stays where it is."""
        self._thread.start()

    def stop(self) -> None:
        """End; the picture in hand is drawn after the next start."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def warnings(self) -> tuple[str, ...]:
        """Why nothing is drawn, where nothing is."""
        return self._warnings

    def is_through(self) -> bool:
        """Whether all that can be drawn now was drawn, since it was asked first."""
        self._asked.set()
        return self._through.is_set()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # then it works at the priority of the daemon
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        self._check_folder()
        while not self._stop.is_set():
            asked = self._asked.is_set()
            try:
                worked = self.turn(looks=asked)
            except FolderFailed as error:
                worked = False
                self._hold(str(error))
            except (SQLAlchemyError, sqlite3.Error, SchemaError) as error:
                worked = False
                log.warning("overlays cannot read the database: %s", error)
            except Exception:
                worked = False
                log.exception("drawing an overlay failed inside fringewatch")
            if not worked:
                if asked:
                    self._through.set()
                self._stop.wait(LOOK_SECONDS)
        self._easel.rest()
        self._engine.dispose()

    def turn(self, *, looks: bool = False) -> bool:
        """Draw the pictures of one file; False where there is nothing to do now.

        Args:
            looks: for new results first, however short ago that was done.

        Raises:
            FolderFailed: the folder cannot be written.
            SQLAlchemyError, sqlite3.Error: the database cannot be read now.
        """
        now = self._clock.monotonic()
        if not self._may_work(now):
            return False
        if looks or now >= self._look_at:
            self._look()
            self._look_at = now + LOOK_SECONDS
        self._scratch.mkdir(exist_ok=True)
        file_id = self._backlog.next(now)
        if file_id is None:
            if now - self._busy_at > IDLE_SECONDS:
                self._easel.rest()
            return False
        self._draw(file_id)
        self._busy_at = self._clock.monotonic()
        return True

    def _may_work(self, now: float) -> bool:
        """Not while the folder fails, nor while the disk of the state folder is full."""
        if now < self._hold_until:
            return False
        if self._warnings:
            self._check_folder()
        if self._warnings:
            return False
        return space.free_share(self._state.path) >= self._limits.min_free_fraction

    def _check_folder(self) -> None:
        try:
            reason = within(
                WRITE_SECONDS, lambda: space.fault(self._easel.folder), self._stop.is_set
            )
        except DoesNotAnswer as error:
            reason = str(error)
        if reason is None:
            self._warnings = ()
        else:
            self._hold(reason)

    def _hold(self, reason: str) -> None:
        self._hold_until = self._clock.monotonic() + HOLD_SECONDS
        self._warnings = (
            f"no overlay can be written into {printable(self._easel.folder)}: {reason}; "
            f"tried again every {HOLD_SECONDS:.0f} s, results are not held up",
        )

    def _look(self) -> None:
        """Results that were made since; at the first look all that are there."""
        with self._engine.begin() as connection:
            found = pictures.drawable(connection, after=self._newest, present_only=True)
        for result in self._easel.missing(found):
            self._backlog.add(result.source_file_id)
        self._newest = max((result.analysis_id for result in found), default=self._newest)

    def _draw(self, file_id: int) -> None:
        with self._engine.begin() as connection:
            file = standing.entry(connection, file_id)
            found = pictures.drawable(connection, source_file_ids=(file_id,))
        name, missing = printable(os.path.basename(file.path)), self._easel.missing(found)
        try:
            for drawn in self._easel.draw(file.arrival, missing) if missing else ():
                if drawn.reason is not None:
                    log.warning("no overlay of %s: %s", name, drawn.reason)
        except FolderFailed:
            raise
        except CannotDraw as error:
            wait = self._backlog.failed(file_id, self._clock.monotonic()) if error.passes else None
            if wait is not None:
                log.info("no overlay of %s yet: %s; again in %.0f s", name, error, wait)
                return
            log.warning("no overlay of %s: %s", name, error)
        except Exception:
            log.exception("drawing an overlay failed inside fringewatch")
        self._backlog.done(file_id)
