"""The systemd protocol, against a real datagram socket."""

import os
import socket
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from daemon.notify import READY, STOPPING, extend_timeout, notify, status


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        yield sock


def test_a_message_arrives_at_a_named_socket(receiver: socket.socket, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    receiver.bind(address)
    assert notify(READY, status("watching 2 folders"), environment={"NOTIFY_SOCKET": address})
    assert receiver.recv(4096) == b"READY=1\nSTATUS=watching 2 folders"


def test_a_message_arrives_at_an_abstract_socket(receiver: socket.socket) -> None:
    name = f"fringewatch-test-{os.getpid()}"
    receiver.bind("\0" + name)
    assert notify(STOPPING, environment={"NOTIFY_SOCKET": "@" + name})
    assert receiver.recv(4096) == b"STOPPING=1"


def test_without_a_socket_nothing_is_sent() -> None:
    assert not notify(READY, environment={})


def test_a_socket_nobody_listens_on_is_no_error(tmp_path: Path) -> None:
    assert not notify(READY, environment={"NOTIFY_SOCKET": str(tmp_path / "gone")})


def test_a_full_socket_never_holds_the_daemon_up(receiver: socket.socket, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    receiver.bind(address)
    started = time.monotonic()
    messages_sent = sum(1 for _ in takewhile(bool, repeat_notify(address)))
    assert messages_sent > 0
    assert time.monotonic() - started < 1.5  # one that waited would wait for good


def repeat_notify(address: str) -> Iterator[bool]:
    while True:
        yield notify(READY, environment={"NOTIFY_SOCKET": address})


def test_a_file_name_cannot_forge_a_second_field() -> None:
    assert status("analysing a\nREADY=1") == "STATUS=analysing a READY=1"


def test_time_is_asked_for_in_microseconds() -> None:
    assert extend_timeout(30) == "EXTEND_TIMEOUT_USEC=30000000"
