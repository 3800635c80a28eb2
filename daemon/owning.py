"""Own a state folder: locked, laid out, its database migrated and open for writing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from daemon.clock import Clock
from daemon.errors import StateFolderError
from daemon.lock import owned
from daemon.mounts import file_system_type, is_network
from schema import engine as database
from schema import migrate
from schema.errors import StateError
from schema.state import StateFolder, prepare


@dataclass(frozen=True, kw_only=True)
class OwnedState:
    """A state folder this process owns, with its database open for writing."""

    folder: StateFolder
    engine: Engine


@contextmanager
def own_state(path: Path, clock: Clock) -> Iterator[OwnedState]:
    """Own a state folder: made where it is missing, its database migrated.

    Raises:
        StateFolderError: in use, on a network share, from a newer release, or without database.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateFolderError(f"cannot make the state folder {path}: {error.strerror}") from error
    _refuse_network(path)
    with owned(path):
        try:
            folder = prepare(path)
            migrate.upgrade(folder.database, clock.utc())
        except (StateError, SQLAlchemyError, OSError) as error:
            raise StateFolderError(str(error)) from error
        engine = database.writer(folder.database)
        try:
            yield OwnedState(folder=folder, engine=engine)
        finally:
            engine.dispose()


def _refuse_network(path: Path) -> None:
    kind = file_system_type(path)
    if is_network(kind):
        raise StateFolderError(
            f"the state folder {path} lies on {kind}: SQLite is safe on local disks only"
        )
