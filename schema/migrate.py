"""Bring a database to the schema of this release.

The number of the schema is SQLite's `user_version`; Alembic runs the steps. All steps, the views
and the new number are one transaction: a killed migration leaves the old database.
"""

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DatabaseError

from schema.durable import FILE_MODE, replacing
from schema.engine import driver_connection, is_passing, reader, roll_back, writer
from schema.errors import DatabaseBusy, NotOurDatabase, SchemaTooNew, SchemaTooOld, StateError
from schema.script import statements

SCHEMA_VERSION = 6
APPLICATION_ID = 0x46525754  # "FRWT": `file` and SQLite's tools tell whose database it is


def upgrade(path: Path, now: datetime) -> Path | None:
    """Make the database, or bring an older one up to date; gives the path of the backup if any.

    Args:
        path: the database file; made where there is none.
        now: aware UTC; names the backup.

    Raises:
        NotOurDatabase: the file holds something else.
        DatabaseBusy: another program has it.
        SchemaTooNew: a later release wrote it.
        StateError: rows contradict each other after the step; nothing was changed.
    """
    found = _version_of(path)
    if found == SCHEMA_VERSION:
        return None
    backup = _back_up(path, found, now) if found else None
    path.touch(FILE_MODE)  # SQLite gives its log the rights of the database
    engine = writer(path)
    try:
        with engine.connect() as connection:
            _run(connection)
    finally:
        engine.dispose()
    return backup


def check(connection: Connection) -> None:
    """Refuse a database that this release cannot read.

    Raises:
        NotOurDatabase: the file holds something else, or nothing.
        SchemaTooNew: a later release wrote it.
        SchemaTooOld: it has to be migrated first.
    """
    found = _found_version(connection)
    if found == 0:
        raise NotOurDatabase("the database is empty")
    if found < SCHEMA_VERSION:
        raise SchemaTooOld(
            f"the database has schema {found}, this release needs {SCHEMA_VERSION}: "
            "run `fringewatch upgrade-db`"
        )


def _found_version(connection: Connection) -> int:
    found = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    if application != APPLICATION_ID and (found or inspect(connection).get_table_names()):
        raise NotOurDatabase("the file is a database of another program")
    if found > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"the database has schema {found}, this release knows {SCHEMA_VERSION}: "
            "install the release that wrote it, or a later one"
        )
    return found


def _version_of(path: Path) -> int:
    # Through a reader: the database of another program must not change by being looked at.
    if not path.exists() or path.stat().st_size == 0:
        return 0
    engine = reader(path)
    try:
        if path.with_name(f"{path.name}-journal").exists():
            roll_back(path)  # killed while it took up the log, or gave it up
        with engine.connect() as connection:
            return _found_version(connection)
    except DatabaseError as error:
        if is_passing(error):
            raise DatabaseBusy(f"{path.name} cannot be opened now: {error.orig}") from error
        raise NotOurDatabase(f"{path.name} cannot be read as a database: {error.orig}") from error
    finally:
        engine.dispose()


def _back_up(path: Path, found: int, now: datetime) -> Path:
    """A whole copy, or none: a process killed meanwhile leaves nothing under this name."""
    backup = path.with_name(f"{path.name}.schema-{found}-{now:%Y%m%dT%H%M%SZ}.backup")
    try:
        with (
            replacing(backup) as unfinished,
            closing(sqlite3.connect(path)) as source,
            closing(sqlite3.connect(unfinished)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise DatabaseBusy(f"{path.name} cannot be copied before it is changed: {error}") from error
    return backup


def _run(connection: Connection) -> None:
    # A step that rebuilds a table must drop the old one while others refer to it.
    driver_connection(connection).execute("PRAGMA foreign_keys=OFF")
    with connection.begin():
        _drop_views(connection)
        _run_steps(connection)
        for statement in statements("views.sql"):
            connection.exec_driver_sql(statement)
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise StateError(f"{len(broken)} rows refer to rows that do not exist")
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _drop_views(connection: Connection) -> None:
    for name in inspect(connection).get_view_names():
        connection.exec_driver_sql(f'DROP VIEW "{name}"')


def _run_steps(connection: Connection) -> None:
    # Alembic takes a quarter of a second to import; a reader never needs it.
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "schema:migrations")
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
