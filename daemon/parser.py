"""The parser child: opens files from outside, with limits, and hands arrays through the spool.

File parsers are where hostile or broken bytes do harm; here they can at worst cost one attempt.
What the process may use is limited here, what it may reach by its `Confinement`. Frames of a series
come one at a time, so a long series never fills the spool.
"""

import errno
import math
import os
import resource
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from analysis.errors import ErrorCode, NotAMicrograph, UnreadableYet
from analysis.micrograph import Acquisition, Calibration, Micrograph, Source
from analysis.readers import ReadLimits, read_micrographs
from daemon import untrusted
from daemon.untrusted import confine, encoded

HEAD_BYTES = 4096  # of an .npy file, before its pixels


@dataclass(frozen=True, kw_only=True)
class ParserLimits:
    """What the parser may use: `seconds` is the time for one frame, as its parent measures it."""

    read: ReadLimits
    memory_bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ParseRequest:
    """Read this spooled file; `folder` takes the arrays."""

    primary: Path
    folder: Path
    pixel_size_nm: float | None


@dataclass(frozen=True, kw_only=True)
class ParsedFrame:
    """One frame: what the file states about it, and where its pixels lie (an .npy file).

    `is_last`: no other comes after it.
    """

    source: Source
    calibration: Calibration
    acquisition: Acquisition
    pixel_sha256: str
    suspect: str | None
    pixels: Path
    is_last: bool = False

    def micrograph(self) -> Micrograph:
        """The frame with its pixels, mapped from the spool."""
        return Micrograph(
            image=np.load(self.pixels, mmap_mode="r", allow_pickle=False),
            source=self.source,
            calibration=self.calibration,
            acquisition=self.acquisition,
            pixel_sha256=self.pixel_sha256,
            suspect=self.suspect,
        )


@dataclass(frozen=True, kw_only=True)
class ParseEnd:
    """Every frame was handed over."""

    frames: int


@dataclass(frozen=True, kw_only=True)
class ParseFailure:
    """The file cannot be read; `kind` is `refused`, `unreadable`, `io` or `bug`."""

    kind: str
    code: str
    message: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class NextFrame:
    """The daemon has taken the last frame; its array may go."""


Message = ParsedFrame | ParseEnd | ParseFailure
_KINDS: Mapping[str, type[Message]] = {
    kind.__name__: kind for kind in (ParsedFrame, ParseEnd, ParseFailure)
}


def decoded(data: bytes) -> Message:
    """What the parser says.

    Raises:
        ValueError: it is no message.
    """
    message: Message = untrusted.decoded(data, _KINDS, "parser")
    return message


def parser_main(connection: Connection, limits: ParserLimits) -> None:
    """Serve requests until the pipe closes."""
    confine(limits.memory_bytes, 2 * limits.read.decoded_bytes + HEAD_BYTES)  # half precision grows
    while True:
        request = connection.recv()
        try:
            frames = _hand_over(connection, request, limits)
            connection.send_bytes(encoded(ParseEnd(frames=frames)))
        except Exception as error:  # noqa: BLE001 - a bug must not end the service
            connection.send_bytes(encoded(_failure(error)))


def _failure(error: Exception) -> ParseFailure:
    """What is told of an error, by its class alone."""
    if isinstance(error, NotAMicrograph):
        return ParseFailure(kind="refused", code=error.code, message=str(error))
    if isinstance(error, UnreadableYet):
        return ParseFailure(kind="unreadable", code=error.code, message=str(error))
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        message = "Reading this file needs more memory than the parser may use."
        return ParseFailure(kind="unreadable", code=ErrorCode.TOO_LARGE, message=message)
    if isinstance(error, OSError):
        reason = f"The file cannot be read now: {error.strerror or error}."
        return ParseFailure(kind="io", code="io_error", message=reason)
    message = f"{type(error).__name__}: {error}"
    detail = "".join(traceback.format_exception(error))
    return ParseFailure(kind="bug", code="internal_error", message=message, detail=detail)


def _hand_over(connection: Connection, request: ParseRequest, limits: ParserLimits) -> int:
    count = 0
    for frame in _last_marked(_frames(request, limits)):
        connection.send_bytes(encoded(frame))
        connection.recv()
        frame.pixels.unlink()
        count += 1
    return count


def _frames(request: ParseRequest, limits: ParserLimits) -> Iterator[ParsedFrame]:
    """Every frame, its pixels beside the copy of the file."""
    _grant_time(limits.seconds)
    read = read_micrographs(request.primary, limits.read, request.pixel_size_nm)
    for number, micrograph in enumerate(read):
        pixels = request.folder / f".frame-{number:06d}.npy"
        np.save(pixels, micrograph.image, allow_pickle=False)
        frame = ParsedFrame(
            source=micrograph.source,
            calibration=micrograph.calibration,
            acquisition=micrograph.acquisition,
            pixel_sha256=micrograph.pixel_sha256,
            suspect=micrograph.suspect,
            pixels=pixels,
        )
        del micrograph
        yield frame
        _grant_time(limits.seconds)


def _last_marked(frames: Iterator[ParsedFrame]) -> Iterator[ParsedFrame]:
    """The same one later, for only then it is known which is the last."""
    held = next(frames, None)
    while held is not None:
        try:
            following = next(frames, None)
        except Exception:
            yield held  # those before a failure are frames like any other
            raise
        yield held if following is not None else replace(held, is_last=True)
        held = following


def _grant_time(seconds: float) -> None:
    """CPU time for one more frame: as much as every core can spend before the parent's deadline.

    It never ends a frame that is in time, and ends what runs on after its parent has forgotten it.
    """
    spent = resource.getrusage(resource.RUSAGE_SELF)
    granted = spent.ru_utime + spent.ru_stime + seconds * (os.cpu_count() or 1)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(granted), hard))
