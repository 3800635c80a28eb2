"""Signals of a TVIPS stream: frames of a camera in one or several `_NNN.tvips` files.

The head's pixel size is that of the camera's chip, not of the specimen, so a stream states no
calibration.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rsciio.tvips._api import TVIPS_RECORDER_FRAME_HEADER, TVIPS_RECORDER_GENERAL_HEADER

from analysis.errors import ErrorCode, NotAMicrograph, UnreadableYet
from analysis.micrograph import Acquisition
from analysis.readers.limits import ReadLimits, check_declared_size
from analysis.readers.signal import Signal

HEAD = np.dtype(TVIPS_RECORDER_GENERAL_HEADER)
FRAME_HEAD = np.dtype(TVIPS_RECORDER_FRAME_HEADER)
DTYPE_OF_BITS: dict[int, np.dtype[np.generic]] = {8: np.dtype("<u1"), 16: np.dtype("<u2")}
SHORT_FRAME_HEAD_BYTES = 12
MODE_DIFFRACTION = 2


def read_signals(path: Path, companions: tuple[Path, ...], limits: ReadLimits) -> Iterator[Signal]:
    """The frames of the stream, its further parts included.

    Raises:
        UnreadableYet: no head of a stream, or its last frame is cut off.
    """
    head = _head(path)
    dtype = DTYPE_OF_BITS[int(head["bitsperpixel"])]
    shape_px = (int(head["dimy"]), int(head["dimx"]))
    check_declared_size(
        limits,
        shape_px=shape_px,
        frame_count=1,
        pixel_bytes=dtype.itemsize,
    )
    frame_head_bytes = (
        int(head["frameheaderbytes"]) if int(head["version"]) > 1 else SHORT_FRAME_HEAD_BYTES
    )
    record_bytes = frame_head_bytes + math.prod(shape_px) * dtype.itemsize
    frames = _frame_offsets(path, int(head["size"]), record_bytes)
    for part in companions:
        frames += _frame_offsets(part, 0, record_bytes)
    first = _first_frame_head(frames[0], frame_head_bytes)

    def read_frame(i: int) -> NDArray[np.generic]:
        part, offset = frames[i]
        pixels: NDArray[np.generic] = np.fromfile(
            part, dtype, math.prod(shape_px), offset=offset + frame_head_bytes
        )
        return pixels.reshape(shape_px)

    yield Signal(
        shape_px=shape_px,
        frame_count=len(frames),
        is_series=len(frames) > 1,
        dtype=dtype,
        read_frame=read_frame,
        acquisition=_acquisition(head, first),
        obstacle=_obstacle(first),
    )


def _head(path: Path) -> np.void:
    with path.open("rb") as file:
        start = file.read(HEAD.itemsize)
    if len(start) < HEAD.itemsize:
        raise UnreadableYet(ErrorCode.TRUNCATED, "The head of the TVIPS stream ends early.")
    head: np.void = np.frombuffer(start, HEAD)[0]
    known = int(head["version"]) in (1, 2) and int(head["bitsperpixel"]) in DTYPE_OF_BITS
    if not known or min(int(head["dimx"]), int(head["dimy"]), int(head["size"])) == 0:
        raise UnreadableYet(ErrorCode.UNREADABLE, "The file has no head of a TVIPS stream.")
    return head


def _frame_offsets(part: Path, start: int, record_bytes: int) -> list[tuple[Path, int]]:
    present = part.stat().st_size - start
    count, rest = divmod(present, record_bytes)
    if count < 1 or rest:
        raise UnreadableYet(ErrorCode.TRUNCATED, "The last frame of the TVIPS stream is cut off.")
    return [(part, start + i * record_bytes) for i in range(count)]


def _first_frame_head(frame: tuple[Path, int], frame_head_bytes: int) -> np.void | None:
    if frame_head_bytes < FRAME_HEAD.itemsize:
        return None
    part, offset = frame
    with part.open("rb") as file:
        file.seek(offset)
        found: np.void = np.frombuffer(file.read(FRAME_HEAD.itemsize), FRAME_HEAD)[0]
    return found


def _obstacle(first: np.void | None) -> NotAMicrograph | None:
    if first is None or int(first["mode"]) != MODE_DIFFRACTION:
        return None
    return NotAMicrograph(
        ErrorCode.DIFFRACTION, "The file states that it was recorded in diffraction mode."
    )


def _acquisition(head: np.void, first: np.void | None) -> Acquisition:
    started_s = int(first["timestamp"]) if first is not None else 0
    return Acquisition(
        acquired_at_utc=datetime.fromtimestamp(started_s, UTC) if started_s else None,
        tz_source="time stamp of the first frame" if started_s else None,
        high_tension_kv=float(head["ht"]) / 1e3 or None,
        magnification=float(head["magtotal"]) or None,
    )
