import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import create_engine

from schema import engine, migrate
from schema.errors import NotOurDatabase, SchemaTooNew, SchemaTooOld, StateError
from schema.tables import Base
from tests.schema.examples import NOW, done, result


def structure(connection) -> dict[str, str]:
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
    )
    return {name: " ".join(sql.split()) for name, sql in rows if name != "alembic_version"}


def set_version(path, version):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


def test_the_steps_lead_to_the_tables_of_this_release(connection):
    with create_engine("sqlite://").connect() as blank:
        Base.metadata.create_all(blank)
        declared = structure(blank)
    assert structure(connection) == declared


def test_a_new_database_is_of_this_release(database):
    with engine.reader(database).connect() as connection:
        migrate.check(connection)
        found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    assert found == migrate.SCHEMA_VERSION


def test_migrating_again_changes_nothing(database):
    before = database.read_bytes()
    assert migrate.upgrade(database, NOW) is None
    assert database.read_bytes() == before


def test_a_newer_database_is_refused_and_left_as_it_is(database):
    set_version(database, migrate.SCHEMA_VERSION + 1)
    before = database.read_bytes()
    with pytest.raises(SchemaTooNew, match="install the release that wrote it"):
        migrate.upgrade(database, NOW)
    assert database.read_bytes() == before
    with engine.reader(database).connect() as connection, pytest.raises(SchemaTooNew):
        migrate.check(connection)


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(NotOurDatabase):
        migrate.upgrade(path, NOW)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "notes.sqlite"
    path.write_text("no database" * 1000)
    with pytest.raises(NotOurDatabase):
        migrate.upgrade(path, NOW)


def test_an_older_database_is_copied_before_it_is_changed(database, writer, monkeypatch):
    with writer.begin() as connection:
        done(connection, "a.dm4", result())
    writer.dispose()
    monkeypatch.setattr(migrate, "SCHEMA_VERSION", migrate.SCHEMA_VERSION + 1)
    too_old = pytest.raises(SchemaTooOld, match="upgrade-db")
    with engine.reader(database).connect() as connection, too_old:
        migrate.check(connection)
    backup = migrate.upgrade(database, NOW)
    assert backup is not None
    assert backup.name == "fringewatch.sqlite.schema-1-20260301T093000Z.backup"
    with closing(sqlite3.connect(backup)) as old:
        assert old.execute("SELECT state FROM source_file").fetchall() == [("done",)]
        assert old.execute("PRAGMA user_version").fetchone() == (1,)
    with engine.reader(database).connect() as connection:
        migrate.check(connection)


def test_a_step_that_fails_leaves_the_old_database(tmp_path, monkeypatch):
    path = tmp_path / "fringewatch.sqlite"
    monkeypatch.setattr(migrate, "statements", lambda *place: ("CREATE VIEW broken AS nonsense",))
    with pytest.raises(Exception, match="syntax error"):
        migrate.upgrade(path, NOW)
    monkeypatch.undo()
    with engine.reader(path).connect() as connection:
        assert structure(connection) == {}
    migrate.upgrade(path, NOW)


def test_rows_that_refer_to_nothing_stop_the_migration(database, monkeypatch):
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("INSERT INTO analysis_summary VALUES (99,0,0,0,0,0,0,0,0,0,0,0,0,'')")
        connection.commit()
    monkeypatch.setattr(migrate, "SCHEMA_VERSION", migrate.SCHEMA_VERSION + 1)
    with pytest.raises(StateError, match="refer to rows"):
        migrate.upgrade(database, NOW)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
