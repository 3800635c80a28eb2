"""Whose turn it is: the next file, as a job.

A person's request comes before the stream; folders take turns, so that a rush in one holds up no
other.
"""

import os
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from daemon.bounded import resolved
from daemon.config import Config
from daemon.outcomes import FileJob
from schema import ledger, sessions, standing
from schema.engine import without_waiting
from schema.records import SessionRecord
from schema.standing import LedgerEntry


class Turns:
    """Takes one ready file after the other from the ledger.

    Args:
        config: whole configuration.
        engine: the database, for writing.
        accepts_suspects: what looks unfinished is taken as it is: nobody waits for it.
        only: take these files alone; None is all of them.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        *,
        accepts_suspects: bool,
        only: frozenset[int] | None,
    ) -> None:
        self._engine = without_waiting(engine)  # lost by a power loss, the file is ready as before
        self._only = only
        self._accepts_suspects = accepts_suspects
        self._patience = len(config.intake.retry_seconds)
        self._forces = config.analysis.force_out_of_domain
        self._calibrations = [
            (os.path.join(os.fsencode(resolved(watch.folder)), b""), watch.pixel_size_nm)
            for watch in config.watch
        ]
        self._last_root = b""

    def take(self, now: datetime, absent: frozenset[bytes]) -> FileJob | None:
        """The next file, which is `processing` from now on; None where none is ready.

        Args:
            now: aware UTC.
            absent: watched folders that cannot be read now; their files wait.
        """
        with self._engine.begin() as connection:
            entry = self._next(connection, now, absent)
            if entry is None:
                return None
            ledger.begin(connection, entry.source_file_id, boot_id(), os.getpid(), now)
            session = sessions.find(connection, entry.session_id) if entry.session_id else None
        self._last_root = entry.root
        return self._job(entry, session)

    def _next(
        self, connection: Connection, now: datetime, absent: frozenset[bytes]
    ) -> LedgerEntry | None:
        first = self._first(connection, now, absent)
        if first is None or first.priority > 0 or first.root != self._last_root:
            return first
        return self._first(connection, now, absent | {self._last_root}) or first

    def _first(
        self, connection: Connection, now: datetime, frozen: frozenset[bytes]
    ) -> LedgerEntry | None:
        found = standing.next_ready(connection, now, limit=1, only=self._only, frozen=frozen)
        return found[0] if found else None

    def _job(self, entry: LedgerEntry, session: SessionRecord | None) -> FileJob:
        configured = (size for root, size in self._calibrations if entry.path.startswith(root))
        return FileJob(
            source_file_id=entry.source_file_id,
            arrival=entry.arrival,
            pixel_size_nm=entry.pixel_size_nm or next(configured, None),
            force=entry.forced or self._forces,
            session_uuid=session.uuid if session else None,
            accepts_suspect=self._accepts_suspect(entry),
            child_deaths=entry.child_deaths,
        )

    def _accepts_suspect(self, entry: LedgerEntry) -> bool:
        """Whether a file that looks unfinished is taken as it is: it had its time, or has none."""
        return self._accepts_suspects or entry.attempts >= self._patience or entry.priority > 0


def boot_id() -> str:
    """The kernel's name for the time since it started; empty where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
