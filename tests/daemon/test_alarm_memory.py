"""What people were told of outlives the daemon."""

import json
import stat

import pytest

from daemon import alarm_memory
from daemon.alarms import Alarm, AlarmKind
from tests.daemon.moments import NOW

TOLD = {
    AlarmKind.DISK: Alarm(since=NOW, told=True, told_at=NOW),
    AlarmKind.NO_FILE: Alarm(told_at=NOW),
}


def test_what_is_kept_is_remembered(state):
    assert alarm_memory.remembered(state) == {}
    alarm_memory.keep(state, TOLD)
    assert alarm_memory.remembered(state) == TOLD
    path = alarm_memory.path_of(state)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in path.parent.glob(".unfinished*")] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"unknown": {"since": null, "told": false, "told_at": null}}',
        '{"disk": {}}',
        '{"disk": {"since": 7, "told": true, "told_at": null}}',
        '{"disk": {"since": "2026-03-01T09:30:00", "told": true, "told_at": null}}',
        "é",
    ],
)
def test_a_damaged_file_is_passed_over_and_said_so(state, caplog, text):
    alarm_memory.path_of(state).write_text(text, encoding="utf-8")
    assert alarm_memory.remembered(state) == {}
    assert "passed over" in caplog.text


def test_a_memory_that_cannot_be_kept_is_no_error(state):
    alarm_memory.path_of(state).mkdir()
    alarm_memory.keep(state, TOLD)


def test_the_file_is_plain_json(state):
    alarm_memory.keep(state, TOLD)
    document = json.loads(alarm_memory.path_of(state).read_text())
    assert document["disk"] == {"since": NOW.isoformat(), "told": True, "told_at": NOW.isoformat()}
