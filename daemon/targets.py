"""Where a command may write what it makes: never among raw files, and never among the results."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from sqlalchemy import Connection

from daemon.bounded import resolved
from daemon.config import Config
from daemon.errors import Misused
from daemon.names import printable
from schema import watched


def check_target(
    connection: Connection, config: Config, target: Path, suffixes: Collection[str] = ()
) -> None:
    """Refuse what would put a file over a raw one, or over the database.

    Args:
        connection: knows every folder that was ever watched with this state.
        config: names those that are, and the state folder.
        target: a file or folder, there or not.
        suffixes: one of which it must have; any where there are none.

    Raises:
        Misused: it may not be written.
    """
    if suffixes and target.suffix.lower() not in suffixes:
        raise Misused(f"{printable(target.name)!r} does not end with {' or '.join(suffixes)}")
    _check_unwatched(connection, config, target)
    state = resolved(config.state.folder)
    if resolved(target).is_relative_to(state):
        raise Misused(f"{printable(target)} lies inside the state folder {printable(state)}")


def check_apart(connection: Connection, config: Config, folder: Path) -> None:
    """Refuse a folder for many files that lies inside a watched one, or around one.

    Raises:
        Misused: it does.
    """
    _check_unwatched(connection, config, folder)
    wanted = resolved(folder)
    for root in _watched(connection, config):
        if root.is_relative_to(wanted):
            raise Misused(f"{printable(folder)} holds {printable(root)}, which is watched")


def _check_unwatched(connection: Connection, config: Config, target: Path) -> None:
    """Refuse what lies inside a watched folder, also where no configuration says so.

    Raises:
        Misused: it does.
    """
    wanted = resolved(target)
    for root in _watched(connection, config):
        if wanted.is_relative_to(root):
            raise Misused(f"{printable(target)} lies inside {printable(root)}, which is watched")


def _watched(connection: Connection, config: Config) -> Iterator[Path]:
    for path in watched.known_folders(connection):
        yield Path(os.fsdecode(path))
    for watch in config.watch:
        yield resolved(watch.folder)
