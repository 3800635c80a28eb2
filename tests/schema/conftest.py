"""A real database file and records to put into it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from schema import engine, migrate, sessions
from tests.schema.examples import MORNING, NOW


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a database that was just made: migrating once is enough."""
    path = tmp_path_factory.mktemp("empty") / "fringewatch.sqlite"
    migrate.upgrade(path, NOW)
    return path.read_bytes()


@pytest.fixture
def database(tmp_path: Path, empty_database: bytes) -> Path:
    """The path of an empty database of this release."""
    path = tmp_path / "fringewatch.sqlite"
    path.write_bytes(empty_database)
    return path


@pytest.fixture
def writer(database: Path) -> Iterator[Engine]:
    """The engine of the one writer."""
    owner = engine.writer(database)
    yield owner
    owner.dispose()


@pytest.fixture
def connection(writer: Engine) -> Iterator[Connection]:
    """A writing transaction, rolled back at the end."""
    with writer.connect() as connection:
        yield connection


@pytest.fixture
def session_id(connection: Connection) -> int:
    """An open session."""
    return sessions.start(connection, MORNING)
