import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from schema import engine
from tests.schema.examples import done, result

NOBODY = 65534
IN_MEMORY = 2


def pragma(connection, name):
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_the_writer_keeps_commits_over_a_power_loss(connection):
    assert pragma(connection, "journal_mode") == "wal"
    assert pragma(connection, "synchronous") == 2
    assert pragma(connection, "foreign_keys") == 1
    assert pragma(connection, "busy_timeout") == engine.BUSY_TIMEOUT_MS


def test_only_what_can_be_found_out_anew_does_not_wait_for_the_disk(writer):
    found = []
    for each in (writer, engine.without_waiting(writer), writer):
        with each.begin() as connection:
            found.append(pragma(connection, "synchronous"))
    assert found == [2, 1, 2]


def test_a_transaction_that_only_reads_first_already_keeps_other_writers_out(database, connection):
    connection.exec_driver_sql("SELECT 1 FROM source_file")
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        connection.rollback()
        other.execute("BEGIN IMMEDIATE")


def test_a_reader_sees_what_is_committed_and_nothing_else(database, writer):
    reader = engine.reader(database)
    query = "SELECT count(*) FROM source_file"
    with writer.begin() as connection:
        done(connection, "a.dm4", result())
        with reader.connect() as looking:
            assert looking.exec_driver_sql(query).scalar_one() == 0
    with reader.connect() as looking:
        assert looking.exec_driver_sql(query).scalar_one() == 1


def test_a_reader_cannot_write(database):
    with engine.reader(database).connect() as connection, pytest.raises(OperationalError):
        connection.exec_driver_sql("DELETE FROM source_file")


def test_a_reader_makes_no_database(tmp_path):
    with pytest.raises(OperationalError), engine.reader(tmp_path / "none.sqlite").connect():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_path_with_any_character_is_one_path(tmp_path):
    path = tmp_path / "a b%20?mode=memory#é.sqlite"
    owner = engine.writer(path)
    with owner.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE here (x)")
    owner.dispose()
    assert path.exists()


@pytest.fixture
def open_folder():
    """A folder that anybody can enter and only its owner write; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def somebody_else():
    """Nobody's rights for a while."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_database_at_rest_is_read_by_one_who_may_not_write_its_folder(
    open_folder, empty_database
):
    path = open_folder / "fringewatch.sqlite"
    path.write_bytes(empty_database)
    owner = engine.writer(path)
    with owner.begin() as connection:
        done(connection, "a.dm4", result())
    owner.dispose()
    path.chmod(0o644)
    query = "SELECT state FROM source_file"
    with somebody_else(), engine.reader(path).connect() as connection:
        assert connection.exec_driver_sql(query).scalar_one() == "done"
    assert [found.name for found in open_folder.iterdir()] == [path.name]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_database_in_use_is_read_with_its_newest_rows_by_one_of_the_group(
    open_folder, empty_database
):
    path = open_folder / "fringewatch.sqlite"
    path.write_bytes(empty_database)
    owner = engine.writer(path)
    with owner.begin() as connection:
        done(connection, "a.dm4", result())
    for found in open_folder.iterdir():
        found.chmod(0o644)
    query = "SELECT state FROM source_file"
    with somebody_else(), engine.reader(path).connect() as connection:
        assert connection.exec_driver_sql(query).scalar_one() == "done"
    owner.dispose()


def test_no_statement_makes_a_file_outside_the_state_folder(database):
    """Of SQLite's own: a daemon may write nowhere else."""
    for made in (engine.writer(database), engine.reader(database)):
        with made.connect() as connection:
            assert pragma(connection, "temp_store") == IN_MEMORY
        made.dispose()
