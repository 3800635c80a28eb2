"""Connections to the database: one that writes, many that read.

One process owns the database and writes through one connection: with two connections writing,
SQLite before 3.51.3 can corrupt a write-ahead log. A transaction is
`with engine.begin() as connection:`; the functions of `ledger` and `store` never commit.
"""

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

BUSY_TIMEOUT_MS = 10_000
REST_TIMEOUT_MS = 500

_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PRIMARY = 0xFF  # the rest of an extended result code says more about the same error


def writer(path: Path) -> Engine:
    """The engine of the process that owns the database; makes the file where there is none.

    Every transaction begins as a writing one: a reading one that is upgraded later fails at
    once, whatever the busy timeout says. Commits are kept over a power loss (`synchronous=FULL`).
    """

    def connect() -> sqlite3.Connection:
        connection = _connect(_uri(path, "mode=rwc"))
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=0
    )
    event.listen(engine, "begin", _begin_immediate)
    return engine


def without_waiting(engine: Engine) -> Engine:
    """The same connection, for what can be found out anew: a commit does not wait for the disk.

    While many files are written the disk takes a second for each wait. A power loss may take back
    the last of these commits, in their order and up to the next one that waits; nothing else can.
    """
    return engine.execution_options(waits=False)


def put_to_rest(engine: Engine) -> bool:
    """Close the database so that every program may read it; whether that could be done.

    A database at rest in WAL mode cannot be read by one who may not write its folder: SQLite wants
    to make the shared memory anew. So the log is written back and the mode given up, until the next
    owner takes it up again. Somebody who reads just now keeps it as it is, which does no harm.
    """
    try:
        with engine.connect() as connection:
            plain = driver_connection(connection)
            connection.rollback()  # the mode cannot change in a transaction
            plain.execute(f"PRAGMA busy_timeout={REST_TIMEOUT_MS}")
            return bool(plain.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",))
    except (DBAPIError, sqlite3.Error):
        return False
    finally:
        engine.dispose()


def reader(path: Path) -> Engine:
    """An engine that cannot write; each connection opens the file that `path` names now.

    Where no write-ahead log exists and the folder is not writable, SQLite cannot make the shared
    memory file a reader needs: the database is then at rest and is opened as immutable.
    """
    engine = create_engine("sqlite://", creator=lambda: _connect_reader(path), poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def roll_back(path: Path) -> None:
    """Undo what a process began and did not live to end; nothing where nothing was begun.

    SQLite does it at the first look of anybody who may write. One who may only read cannot even
    look: "attempt to write a readonly database".
    """
    engine = create_engine(
        "sqlite://", creator=lambda: _connect(_uri(path, "mode=rw")), poolclass=NullPool
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA schema_version")
    finally:
        engine.dispose()


def _connect_reader(path: Path) -> sqlite3.Connection:
    if not _at_rest_out_of_reach(path):
        return _connect_read_only(_uri(path, "mode=ro"))
    return _connect_read_only(_uri(path, "mode=ro&immutable=1"))


def _at_rest_out_of_reach(path: Path) -> bool:
    log = path.with_name(path.name + "-wal")
    return not log.exists() and not os.access(path.parent, os.W_OK, effective_ids=True)


def _connect_read_only(uri: str) -> sqlite3.Connection:
    connection = _connect(uri)
    connection.execute("PRAGMA query_only=ON")
    return connection


def _connect(uri: str) -> sqlite3.Connection:
    # The pool hands a connection to one thread at a time, so the check per thread is off.
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    # Else a large statement makes a file in /var/tmp, where the daemon may write as little as
    # anywhere else outside its state folder.
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _uri(path: Path, options: str) -> str:
    return f"file:{quote_from_bytes(os.fsencode(path.absolute()))}?{options}"


def _begin_immediate(connection: Connection) -> None:
    waits = connection.get_execution_options().get("waits", True)
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if waits else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def driver_connection(connection: Connection) -> Any:
    """The sqlite3 connection underneath, for the backup API and for reading a million rows."""
    return connection.connection.driver_connection


def is_passing(error: DBAPIError) -> bool:
    """Whether waiting helps: another program has the database, or the disk is full."""
    return _code(error) in _PASSING


def is_disk_failure(error: DBAPIError) -> bool:
    """Whether the disk would not read or write; what is on it then is known only after a start."""
    return _code(error) == sqlite3.SQLITE_IOERR


def is_damaged(error: DBAPIError) -> bool:
    """Whether the file is no sound database."""
    return _code(error) in _DAMAGED


def _code(error: DBAPIError) -> int | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & _PRIMARY
