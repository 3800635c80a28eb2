"""Whoever looks on: reads the database, never writes, and never holds up the daemon.

The same eyes serve the live view of the daemon and `fringewatch live` on another terminal.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from daemon.clock import Clock
from daemon.errors import StateFolderError
from daemon.live import LiveView
from daemon.lock import is_owned
from daemon.notices import posted
from daemon.reading import bundle_line, open_for_reading
from daemon.reckoner import Reckoner, Wanted
from daemon.snapshot import MicrographLine, Moment, SessionLine, Snapshot
from schema import queries, sessions, standing
from schema.errors import SchemaError
from schema.queries import RestingFile
from schema.records import BundleRecord, SessionRecord
from schema.state import StateFolder

log = logging.getLogger(__name__)

RECENT = 10
RATE_WINDOW = timedelta(minutes=10)
LOOK_SECONDS = 0.5


class Eyes:
    """Makes snapshots of a state folder.

    What takes long is reckoned by `reckoner`, whether anybody looks or not.

    Args:
        engine: read-only.
        state: shown, and where a daemon in another process posts its warnings.
        clock: wall clock and monotonic clock.
        bundle: the model at work; None takes the one of the newest result.
    """

    def __init__(
        self, engine: Engine, state: StateFolder, clock: Clock, bundle: BundleRecord | None = None
    ) -> None:
        self.reckoner = Reckoner(engine, clock)
        self._engine = engine
        self._state = state
        self._clock = clock
        self._bundle = bundle
        self._started_at = clock.utc()

    def look(self, moment: Moment | None) -> Snapshot:
        """The state of things; `moment` is None where no daemon runs in this process."""
        now = self._clock.utc()
        with self._engine.begin() as connection:
            opened = sessions.open_session(connection)
            counts = standing.counts(connection)
            last = queries.last_done_at(connection)
            self._want(opened[1] if opened else None, counts.done, last)
            bundle = self._bundle or queries.newest_bundle(connection)
            outlook, age_seconds = self.reckoner.found() or (None, None)
            return Snapshot(
                now=now,
                started_at=self._started_at if moment else None,
                software_version=version("fringewatch"),
                state_folder=self._state.path,
                folders=moment.folders if moment else (),
                session=_session_line(opened[1]) if opened else None,
                bundle=bundle_line(bundle) if bundle else None,
                device=moment.device if moment else None,
                ledger=counts,
                current=moment.current if moment else None,
                queue_length=counts.pending,
                rate_per_minute=self._rate(connection, now, moment is not None),
                seconds_since_last=(now - last).total_seconds() if last else None,
                recent=tuple(map(_line, queries.resting_files(connection, RECENT))),
                outlook=outlook,
                outlook_age_seconds=age_seconds,
                warnings=moment.warnings if moment else self._posted(),
                finished=moment.finished if moment else False,
            )

    def _posted(self) -> tuple[str, ...]:
        try:
            return posted(self._state) if is_owned(self._state.path) else ()
        except StateFolderError:  # this user may not know
            return ()

    def _rate(self, connection: Connection, now: datetime, at_work: bool) -> float | None:
        window = min(RATE_WINDOW, now - self._started_at) if at_work else RATE_WINDOW
        finished = queries.finished_since(connection, now - window)
        minutes = window.total_seconds() / 60
        return finished / minutes if finished and minutes > 0 else None

    def _want(self, session: SessionRecord | None, done: int, last: datetime | None) -> None:
        """The population of the open session, or of everything where none is open."""
        if done:
            uuid = session.uuid if session else None
            self.reckoner.want(Wanted(session_uuid=uuid, revision=(done, last)))


class Onlooker:
    """Keeps a live view up to date from a thread of its own."""

    def __init__(self, eyes: Eyes, view: LiveView) -> None:
        self._eyes = eyes
        self._view = view
        self._moment: Moment | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="onlooker", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._eyes.reckoner.start()
        self._thread.start()

    def show(self, moment: Moment) -> None:
        """What the daemon knows now; taken up at the next look."""
        self._moment = moment

    def stop(self) -> None:
        """Look a last time and end."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._look()
        self._look(is_last=True)

    def _look(self, *, is_last: bool = False) -> None:
        try:
            if is_last:
                self._eyes.look(self._moment)
                self._eyes.reckoner.finish()
            self._view.update(self._eyes.look(self._moment))
        except (SQLAlchemyError, sqlite3.Error, SchemaError) as error:
            log.warning("the live view cannot read the database: %s", error)


def follow(
    path: Path, console: Console, clock: Clock, keep_on: Callable[[], bool] = lambda: True
) -> None:
    """Show a state folder until interrupted."""
    state, engine = open_for_reading(path)
    eyes = Eyes(engine, state, clock)
    with LiveView(console) as view:
        onlooker = Onlooker(eyes, view)
        onlooker.start()
        try:
            while keep_on():
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            pass
        finally:
            onlooker.stop()


def _session_line(session: SessionRecord) -> SessionLine:
    return SessionLine(
        name=session.name,
        sample=session.sample,
        run=session.run,
        operator=session.operator,
        instrument=session.instrument,
    )


def _line(file: RestingFile) -> MicrographLine:
    return MicrographLine(
        name=os.fsdecode(os.path.basename(file.path)),
        state=file.state,
        particles=file.particle_count,
        median_nm=file.median_nm,
        note=file.reason,
        seconds=file.seconds,
    )
