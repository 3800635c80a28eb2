"""One file through spool, parser and worker; reads as a table of contents.

Runs in a thread of its own beside the owner of the database, and never writes to it: what comes
out is an `Outcome`.
"""

import contextlib
import itertools
import logging
import queue
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from daemon import space
from daemon.bounded import DoesNotAnswer, within
from daemon.children import Child, ChildDied, DeadlineMissed
from daemon.errors import ConfigError, DaemonCode, DaemonError
from daemon.parser import NextFrame, ParsedFrame, ParseEnd, ParseFailure, ParseRequest
from daemon.pulse import Pulse
from daemon.record import KnownResults
from daemon.spool import CannotSpool, ChangedWhileCopied, Spooled, spool_arrival
from daemon.worker import (
    AnalysedFrame,
    AnalyseRequest,
    AnalysisFailure,
    WorkerFailed,
    WorkerReady,
)
from schema.records import ArrivalRecord, OriginRecord, ResultRecord

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

BUNDLE_LOAD_SECONDS = 180.0
THREAD_SECONDS = 10.0
COPY_SECONDS = 60.0
SLOWEST_BYTES_PER_S = 500_000.0  # a share below that is as good as gone
GRACE_SECONDS = 30.0
PULSE_NAME = "the file in hand"


class OutcomeKind(StrEnum):
    """What became of one attempt; the supervisor turns it into a ledger state."""

    DONE = "done"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    SUSPECT = "suspect"
    CHANGED = "changed"
    IO_FAILED = "io_failed"
    NO_ROOM = "no_room"
    NO_WORKER = "no_worker"
    BAD_MODEL = "bad_model"
    CHILD_DIED = "child_died"
    BUG = "bug"
    ABANDONED = "abandoned"


NOT_THE_FILE = frozenset({OutcomeKind.NO_ROOM, OutcomeKind.NO_WORKER, OutcomeKind.BAD_MODEL})
"""Ends that would be the same with any other file: our own disk, our own process, our model."""


@dataclass(frozen=True, kw_only=True)
class FileJob:
    """One file whose turn it is.

    `accepts_suspect`: pixels that look unwritten no longer make it wait: it was given its time.
    `child_deaths`: processes that died with it so far, perhaps for want of memory.
    """

    source_file_id: int
    arrival: ArrivalRecord
    pixel_size_nm: float | None
    force: bool
    session_uuid: str | None = None
    accepts_suspect: bool = False
    child_deaths: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of one attempt at one file.

    `results` are those of a whole file, `made` those of the frames analysed before it failed.
    """

    job: FileJob
    kind: OutcomeKind
    code: str = ""
    message: str = ""
    file_sha256: str = ""
    content_sha256: str = ""
    results: tuple[ResultRecord, ...] = ()
    made: tuple[ResultRecord, ...] = ()
    seconds: float = 0.0


class _AttemptFailed(Exception):
    def __init__(self, kind: OutcomeKind, code: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code


@dataclass(frozen=True, kw_only=True)
class RunnerLimits:
    """What one file may cost."""

    file_bytes: int
    parser_seconds: float
    worker_seconds: float


class Runner:
    """Works files off one at a time, in a thread.

    Args:
        parser: child that runs `parser_main`.
        worker: child that runs `worker_main`.
        known: results that are already there and need no second inference.
        state_folder: where spool and masks lie.
        limits: see `RunnerLimits`.
        pulse: told of every step, and how long it may take.
    """

    def __init__(
        self,
        parser: Child,
        worker: Child,
        known: KnownResults,
        state_folder: Path,
        limits: RunnerLimits,
        pulse: Pulse,
    ) -> None:
        self._parser = parser
        self._worker = worker
        self._known = known
        self._state_folder = state_folder
        self._limits = limits
        self._jobs: queue.Queue[FileJob | None] = queue.Queue(maxsize=1)
        self._outcomes: queue.Queue[Outcome] = queue.Queue()
        self._abandon = threading.Event()
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)
        self._worker_ready = False
        self._loaded = threading.Event()
        self._failure: DaemonError | None = None
        self._in_hand: FileJob | None = None
        self._attempts = itertools.count()
        self._made: list[ResultRecord] = []
        self.pulse = pulse
        self.device = ""
        self.stage = ""

    def start(self) -> None:
        """Begin to load the model; `is_ready` says when jobs can be taken."""
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether the model was loaded; a worker that is started anew later changes nothing."""
        return self._loaded.is_set()

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
        if self._thread.is_alive() and not self._abandon.is_set():
            deadline = time.monotonic() + grace_seconds
            while self._in_hand and self._outcomes.empty() and time.monotonic() < deadline:
                time.sleep(0.05)
            self._abandon.set()
            with contextlib.suppress(queue.Full):
                self._jobs.put_nowait(None)
            self._thread.join(THREAD_SECONDS)
        self._parser.stop(grace_seconds=0)
        self._worker.stop(grace_seconds=0)

    def _run(self) -> None:
        try:
            self._load()
            while (job := self._jobs.get()) is not None:
                self._made = []
                outcome = replace(self._attempt(job), made=tuple(self._made))
                self._rest()
                self._outcomes.put(outcome)
        except DaemonError as error:
            self._failure = error
        except BaseException as error:
            log.exception("the thread that works the files off has ended")
            self._failure = DaemonError(f"the work on the files has ended: {type(error).__name__}")
        finally:
            self._rest()

    def _load(self) -> None:
        """The first worker, with its model, and a parser.

        Raises:
            ConfigError: the bundle cannot be loaded.
            DaemonError: the worker did not come up, or was abandoned.
        """
        try:
            self._ensure_worker(self._abandon.is_set)
        except _AttemptFailed as failure:
            raise DaemonError(f"the model could not be loaded: {failure}") from failure
        self._parser.start()
        self._loaded.set()

    def _step(self, stage: str, seconds: float) -> None:
        """The next step of a file, and a promise how long it takes at most."""
        self.stage = stage
        self.pulse.beat(PULSE_NAME, time.monotonic(), seconds + GRACE_SECONDS)

    def _rest(self) -> None:
        self.stage = ""
        self.pulse.rest(PULSE_NAME)

    def _attempt(self, job: FileJob) -> Outcome:
        started = time.monotonic()
        # A copy that was left behind may go on some day: never into the folder of a later one.
        folder = self._state_folder / "spool" / f"{job.source_file_id}-{next(self._attempts)}"
        try:
            spooled = self._copied(job, folder)
            results = self._analyse(job, spooled)
        except DoesNotAnswer as silence:
            return self._unanswered(job, silence)
        except _AttemptFailed as failure:
            kind = OutcomeKind.ABANDONED if self._abandon.is_set() else failure.kind
            return Outcome(job=job, kind=kind, code=failure.code, message=str(failure))
        except ChangedWhileCopied:
            return Outcome(
                job=job,
                kind=OutcomeKind.CHANGED,
                code=DaemonCode.STILL_WRITTEN,
                message="The file changed after it had come to rest.",
            )
        except CannotSpool as error:
            return Outcome(job=job, kind=OutcomeKind.REFUSED, code=error.code, message=str(error))
        except ConfigError as error:
            return Outcome(job=job, kind=OutcomeKind.BAD_MODEL, message=str(error))
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"The file cannot be read or its results cannot be written now: {reason}."
            found = self._io_failed(message)
            return Outcome(job=job, kind=found.kind, code=found.code, message=str(found))
        except Exception as error:
            log.exception("an attempt at file %d failed inside fringewatch", job.source_file_id)
            return Outcome(
                job=job,
                kind=OutcomeKind.BUG,
                code=DaemonCode.INTERNAL_ERROR,
                message=f"{type(error).__name__}: {error}",
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return Outcome(
            job=job,
            kind=OutcomeKind.DONE,
            file_sha256=spooled.file_sha256,
            content_sha256=spooled.content_sha256,
            results=results,
            seconds=time.monotonic() - started,
        )

    def _unanswered(self, job: FileJob, silence: DoesNotAnswer) -> Outcome:
        kind = OutcomeKind.ABANDONED if self._abandon.is_set() else OutcomeKind.IO_FAILED
        message = f"The file cannot be read now: {silence}."
        return Outcome(job=job, kind=kind, code=DaemonCode.IO_ERROR, message=message)

    def _copied(self, job: FileJob, folder: Path) -> Spooled:
        """The file's private copy, made in a thread: a share whose server is away never answers."""
        seconds = COPY_SECONDS + job.arrival.size_bytes / SLOWEST_BYTES_PER_S
        self._step("copying", seconds)
        return within(
            seconds,
            lambda: spool_arrival(job.arrival, folder, self._limits.file_bytes),
            self._abandon.is_set,
        )

    def _analyse(self, job: FileJob, spooled: Spooled) -> tuple[ResultRecord, ...]:
        """The records of every frame, in order."""
        request = ParseRequest(
            primary=spooled.primary, folder=spooled.folder, pixel_size_nm=job.pixel_size_nm
        )
        origin = _origin(job, spooled)
        self._step("reading", self._limits.parser_seconds)
        self._parser.start()
        _guarded(DaemonCode.PARSER_DIED, lambda: self._parser.send(request))
        results: list[ResultRecord] = []
        try:
            while isinstance(message := self._from_parser(), ParsedFrame):
                if message.pixels.parent != spooled.folder:
                    raise RuntimeError(f"the parser names pixels in {message.pixels.parent}")
                frame = _flagged(message, spooled)
                results.append(self._analyse_frame(job, frame, origin))
                _guarded(DaemonCode.PARSER_DIED, lambda: self._parser.send(NextFrame()))
                self._step("reading", self._limits.parser_seconds)
        except BaseException:
            self._parser.stop(grace_seconds=0)  # it waits in mid-series for the next order
            raise
        if isinstance(message, ParseFailure):
            raise self._parse_failed(message)
        if not isinstance(message, ParseEnd) or message.frames != len(results):
            self._parser.stop(grace_seconds=0)
            raise RuntimeError(f"the parser answered {message!r} after {len(results)} frames")
        return tuple(results)

    def _analyse_frame(
        self, job: FileJob, frame: ParsedFrame, origin: OriginRecord
    ) -> ResultRecord:
        if frame.suspect is not None and not job.accepts_suspect:
            raise _AttemptFailed(OutcomeKind.SUSPECT, DaemonCode.SUSPECT, frame.suspect)
        if known := self._known.find(frame, origin, job.force):
            return known
        self._step("analysing", max(self._limits.worker_seconds, BUNDLE_LOAD_SECONDS))
        self._ensure_worker(self._abandon.is_set)
        request = AnalyseRequest(
            frame=frame,
            state_folder=self._state_folder,
            origin=origin,
            force=job.force,
            careful=job.child_deaths > 0,
        )
        _guarded(DaemonCode.WORKER_DIED, lambda: self._worker.send(request))
        answer = self._from_worker(self._limits.worker_seconds, self._abandon.is_set)
        if isinstance(answer, AnalysisFailure):
            raise self._analysis_failed(answer)
        if isinstance(answer, AnalysedFrame) and _is_of(answer.result, frame):
            self._made.append(answer.result)
            return answer.result
        self._worker.stop(grace_seconds=0)  # out of step: its next answer would be wrong too
        raise RuntimeError("the worker answered something else than it was asked")

    def _from_parser(self) -> object:
        return _guarded(
            DaemonCode.PARSER_DIED,
            lambda: self._parser.receive(self._limits.parser_seconds, self._abandon.is_set),
        )

    def _from_worker(self, seconds: float, abandon: Callable[[], bool]) -> object:
        return _guarded(DaemonCode.WORKER_DIED, lambda: self._worker.receive(seconds, abandon))

    def _ensure_worker(self, abandon: Callable[[], bool]) -> None:
        """A worker with its model loaded; no file is to blame where it does not come up."""
        if self._worker_ready and self._worker.is_alive:
            return
        self._worker_ready = False
        self._worker.stop(grace_seconds=0)
        self._worker.start()
        try:
            answer = self._from_worker(BUNDLE_LOAD_SECONDS, abandon)
        except _AttemptFailed as failure:
            raise _AttemptFailed(OutcomeKind.NO_WORKER, failure.code, str(failure)) from failure
        if isinstance(answer, WorkerFailed):
            raise ConfigError(answer.message)
        if not isinstance(answer, WorkerReady):
            raise RuntimeError(f"the worker answered {answer!r}")
        self.device = answer.device
        self._worker_ready = True

    def _parse_failed(self, failure: ParseFailure) -> _AttemptFailed:
        if failure.detail:
            log.error("the parser failed inside fringewatch:\n%s", failure.detail)
        if failure.kind == "io":
            self._parser.stop(grace_seconds=0)  # it knows only the spool folder that it began with
            return self._io_failed(failure.message)
        kinds = {
            "refused": OutcomeKind.REFUSED,
            "unreadable": OutcomeKind.UNREADABLE,
            "bug": OutcomeKind.BUG,
        }
        return _AttemptFailed(kinds[failure.kind], failure.code, failure.message)

    def _analysis_failed(self, failure: AnalysisFailure) -> _AttemptFailed:
        log.error("the analysis failed:\n%s", failure.detail)
        if failure.kind == "io":
            return self._io_failed(f"The results cannot be written now: {failure.message}.")
        return _AttemptFailed(OutcomeKind.BUG, DaemonCode.INTERNAL_ERROR, failure.message)

    def _io_failed(self, message: str) -> _AttemptFailed:
        """The file's own failure only where our own disk is sound."""
        if reason := space.fault(self._state_folder / "spool"):
            words = f"the state folder cannot be written: {reason}"
            return _AttemptFailed(OutcomeKind.NO_ROOM, DaemonCode.NO_ROOM, words)
        return _AttemptFailed(OutcomeKind.IO_FAILED, DaemonCode.IO_ERROR, message)


def _guarded(code: DaemonCode, step: Callable[[], Answer]) -> Answer:
    """Run one exchange with a child; its death becomes a failed attempt."""
    try:
        return step()
    except ChildDied as error:
        raise _AttemptFailed(OutcomeKind.CHILD_DIED, code, f"Analysis stopped: {error}.") from error
    except DeadlineMissed as error:
        raise _AttemptFailed(
            OutcomeKind.CHILD_DIED, DaemonCode.DEADLINE, f"Analysis stopped: {error}."
        ) from error


def _flagged(frame: ParsedFrame, spooled: Spooled) -> ParsedFrame:
    """A frame of a file whose end was never written may lack pixels, whatever they look like."""
    if frame.suspect is not None or not spooled.ends_in_a_hole:
        return frame
    return replace(frame, suspect="the end of the file was never written")


def _is_of(result: ResultRecord, frame: ParsedFrame) -> bool:
    made_from = (result.image.pixel_sha256, result.image.signal_index, result.image.frame_index)
    return made_from == (frame.pixel_sha256, frame.source.signal_index, frame.source.frame_index)


def _origin(job: FileJob, spooled: Spooled) -> OriginRecord:
    return OriginRecord(
        path=job.arrival.path,
        root=job.arrival.root,
        size_bytes=job.arrival.size_bytes,
        mtime_ns=job.arrival.mtime_ns,
        file_sha256=spooled.file_sha256,
        content_sha256=spooled.content_sha256,
        session_uuid=job.session_uuid,
        companions=job.arrival.companions,
    )
