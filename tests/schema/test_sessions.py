from dataclasses import replace
from datetime import timedelta

import pytest

from schema import sessions, state
from schema.errors import SchemaError
from schema.records import SessionRecord
from tests.schema.examples import NOW

MORNING = SessionRecord(
    uuid="0b8e1a4e-6f0f-4f6e-9d2c-000000000001",
    name="morning",
    started_at_utc=NOW,
    sample="CdSe",
    folder=b"/data/\xff",
)
LATER = NOW + timedelta(hours=4)
AFTERNOON = SessionRecord(
    uuid="0b8e1a4e-6f0f-4f6e-9d2c-000000000002", name="afternoon", started_at_utc=LATER
)


def test_a_session_is_open_until_it_ends(connection):
    session_id = sessions.start(connection, MORNING)
    assert sessions.open_session(connection) == (session_id, MORNING)
    ended = sessions.end(connection, LATER)
    assert ended == replace(MORNING, ended_at_utc=LATER)
    assert sessions.open_session(connection) is None
    assert sessions.end(connection, LATER) is None


def test_the_next_session_ends_the_one_before(connection):
    sessions.start(connection, MORNING)
    sessions.start(connection, AFTERNOON)
    expected = (replace(MORNING, ended_at_utc=LATER), AFTERNOON)
    assert sessions.all_sessions(connection) == expected


def test_a_clock_set_back_does_not_end_a_session_before_it_began(connection):
    sessions.start(connection, AFTERNOON)
    assert sessions.end(connection, NOW) == replace(AFTERNOON, ended_at_utc=LATER)
    assert sessions.all_sessions(connection)[0].ended_at_utc == LATER


def test_a_session_comes_back_from_its_file_as_it_was(tmp_path):
    folder = state.prepare(tmp_path)
    sessions.write_file(folder, AFTERNOON)
    sessions.write_file(folder, MORNING)
    sessions.write_file(folder, replace(MORNING, ended_at_utc=LATER))
    assert sessions.read_files(folder) == [replace(MORNING, ended_at_utc=LATER), AFTERNOON]
    assert len(list(folder.sessions.iterdir())) == 2


def test_a_name_that_is_no_uuid_never_becomes_a_path(tmp_path):
    folder = state.prepare(tmp_path)
    with pytest.raises(ValueError, match="UUID"):
        sessions.write_file(folder, replace(MORNING, uuid="../../evil"))


def test_a_damaged_session_file_is_named(tmp_path):
    folder = state.prepare(tmp_path)
    sessions.write_file(folder, MORNING).write_text("{}")
    with pytest.raises(SchemaError, match=MORNING.uuid):
        sessions.read_files(folder)


def test_a_time_in_another_zone_is_refused(connection):
    with pytest.raises(Exception, match="not an aware time in UTC"):
        sessions.start(connection, replace(MORNING, started_at_utc=NOW.replace(tzinfo=None)))
