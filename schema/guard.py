"""Notice that a database is no longer the one that was opened.

A file that is unlinked stays writable for whoever has it open: SQLite would go on committing, into
nothing. So number and device of the database and of its companions are compared with those they
had, and with the rights and the size the database had: nothing here ever makes it smaller.
"""

import os
import stat
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from schema.errors import DatabaseLost

_COMPANIONS = ("-wal", "-shm")


class Guard:
    """Watches over the database that a process has open for writing.

    Args:
        database: its path; the file exists.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._companions = [database.with_name(database.name + end) for end in _COMPANIONS]
        self._known: dict[Path, tuple[int, int]] = {}
        self._largest = 0

    def watch(self, engine: Engine) -> None:
        """Have every commit of this engine checked first: one that would be lost is not made."""

        def before_commit(connection: Connection) -> None:
            del connection
            self.check()

        event.listen(engine, "commit", before_commit)

    def check(self) -> None:
        """Do nothing where all is as it was.

        Raises:
            DatabaseLost: the database, or its log, was removed, replaced, cut short or made
                read-only.
        """
        self._check_size_and_rights(self._same(self._database))
        for companion in self._companions:
            if companion in self._known or companion.exists():
                self._same(companion)

    @property
    def log_bytes(self) -> int:
        """Size of the write-ahead log; it grows for as long as a reader holds on to old rows."""
        try:
            return self._companions[0].stat().st_size
        except FileNotFoundError:
            return 0

    def _same(self, path: Path) -> os.stat_result:
        try:
            status = path.stat()
        except OSError as error:
            raise DatabaseLost(f"{path} is gone: {error.strerror}") from error
        if self._known.setdefault(path, _identity(status)) != _identity(status):
            raise DatabaseLost(f"{path} is another file than the one that was opened")
        return status

    def _check_size_and_rights(self, status: os.stat_result) -> None:
        if status.st_size < self._largest:
            raise DatabaseLost(f"{self._database} was cut short")
        self._largest = status.st_size
        if not status.st_mode & stat.S_IWUSR:
            raise DatabaseLost(f"{self._database} was made read-only")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
