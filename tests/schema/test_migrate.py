import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from schema import engine, migrate, queries, store
from schema.errors import NotOurDatabase, SchemaTooNew, SchemaTooOld, StateError
from schema.feature_columns import FEATURE_COLUMNS
from schema.summaries import summarise
from schema.tables import Base
from tests.schema.examples import NOW, done, particle, result

OLD_DATABASES = sorted((Path(__file__).parent / "databases").glob("schema_*.sql"))


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


def test_what_a_killed_owner_had_begun_is_undone(database, tmp_path):
    left = tmp_path / "left"
    left.mkdir()
    with closing(sqlite3.connect(database, isolation_level=None)) as owner:
        owner.execute("PRAGMA journal_mode=DELETE")
        before = owner.execute("SELECT name FROM sqlite_master").fetchall()
        owner.execute("PRAGMA cache_size=1")  # so that it writes before the commit
        owner.execute("BEGIN")
        owner.execute("CREATE TABLE begun AS SELECT randomblob(1000000) AS bytes")
        for path in database.parent.glob("fringewatch.sqlite*"):
            shutil.copy(path, left)  # what a kill would leave just now
        owner.execute("ROLLBACK")
    assert (left / "fringewatch.sqlite-journal").stat().st_size > 0
    assert migrate.upgrade(left / database.name, NOW) is None
    with closing(sqlite3.connect(left / database.name)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == before


def test_an_older_database_is_copied_before_it_is_changed(database, writer, monkeypatch):
    with writer.begin() as connection:
        done(connection, "a.dm4", result())
    writer.dispose()
    made = migrate.SCHEMA_VERSION
    monkeypatch.setattr(migrate, "SCHEMA_VERSION", made + 1)
    too_old = pytest.raises(SchemaTooOld, match="upgrade-db")
    with engine.reader(database).connect() as connection, too_old:
        migrate.check(connection)
    backup = migrate.upgrade(database, NOW)
    assert backup is not None
    assert backup.name == f"fringewatch.sqlite.schema-{made}-20260301T093000Z.backup"
    with closing(sqlite3.connect(backup)) as old:
        assert old.execute("SELECT state FROM source_file").fetchall() == [("done",)]
        assert old.execute("PRAGMA user_version").fetchone() == (made,)
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
        connection.execute("INSERT INTO analysis_summary VALUES (99, 0, x'')")
        connection.commit()
    made = migrate.SCHEMA_VERSION
    monkeypatch.setattr(migrate, "SCHEMA_VERSION", made + 1)
    with pytest.raises(StateError, match="refer to rows"):
        migrate.upgrade(database, NOW)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (made,)


@pytest.fixture(params=OLD_DATABASES, ids=lambda path: path.stem)
def old_database(request, tmp_path) -> Path:
    """A database of every schema that there was before this one."""
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(request.param.read_text())
    return path


def test_there_is_an_old_database_of_every_schema():
    numbers = [int(path.stem.removeprefix("schema_")) for path in OLD_DATABASES]
    assert numbers == list(range(1, migrate.SCHEMA_VERSION))


def test_every_old_database_migrates_to_the_tables_of_this_release(old_database, database):
    assert migrate.upgrade(old_database, NOW) is not None
    found = []
    for path in (old_database, database):
        with engine.reader(path).connect() as connection:
            migrate.check(connection)
            found.append(structure(connection))
    assert found[0] == found[1]


def test_an_old_database_keeps_its_particles_and_takes_new_ones(old_database):
    with closing(sqlite3.connect(old_database)) as old:
        old.row_factory = sqlite3.Row
        before = [dict(row) for row in old.execute("SELECT * FROM particle ORDER BY id")]
    migrate.upgrade(old_database, NOW)
    every = {name: float(number) for number, name in enumerate(FEATURE_COLUMNS)}
    owner = engine.writer(old_database)
    with owner.begin() as connection:
        shown = queries.view_columns(connection, "current_particle")
        done(connection, "new.dm4", result("new", particles=(particle(1, features=every),)))
    owner.dispose()
    with closing(sqlite3.connect(old_database)) as migrated:
        migrated.row_factory = sqlite3.Row
        after = [dict(row) for row in migrated.execute("SELECT * FROM particle ORDER BY id")]
    assert set(FEATURE_COLUMNS) <= set(shown)
    assert len(after) == len(before) + 1
    for old_row, row in zip(before, after, strict=False):
        assert {name: row[name] for name in old_row} == old_row
        assert {row[name] for name in set(row) - set(old_row)} <= {None}
    assert {name: after[-1][name] for name in FEATURE_COLUMNS} == every


def test_results_of_an_old_database_are_read_as_they_were_committed(old_database):
    migrate.upgrade(old_database, NOW)
    expected = [particle(1), particle(2, None, features={"intensity_mean": 1.0})]
    with engine.reader(old_database).connect() as connection:
        (key,) = connection.exec_driver_sql(
            "SELECT natural_key FROM analysis ORDER BY id LIMIT 1"
        ).one()
        found = store.read_result(connection, key).particles
    assert found[1] == expected[1]
    assert set(found[0].features) == set(FEATURE_COLUMNS[:5])


def test_the_particles_of_an_old_database_are_packed_as_those_of_a_new_one(old_database):
    migrate.upgrade(old_database, NOW)
    with engine.reader(old_database).connect() as connection:
        query = "SELECT id, natural_key, packed, particle_count FROM analysis NATURAL JOIN (SELECT "
        query += "analysis_id AS id, packed, particle_count FROM analysis_summary)"
        rows = connection.exec_driver_sql(query).all()
        expected = {
            row.id: summarise(store.read_result(connection, row.natural_key).particles)
            for row in rows
        }
    assert len(rows) >= 2
    assert {row.id: row.packed for row in rows} == {k: e.packed for k, e in expected.items()}
    assert [row.particle_count for row in rows] == [e.particle_count for e in expected.values()]
