"""A state folder is owned whole or not at all, and its loss is noticed."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from daemon.clock import SYSTEM_CLOCK
from daemon.config import Config, WatchConfig
from daemon.errors import DaemonError, Exit, StateFolderError, StateFolderLost
from daemon.folders import opened_roots
from daemon.owning import OwnedState, own_state

OLD_DATABASE = Path(__file__).parents[1] / "schema" / "databases" / "schema_1.sql"


def made(tmp_path: Path) -> Path:
    """A state folder that was owned before."""
    with own_state(tmp_path / "state", SYSTEM_CLOCK) as owned:
        return owned.folder.database


def refusal(state: Path) -> DaemonError:
    with pytest.raises(DaemonError) as error, own_state(state, SYSTEM_CLOCK):
        pass
    return error.value


def test_a_state_folder_is_closed_to_everybody_but_its_group(tmp_path):
    database = made(tmp_path)
    for path in (database.parent, *database.parent.iterdir()):
        assert path.stat().st_mode & 0o007 == 0, path


def test_a_database_that_another_program_locks_may_be_free_later(tmp_path, monkeypatch):
    monkeypatch.setattr("schema.engine.BUSY_TIMEOUT_MS", 20)
    database = made(tmp_path)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert refusal(database.parent).exit_code is Exit.FAILED


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EIO, Exit.FAILED), (errno.EACCES, Exit.NEEDS_A_PERSON)]
)
def test_a_disk_that_fails_for_a_moment_needs_no_person(tmp_path, monkeypatch, number, code):
    def fails(path: Path) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("daemon.owning.make_folder", fails)
    assert refusal(tmp_path / "state").exit_code is code


@pytest.mark.parametrize("content", [b"", b"no database, however long it may be " * 100])
def test_a_database_that_is_none_needs_a_person(tmp_path, content):
    database = made(tmp_path)
    (database.parent / "masks" / "undated").mkdir()
    (database.parent / "masks" / "undated" / "a.h5").touch()
    database.write_bytes(content)
    assert refusal(database.parent).exit_code is Exit.NEEDS_A_PERSON
    assert database.read_bytes() == content


def damage(database: Path, table: str) -> None:
    """Overwrite the first page of a table, and of each of its indexes."""
    with closing(sqlite3.connect(database)) as reader:
        query = "SELECT rootpage FROM sqlite_master WHERE tbl_name = ?"
        pages = [page for (page,) in reader.execute(query, (table,))]
        ((size,),) = reader.execute("PRAGMA page_size").fetchall()
    with database.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)


def test_a_database_that_proves_damaged_while_it_is_owned_needs_a_person(tmp_path):
    """Found by whatever looks there first, as where the folders were that are watched."""
    database = made(tmp_path)
    damage(database, "watched_folder")
    config = Config(watch=(WatchConfig(folder=tmp_path),))
    with (
        pytest.raises(StateFolderError, match=r"malformed.*fringewatch rebuild") as error,
        own_state(database.parent, SYSTEM_CLOCK) as owned,
    ):
        opened_roots(config, owned.engine)
    assert error.value.exit_code is Exit.NEEDS_A_PERSON
    assert "sqlalche.me" not in str(error.value)


@pytest.mark.parametrize("table", ["source_file", "sqlite_schema"])
def test_a_database_that_proves_damaged_when_it_is_migrated_needs_a_person(tmp_path, table):
    state = tmp_path / "state"
    state.mkdir()
    database = state / "fringewatch.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(OLD_DATABASE.read_text(encoding="utf-8"))
    if table == "sqlite_schema":
        with database.open("r+b") as file:
            file.seek(100)
            file.write(b"\xff" * 1000)  # where the first page keeps its cells
    else:
        damage(database, table)
    found = refusal(state)
    assert found.exit_code is Exit.NEEDS_A_PERSON
    assert "fringewatch rebuild" in str(found)
    assert "sqlalche.me" not in str(found)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR])
def test_what_may_pass_while_it_is_owned_needs_no_person(tmp_path, code):
    orig = sqlite3.OperationalError("a failure")
    orig.sqlite_errorcode = code
    with pytest.raises(OperationalError), own_state(tmp_path / "state", SYSTEM_CLOCK):
        raise OperationalError("COMMIT", {}, orig)


def unlink_lock(owned: OwnedState) -> None:
    (owned.folder.path / "lock").unlink()


def replace_lock(owned: OwnedState) -> None:
    unlink_lock(owned)
    (owned.folder.path / "lock").touch()


def unlink_database(owned: OwnedState) -> None:
    owned.folder.database.unlink()


def move_folder(owned: OwnedState) -> None:
    owned.folder.path.rename(owned.folder.path.with_name("elsewhere"))


def remove_folder(owned: OwnedState) -> None:
    shutil.rmtree(owned.folder.path)


@pytest.mark.parametrize(
    "harm", [unlink_lock, replace_lock, unlink_database, move_folder, remove_folder]
)
def test_what_is_taken_away_is_noticed(tmp_path: Path, harm: Callable[[OwnedState], None]):
    with own_state(tmp_path / "state", SYSTEM_CLOCK) as owned:
        assert owned.assure() == ()
        harm(owned)
        with pytest.raises(StateFolderLost):
            owned.assure()


def test_a_log_that_grows_without_end_is_told(tmp_path):
    with own_state(tmp_path / "state", SYSTEM_CLOCK) as owned:
        with owned.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t (x)")
        log = owned.folder.database.with_name("fringewatch.sqlite-wal")
        size = log.stat().st_size
        os.truncate(log, 257 * 2**20)
        (warning,) = owned.assure()
        assert "write-ahead log" in warning
        os.truncate(log, size)
        assert owned.assure() == ()
