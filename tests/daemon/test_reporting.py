"""What the reporting commands print: for people and for programs, the same numbers."""

import json
import os

import pytest
from sqlalchemy import Engine

from daemon import reporting
from daemon.config import Config, StateConfig
from daemon.errors import DaemonError, Exit, Misused
from daemon.lock import owned
from daemon.notices import Notices
from daemon.selection import Selection
from schema import ledger
from schema.records import CLASS_NAMES
from schema.state import StateFolder
from tests.daemon.moments import NOW
from tests.daemon.results import STRANGE, done, seen, session

EVERYTHING = {"session": None, "sample": None, "run": None}


@pytest.fixture
def config(state: StateFolder) -> Config:
    return Config(state=StateConfig(folder=state.path))


@pytest.fixture
def measured(owner: Engine) -> Engine:
    """Two files of two sessions, one refused under a strange name."""
    done(owner, b"/data/a.dm4", "1", session(owner, "morning", 1, sample="Au", run="7"))
    done(owner, b"/data/b.dm4", "2", session(owner, "evening", 2, sample="CdSe"))
    refused = seen(owner, STRANGE)
    with owner.begin() as connection:
        ledger.refuse(connection, refused, "spectrum", "This is a spectrum.", NOW)
    return owner


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_status_as_json_adds_up(measured, config, capsys):
    reporting.status(config, as_json=True)
    found = json.loads(printed(capsys))
    counts = found["ledger"]
    assert counts.pop("seen") == sum(counts.values()) == 3
    assert (counts["done"], counts["refused"]) == (2, 1)
    assert found["session"] == "evening"
    assert not found["running"]
    assert found["problems"] == [
        {
            "path": r"/data/\xff two\x0alines \x1b[31m.dm4",
            "state": "refused",
            "code": "spectrum",
            "reason": "This is a spectrum.",
        }
    ]


def test_status_for_people_shows_the_same_sum_and_no_raw_escapes(measured, config, capsys):
    reporting.status(config, as_json=False)
    text = printed(capsys)
    assert "3 seen = 0 pending + 0 retry + 2 done + 1 refused" in " ".join(text.split())
    assert "\x1b" not in text
    assert r"\x0alines" in text


def test_status_tells_whether_a_daemon_runs_and_what_it_warns_of(measured, config, state, capsys):
    Notices(state).tell(["only 4.0% of the disk is free"])
    with owned(config.state.folder):
        reporting.status(config, as_json=True)
        found = json.loads(printed(capsys))
        reporting.status(config, as_json=False)
    assert found["running"]
    assert found["warnings"] == ["only 4.0% of the disk is free"]
    assert "warning       only 4.0% of the disk is free\n" in printed(capsys)
    reporting.status(config, as_json=True)
    assert json.loads(printed(capsys))["warnings"] == []  # nobody is there who would take it down


def test_summary_as_json_has_the_promised_names(measured, config, capsys):
    reporting.summary(config, Selection(), as_json=True)
    found = json.loads(printed(capsys))
    promised = (
        "particles",
        "excluded",
        "d50_nm",
        "lognormal",
        "bootstrap",
        "observable_fraction",
        "stacking_fault_fraction",
        "needed",
    )
    assert set(promised) <= set(found)
    assert {"wilson", "corrected"} <= set(found["stacking_fault_fraction"])
    assert found["particles"] == 4
    assert sum(found["excluded"].values()) == 2
    assert found["d50_nm"] == pytest.approx(5.5, rel=0.01)
    assert set(found["class_counts"]) <= set(CLASS_NAMES)
    assert found["stacking_fault_fraction"]["value"] == pytest.approx(0.5)


def test_summary_for_people_shows_the_same_numbers(measured, config, capsys):
    reporting.summary(config, Selection(), as_json=False)
    text = printed(capsys)
    assert "4 particles in size statistics, of 6 regions in 2 micrographs" in text
    assert "5.51 nm" in text
    assert "50.0 %" in text


def test_an_empty_state_has_an_empty_summary(owner, config, capsys):
    reporting.summary(config, Selection(), as_json=True)
    found = json.loads(printed(capsys))
    assert (found["particles"], found["d50_nm"]) == (0, None)
    reporting.summary(config, Selection(), as_json=False)
    assert "—" in printed(capsys)


@pytest.mark.parametrize(
    ("chosen", "particles"),
    [
        ({"sample": "Au"}, 2),
        ({"run": "7"}, 2),
        ({"session": "morning"}, 2),
        ({"session": "0b8e1a4e-6f0f-4f6e-9d2c-000000000002"}, 2),
        ({"session": "morning", "sample": "CdSe"}, 0),
    ],
)
def test_a_summary_is_of_what_was_chosen(measured, config, capsys, chosen, particles):
    reporting.summary(config, Selection(**chosen), as_json=True)
    found = json.loads(printed(capsys))
    assert found["particles"] == particles
    assert found["selection"] == json.loads(json.dumps(Selection(**chosen).plain()))


def test_a_session_nobody_started_is_misuse(measured, config):
    with pytest.raises(Misused, match="there is no session 'noon'") as error:
        reporting.summary(config, Selection(session="noon"), as_json=True)
    assert error.value.exit_code == Exit.MISUSED


def test_a_name_that_two_sessions_bear_is_misuse(measured, config):
    session(measured, "morning", 3)
    with pytest.raises(Misused, match=r"several sessions.*000000000001, .*000000000003"):
        reporting.summary(config, Selection(session="morning"), as_json=True)


def test_sessions_are_listed_with_their_times(measured, config, capsys):
    reporting.list_sessions(config, as_json=True)
    found = json.loads(printed(capsys))
    assert [each["name"] for each in found] == ["morning", "evening"]
    assert found[0]["started_at_utc"] == NOW.isoformat()
    assert found[1]["ended_at_utc"] is None
    reporting.list_sessions(config, as_json=False)
    assert "open" in printed(capsys)


@pytest.mark.parametrize("report", [reporting.status, reporting.list_sessions])
def test_a_state_nobody_has_used_is_said_so(tmp_path, report):
    config = Config(state=StateConfig(folder=tmp_path / "nowhere"))
    with pytest.raises(DaemonError, match="no database in"):
        report(config, True)
    assert not (tmp_path / "nowhere").exists()


def test_a_database_that_is_none_is_said_so(state, config):
    state.database.write_bytes(b"This is no database. " * 100)
    with pytest.raises(DaemonError) as error:
        reporting.status(config, as_json=True)
    assert error.value.exit_code == Exit.NEEDS_A_PERSON


def test_check_config_tells_what_a_configuration_means(tmp_path, capsys):
    path = tmp_path / "fringewatch.toml"
    path.write_text('[state]\nfolder = "state"\n[[watch]]\nfolder = "acq"\n')
    reporting.check_config(path, as_json=True)
    found = json.loads(printed(capsys))
    assert found["state"]["folder"] == str(tmp_path / "state")
    assert found["intake"]["retry_seconds"] == [10.0, 30.0, 120.0, 600.0, 3600.0]
    reporting.check_config(path, as_json=False)
    text = printed(capsys)
    assert "is right" in text
    assert "(not there now)" in text


def test_check_config_tells_of_overlays_and_alerts_where_there_are_any(tmp_path, capsys):
    path = tmp_path / "fringewatch.toml"
    path.write_text("[alerts]\nno_file_seconds = 60\ncommand = ['/bin/tell', 'me']\n")
    reporting.check_config(path, as_json=False)
    text = printed(capsys)
    assert "through /bin/tell me\n" in text
    assert "warning: the alert command /bin/tell is no program that can be run\n" in text
    assert "overlays" not in text
    path.write_text("[overlays]\nfolder = 'pictures'\n")
    reporting.check_config(path, as_json=False)
    text = printed(capsys)
    assert f"draws overlays into {tmp_path / 'pictures'}\n" in text
    assert "tells of limits" not in text


def test_check_config_does_not_warn_of_a_command_that_is_there(tmp_path, capsys):
    path = tmp_path / "fringewatch.toml"
    path.write_text("[alerts]\nno_file_seconds = 60\ncommand = ['/bin/sh', 'me']\n")
    reporting.check_config(path, as_json=False)
    assert "warning" not in printed(capsys)


def test_reports_leave_the_state_folder_as_it_was(measured, config, capsys):
    measured.dispose()  # the daemon has ended; SQLite removes its log
    before = {path: os.stat(path).st_mtime_ns for path in config.state.folder.rglob("*")}
    reporting.status(config, as_json=True)
    reporting.summary(config, Selection(), as_json=True)
    after = {
        path: os.stat(path).st_mtime_ns
        for path in config.state.folder.rglob("*")
        if not path.name.endswith(("-wal", "-shm"))
    }
    assert {path: after[path] for path in before} == before


def test_what_goes_with_what_is_told_where_it_is_asked_for(measured, config, capsys):
    reporting.summary(config, Selection(), as_json=True, correlations=True)
    found = json.loads(printed(capsys))["correlations"]
    assert found["fault_slope"]["reason"] == "fewer than 20 observable particles"
    assert found["ranks"]["names"][0] == "equivalent_diameter_nm"
    assert found["ranks"]["counts"][0][0] == 4
    reporting.summary(config, Selection(), as_json=False, correlations=True)
    text = printed(capsys)
    assert "a fault, per nm of size: — fewer than 20 observable particles" in text
    assert "8 disorder_mean" in text
    reporting.summary(config, Selection(), as_json=True)
    assert "correlations" not in json.loads(printed(capsys))


def test_a_summary_says_what_is_still_needed(owner, config, capsys):
    for number in range(8):
        done(owner, f"/data/{number}.dm4".encode(), "0123456789abcdef"[number])
    reporting.summary(config, Selection(), as_json=False)
    assert "on the median: " in printed(capsys)
