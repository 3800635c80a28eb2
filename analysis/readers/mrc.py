"""Signals of an MRC file: a single image or a stack, calibrated in Å.

The header follows MRC2014 and its older kin without a map string. Rows are stored from the bottom
up. The extended header of FEI and Thermo Fisher instruments (FEI1, FEI2) states the pixel size in
metres and wins over the cell; beside it an `.mdoc` of SerialEM may state more.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import mrcfile.dtypes
import numpy as np
from numpy.typing import NDArray

from analysis.errors import ErrorCode, UnreadableYet
from analysis.micrograph import Acquisition, CalibrationSource, ImagingMode
from analysis.readers.limits import ReadLimits, check_declared_size
from analysis.readers.serialem import completed
from analysis.readers.signal import (
    UNCALIBRATED,
    PixelSize,
    Signal,
    not_an_image,
    pixel_size_of,
)
from analysis.readers.stated import positive

HEADER_BYTES = 1024
DTYPE_OF_MODE = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
COMPLEX_MODES = (3, 4)
# IMOD and others write a cell of one Å a voxel where nobody knew the pixel size.
PLACEHOLDER_A = 1.0
# IMOD and SerialEM sign their headers and say there whether bytes are signed.
IMOD_STAMP_AT = 40
IMOD_STAMP = 1146047817
IMOD_SIGNED = 1
# Values of the FEI extended header.
FEI_MODES = {1: ImagingMode.TEM, 2: ImagingMode.STEM}
FEI_DIFFRACTION = 1
FEI_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  the microscope's own clock, without a zone


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where the pixels lie: `offset` bytes into the file, (frames, H, W)."""

    header: np.void
    byte_order: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, int, int]
    offset: int


def read_signals(path: Path, companions: tuple[Path, ...], limits: ReadLimits) -> Iterator[Signal]:
    """The one signal of the file.

    Raises:
        UnreadableYet: no MRC header, or fewer bytes than it declares.
    """
    header, byte_order = _read_header(path)
    if int(header["mode"]) in COMPLEX_MODES:
        yield not_an_image(
            "", ErrorCode.COMPLEX_VALUED, "The file holds complex numbers: a Fourier transform."
        )
        return
    layout = _layout_of(path, header, byte_order, limits)
    pixel_size, acquisition, is_diffraction = _statements(path, layout)
    pixel_size, acquisition = completed(pixel_size, acquisition, companions)
    frames, height_px, width_px = layout.shape
    if is_diffraction:
        yield not_an_image(
            "", ErrorCode.DIFFRACTION, "The file states that it was recorded in diffraction mode."
        )
        return
    yield Signal(
        shape_px=(height_px, width_px),
        frame_count=frames,
        is_series=frames > 1,
        dtype=layout.dtype,
        read_frame=lambda i: _read_frame(path, layout, i),
        pixel_size=pixel_size,
        acquisition=acquisition,
        bottom_up=True,
    )


def _read_header(path: Path) -> tuple[np.void, str]:
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
    if len(start) < HEADER_BYTES:
        raise UnreadableYet(ErrorCode.TRUNCATED, "The MRC header ends early.")
    for byte_order in "<>":
        header = np.frombuffer(start, mrcfile.dtypes.HEADER_DTYPE.newbyteorder(byte_order))[0]
        sides = (int(header["nx"]), int(header["ny"]), int(header["nz"]))
        axes = sorted((int(header["mapc"]), int(header["mapr"]), int(header["maps"])))
        known_mode = int(header["mode"]) in (*DTYPE_OF_MODE, *COMPLEX_MODES)
        if known_mode and min(sides) > 0 and axes in ([1, 2, 3], [0, 0, 0]):
            return header, byte_order
    raise UnreadableYet(ErrorCode.UNREADABLE, "The file has no MRC header.")


def _layout_of(path: Path, header: np.void, byte_order: str, limits: ReadLimits) -> _Layout:
    dtype: np.dtype[np.generic] = np.dtype(byte_order + DTYPE_OF_MODE[int(header["mode"])])
    if int(header["mode"]) == 0 and _is_unsigned(header):
        dtype = np.dtype(np.uint8)
    shape = (int(header["nz"]), int(header["ny"]), int(header["nx"]))
    check_declared_size(
        limits, shape_px=shape[1:], frame_count=shape[0], pixel_bytes=dtype.itemsize
    )
    offset = HEADER_BYTES + max(int(header["nsymbt"]), 0)
    needed = offset + math.prod(shape) * dtype.itemsize
    present = path.stat().st_size
    if present < needed:
        raise UnreadableYet(
            ErrorCode.TRUNCATED,
            f"The MRC file has {present} bytes of the {needed} its header declares.",
        )
    return _Layout(header=header, byte_order=byte_order, dtype=dtype, shape=shape, offset=offset)


def _is_unsigned(header: np.void) -> bool:
    """Whether mode 0 means unsigned bytes: by IMOD's flag, or a maximum no signed byte holds."""
    stamp, flags = np.frombuffer(bytes(header["extra2"])[IMOD_STAMP_AT:][:8], "<i4")
    if stamp == IMOD_STAMP:
        return not flags & IMOD_SIGNED
    return float(header["dmax"]) > np.iinfo(np.int8).max


def _read_frame(path: Path, layout: _Layout, i: int) -> NDArray[np.generic]:
    stack = np.memmap(path, layout.dtype, "r", layout.offset, layout.shape)
    return np.array(stack[i])


def _statements(path: Path, layout: _Layout) -> tuple[PixelSize, Acquisition, bool]:
    extended = _extended_header(path, layout)
    if extended is None:
        return _cell_pixel_size(layout.header), Acquisition(), False
    pixel_size = pixel_size_of(
        (float(extended["Pixel size Y"]), "m"),
        (float(extended["Pixel size X"]), "m"),
        CalibrationSource.FILE,
    )
    if pixel_size is UNCALIBRATED:
        pixel_size = _cell_pixel_size(layout.header)
    is_diffraction = int(extended["Projection mode"]) == FEI_DIFFRACTION
    mode = FEI_MODES.get(int(extended["Instrument mode"]), ImagingMode.UNKNOWN)
    return pixel_size, _fei_acquisition(extended, mode), is_diffraction and mode is ImagingMode.TEM


def _cell_pixel_size(header: np.void) -> PixelSize:
    sizes_a = []
    for length, samples in (("y", "my"), ("x", "mx")):
        count = int(header[samples])
        sizes_a.append(float(header["cella"][length]) / count if count > 0 else 0.0)
    if all(size_a == PLACEHOLDER_A for size_a in sizes_a):
        return UNCALIBRATED
    y_a, x_a = sizes_a
    return pixel_size_of((y_a, "Å"), (x_a, "Å"), CalibrationSource.FILE)


def _extended_header(path: Path, layout: _Layout) -> np.void | None:
    kind = bytes(layout.header["exttyp"])
    if kind not in (b"FEI1", b"FEI2"):
        return None
    dtype = mrcfile.dtypes.get_ext_header_dtype(kind, layout.byte_order)
    if layout.offset - HEADER_BYTES < dtype.itemsize:
        return None
    with path.open("rb") as file:
        file.seek(HEADER_BYTES)
        found: np.void = np.frombuffer(file.read(dtype.itemsize), dtype)[0]
    return found


def _fei_acquisition(extended: np.void, mode: ImagingMode) -> Acquisition:
    days = float(extended["Timestamp"])
    return Acquisition(
        imaging_mode=mode,
        acquired_local=FEI_EPOCH + timedelta(days=days) if 1 < days < 1e5 else None,
        high_tension_kv=positive(extended["HT"], 1e-3),
        magnification=positive(extended["Magnification"]),
        exposure_s=positive(extended["Integration time"]),
        defocus_nm=float(extended["Defocus"]) * 1e9 if mode is ImagingMode.TEM else None,
        instrument=_text(extended["Microscope type"]),
        detector=_text(
            extended["STEM Detector name" if mode is ImagingMode.STEM else "Camera name"]
        ),
    )


def _text(field: bytes) -> str | None:
    return bytes(field).split(b"\0")[0].decode("latin-1").strip() or None
