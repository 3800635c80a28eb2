"""Run the operator's command for one alert: no shell, little environment, and only so long.

It may send a mail, ring a bell or hang; whatever it does, it is a process of its own, and ends with
all that it began once its time is up.
"""

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from daemon.alarms import Alert
from daemon.names import printable
from schema.state import StateFolder

log = logging.getLogger(__name__)

COMMAND_SECONDS = 30.0
SHOWN_BYTES = 2000  # of what it printed on stderr, the end
PIPE_BYTES = 2**16  # one that prints more waits, until its time is up

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NotTold(Exception):
    """The command could not be run, failed, or took too long."""


def command_fault(command: Sequence[str]) -> str | None:
    """Why a command could not be run now, by who asks; None where it could."""
    program = command[0]
    if os.access(program, os.X_OK) and os.path.isfile(program):
        return None
    return f"the alert command {printable(program)} is no program that can be run"


class Teller:
    """Tells people through a command.

    Args:
        command: program with its whole path, and its arguments.
        state: named in what is told.
        seconds: after which it is killed, with all processes of its group.
    """

    def __init__(
        self, command: Sequence[str], state: StateFolder, seconds: float = COMMAND_SECONDS
    ) -> None:
        self._command = tuple(command)
        self._state = state
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def stop(self) -> None:
        """End what runs, with all that it began, and run nothing more."""
        self._stopped = True
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def tell(self, alert: Alert) -> None:
        """Run the command, the alert as JSON on its standard input.

        Raises:
            NotTold: one sentence why.
        """
        document = json.dumps(self._document(alert), ensure_ascii=True)
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                env=_environment(alert),
                start_new_session=True,
            )
        except OSError as error:
            raise NotTold(f"the alert command cannot be run: {error.strerror or error}") from error
        self._process = process
        if self._stopped:  # meanwhile
            self.stop()
        with process:
            self._see_it_through(process, f"{document}\n".encode("ascii"))

    def _see_it_through(self, process: subprocess.Popen[bytes], document: bytes) -> None:
        if process.stdin is None or process.stderr is None:
            raise RuntimeError("the alert command has no pipes")
        with contextlib.suppress(BrokenPipeError):  # it may not care, and fits into the pipe
            process.stdin.write(document)
            process.stdin.close()
        try:
            code = process.wait(self._seconds)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise NotTold(
                f"the alert command took longer than {self._seconds:.0f} s and was ended"
            ) from error
        finally:
            if said := _printed(process.stderr.fileno()):
                log.warning("the alert command printed: %s", said)
        if code != 0:
            raise NotTold(f"the alert command failed (exit status {code})")

    def _document(self, alert: Alert) -> Mapping[str, Any]:
        return {
            "kind": alert.kind,
            "event": alert.event,
            "message": alert.message,
            "since": alert.since.isoformat(timespec="seconds"),
            "at": alert.at.isoformat(timespec="seconds"),
            "computer": socket.gethostname(),
            "state_folder": printable(self._state.path),
        }


def _environment(alert: Alert) -> dict[str, str]:
    return {
        "PATH": PATH,
        "HOME": str(Path.home()),
        "LANG": "C.UTF-8",
        "FRINGEWATCH_ALERT_KIND": alert.kind.value,
        "FRINGEWATCH_ALERT_EVENT": alert.event.value,
        "FRINGEWATCH_ALERT_MESSAGE": alert.message,
    }


def _printed(descriptor: int) -> str:
    """What has been printed so far; nobody who still has the pipe open is waited for."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError):
        text = os.read(descriptor, PIPE_BYTES)
        return " ".join(text[-SHOWN_BYTES:].decode(errors="backslashreplace").split())
    return ""
