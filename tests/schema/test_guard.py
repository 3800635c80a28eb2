"""Whatever is done to a database in use is noticed before the next commit."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from schema.engine import without_waiting
from schema.errors import DatabaseLost
from schema.guard import Guard
from tests.schema.examples import done, result


@pytest.fixture
def guard(database: Path, writer: Engine) -> Guard:
    found = Guard(database)
    found.watch(writer)
    with writer.begin() as connection:
        done(connection, "before.dm4", result())
    found.check()
    return found


def replace(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


HARM: dict[str, tuple[str, Callable[[Path], object]]] = {
    "unlinked": ("", Path.unlink),
    "moved away": ("", lambda path: path.rename(path.with_suffix(".old"))),
    "replaced": ("", replace),
    "cut short": ("", cut_short),
    "emptied": ("", lambda path: os.truncate(path, 0)),
    "made read-only": ("", lambda path: path.chmod(0o440)),
    "log unlinked": ("-wal", Path.unlink),
    "log replaced": ("-wal", replace),
    "index unlinked": ("-shm", Path.unlink),
}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("waits", [True, False])
def test_no_commit_is_made_into_a_database_that_is_lost(guard, database, writer, harm, waits):
    suffix, do = HARM[harm]
    do(database.with_name(database.name + suffix))
    commits = writer if waits else without_waiting(writer)
    with pytest.raises(DatabaseLost), commits.begin() as connection:
        done(connection, "after.dm4", result())
    with pytest.raises(DatabaseLost):
        guard.check()


def test_a_database_that_is_worked_with_is_not_lost(guard, writer):
    for number in range(200):
        with writer.begin() as connection:
            done(connection, f"{number}.dm4", result())
    guard.check()
    assert guard.log_bytes > 0


def test_the_log_of_a_database_at_rest_is_empty(tmp_path):
    path = tmp_path / "a.sqlite"
    path.touch()
    assert Guard(path).log_bytes == 0
