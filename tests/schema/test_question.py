"""SQL that somebody typed reads, ends in time, and changes nothing."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from schema import engine, sessions
from schema.question import NoAnswer, TookTooLong, WrongQuestion, asked
from tests.schema.examples import MORNING

LONG = """
    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000000)
    SELECT count(*) FROM n
"""  # a second or so


@pytest.fixture
def reading(writer: Engine, database: Path) -> Iterator[Engine]:
    """A reader of a database with one session, whose owner is still there."""
    with writer.begin() as connection:
        sessions.start(connection, MORNING)
    reader = engine.reader(database)
    yield reader
    reader.dispose()


def rows(
    reading: Engine,
    sql: str,
    parameters: Mapping[str, Any] | None = None,
    seconds: float = 60.0,
    clock: Callable[[], float] = lambda: 0.0,
) -> list[tuple[Any, ...]]:
    with (
        reading.begin() as connection,
        asked(connection, sql, parameters or {}, seconds=seconds, clock=clock) as answer,
    ):
        return list(answer.rows)


def test_an_answer_has_columns_and_rows(reading):
    sql = "SELECT name, sample AS on_the_grid FROM session"
    with (
        reading.begin() as connection,
        asked(connection, sql, {}, seconds=1, clock=lambda: 0.0) as answer,
    ):
        assert answer.columns == ("name", "on_the_grid")
        assert list(answer.rows) == [("morning", "CdSe")]


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("INSERT INTO session (name) VALUES ('x')", "INSERT"),
        ("REPLACE INTO session (id) VALUES (1)", "INSERT"),
        ("UPDATE session SET name = 'x'", "UPDATE"),
        ("DELETE FROM session", "DELETE"),
        ("WITH one AS (SELECT 1) DELETE FROM session", "DELETE"),
        ("EXPLAIN DELETE FROM session", "DELETE"),
        ("CREATE TABLE x (y)", "CREATE"),
        ("CREATE TEMP TABLE x (y)", "CREATE"),
        ("CREATE VIEW x AS SELECT 1", "CREATE"),
        ("CREATE VIRTUAL TABLE x USING fts5 (y)", "CREATE"),
        ("DROP TABLE particle", "DROP"),
        ("DROP VIEW current_particle", "DROP"),
        ("ALTER TABLE session RENAME TO sitting", "ALTER"),
        ("REINDEX", "REINDEX"),
        ("ATTACH 'elsewhere.sqlite' AS elsewhere", "ATTACH"),
        ("DETACH main", "DETACH"),
        ("BEGIN", "BEGIN, COMMIT or ROLLBACK"),
        ("COMMIT", "BEGIN, COMMIT or ROLLBACK"),
        ("SAVEPOINT x", "SAVEPOINT"),
        ("PRAGMA query_only = 0", "PRAGMA query_only"),
        ("PRAGMA journal_mode = DELETE", "PRAGMA journal_mode"),
        ("PRAGMA user_version = 7", "PRAGMA user_version"),
        ("PRAGMA wal_checkpoint", "PRAGMA wal_checkpoint"),
        ("PRAGMA writable_schema = 1", "PRAGMA writable_schema"),
    ],
)
def test_what_does_more_than_read_is_refused_by_its_name(reading, database, sql, word):
    before = database.read_bytes()
    with pytest.raises(WrongQuestion, match=rf"^a query only reads: {word} is refused$"):
        rows(reading, sql)
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    "sql",
    [
        "VACUUM",
        "VACUUM INTO 'copy.sqlite'",
        "SELECT load_extension('anything.so')",
        "UPDATE sqlite_master SET rootpage = 1",
        "SELECT * FROM pragma_wal_checkpoint",
    ],
)
def test_other_ways_out_are_closed_too(reading, sql, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(WrongQuestion):
        rows(reading, sql)
    assert sorted(path.name for path in tmp_path.iterdir()) == there


def test_the_connection_itself_writes_nothing_either(reading):
    assert rows(reading, "SELECT * FROM pragma_query_only") == [(1,)]
    with (
        pytest.raises(Exception, match="readonly database"),
        reading.begin() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM session")


@pytest.mark.parametrize(
    ("sql", "first"),
    [
        ("SELECT value FROM json_each('[4, 5]')", (4,)),
        ("SELECT name FROM pragma_table_info('session')", ("id",)),
        ("PRAGMA journal_mode", ("wal",)),
        ("VALUES (1), (2)", (1,)),
        ("WITH RECURSIVE n(x) AS (VALUES (1) UNION SELECT x + 1 FROM n LIMIT 3) SELECT * FROM n",
         (1,)),
        ("SELECT count(*) > 0 FROM sqlite_master", (1,)),
    ],
)  # fmt: skip
def test_every_way_of_reading_is_open(reading, sql, first):
    assert rows(reading, sql)[0] == first


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1 + 1", 'near "SELEC": syntax error'),
        ("SELECT diameter FROM session", "no such column: diameter"),
        ("SELECT 1; DELETE FROM session", "one statement at a time"),
        ("-- nothing else", "no rows to show"),
        ("SELECT '\udcff'", "what SQLite cannot take"),
        ("SELECT randomblob(2000000000)", "too big"),
    ],
)
def test_wrong_sql_is_explained(reading, sql, message):
    with pytest.raises(WrongQuestion, match=message):
        rows(reading, sql)


def test_parameters_stand_for_values(reading):
    assert rows(reading, "SELECT :a, @b", {"a": 1, "b": "x"}) == [(1, "x")]


def test_a_parameter_without_a_value_is_asked_for(reading):
    with pytest.raises(WrongQuestion, match="the query asks for :run, which has no value"):
        rows(reading, "SELECT :run")


def test_a_value_nobody_asked_for_is_a_mistake(reading):
    with pytest.raises(WrongQuestion, match="the query has no parameter :rnu"):
        rows(reading, "SELECT :run", {"run": 1, "rnu": 2})


def test_a_query_is_ended_when_its_time_is_over(reading):
    ticks = count()
    with pytest.raises(TookTooLong, match="the query was ended after 5 s"):
        rows(reading, LONG, seconds=5, clock=lambda: float(next(ticks)))


def test_rows_that_come_late_end_it_as_well(reading):
    looks = count()
    sql = LONG.replace("count(*)", "x")
    with pytest.raises(TookTooLong):  # the first rows are there long before the third look
        rows(reading, sql, seconds=2, clock=lambda: float(next(looks)))


def test_text_that_is_none_is_kept(reading):
    assert rows(reading, "SELECT CAST(x'ff41' AS TEXT)") == [("\udcffA",)]


def test_a_damaged_database_gives_no_answer(reading, writer, database):
    writer.dispose()
    content = bytearray(database.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    database.write_bytes(content)
    with pytest.raises(NoAnswer, match="the database does not answer"):
        rows(reading, "SELECT * FROM session")


def test_afterwards_the_connection_is_as_it_was(reading):
    with reading.begin() as connection:
        with asked(connection, "SELECT 1", {}, seconds=0, clock=lambda: 0.0):
            pass
        assert connection.exec_driver_sql("PRAGMA data_version").scalar() is not None
        assert connection.exec_driver_sql("SELECT CAST(x'41' AS TEXT)").scalar() == "A"
