"""Micrographs of a file, one frame at a time, or one plain sentence why there is none.

The format families declare `Signal`s; here each is judged, read, turned as displayed and hashed.
Exceptions of parsers end here as `UnreadableYet`, whatever the bytes were.
"""

import errno
import importlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, ErrorCode, NotAMicrograph, UnreadableYet
from analysis.micrograph import Calibration, CalibrationSource, Micrograph, Source
from analysis.readers.limits import ReadLimits, check_declared_size, check_whole_file
from analysis.readers.names import (
    ARCHIVE_SUFFIXES,
    METADATA_SUFFIXES,
    MICROGRAPH_SUFFIXES,
    companion_names,
    suffix_of,
)
from analysis.readers.pixels import blank_rows_at_end, grey, is_constant, pixel_sha256, portable
from analysis.readers.signal import Signal
from analysis.readers.stated import name

log = logging.getLogger(__name__)

DEFAULT_LIMITS = ReadLimits()
# OSErrors that bytes can cause: a seek to where no file can reach.
ERRORS_OF_CONTENT = (errno.EINVAL, errno.EOVERFLOW)
BLANK = "Every pixel of the image has the same value."
SMALLEST_SIDE_PX = 32
LARGEST_ASYMMETRY = 0.01
# A file may hold such images beside others; only where none is left do they refuse the file.
SKIPPED_BESIDE_IMAGES = frozenset({ErrorCode.TOO_SMALL, ErrorCode.CONSTANT, ErrorCode.NOT_FINITE})


# Imported when the first file of the family comes: RosettaSciIO alone costs a second.
MODULE_OF_SUFFIX: Mapping[str, str] = {
    ".dm3": "digitalmicrograph",
    ".dm4": "digitalmicrograph",
    ".emd": "emd",
    ".h5": "emd",
    ".hdf5": "emd",
    ".mrc": "mrc",
    ".mrcs": "mrc",
    ".png": "png",
    ".ser": "tia",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".tvips": "tvips",
}


def read_micrographs(
    primary: Path, limits: ReadLimits = DEFAULT_LIMITS, pixel_size_nm: float | None = None
) -> Iterator[Micrograph]:
    """Micrographs of one file, in the order of its signals and frames.

    Args:
        primary: the file; its companions lie beside it under their own names.
        limits: what a header may declare before anything is allocated.
        pixel_size_nm: side of a pixel in nm, used where neither file nor companion states one.

    Raises:
        NotAMicrograph: no signal is an image of the specimen.
        UnreadableYet: the file cannot be read as it is now.
        OSError: the file or the memory of this machine failed, not its content.
    """
    suffix = suffix_of(primary.name)
    _refuse_by_name(suffix)
    if primary.stat().st_size == 0:
        raise UnreadableYet(ErrorCode.EMPTY_FILE, "The file is empty.")
    siblings = [other.name for other in primary.parent.iterdir()]
    companions = tuple(primary.parent / name for name in companion_names(primary.name, siblings))
    family = importlib.import_module(f"analysis.readers.{MODULE_OF_SUFFIX[suffix]}")
    with _translated(primary):
        signals = list(family.read_signals(primary, companions, limits))
    _check_sizes(signals, limits, primary.stat().st_size)
    yield from _judged(primary, signals, pixel_size_nm)


def _refuse_by_name(suffix: str) -> None:
    if suffix in ARCHIVE_SUFFIXES:
        raise NotAMicrograph(
            ErrorCode.ARCHIVE, "The file is an archive; unpack it to have its content analysed."
        )
    if suffix in METADATA_SUFFIXES:
        raise NotAMicrograph(
            ErrorCode.METADATA_ONLY,
            f"The {suffix} file holds settings only; the pixels are in the image file of its name.",
        )
    if suffix not in MICROGRAPH_SUFFIXES:
        raise NotAMicrograph(ErrorCode.UNKNOWN_SUFFIX, f"Files ending in {suffix!r} are not read.")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Third-party exceptions as ours: bytes nobody here wrote may break any parser anywhere."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except AnalysisError:
        raise
    except MemoryError as error:
        raise OSError(errno.ENOMEM, "not enough memory to read the file") from error
    except OSError as error:
        # A library's own error has no number, or has words where the number belongs.
        if isinstance(error.errno, int) and error.errno not in ERRORS_OF_CONTENT:
            raise
        raise _unreadable(path, error) from error
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UnreadableYet:
    return UnreadableYet(
        ErrorCode.UNREADABLE,
        f"The file cannot be read as {suffix_of(path.name)[1:].upper()}: "
        f"it is damaged, incomplete or of another kind ({type(error).__name__}).",
    )


def _check_sizes(signals: list[Signal], limits: ReadLimits, stored_bytes: int) -> None:
    images = [signal for signal in signals if signal.obstacle is None]
    for signal in images:
        check_declared_size(
            limits,
            shape_px=signal.shape_px,
            frame_count=signal.frame_count,
            pixel_bytes=signal.pixel_bytes,
        )
    decoded_bytes = sum(signal.decoded_bytes for signal in images)
    check_whole_file(limits, decoded_bytes=decoded_bytes, stored_bytes=stored_bytes)


def _judged(path: Path, signals: list[Signal], pixel_size_nm: float | None) -> Iterator[Micrograph]:
    found_image = False
    refusals: list[AnalysisError] = []
    has_grey = any(signal.samples == 1 and signal.obstacle is None for signal in signals)
    for index, signal in enumerate(signals):
        if has_grey and signal.samples > 1:
            continue  # a colour preview of what follows in grey
        try:
            for micrograph in _frames_of(path, index, signal, pixel_size_nm):
                found_image = True
                yield micrograph
        except AnalysisError as refusal:
            if isinstance(refusal, UnreadableYet) and refusal.code not in SKIPPED_BESIDE_IMAGES:
                raise
            refusals.append(refusal)
    if not found_image:
        raise _most_telling(refusals)


def _most_telling(refusals: list[AnalysisError]) -> AnalysisError:
    if not refusals:
        return NotAMicrograph(ErrorCode.NO_IMAGE, "The file holds no image.")
    unreadable = [refusal for refusal in refusals if isinstance(refusal, UnreadableYet)]
    return (unreadable or refusals)[0]


def _frames_of(
    path: Path, signal_index: int, signal: Signal, pixel_size_nm: float | None
) -> Iterator[Micrograph]:
    """Micrographs of one signal; frames that show nothing are left out where others do."""
    if signal.obstacle is not None:
        raise signal.obstacle
    _check_side(signal)
    calibration = _calibration(signal, pixel_size_nm)
    blank_tail = _blank_frames_at_end(path, signal)
    found_image = False
    refusal: UnreadableYet | None = None
    for i in range(signal.frame_count - blank_tail):
        try:
            stored = _stored_frame(path, signal, i)
        except UnreadableYet as error:
            if error.code not in SKIPPED_BESIDE_IMAGES:
                raise
            if signal.is_series:
                log.warning("left out frame %d of %s: %s", i, path.name, error)
            refusal = error
            continue
        found_image = True
        yield _micrograph(path.name, signal_index, signal, i, stored, calibration, blank_tail)
    if not found_image:
        raise refusal or UnreadableYet(ErrorCode.CONSTANT, BLANK)


def _micrograph(
    file_name: str,
    signal_index: int,
    signal: Signal,
    frame: int,
    stored: NDArray[np.generic],
    calibration: Calibration,
    blank_tail: int,
) -> Micrograph:
    image = np.ascontiguousarray(stored[::-1] if signal.bottom_up else stored)
    tail = f"the last {blank_tail} frames are blank" if blank_tail else blank_rows_at_end(stored)
    return Micrograph(
        image=image,
        source=Source(
            file_name=file_name,
            signal_index=signal_index,
            signal_title=name(signal.title) or "",
            frame_index=frame if signal.is_series else None,
            frame_count=signal.frame_count,
            is_sum=signal.is_sum,
        ),
        calibration=calibration,
        acquisition=replace(
            signal.acquisition,
            instrument=name(signal.acquisition.instrument),
            detector=name(signal.acquisition.detector),
        ),
        pixel_sha256=pixel_sha256(image),
        suspect=signal.suspect or tail,
    )


def _check_side(signal: Signal) -> None:
    height_px, width_px = signal.shape_px
    if min(signal.shape_px) < SMALLEST_SIDE_PX:
        raise NotAMicrograph(
            ErrorCode.TOO_SMALL,
            f"The image has {width_px} x {height_px} pixels; "
            f"at least {SMALLEST_SIDE_PX} a side are needed.",
        )


def _calibration(signal: Signal, pixel_size_nm: float | None) -> Calibration:
    stated = signal.pixel_size
    if stated.y_nm is None or stated.x_nm is None:
        source = CalibrationSource.UNKNOWN if pixel_size_nm is None else CalibrationSource.CONFIG
        return Calibration(pixel_size_nm=pixel_size_nm, source=source)
    asymmetry = abs(stated.y_nm - stated.x_nm) / min(stated.y_nm, stated.x_nm)
    if asymmetry > LARGEST_ASYMMETRY:
        raise NotAMicrograph(
            ErrorCode.PIXELS_NOT_SQUARE,
            f"The pixels are not square: {stated.x_nm:g} nm in x and {stated.y_nm:g} nm in y.",
        )
    return Calibration(pixel_size_nm=(stated.y_nm + stated.x_nm) / 2, source=stated.source)


def _stored_frame(path: Path, signal: Signal, i: int) -> NDArray[np.generic]:
    """Frame i, (H, W), finite, rows in the order of the file."""
    with _translated(path):
        frame = signal.read_frame(i)
    if frame.ndim > len(signal.shape_px):
        frame = grey(frame)
    if frame.shape != signal.shape_px:
        raise UnreadableYet(
            ErrorCode.UNREADABLE,
            f"The file declares {signal.shape_px} pixels and holds {frame.shape}.",
        )
    frame = portable(frame)
    if frame.dtype.kind == "f" and not np.isfinite(frame).all():
        raise UnreadableYet(
            ErrorCode.NOT_FINITE, "The image holds values that are not numbers or infinite."
        )
    if is_constant(frame):
        raise UnreadableYet(ErrorCode.CONSTANT, BLANK)
    return frame


def _blank_frames_at_end(path: Path, signal: Signal) -> int:
    """How many frames at the end of a series hold one value only: they were never written."""
    blank = 0
    while signal.is_series and blank < signal.frame_count:
        with _translated(path):
            frame = signal.read_frame(signal.frame_count - 1 - blank)
        if not is_constant(frame):
            break
        blank += 1
    return blank
