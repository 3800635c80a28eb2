"""Attend to a supervisor: the main thread takes signals, answers the service manager, and waits.

So a share that hangs, or a step that never ends, cannot keep the daemon from being stopped, and is
not hidden by signs of life from a thread that does nothing else.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Mapping

from daemon.errors import Exit
from daemon.notify import WATCHDOG, notify
from daemon.supervisor import Supervisor

log = logging.getLogger(__name__)

STOP_SECONDS = 30.0
LOOK_SECONDS = 0.2
SIGNS_PER_PERIOD = 4


def attend(running: Supervisor, environment: Mapping[str, str] = os.environ) -> Exit:
    """Run it in a thread of its own until it ends; its exit code.

    Told to stop by a signal, it has 30 s; then the process ends without it. The files it had in
    hand are taken up at the next start.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, running.stop)
    work = _Work(running)
    period = _watchdog_seconds(environment)
    thread = threading.Thread(target=work.run, name="supervisor", daemon=True)
    thread.start()
    told, stopping_since = 0.0, None
    while thread.is_alive():
        thread.join(LOOK_SECONDS)
        now = time.monotonic()
        if period is not None and now - told >= period / SIGNS_PER_PERIOD:
            told = now
            _tell(running, now)
        if running.is_stopping and stopping_since is None:
            stopping_since = now
        if stopping_since is not None and now - stopping_since > STOP_SECONDS:
            log.critical("it did not stop within %.0f s and is left behind", STOP_SECONDS)
            os._exit(Exit.FAILED)
    return work.ended()


class _Work:
    """What a thread cannot give back by itself: its result, or its error."""

    def __init__(self, running: Supervisor) -> None:
        self._running = running
        self._result: Exit | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """The thread's work."""
        try:
            self._result = self._running.run()
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            self._error = error

    def ended(self) -> Exit:
        """The result, once the thread has ended."""
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise RuntimeError("the supervisor ended without a result")
        return self._result


def _tell(running: Supervisor, now: float) -> None:
    """A sign of life to the service manager, unless somebody owes one; it starts us anew then."""
    if late := running.pulse.late(now):
        log.error("no sign of life from %s", ", ".join(late))
        return
    notify(WATCHDOG)


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """How often the service manager wants a sign of life (sd_watchdog_enabled(3))."""
    wanted = environment.get("WATCHDOG_USEC", "")
    is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(wanted) / 1e6 if is_ours and wanted.isdecimal() and int(wanted) > 0 else None
