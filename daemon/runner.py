"""The thread that works files off, one at a time, beside the owner of the database."""

import contextlib
import logging
import queue
import threading
import time

from daemon.attempt import Attempts
from daemon.errors import DaemonError
from daemon.outcomes import FileJob, Outcome
from daemon.pulse import Pulse

log = logging.getLogger(__name__)

THREAD_SECONDS = 10.0


class Runner:
    """Hands files to `Attempts` in a thread of its own, and their outcomes back."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._jobs: queue.Queue[FileJob | None] = queue.Queue(maxsize=1)
        self._outcomes: queue.Queue[Outcome] = queue.Queue()
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)
        self._loaded = threading.Event()
        self._failure: DaemonError | None = None
        self._in_hand: FileJob | None = None

    def start(self) -> None:
        """Begin to load the model; `is_ready` says when jobs can be taken."""
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether the model was loaded; a worker that is started anew later changes nothing."""
        return self._loaded.is_set()

    @property
    def pulse(self) -> Pulse:
        """Told of every step of a file, and how long it may take."""
        return self._attempts.pulse

    @property
    def device(self) -> str:
        """What the network runs on; empty until the model is loaded."""
        return self._attempts.device

    @property
    def stage(self) -> str:
        """What is being done with the current file; empty where there is none."""
        return self._attempts.stage

    def check(self) -> None:
        """Do nothing while all is well.

        Raises:
            ConfigError: the bundle cannot be loaded.
            DaemonError: the worker did not come up, or the thread has ended.
        """
        if self._failure is not None:
            raise self._failure

    @property
    def current(self) -> FileJob | None:
        """The job handed over whose outcome has not been collected."""
        return self._in_hand

    def submit(self, job: FileJob) -> None:
        """Hand the next file over; only when there is no `current` one."""
        self._in_hand = job
        self._jobs.put_nowait(job)

    def outcomes(self, wait_seconds: float) -> list[Outcome]:
        """Attempts that have ended; waits a little for the first."""
        found: list[Outcome] = []
        try:
            found.append(self._outcomes.get(timeout=wait_seconds))
            while True:
                found.append(self._outcomes.get_nowait())
        except queue.Empty:
            if found:
                self._in_hand = None
            return found

    def stop(self, grace_seconds: float) -> None:
        """Let the file in hand finish within the grace, else abandon it; end the children."""
        if self._thread.is_alive() and not self._abandoned:
            deadline = time.monotonic() + grace_seconds
            while self._in_hand and self._outcomes.empty() and time.monotonic() < deadline:
                time.sleep(0.05)
            self._abandoned = True
            self._attempts.abandon()
            with contextlib.suppress(queue.Full):
                self._jobs.put_nowait(None)
            self._thread.join(THREAD_SECONDS)
        self._attempts.end_children()

    def _run(self) -> None:
        try:
            self._attempts.load()
            self._loaded.set()
            while (job := self._jobs.get()) is not None:
                self._outcomes.put(self._attempts.work_off(job))
        except DaemonError as error:
            self._failure = error
        except BaseException as error:
            log.exception("the thread that works the files off has ended")
            self._failure = DaemonError(f"the work on the files has ended: {type(error).__name__}")
        finally:
            self._attempts.rest()
