"""One attempt at one file: through spool, parser and worker; reads as a table of contents.

It never writes to the database: what comes out is an `Outcome`.
"""

import itertools
import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from daemon import space
from daemon.bounded import DoesNotAnswer, within
from daemon.children import Child, ChildDied, DeadlineMissed
from daemon.errors import ConfigError, DaemonCode, DaemonError
from daemon.outcomes import AttemptFailed, FileJob, Outcome, OutcomeKind
from daemon.parser import NextFrame, ParsedFrame, ParseEnd, ParseFailure, ParseRequest
from daemon.pulse import Pulse
from daemon.record import KnownResults
from daemon.spool import CannotSpool, ChangedWhileCopied, DoesNotFit, Spooled, spool_arrival
from daemon.worker import (
    AnalysedFrame,
    AnalyseRequest,
    AnalysisFailure,
    WorkerFailed,
    WorkerReady,
)
from schema.records import OriginRecord, ResultRecord

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

BUNDLE_LOAD_SECONDS = 180.0
COPY_SECONDS = 60.0
SLOWEST_BYTES_PER_S = 500_000.0  # a share below that is as good as gone
GRACE_SECONDS = 30.0
PULSE_NAME = "the file in hand"


@dataclass(frozen=True, kw_only=True)
class AttemptLimits:
    """What one file may cost."""

    file_bytes: int
    parser_seconds: float
    worker_seconds: float


class Attempts:
    """Works one file off after the other, in whatever thread it is called from.

    Args:
        parser: child that runs `parser_main`.
        worker: child that runs `worker_main`.
        known: results that are already there and need no second inference.
        state_folder: where spool and masks lie.
        limits: see `AttemptLimits`.
        pulse: told of every step, and how long it may take.
    """

    def __init__(
        self,
        parser: Child,
        worker: Child,
        known: KnownResults,
        state_folder: Path,
        limits: AttemptLimits,
        pulse: Pulse,
    ) -> None:
        self._parser = parser
        self._worker = worker
        self._known = known
        self._state_folder = state_folder
        self._limits = limits
        self._abandoned = threading.Event()
        self._worker_ready = False
        self._count = itertools.count()
        self._made: list[ResultRecord] = []
        self.pulse = pulse
        self.device = ""
        self.stage = ""

    def load(self) -> None:
        """The first worker, with its model, and a parser, which comes up meanwhile.

        Raises:
            ConfigError: the bundle cannot be loaded.
            DaemonError: the worker did not come up, or was abandoned.
        """
        self._parser.start()
        try:
            self._ensure_worker()
        except AttemptFailed as failure:
            raise DaemonError(f"the model could not be loaded: {failure}") from failure

    def work_off(self, job: FileJob) -> Outcome:
        """What became of the file; no error is raised for whatever the file holds."""
        self._made = []
        outcome = self._attempt(job)
        self.rest()
        return replace(outcome, made=tuple(self._made))

    def abandon(self) -> None:
        """The file in hand, and every later one, ends at its next step; from any thread."""
        self._abandoned.set()

    def end_children(self) -> None:
        """End parser and worker at once."""
        self._parser.stop(grace_seconds=0)
        self._worker.stop(grace_seconds=0)

    def rest(self) -> None:
        """Nothing is in hand."""
        self.stage = ""
        self.pulse.rest(PULSE_NAME)

    def _step(self, stage: str, seconds: float) -> None:
        """The next step of a file, and a promise how long it takes at most."""
        self.stage = stage
        self.pulse.beat(PULSE_NAME, time.monotonic(), seconds + GRACE_SECONDS)

    def _attempt(self, job: FileJob) -> Outcome:
        # A copy that was left behind may go on some day: never into the folder of a later one.
        folder = self._state_folder / "spool" / f"{job.source_file_id}-{next(self._count)}"
        try:
            outcome = self._through_spool(job, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._or_no_room(outcome)

    def _through_spool(self, job: FileJob, folder: Path) -> Outcome:
        started = time.monotonic()
        try:
            spooled = self._copied(job, folder)
            results = self._analyse(job, spooled)
        except DoesNotAnswer as silence:
            return self._unanswered(job, silence)
        except AttemptFailed as failure:
            kind = OutcomeKind.ABANDONED if self._abandoned.is_set() else failure.kind
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
        except DoesNotFit as error:
            code = DaemonCode.DOES_NOT_FIT
            return Outcome(job=job, kind=OutcomeKind.IO_FAILED, code=code, message=str(error))
        except ConfigError as error:
            return Outcome(job=job, kind=OutcomeKind.BAD_MODEL, message=str(error))
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"The file cannot be read or its results cannot be written now: {reason}."
            code = DaemonCode.IO_ERROR
            return Outcome(job=job, kind=OutcomeKind.IO_FAILED, code=code, message=message)
        except Exception as error:
            log.exception("an attempt at file %d failed inside fringewatch", job.source_file_id)
            return Outcome(
                job=job,
                kind=OutcomeKind.BUG,
                code=DaemonCode.INTERNAL_ERROR,
                message=f"{type(error).__name__}: {error}",
            )
        return Outcome(
            job=job,
            kind=OutcomeKind.DONE,
            file_sha256=spooled.file_sha256,
            content_sha256=spooled.content_sha256,
            results=results,
            seconds=time.monotonic() - started,
        )

    def _unanswered(self, job: FileJob, silence: DoesNotAnswer) -> Outcome:
        kind = OutcomeKind.ABANDONED if self._abandoned.is_set() else OutcomeKind.IO_FAILED
        message = f"The file cannot be read now: {silence}."
        return Outcome(job=job, kind=kind, code=DaemonCode.IO_ERROR, message=message)

    def _copied(self, job: FileJob, folder: Path) -> Spooled:
        """The file's private copy, made in a thread: a share whose server is away never answers."""
        seconds = COPY_SECONDS + job.arrival.size_bytes / SLOWEST_BYTES_PER_S
        self._step("copying", seconds)
        return within(
            seconds,
            lambda: spool_arrival(job.arrival, folder, self._limits.file_bytes),
            self._abandoned.is_set,
        )

    def _analyse(self, job: FileJob, spooled: Spooled) -> tuple[ResultRecord, ...]:
        """The records of every frame, in order."""
        request = ParseRequest(
            primary=spooled.primary, folder=spooled.folder, pixel_size_nm=job.pixel_size_nm
        )
        origin = _origin(job, spooled)
        self._step("reading", 2 * self._limits.parser_seconds)
        self._parser.start()
        _guarded(DaemonCode.PARSER_DIED, lambda: self._parser.send(request))
        results: list[ResultRecord] = []
        try:
            # Whether the first is the last is known once the second was looked for.
            message = self._from_parser(2 * self._limits.parser_seconds)
            while isinstance(message, ParsedFrame):
                if message.pixels.parent != spooled.folder:
                    raise RuntimeError(f"the parser names pixels in {message.pixels.parent}")
                frame = _flagged(message, spooled)
                if frame.is_last:
                    origin = replace(origin, results=len(results) + 1)
                results.append(self._analyse_frame(job, frame, origin))
                _guarded(DaemonCode.PARSER_DIED, lambda: self._parser.send(NextFrame()))
                self._step("reading", self._limits.parser_seconds)
                message = self._from_parser(self._limits.parser_seconds)
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
            raise AttemptFailed(OutcomeKind.SUSPECT, DaemonCode.SUSPECT, frame.suspect)
        if known := self._known.find(frame, origin, job.force):
            return known
        self._step("analysing", max(self._limits.worker_seconds, BUNDLE_LOAD_SECONDS))
        self._ensure_worker()
        request = AnalyseRequest(
            frame=frame,
            state_folder=self._state_folder,
            origin=origin,
            force=job.force,
            careful=job.child_deaths > 0,
        )
        _guarded(DaemonCode.WORKER_DIED, lambda: self._worker.send(request))
        answer = self._from_worker(self._limits.worker_seconds)
        if isinstance(answer, AnalysisFailure):
            raise self._analysis_failed(answer)
        if isinstance(answer, AnalysedFrame) and _is_of(answer.result, frame):
            self._made.append(answer.result)
            return answer.result
        self._worker.stop(grace_seconds=0)  # out of step: its next answer would be wrong too
        raise RuntimeError("the worker answered something else than it was asked")

    def _from_parser(self, seconds: float) -> object:
        return _guarded(
            DaemonCode.PARSER_DIED,
            lambda: self._parser.receive(seconds, self._abandoned.is_set),
        )

    def _from_worker(self, seconds: float) -> object:
        return _guarded(
            DaemonCode.WORKER_DIED,
            lambda: self._worker.receive(seconds, self._abandoned.is_set),
        )

    def _ensure_worker(self) -> None:
        """A worker with its model loaded; no file is to blame where it does not come up."""
        if self._worker_ready and self._worker.is_alive:
            return
        self._worker_ready = False
        self._worker.stop(grace_seconds=0)
        self._worker.start()
        try:
            answer = self._from_worker(BUNDLE_LOAD_SECONDS)
        except AttemptFailed as failure:
            raise AttemptFailed(OutcomeKind.NO_WORKER, failure.code, str(failure)) from failure
        if isinstance(answer, WorkerFailed):
            raise ConfigError(answer.message)
        if not isinstance(answer, WorkerReady):
            raise RuntimeError(f"the worker answered {answer!r}")
        self.device = answer.device
        self._worker_ready = True

    def _parse_failed(self, failure: ParseFailure) -> AttemptFailed:
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
        return AttemptFailed(kinds[failure.kind], failure.code, failure.message)

    def _analysis_failed(self, failure: AnalysisFailure) -> AttemptFailed:
        log.error("the analysis failed:\n%s", failure.detail)
        if failure.kind == "io":
            return self._io_failed(f"The results cannot be written now: {failure.message}.")
        return AttemptFailed(OutcomeKind.BUG, DaemonCode.INTERNAL_ERROR, failure.message)

    def _io_failed(self, message: str) -> AttemptFailed:
        return AttemptFailed(OutcomeKind.IO_FAILED, DaemonCode.IO_ERROR, message)

    def _or_no_room(self, outcome: Outcome) -> Outcome:
        """The file's own failure only where our own disk is sound, once its copy has gone."""
        if outcome.kind is not OutcomeKind.IO_FAILED:
            return outcome
        reason = space.fault(self._state_folder / "spool")
        if reason is None:
            return outcome
        words = f"the state folder cannot be written: {reason}"
        return replace(outcome, kind=OutcomeKind.NO_ROOM, code=DaemonCode.NO_ROOM, message=words)


def _guarded(code: DaemonCode, step: Callable[[], Answer]) -> Answer:
    """Run one exchange with a child; its death becomes a failed attempt."""
    try:
        return step()
    except ChildDied as error:
        raise AttemptFailed(OutcomeKind.CHILD_DIED, code, f"Analysis stopped: {error}.") from error
    except DeadlineMissed as error:
        raise AttemptFailed(
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
