"""`fringewatch rebuild`: a new database from the mask files, for one that is gone or damaged."""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from daemon.clock import Clock
from daemon.errors import StateFolderError
from daemon.lock import owned
from daemon.owning import refuse_network
from schema import engine as database
from schema import migrate
from schema.durable import sync_folder
from schema.errors import SchemaError
from schema.rebuild import Rebuilt, rebuild
from schema.state import StateFolder, lay_out

NEW_NAME = ".rebuilding.sqlite"
COMPANIONS = ("", "-wal", "-shm", "-journal")


def rebuild_database(
    path: Path,
    clock: Clock,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Rebuilt, Path | None]:
    """What was restored, and where the old database lies now, if there was one.

    The new one is made beside the old, and takes its place only when it is whole: an interruption
    leaves everything as it was.

    Raises:
        StateFolderError: a daemon runs, a later release wrote the folder, or there is nothing.
    """
    refuse_network(path)
    if not path.is_dir():
        raise StateFolderError(f"{path} is no folder")
    with owned(path):
        try:
            state = lay_out(path)
            made = _made(state, clock.utc(), progress)
            aside = _put_aside(state, clock.utc())
        except SchemaError as error:
            raise StateFolderError(str(error)) from error
        (state.path / NEW_NAME).replace(state.database)
        sync_folder(state.path)
    return made, aside


def _made(state: StateFolder, now: datetime, progress: Callable[[int, int], None]) -> Rebuilt:
    new = state.path / NEW_NAME
    _remove(new)
    migrate.upgrade(new, now)
    engine = database.writer(new)
    with engine.begin() as connection:
        made = rebuild(connection, state, progress)
    if not database.put_to_rest(engine):
        raise StateFolderError("the new database could not be closed")
    with closing(sqlite3.connect(new)) as plain:
        verdict = plain.execute("PRAGMA integrity_check").fetchone()[0]
    if verdict != "ok":
        raise StateFolderError(f"the new database is damaged ({verdict}): the disk may fail")
    return made


def _put_aside(state: StateFolder, now: datetime) -> Path | None:
    """The database there was, with its log, under a name that says when it was replaced."""
    if not state.database.exists():
        _remove(state.database)
        return None
    aside = state.database.with_name(f"{state.database.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
    for suffix in COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{state.database}{suffix}", f"{aside}{suffix}")
    return aside


def _remove(database_path: Path) -> None:
    for suffix in COMPANIONS:
        Path(f"{database_path}{suffix}").unlink(missing_ok=True)
