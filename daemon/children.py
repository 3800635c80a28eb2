"""Child processes that may crash, hang or be killed without taking the daemon along.

A child is spawned, never forked (a forked TensorFlow or SQLite is broken), dies with its parent,
and talks through one pipe. Whoever asks gives a deadline; a child that misses it is killed, also
in the middle of a message. What it prints becomes lines of the log, escaped like all of them.
"""

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from daemon.confinement import Confinement

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 2**24
SEND_SECONDS = 30.0
LOOK_SECONDS = 0.5
PRINTED_AT_ONCE = 2**16
PRINTED_SHOWN = 2000  # characters of that, the end: there an error says what it is
PAUSE_SECONDS = 0.2  # a traceback comes in many pieces

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


class ChildDied(Exception):
    """The child is gone: a crash, a signal, the kernel's memory limit."""

    def __init__(self, name: str, exit_code: int | None) -> None:
        super().__init__(f"the {name} process ended unexpectedly ({_exit_words(exit_code)})")


class DeadlineMissed(Exception):
    """The child did not answer in time and was killed."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(f"the {name} process did not answer within {seconds:.0f} s")


class Child:
    """One restartable child process.

    Args:
        name: what it is called in messages.
        target: module-level function `target(connection, *arguments)`; it runs in the child.
        arguments: picklable values for it.
        decode: reads what it says, and raises ValueError where that makes no sense; without one it
            speaks in pickles, which may run anything here: for a child that reads no foreign file.
        confinement: what it may reach of the machine, from before it loads the target.
    """

    def __init__(
        self,
        name: str,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        decode: Callable[[bytes], Any] | None = None,
        confinement: Confinement | None = None,
    ) -> None:
        self.name = name
        self._decode = decode
        self._confinement = confinement
        self._target = target
        self._arguments = arguments
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.is_alive()

    def start(self) -> None:
        """Start the process if it does not run.

        It dies with the thread that starts it: the kernel takes that thread for its parent.
        """
        if self.is_alive:
            return
        self.stop(grace_seconds=0)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        printed, prints = context.Pipe(duplex=False)
        process = context.Process(
            target=run_child,
            args=(theirs, prints, os.getpid(), self.name, self._confinement),
            name=f"fringewatch-{self.name}",
            daemon=True,
        )
        with theirs, prints:
            process.start()  # where that fails there is no child, and nothing to end
        self._process, self._connection = process, ours
        threading.Thread(target=_log_printed, args=(self.name, printed), daemon=True).start()
        try:
            self.send((self._target, self._arguments))
        except BaseException:
            self.stop(grace_seconds=0)
            raise

    def send(self, message: object) -> None:
        """Hand a message over. Never to a fresh process, which would take it for another one.

        Raises:
            ChildDied: it does not run, or went away while taking the message.
        """
        if self._connection is None or not self.is_alive:
            raise self._died()
        try:
            with self._killed_after(SEND_SECONDS, threading.Event()):
                self._connection.send(message)
        except (BrokenPipeError, ConnectionError) as error:
            raise self._died() from error

    def receive(self, seconds: float, abandon: Callable[[], bool] = lambda: False) -> Any:
        """The next message of the child.

        Args:
            seconds: how long to wait for it.
            abandon: asked twice a second; True kills the child and ends the wait.

        Raises:
            ChildDied: it ended, said what makes no sense, or was abandoned.
            DeadlineMissed: it was too slow, and has been killed.
        """
        connection = self._connection
        if connection is None:
            raise self._died()
        deadline = time.monotonic() + seconds
        while not connection.poll(min(LOOK_SECONDS, max(0.0, deadline - time.monotonic()))):
            if abandon():
                self.kill()
                raise self._died()
            if time.monotonic() >= deadline:
                self.kill()
                raise DeadlineMissed(self.name, seconds)
        late = threading.Event()
        try:
            with self._killed_after(deadline - time.monotonic(), late, abandon):
                return self._next_message(connection)
        except (EOFError, OSError, ValueError) as error:
            if late.is_set():
                self.kill()
                raise DeadlineMissed(self.name, seconds) from error
            if not isinstance(error, EOFError | ConnectionError):
                log.error("the %s process said what makes no sense: %s", self.name, error)
            raise self._died() from error

    def _next_message(self, connection: Connection) -> Any:
        if self._decode is None:
            return connection.recv()
        return self._decode(connection.recv_bytes(MAX_MESSAGE_BYTES))

    @contextmanager
    def _killed_after(
        self, seconds: float, late: threading.Event, abandon: Callable[[], bool] = lambda: False
    ) -> Iterator[None]:
        """Kill the child if the block lasts longer: a message begun is waited for, come what may.

        `late` is set where the time was up.
        """
        process, deadline = self._process, time.monotonic() + seconds
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(min(LOOK_SECONDS, max(0.0, deadline - time.monotonic()))):
                if time.monotonic() >= deadline:
                    late.set()
                if (late.is_set() or abandon()) and process is not None:
                    process.kill()
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def kill(self) -> None:
        """End the process at once; it holds nothing that must be kept."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join(5)

    def stop(self, grace_seconds: float = 5.0) -> None:
        """Close the pipe, which asks the child to leave; kill it if it stays."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.join(grace_seconds)
            self.kill()
            self._process = None

    def _died(self) -> ChildDied:
        exit_code = None
        if self._process is not None:
            self._process.join(2)
            exit_code = self._process.exitcode
        log.warning("the %s process ended (%s)", self.name, _exit_words(exit_code))
        self.stop(grace_seconds=0)
        return ChildDied(self.name, exit_code)


def run_child(
    connection: Connection,
    prints: Connection,
    parent_pid: int,
    name: str,
    confinement: Confinement | None,
) -> None:
    """Entry point of every child: die with the parent, leave Ctrl-C to the parent, then work.

    What it works on comes as the first message: to read it loads the libraries, whose threads must
    be confined like this one.
    """
    _die_with_parent(parent_pid)
    _be_called(f"fw-{name}")
    _print_to(prints)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if confinement is not None:
        confinement.enter()
    try:
        target, arguments = connection.recv()
        target(connection, *arguments)
    except (EOFError, BrokenPipeError, ConnectionError):
        return  # the parent closed the pipe: nothing more to do


def _die_with_parent(parent_pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before the request took effect
        os._exit(0)


def _be_called(name: str) -> None:
    """The name that `ps` and `top` show; the kernel keeps 15 bytes of it."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode("ascii"))


def _print_to(prints: Connection) -> None:
    """All that Python and the native libraries print, whatever stream they choose."""
    sys.stdout.flush()
    for stream in (1, 2):
        os.dup2(prints.fileno(), stream)
    prints.close()


def _log_printed(name: str, printed: Connection) -> None:
    """What a child prints may quote any name: it goes through the log, which escapes it."""
    with printed:
        while text := os.read(printed.fileno(), PRINTED_AT_ONCE):
            while len(text) < PRINTED_AT_ONCE and printed.poll(PAUSE_SECONDS):
                more = os.read(printed.fileno(), PRINTED_AT_ONCE)
                if not more:
                    break
                text += more
            words = text.decode(errors="backslashreplace")[-PRINTED_SHOWN:].split()
            if words:
                log.warning("the %s process printed: %s", name, " ".join(words))


def _exit_words(exit_code: int | None) -> str:
    if exit_code is None:
        return "no exit code"
    if exit_code < 0:
        return f"signal {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
