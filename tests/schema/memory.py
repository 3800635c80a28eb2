"""A database of this release in memory, for tests that make thousands of them."""

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, StaticPool, create_engine

from schema import migrate
from tests.schema.examples import NOW


def database_in_memory() -> Engine:
    """An engine of one connection; its tables are those that a migration makes."""
    return create_engine("sqlite://", creator=_connected, poolclass=StaticPool)


def _connected() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _empty().backup(connection)
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


@cache
def _empty() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", check_same_thread=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fringewatch.sqlite"
        migrate.upgrade(path, NOW)
        with closing(sqlite3.connect(path)) as source:
            source.backup(made)
    return made
