"""Signals of a TIFF file: series of pages, with whatever calibration its writer left.

Read with tifffile page by page. `tiff_calibration` knows where ImageJ, OME, DigitalMicrograph,
Olympus SIS, TVIPS and JEOL put the pixel size.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from analysis.errors import ErrorCode, UnreadableYet
from analysis.readers.limits import ReadLimits, check_declared_size
from analysis.readers.serialem import completed
from analysis.readers.signal import Signal, not_an_image
from analysis.readers.tiff_calibration import statements_of

REDUCED_IMAGE = 1
SHAPE_AXES = "YX"


@dataclass(frozen=True, kw_only=True)
class _Page:
    """Where one frame lies: its page, or its first byte where frames follow without pages."""

    index: int
    offset_bytes: int | None


def read_signals(path: Path, companions: tuple[Path, ...], limits: ReadLimits) -> Iterator[Signal]:
    """One signal for each series of pages; reduced previews are left out.

    Raises:
        UnreadableYet: no TIFF, or a page ends before its pixels do.
    """
    with tifffile.TiffFile(path) as tif:
        if not tif.pages:
            raise UnreadableYet(ErrorCode.UNREADABLE, "The TIFF file has no page.")
        _check_pages(tif, limits)
        for series in tif.series:
            if not _is_preview(series):
                yield _signal_of(path, tif, series, companions, limits)


def _check_pages(tif: tifffile.TiffFile, limits: ReadLimits) -> None:
    pages = len(tif.pages)  # tifffile stops where the chain of pages meets itself
    if pages > limits.frames:
        raise UnreadableYet(
            ErrorCode.TOO_LARGE,
            f"The file declares {pages} pages; at most {limits.frames} are read.",
        )
    tags, next_page = _end_of_chain(tif)
    if tags == 0 or next_page >= tif.filehandle.size:
        raise UnreadableYet(
            ErrorCode.TRUNCATED, f"The TIFF file ends in its page {pages} and says that more comes."
        )
    if next_page:
        raise UnreadableYet(
            ErrorCode.UNREADABLE, "The pages of the TIFF file run in a circle or into nothing."
        )


def _end_of_chain(tif: tifffile.TiffFile) -> tuple[int, int]:
    """Tags of the last page, and where it says that the next one begins; 0 where there is none."""
    layout, start = tif.tiff, tif.pages[-1].offset
    tif.filehandle.seek(start)
    (tags,) = struct.unpack(layout.tagnoformat, tif.filehandle.read(layout.tagnosize))
    tif.filehandle.seek(start + layout.tagnosize + tags * layout.tagsize)
    found = tif.filehandle.read(layout.offsetsize)
    if len(found) < layout.offsetsize:
        raise UnreadableYet(ErrorCode.TRUNCATED, "The TIFF file ends among the tags of a page.")
    return int(tags), int(struct.unpack(layout.offsetformat, found)[0])


def _is_preview(series: Any) -> bool:
    return bool(int(series.keyframe.subfiletype or 0) & REDUCED_IMAGE)


def _signal_of(
    path: Path,
    tif: tifffile.TiffFile,
    series: Any,
    companions: tuple[Path, ...],
    limits: ReadLimits,
) -> Signal:
    keyframe = series.keyframe
    if keyframe.dtype is None or 0 in series.shape:
        raise UnreadableYet(ErrorCode.UNREADABLE, "The page of the TIFF file declares no pixels.")
    if keyframe.dtype.kind not in "buif":
        return not_an_image("", ErrorCode.COMPLEX_VALUED, "The file holds complex numbers.")
    if keyframe.imagedepth > 1:
        return not_an_image("", ErrorCode.NOT_TWO_DIMENSIONAL, "The data are no 2-D images.")
    frame_count = int(series.size // keyframe.size)
    shape_px = (int(keyframe.imagelength), int(keyframe.imagewidth))
    samples, dtype = int(keyframe.samplesperpixel), np.dtype(keyframe.dtype)
    check_declared_size(
        limits, shape_px=shape_px, frame_count=frame_count, pixel_bytes=samples * dtype.itemsize
    )
    pages = [_page_of(series, i, frame_count) for i in range(frame_count)]
    pixel_size, acquisition, obstacle = statements_of(tif, keyframe)
    pixel_size, acquisition = completed(pixel_size, acquisition, companions)
    return Signal(
        title=str(series.name or ""),
        shape_px=shape_px,
        frame_count=frame_count,
        is_series=frame_count > 1,
        samples=samples,
        dtype=dtype,
        read_frame=lambda i: _read_frame(path, pages[i], keyframe),
        pixel_size=pixel_size,
        acquisition=acquisition,
        obstacle=obstacle,
        suspect=_unwritten_strips(path, series),
    )


def _page_of(series: Any, i: int, frame_count: int) -> _Page:
    """Frame i of the series; ImageJ stores the frames beyond the first without pages."""
    keyframe = series.keyframe
    if len(series.pages) == frame_count and series.pages[i] is not None:
        return _Page(index=int(series.pages[i].index), offset_bytes=None)
    if series.dataoffset is None:
        raise UnreadableYet(ErrorCode.TRUNCATED, "The TIFF series has fewer pages than it states.")
    return _Page(index=0, offset_bytes=series.dataoffset + i * keyframe.nbytes)


def _unwritten_strips(path: Path, series: Any) -> str | None:
    """Why pixels are missing although the page is there, or None.

    Raises:
        UnreadableYet: a strip lies beyond the end of the file.
    """
    present = path.stat().st_size
    unwritten = 0
    for page in series.pages:
        if page is None:
            continue
        if (stated := _misstated_bytes(page)) is not None:
            return stated
        spans = list(zip(page.dataoffsets, page.databytecounts, strict=False))
        unwritten += sum(1 for offset, count in spans if offset == 0 or count == 0)
        end = max((offset + count for offset, count in spans), default=0)
        if end > present:
            raise UnreadableYet(
                ErrorCode.TRUNCATED,
                f"The TIFF file has {present} bytes, but its pixels reach to {end}.",
            )
    return f"{unwritten} strips of the image were never written" if unwritten else None


def _misstated_bytes(page: Any) -> str | None:
    """Why an uncompressed page is not what its tags say: its strips or tiles hold more or less."""
    keyframe, stated = page.keyframe, sum(page.databytecounts)
    is_whole_bytes = keyframe.bitspersample == 8 * keyframe.dtype.itemsize
    if keyframe.compression != tifffile.COMPRESSION.NONE or not is_whole_bytes or stated == 0:
        return None
    bits = math.prod(keyframe.chunked) * math.prod(keyframe.chunks) * keyframe.bitspersample
    if stated in (keyframe.nbytes, bits // 8):  # some writers fill up the last strip
        return None
    return f"the page is {keyframe.nbytes} bytes large, and its strips hold {stated}"


def _read_frame(path: Path, page: _Page, keyframe: Any) -> NDArray[np.generic]:
    if page.offset_bytes is not None:
        return _read_contiguous(path, page.offset_bytes, keyframe)
    with tifffile.TiffFile(path) as tif:
        frame = np.asarray(tif.pages[page.index].asarray())
    if keyframe.planarconfig == tifffile.PLANARCONFIG.SEPARATE and frame.ndim > len(SHAPE_AXES):
        frame = np.moveaxis(frame, 0, -1)
    return frame


def _read_contiguous(path: Path, offset_bytes: int, keyframe: Any) -> NDArray[np.generic]:
    dtype = np.dtype(keyframe.parent.byteorder + keyframe.dtype.char)
    end = offset_bytes + keyframe.nbytes
    if end > path.stat().st_size:
        raise UnreadableYet(ErrorCode.TRUNCATED, f"The TIFF series ends before byte {end}.")
    return np.fromfile(path, dtype, keyframe.size, offset=offset_bytes).reshape(keyframe.shape)
