"""The real daemon tells people, through a real command, and is held up by none of it."""

import json
import os
import socket
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Bench
from tests.acceptance.small import write_disc

pytestmark = pytest.mark.acceptance


def configured(bench: Bench, body: str, limits: str) -> Path:
    """The file to which the command of the alerts writes what it is told; `body` comes after."""
    heard = bench.state.parent / "heard"
    command = bench.state.parent / "tell"
    command.write_text(f'#!/bin/sh\ncat >> "{heard}"\n{body}\n')
    command.chmod(0o755)
    bench.configure(extra=f'[alerts]\ncommand = ["{command}"]\n{limits}')
    return heard


def told(heard: Path) -> list[dict[str, Any]]:
    text = heard.read_text() if heard.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def test_a_limit_that_is_crossed_is_told_and_so_is_its_end(quick: Bench):
    heard = configured(quick, "", "no_file_seconds = 4.0\nfailures_per_hour = 2")
    process = quick.start("--plain")
    for name in ("a.dm4", "b.dm4"):
        (quick.folder / name).write_bytes(b"")
    quick.until(lambda: {one["kind"] for one in told(heard)} == {"no_file", "failures"})
    (failures,) = (one for one in told(heard) if one["kind"] == "failures")
    assert failures["event"] == "raised"
    assert failures["message"] == "2 files could not be analysed within the hour"
    write_disc(quick.folder / "c.tif", 1)
    quick.until(lambda: ("no_file", "cleared") in [(o["kind"], o["event"]) for o in told(heard)])
    quick.stop(process)
    assert process.returncode == 0


def test_a_command_that_hangs_delays_no_file_and_no_end(quick: Bench):
    heard = configured(quick, "exec sleep 600", "free_fraction_below = 0.999999")
    process = quick.start("--plain")
    quick.until(lambda: bool(told(heard)))
    began = time.monotonic()
    for number in range(3):
        write_disc(quick.folder / f"{number}.tif", number)
    quick.until(lambda: list(quick.states().values()) == ["done"] * 3)
    assert time.monotonic() - began < 25.0  # the command has 30 s
    began = time.monotonic()
    quick.stop(process)
    assert process.returncode == 0
    assert time.monotonic() - began < 20.0
    quick.assert_clean()


def test_the_relay_of_the_operators_page_is_reached_from_within_the_daemon(quick: Bench):
    """Its command speaks to a socket: the service itself has no network."""
    page = Path(__file__).resolve().parents[2] / "service" / "OPERATING.md"
    (block,) = (
        part.split("```")[0]
        for part in page.read_text().split("```toml\n")[1:]
        if "socket" in part.split("```")[0]
    )
    command = tomllib.loads(block)["alerts"]["command"]
    place = quick.state.parent / "relay"
    command = [
        sys.executable,
        *(word.replace("/run/fringewatch-alert", str(place)) for word in command[1:]),
    ]
    limits = "free_fraction_below = 0.999999"
    quick.configure(extra=f"[alerts]\ncommand = {json.dumps(command)}\n{limits}")
    with socket.socket(socket.AF_UNIX) as relay:
        relay.bind(os.fspath(place))
        relay.listen()
        relay.settimeout(60)
        process = quick.start("--plain")
        connection, _ = relay.accept()
        with connection, connection.makefile("rb") as stream:
            assert json.loads(stream.read())["kind"] == "disk"
    quick.stop(process)
