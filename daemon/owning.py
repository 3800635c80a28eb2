"""Own a state folder: locked, laid out, its database migrated and open for writing."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, SQLAlchemyError

from daemon.clock import Clock
from daemon.errors import DaemonError, StateFolderError, StateFolderLost
from daemon.lock import Lock, owned
from daemon.mounts import file_system_type, is_network
from schema import engine as database
from schema import migrate
from schema.durable import make_folder
from schema.errors import DatabaseBusy, DatabaseLost, SchemaError
from schema.guard import Guard
from schema.state import StateFolder, prepare

LARGEST_LOG_BYTES = 256 * 2**20
PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True, kw_only=True)
class OwnedState:
    """A state folder this process owns, with its database open for writing."""

    folder: StateFolder
    engine: Engine
    lock: Lock
    guard: Guard

    def assure(self) -> tuple[str, ...]:
        """What people should know of folder and database, which are still this process's own.

        Raises:
            StateFolderLost: the lock or the database was removed or replaced.
        """
        self.lock.check()
        try:
            self.guard.check()
        except DatabaseLost as error:
            raise StateFolderLost(str(error)) from error
        if self.guard.log_bytes <= LARGEST_LOG_BYTES:
            return ()
        return (
            f"the write-ahead log of {self.folder.database.name} has outgrown "
            f"{LARGEST_LOG_BYTES // 2**20} MiB: a program that reads does not let go of old rows",
        )


@contextmanager
def own_state(path: Path, clock: Clock) -> Iterator[OwnedState]:
    """Own a state folder: made where it is missing, its database migrated.

    Raises:
        StateFolderError: in use, on a network share, from a newer release, or without database.
        DaemonError: the disk is full or fails, or another program has the database: try again.

    A database that proves damaged while it is owned, by whatever is done with it, is a
    `StateFolderError` too.
    """
    try:
        make_folder(path.absolute())
    except OSError as error:
        refusal = DaemonError if error.errno in PASSING else StateFolderError
        raise refusal(f"cannot make the state folder {path}: {error.strerror}") from error
    refuse_network(path)
    with owned(path) as lock:
        try:
            folder = prepare(path)
            migrate.upgrade(folder.database, clock.utc())
        except (SchemaError, SQLAlchemyError, OSError) as error:
            raise _refusal(path, error) from error
        engine = database.writer(folder.database)
        guard = Guard(folder.database)
        guard.watch(engine)
        try:
            yield OwnedState(folder=folder, engine=engine, lock=lock, guard=guard)
        except DatabaseError as error:
            if database.is_damaged(error):
                raise _damaged(folder.database, error) from error
            raise
        finally:
            database.put_to_rest(engine)


def _refusal(path: Path, error: Exception) -> DaemonError:
    """A person is needed, unless it may pass by itself: then the service manager tries again."""
    if isinstance(error, DBAPIError) and database.is_damaged(error):
        return _damaged(StateFolder(path).database, error)
    passing = isinstance(error, DatabaseBusy)
    if isinstance(error, DBAPIError):
        passing = database.is_passing(error) or database.is_disk_failure(error)
    elif isinstance(error, OSError):
        passing = error.errno in PASSING
    return DaemonError(str(error)) if passing else StateFolderError(str(error))


def _damaged(path: Path, error: DBAPIError) -> StateFolderError:
    return StateFolderError(
        f"{path} is damaged ({error.orig}): run `fringewatch rebuild`, which makes a "
        "new database from the mask files"
    )


def refuse_network(path: Path) -> None:
    """Do nothing where the state folder lies on a local disk.

    Raises:
        StateFolderError: it does not.
    """
    kind = file_system_type(path)
    if is_network(kind):
        raise StateFolderError(
            f"the state folder {path} lies on {kind}: SQLite is safe on local disks only"
        )
