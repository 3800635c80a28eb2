"""Micrographs of a file, one frame at a time, or one plain sentence why there is none.

The format families declare `Signal`s; here each is judged, read, turned as displayed and hashed.
Exceptions of parsers end here as `UnreadableYet`, whatever the bytes were.
"""

import errno
import hashlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, ErrorCode, NotAMicrograph, UnreadableYet
from analysis.micrograph import Calibration, CalibrationSource, Micrograph, Source
from analysis.readers import emd, mrc, tiff
from analysis.readers.limits import ReadLimits, check_declared_size, check_ratio
from analysis.readers.names import (
    ARCHIVE_SUFFIXES,
    METADATA_SUFFIXES,
    MICROGRAPH_SUFFIXES,
    companion_names,
    suffix_of,
)
from analysis.readers.signal import Signal

log = logging.getLogger(__name__)

SMALLEST_SIDE_PX = 32
LARGEST_ASYMMETRY = 0.01
# The last rows looked at for a tail that was never written.
TAIL_FRACTION = 0.01
# A file may hold such signals beside images; only where no image is left do they refuse the file.
SKIPPED_BESIDE_IMAGES = frozenset({ErrorCode.TOO_SMALL, ErrorCode.CONSTANT, ErrorCode.NOT_FINITE})


def _families() -> Mapping[str, object]:
    return {
        ".tif": tiff.read_signals,
        ".tiff": tiff.read_signals,
        ".mrc": mrc.read_signals,
        ".mrcs": mrc.read_signals,
        ".emd": emd.read_signals,
        ".h5": emd.read_signals,
        ".hdf5": emd.read_signals,
    }


def read_micrographs(
    primary: Path, limits: ReadLimits = ReadLimits(), pixel_size_nm: float | None = None
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
    with _translated(primary):
        signals = list(_families()[suffix](primary, companions, limits))
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
            f"The {suffix} file holds settings only; the image file beside it is missing.",
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
        if error.errno is not None:
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
    decoded_bytes = sum(signal.decoded_bytes for signal in images)
    for signal in images:
        check_declared_size(
            limits,
            shape_px=signal.shape_px,
            frame_count=signal.frame_count,
            decoded_bytes=decoded_bytes,
        )
    check_ratio(limits, decoded_bytes=decoded_bytes, stored_bytes=stored_bytes)


def _judged(path: Path, signals: list[Signal], pixel_size_nm: float | None) -> Iterator[Micrograph]:
    found_image = False
    refusals: list[AnalysisError] = []
    for index, signal in enumerate(_grey_before_colour(signals)):
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


def _grey_before_colour(signals: list[Signal]) -> list[Signal]:
    """The signals without colour previews, where any of the others is an image."""
    grey = [signal for signal in signals if signal.samples == 1 and signal.obstacle is None]
    return [signal for signal in signals if signal.samples == 1] if grey else signals


def _most_telling(refusals: list[AnalysisError]) -> AnalysisError:
    if not refusals:
        return NotAMicrograph(ErrorCode.NO_IMAGE, "The file holds no image.")
    unreadable = [refusal for refusal in refusals if isinstance(refusal, UnreadableYet)]
    return (unreadable or refusals)[0]


def _frames_of(
    path: Path, signal_index: int, signal: Signal, pixel_size_nm: float | None
) -> Iterator[Micrograph]:
    if signal.obstacle is not None:
        raise signal.obstacle
    _check_side(signal)
    calibration = _calibration(signal, pixel_size_nm)
    last_written = _last_written_frame(path, signal)
    suspect = signal.suspect
    if last_written < signal.frame_count - 1:
        suspect = f"the last {signal.frame_count - 1 - last_written} frames are blank"
    for i in range(last_written + 1):
        stored = _stored_frame(path, signal, i)
        if _is_constant(stored):
            log.warning("skipped frame %d of %s: every pixel has one value", i, path.name)
            continue
        tail = _blank_tail(stored)
        image = _as_displayed(stored, signal)
        yield Micrograph(
            image=image,
            source=Source(
                file_name=path.name,
                signal_index=signal_index,
                signal_title=signal.title,
                frame_index=i if signal.is_series else None,
                frame_count=signal.frame_count,
                is_sum=signal.is_sum,
            ),
            calibration=calibration,
            acquisition=signal.acquisition,
            pixel_sha256=pixel_sha256(image),
            suspect=suspect or tail,
        )


def _check_side(signal: Signal) -> None:
    height_px, width_px = signal.shape_px
    if min(signal.shape_px) < SMALLEST_SIDE_PX:
        raise UnreadableYet(
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
        frame = _grey(frame)
    if frame.shape != signal.shape_px:
        raise UnreadableYet(
            ErrorCode.UNREADABLE,
            f"The file declares {signal.shape_px} pixels and holds {frame.shape}.",
        )
    frame = _portable(frame)
    if frame.dtype.kind == "f" and not np.isfinite(frame).all():
        raise UnreadableYet(
            ErrorCode.NOT_FINITE, "The image holds values that are not numbers or infinite."
        )
    return frame


def _grey(frame: NDArray[np.generic]) -> NDArray[np.generic]:
    first = frame[..., 0]
    if any(not np.array_equal(first, frame[..., i]) for i in range(1, min(frame.shape[-1], 3))):
        raise NotAMicrograph(
            ErrorCode.COLOUR, "The image is in colour; a micrograph has one value a pixel."
        )
    return first


def _portable(frame: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same values as little-endian integers or float32."""
    if frame.dtype.kind == "b":
        return frame.astype(np.uint8)
    if frame.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return frame.astype("<f4", copy=False)
    return frame.astype(frame.dtype.newbyteorder("<"), copy=False)


def _is_constant(frame: NDArray[np.generic]) -> bool:
    return bool((frame == frame.flat[0]).all())


def _last_written_frame(path: Path, signal: Signal) -> int:
    for i in reversed(range(signal.frame_count)):
        if not _is_constant(_stored_frame(path, signal, i)):
            return i
    raise UnreadableYet(ErrorCode.CONSTANT, "Every pixel of the image has the same value.")


def _blank_tail(frame: NDArray[np.generic]) -> str | None:
    """Why the end of a frame may be missing: its last stored rows all hold one value."""
    row_count = max(1, int(np.ceil(TAIL_FRACTION * frame.shape[0])))
    tail = frame[-row_count:]
    if not _is_constant(tail):
        return None
    return f"the last {row_count} rows stored all have the value {tail.flat[0]}"


def _as_displayed(frame: NDArray[np.generic], signal: Signal) -> NDArray[np.generic]:
    return np.ascontiguousarray(frame[::-1] if signal.bottom_up else frame)


def pixel_sha256(image: NDArray[np.generic]) -> str:
    """Hash of dtype, shape and pixels: the identity of the picture, whatever file holds it."""
    contiguous = np.ascontiguousarray(image)
    digest = hashlib.sha256(f"{contiguous.dtype.str} {contiguous.shape} ".encode())
    digest.update(contiguous.data)
    return digest.hexdigest()
