"""A session as long as the daemon that it was begun with."""

import sqlite3
from contextlib import closing

import pytest

from daemon.clock import SYSTEM_CLOCK
from daemon.owning import own_state
from daemon.watching import session_while
from schema import sessions


@pytest.fixture
def owned(tmp_path, monkeypatch):
    monkeypatch.setattr("schema.engine.BUSY_TIMEOUT_MS", 20)
    with own_state(tmp_path / "state", SYSTEM_CLOCK) as mine:
        yield mine


def open_name(owned) -> str | None:
    with owned.engine.begin() as connection:
        opened = sessions.open_session(connection)
    return opened[1].name if opened else None


def test_a_session_is_open_while_the_daemon_runs(owned):
    with session_while(owned, {"name": "morning"}):
        assert open_name(owned) == "morning"
    assert open_name(owned) is None


def test_without_a_name_none_is_begun(owned):
    with session_while(owned, None):
        assert open_name(owned) is None


def test_a_session_that_somebody_else_ended_is_left_as_it_is(owned):
    with session_while(owned, {"name": "morning"}), session_while(owned, {"name": "evening"}):
        pass
    assert open_name(owned) is None


def test_a_locked_database_leaves_it_open_and_says_so(owned, caplog):
    with (
        closing(sqlite3.connect(owned.folder.database, isolation_level=None)) as other,
        session_while(owned, {"name": "morning"}),
    ):
        other.execute("BEGIN IMMEDIATE")
    assert open_name(owned) == "morning"
    assert "the session stays open" in caplog.text
    assert "fringewatch session end" in caplog.text
