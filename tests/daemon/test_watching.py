"""What goes on as long as the daemon: a session, and whoever goes along."""

import sqlite3
import threading
from contextlib import closing

import pytest

from daemon.clock import SYSTEM_CLOCK
from daemon.config import AlertsConfig, Config, OverlaysConfig
from daemon.owning import own_state
from daemon.watching import company, session_while
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


TOLD = AlertsConfig(command=("/bin/true",), no_file_seconds=600.0)


@pytest.mark.parametrize(
    ("changes", "once", "threads"),
    [
        ({}, False, set()),
        ({"alerts": TOLD}, False, {"alerting"}),
        ({"alerts": TOLD}, True, set()),  # no file is waited for
        ({"alerts": TOLD.model_copy(update={"failures_per_hour": 5})}, True, {"alerting"}),
        ({"overlays": "overlays"}, True, {"painting"}),
        ({"overlays": "overlays", "alerts": TOLD}, False, {"alerting", "painting"}),
    ],
)
def test_what_was_not_asked_for_has_no_thread(owned, tmp_path, changes, once, threads):
    if "overlays" in changes:
        changes = changes | {"overlays": OverlaysConfig(folder=tmp_path / changes["overlays"])}
    before = {thread.name for thread in threading.enumerate()}
    members = company(Config().model_copy(update=changes), owned, once, lambda _: None)
    members.start()
    try:
        begun = {thread.name for thread in threading.enumerate()} - before
        assert begun - {"bounded"} == threads  # calls that are waited for only so long
    finally:
        members.stop()
