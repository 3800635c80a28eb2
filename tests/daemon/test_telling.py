"""The operator's command: what it gets, and what it cannot do to the daemon."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.alarms import AlarmKind, Alert, AlertEvent
from daemon.telling import NotTold, Teller, command_fault
from schema.state import StateFolder
from tests.daemon.moments import NOW, wait_until

ALERT = Alert(
    kind=AlarmKind.DISK,
    event=AlertEvent.RAISED,
    message="3.2% of the disk is free; $(touch /tmp/owned) \\x1b[2J é",
    since=NOW,
    at=NOW,
)

Program = Callable[[str], Teller]


@pytest.fixture
def program(tmp_path: Path, state: StateFolder) -> Program:
    """A teller whose command is a script with this body, and 2 s for it."""

    def make(body: str) -> Teller:
        path = tmp_path / "tell"
        path.write_text(f"#!/bin/sh\nhere={tmp_path}\n{body}\n")
        path.chmod(0o755)
        return Teller([str(path), "two words", "$HOME"], state, seconds=2.0)

    return make


def test_the_alert_is_json_on_standard_input_and_stands_in_the_environment(
    program: Program, tmp_path: Path, state: StateFolder
):
    program('cat > "$here/in"; env > "$here/env"; printf "%s|" "$@" > "$here/words"').tell(ALERT)
    told = json.loads((tmp_path / "in").read_text())
    assert (told["kind"], told["event"], told["message"]) == ("disk", "raised", ALERT.message)
    assert told["state_folder"] == str(state.path)
    environment = dict(
        line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line
    )
    assert environment["FRINGEWATCH_ALERT_KIND"] == "disk"
    assert environment["FRINGEWATCH_ALERT_EVENT"] == "raised"
    assert environment["FRINGEWATCH_ALERT_MESSAGE"] == ALERT.message
    assert (tmp_path / "words").read_text() == "two words|$HOME|"  # no shell has read them


def test_nothing_else_of_the_daemons_environment_goes_along(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("A_SECRET", "x")
    program('env > "$here/env"').tell(ALERT)
    names = {line.split("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    ours = {"PATH", "HOME", "LANG", "FRINGEWATCH_ALERT_KIND", "FRINGEWATCH_ALERT_EVENT"}
    shells = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert names - shells == ours | {"FRINGEWATCH_ALERT_MESSAGE"}


def test_a_failure_is_said_with_what_it_printed(program: Program, caplog):
    with pytest.raises(NotTold, match="exit status 3"):
        program("echo 'no route to host' >&2; exit 3").tell(ALERT)
    assert "no route to host" in caplog.text


def test_a_command_that_reads_nothing_is_well(program: Program):
    program("exit 0").tell(ALERT)


def test_a_command_that_is_not_there_is_said_so(state: StateFolder):
    teller = Teller(["/nowhere/tell"], state)
    assert "/nowhere/tell" in (command_fault(["/nowhere/tell"]) or "")
    with pytest.raises(NotTold, match="No such file"):
        teller.tell(ALERT)


def test_a_command_that_is_there_has_no_fault(tmp_path: Path):
    assert command_fault([sys.executable]) is None
    assert command_fault([str(tmp_path)]) is not None


def test_one_that_hangs_is_ended_with_all_it_began(program: Program, tmp_path: Path):
    body = 'sleep 600 & echo $! > "$here/child"; trap "" TERM; sleep 600'
    began = time.monotonic()
    with pytest.raises(NotTold, match="longer than 2 s"):
        program(body).tell(ALERT)
    assert time.monotonic() - began < 20
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not is_running(child))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_one_that_left_something_behind_is_not_waited_for(program: Program, tmp_path: Path):
    """What it left has the pipe open."""
    began = time.monotonic()
    program('sleep 600 & echo $! > "$here/child"').tell(ALERT)
    assert time.monotonic() - began < 1.9
    os.kill(int((tmp_path / "child").read_text()), 9)


def test_one_that_prints_without_end_is_ended(program: Program):
    with pytest.raises(NotTold, match="longer than 2 s"):
        program("while :; do echo flood >&2; done").tell(ALERT)


def test_one_that_runs_when_the_daemon_ends_is_ended_with_all_it_began(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    teller = program('sleep 600 & echo $! > "$here/child"; sleep 600')
    monkeypatch.setattr(teller, "_seconds", 600.0)
    ended: list[str] = []

    def tell() -> None:
        with pytest.raises(NotTold) as caught:
            teller.tell(ALERT)
        ended.append(str(caught.value))

    telling = threading.Thread(target=tell)
    telling.start()
    wait_until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "")
    teller.stop()
    telling.join(20)
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not is_running(child))
    assert "exit status" in ended[0]
