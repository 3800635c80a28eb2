"""A real state folder, and clocks moved by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from schema import engine, migrate
from schema.state import StateFolder, prepare
from tests.daemon.moments import NOW


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a database that was just made: migrating once is enough."""
    path = tmp_path_factory.mktemp("empty") / "fringewatch.sqlite"
    migrate.upgrade(path, NOW)
    return path.read_bytes()


@pytest.fixture
def state(tmp_path: Path, empty_database: bytes) -> StateFolder:
    """A state folder with an empty database."""
    folder = prepare(tmp_path / "state")
    folder.database.write_bytes(empty_database)
    return folder


@pytest.fixture
def owner(state: StateFolder) -> Iterator[Engine]:
    """The engine of the process that owns the state folder."""
    writer = engine.writer(state.database)
    yield writer
    writer.dispose()


@pytest.fixture
def connection(owner: Engine) -> Iterator[Connection]:
    """A writing transaction."""
    with owner.begin() as connection:
        yield connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty acquisition folder."""
    path = tmp_path / "acquisition"
    path.mkdir()
    return path
