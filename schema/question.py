"""One statement of SQL that somebody typed: it may read, it ends in time, it changes nothing.

The connection is read-only already; here every step of the statement is looked at before it runs.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Never

from sqlalchemy import Connection

from schema.engine import driver_connection
from schema.errors import SchemaError

STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's machine, a millisecond or so

_READING = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)
_CHANGING = {
    getattr(sqlite3, f"SQLITE_{word}"): word
    for word in ("ATTACH", "DELETE", "DETACH", "INSERT", "REINDEX", "SAVEPOINT", "UPDATE")
} | {sqlite3.SQLITE_ALTER_TABLE: "ALTER", sqlite3.SQLITE_TRANSACTION: "BEGIN, COMMIT or ROLLBACK"}
_SCHEMA_TABLES = frozenset(("sqlite_master", "sqlite_temp_master"))
_SCHEMA_CHANGES = {sqlite3.SQLITE_INSERT: "CREATE", sqlite3.SQLITE_DELETE: "DROP"}
_DESCRIBING = frozenset(
    (
        "collation_list", "compile_options", "database_list", "foreign_key_list", "function_list",
        "index_info", "index_list", "index_xinfo", "pragma_list", "table_info", "table_list",
        "table_xinfo",
    )
)  # fmt: skip
"""Pragmas that only tell what is there, with or without an argument."""

_STATING = frozenset(("application_id", "encoding", "journal_mode", "query_only", "user_version"))
"""Pragmas that tell a setting where they have no argument, and else change it."""

_MISTAKES = (
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_TOOBIG,
)
_PRIMARY = 0xFF  # the rest of an extended result code says more about the same error


class WrongQuestion(SchemaError):
    """The statement is no SQL, asks for what is not there, or would do more than read."""


class TookTooLong(SchemaError):
    """The statement was ended because its time was over."""


class NoAnswer(SchemaError):
    """The database cannot be read just now, or is damaged."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The columns of a statement, and its rows while they are found.

    Bytes of a text that are no UTF-8 are as `os.fsdecode` gives them.
    """

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def asked(
    connection: Connection,
    sql: str,
    parameters: Mapping[str, Any],
    *,
    seconds: float,
    clock: Callable[[], float],
) -> Iterator[Answer]:
    """The answer to a statement, to be read while the context lasts.

    Args:
        connection: of a reader.
        sql: one statement.
        parameters: what stands for `:name`; each must occur in it, and no other.
        seconds: by which all rows must have been read.
        clock: seconds, steadily growing.

    Raises:
        WrongQuestion, TookTooLong, NoAnswer: see there; also while rows are read.
    """
    driver: sqlite3.Connection = driver_connection(connection)
    inspector = _Inspector(until=clock() + seconds, clock=clock)
    given = _Given(parameters)
    driver.set_authorizer(inspector.permits)
    driver.set_progress_handler(inspector.is_over, STEPS_BETWEEN_LOOKS)
    driver.text_factory = _text
    try:
        with closing(_begun(driver, sql, given)) as cursor:
            if left := given.left:
                raise WrongQuestion(f"the query has no parameter :{left[0]}")
            yield Answer(columns=tuple(each[0] for each in cursor.description), rows=cursor)
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _explained(error, inspector, seconds) from error
    finally:
        driver.set_authorizer(None)
        driver.set_progress_handler(None, 0)
        driver.text_factory = str


class _Inspector:
    """Looks at every step of a statement, and at the clock."""

    def __init__(self, until: float, clock: Callable[[], float]) -> None:
        self._until = until
        self._clock = clock
        self.refused: str | None = None

    def permits(self, action: int, what: str | None, argument: str | None, *_: object) -> int:
        """Whether SQLite may do this; the first thing it may not is remembered."""
        if action in _READING or (action == sqlite3.SQLITE_PRAGMA and _only_tells(what, argument)):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_UPDATE and what in _SCHEMA_TABLES:
            # How SQLite describes its own table functions, json_each for one, when they are first
            # used; a statement that wants the same is no valid one.
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA:
            word = f"PRAGMA {what}"
        elif what in _SCHEMA_TABLES:
            word = _SCHEMA_CHANGES.get(action, "a change of tables")
        else:
            word = _CHANGING.get(action, "what this statement does")
        self.refused = self.refused or word
        return sqlite3.SQLITE_DENY

    def is_over(self) -> bool:
        """Whether the statement must end."""
        return self._clock() > self._until


class _Given(dict[str, Any]):
    """Parameters that know which of them were asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._asked: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self._asked.add(name)
        return super().__getitem__(name)

    def __missing__(self, name: str) -> Never:
        raise WrongQuestion(f"the query asks for :{name}, which has no value")

    @property
    def left(self) -> list[str]:
        """Those nobody asked for."""
        return [name for name in self if name not in self._asked]


def _begun(driver: sqlite3.Connection, sql: str, given: _Given) -> sqlite3.Cursor:
    """The statement, its rows still to be found."""
    try:
        cursor = driver.execute(sql, given)
    except (UnicodeEncodeError, OverflowError) as error:
        raise WrongQuestion(f"the query holds what SQLite cannot take: {error}") from error
    if cursor.description is None:
        raise WrongQuestion("this statement has no rows to show")
    return cursor


def _only_tells(pragma: str | None, argument: str | None) -> bool:
    return pragma in _DESCRIBING or (pragma in _STATING and argument is None)


def _text(raw: bytes) -> str:
    """Text of a column: a path that was cast to text need not be UTF-8."""
    return raw.decode("utf-8", "surrogateescape")


def _explained(error: Exception, inspector: _Inspector, seconds: float) -> SchemaError:
    """What an error of SQLite means here."""
    if inspector.refused is not None:
        return WrongQuestion(f"a query only reads: {inspector.refused} is refused")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
    if code == sqlite3.SQLITE_INTERRUPT:
        return TookTooLong(f"the query was ended after {seconds:g} s")
    if code in _MISTAKES:
        return WrongQuestion(f"SQLite says: {error}")
    return NoAnswer(f"the database does not answer: {error}")
