"""A child that crashes, hangs or answers when it is told to; it starts fast."""

import os
import signal
import struct
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from daemon.children import Child


def obey(connection: Connection, greeting: str = "") -> None:
    """Do as the messages say."""
    while True:
        order = connection.recv()
        if order == "exit":
            os._exit(7)
        if order in ("SIGKILL", "SIGSEGV", "SIGTERM"):
            os.kill(os.getpid(), getattr(signal, order))
        if order == "hang":
            threading.Event().wait()
        if order == "close":
            connection.close()
            threading.Event().wait()
        if order.startswith("half a message"):
            os.write(connection.fileno(), struct.pack("!i", 1000) + b"x" * 10)
            if order.endswith("and die"):
                os._exit(7)
            threading.Event().wait()
        if order == "print":
            os.write(2, b"libtiff: cannot read \x1b[2J\nforged \xff.tif\n")
            print("and so says Python")  # noqa: T201 - as a library might
        if order == "raise":
            raise RuntimeError("a bug in the child")
        connection.send((greeting, os.getpid(), order))


def start_a_child_and_wait(path: Path) -> None:
    """A parent with one child, whose pid it writes down."""
    child = Child("worker", obey, ())
    child.start()
    child.send("hello")
    child.receive(60.0)
    child.send("hang")  # it does not notice by itself that the pipe has gone
    part = path.with_suffix(".part")
    part.write_text(str(child.pid))
    part.rename(path)
    while True:
        time.sleep(60)
