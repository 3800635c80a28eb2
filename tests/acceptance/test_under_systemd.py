"""The daemon under a service manager: played by a socket, since a test has no systemd."""

import itertools
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.acceptance.conftest import Bench
from tests.acceptance.processes import worker_of
from tests.acceptance.small import write_disc

WATCHDOG_SECONDS = 2.0
STOP_SECONDS = 30.0


class Manager:
    """Hears what a daemon says of itself, and when."""

    def __init__(self, path: Path) -> None:
        self.heard: list[tuple[float, str]] = []
        self.environment = {
            "NOTIFY_SOCKET": str(path),
            "WATCHDOG_USEC": str(round(WATCHDOG_SECONDS * 1e6)),
        }
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            for line in self._socket.recv(4096).decode().splitlines():
                self.heard.append((time.monotonic(), line))

    def lines(self) -> list[str]:
        return [line for _, line in self.heard]

    def longest_silence(self, since: float) -> float:
        """Seconds between two signs of life, from a moment on until now."""
        signs = [moment for moment, line in self.heard if line == "WATCHDOG=1" and moment > since]
        moments = [since, *signs, time.monotonic()]
        return max(late - early for early, late in itertools.pairwise(moments))


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(tmp_path / "notify")


def test_what_a_daemon_says_comes_in_its_order(quick: Bench, manager: Manager):
    write_disc(quick.folder / "a.tif", 1)
    process = quick.start("--plain", **manager.environment)
    quick.until(lambda: "READY=1" in manager.lines())
    assert quick.query("SELECT count(*) FROM source_file") == [(1,)]  # the first walk is done
    quick.until(lambda: any("STATUS=1 done" in line for line in manager.lines()))
    quick.stop(process)
    lines = manager.lines()
    assert lines.count("READY=1") == 1
    assert lines.index("STATUS=loading the model") < lines.index("READY=1")
    assert lines.index("READY=1") < lines.index("STOPPING=1")


def test_a_worker_that_hangs_is_replaced_and_life_goes_on(quick: Bench, manager: Manager):
    quick.configure(extra="[limits]\nworker_seconds = 4.0")
    process = quick.start("--plain", **manager.environment)
    quick.until(lambda: "READY=1" in manager.lines())
    began = time.monotonic()
    worker = worker_of(process)
    assert worker is not None
    os.kill(worker, signal.SIGSTOP)
    write_disc(quick.folder / "a.tif", 1)
    quick.until(lambda: quick.states() == {"a.tif": "done"})
    assert worker_of(process) != worker
    assert manager.longest_silence(began) < WATCHDOG_SECONDS
    assert process.poll() is None
    quick.stop(process)
    quick.assert_clean()


def test_a_stop_in_the_middle_of_an_analysis_blames_nobody(quick: Bench, manager: Manager):
    process = quick.start("--plain", **manager.environment)
    quick.until(lambda: "READY=1" in manager.lines())
    worker = worker_of(process)
    assert worker is not None
    os.kill(worker, signal.SIGSTOP)
    write_disc(quick.folder / "a.tif", 1)
    quick.until(lambda: quick.states() == {"a.tif": "processing"})
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=STOP_SECONDS + 15) == 0
    assert time.monotonic() - began < STOP_SECONDS
    assert quick.query("SELECT state, child_deaths FROM source_file") == [("ready", 0)]
    assert quick.run("watch", "--once", "--plain").returncode == 0
    assert quick.states() == {"a.tif": "done"}
    quick.assert_clean()


def test_a_second_daemon_leaves_within_two_seconds(quick: Bench, manager: Manager):
    process = quick.start("--plain", **manager.environment)
    quick.until(lambda: "READY=1" in manager.lines())
    command = quick.command("watch", "--plain")
    # Measured from where the program begins: how long Python takes to start is the machine's.
    began = time.monotonic()
    subprocess.run([*command[:-2], "--help"], capture_output=True, check=True)
    start_up = time.monotonic() - began
    began = time.monotonic()
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 78
    assert time.monotonic() - began - start_up < 2.0
    assert "another fringewatch" in second.stderr
    quick.stop(process)
