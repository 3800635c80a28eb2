"""The main thread answers for the work, and lets nobody keep the process from ending."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.attending import attend
from daemon.errors import ConfigError, Exit
from daemon.pulse import Pulse

HANGING = """
import signal, sys, threading
import daemon.attending as attending
from daemon.pulse import Pulse
attending.STOP_SECONDS = 1.0

class Hanging:
    pulse, is_stopping = Pulse(), False
    def stop(self, *_): self.is_stopping = True
    def run(self):
        print("running", flush=True)
        threading.Event().wait()

attending.attend(Hanging(), {})
"""


class Work:
    """Stands for a supervisor."""

    def __init__(self, work: Callable[["Work"], Exit]) -> None:
        self.pulse = Pulse()
        self.asked = threading.Event()
        self._work = work

    @property
    def is_stopping(self) -> bool:
        return self.asked.is_set()

    def stop(self, *_: object) -> None:
        self.asked.set()

    def run(self) -> Exit:
        return self._work(self)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Signals are taken here; the tests' own handlers come back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listens as a service manager does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        monkeypatch.setattr("daemon.notify.notify.__kwdefaults__", {"environment": os.environ})
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        listening.settimeout(2.0)
        yield listening


def test_the_result_and_the_error_come_through():
    assert attend(Work(lambda _: Exit.FAILED), {}) is Exit.FAILED

    def fail(_: Work) -> Exit:
        raise ConfigError("the model is damaged")

    with pytest.raises(ConfigError, match="damaged"):
        attend(Work(fail), {})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_the_work_to_end(number):
    def work(running: Work) -> Exit:
        os.kill(os.getpid(), number)
        assert running.asked.wait(20)
        return Exit.DONE

    assert attend(Work(work), {}) is Exit.DONE


def test_work_that_hangs_is_left_behind_when_the_process_is_to_end():
    command = [sys.executable, "-c", HANGING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "running\n"
        process.terminate()
        assert process.wait(timeout=20) == Exit.FAILED


def test_signs_of_life_end_with_the_life(manager: socket.socket):
    """Alive for a second, then in a step that takes longer than was promised."""
    released = threading.Event()
    heard: list[bytes] = []

    def work(running: Work) -> Exit:
        for _ in range(10):
            running.pulse.beat("the work", 0.0, 1e12)
            released.wait(0.1)
        running.pulse.beat("the work", 0.0, 0.0)
        released.wait(20)
        return Exit.DONE

    def listen() -> None:
        while True:
            try:
                heard.append(manager.recv(100))
            except TimeoutError:
                released.set()
                return

    listener = threading.Thread(target=listen)
    listener.start()
    attend(Work(work), {"WATCHDOG_USEC": "800000"})
    listener.join()
    assert 2 <= len(heard) <= 8
    assert set(heard) == {b"WATCHDOG=1"}


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}],
)
def test_nobody_is_told_who_did_not_ask(manager: socket.socket, environment):
    asked = threading.Event()
    attend(Work(lambda _: (asked.wait(1), Exit.DONE)[1]), environment)
    with pytest.raises(TimeoutError):
        manager.recv(100)
