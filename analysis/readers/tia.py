"""Signals of a TIA series: pixels in the `.ser`, settings in the `.emi` beside it.

Read here and not with RosettaSciIO, which allocates every frame before its size can be checked. A
series that was stopped declares more frames than are valid; the valid ones are read and marked.
"""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ErrorCode, NotAMicrograph, UnreadableYet
from analysis.micrograph import Acquisition, CalibrationSource, ImagingMode
from analysis.readers.limits import ReadLimits, check_declared_size
from analysis.readers.signal import Signal, not_an_image, pixel_size_of
from analysis.readers.stated import local_time, number, positive

SERIES_ID = 0x0197
TWO_DIMENSIONAL = 0x4122
VERSION_OF_LONG_OFFSETS = 0x220
COMPLEX_TYPES = (9, 10)
DTYPE_OF_TYPE = {
    1: "<u1",
    2: "<u2",
    3: "<u4",
    4: "<i1",
    5: "<i2",
    6: "<i4",
    7: "<f4",
    8: "<f8",
}
HEAD = np.dtype(
    [
        ("byte_order", "<u2"),
        ("series_id", "<u2"),
        ("version", "<u2"),
        ("data_type_id", "<u4"),
        ("tag_type_id", "<u4"),
        ("total", "<u4"),
        ("valid", "<u4"),
    ]
)
ELEMENT = np.dtype(
    [
        ("x_offset", "<f8"),
        ("x_delta_m", "<f8"),
        ("x_element", "<i4"),
        ("y_offset", "<f8"),
        ("y_delta_m", "<f8"),
        ("y_element", "<i4"),
        ("data_type", "<u2"),
        ("width", "<u4"),
        ("height", "<u4"),
    ]
)
# A step of more than a metre a pixel is one of 1/m: a diffraction pattern.
LARGEST_LENGTH_M = 1.0
TIME_FORMATS = ("%a %b %d %H:%M:%S %Y",)
EMI_BYTES = 512 * 2**20
OBJECT_INFO = re.compile(rb"<ObjectInfo>.*?</ObjectInfo>", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class _Series:
    """Where the frames lie, their common head, and the Unix time of the first one."""

    declared: int
    offsets: tuple[int, ...]
    element: np.void
    started_s: int


def read_signals(path: Path, companions: tuple[Path, ...], limits: ReadLimits) -> Iterator[Signal]:
    """The one signal of the series.

    Raises:
        UnreadableYet: no TIA series, or it ends before its frames do.
    """
    head = _read(path, HEAD, 0)
    if int(head["series_id"]) != SERIES_ID:
        raise UnreadableYet(ErrorCode.UNREADABLE, "The file has no head of a TIA series.")
    if int(head["data_type_id"]) != TWO_DIMENSIONAL:
        yield not_an_image("", ErrorCode.SPECTRUM, "The file holds spectra, not images.")
        return
    if int(head["valid"]) > limits.frames:
        raise UnreadableYet(
            ErrorCode.TOO_LARGE,
            f"The series declares {head['valid']} frames; at most {limits.frames} are read.",
        )
    series = _series_of(path, head)
    settings = _settings(path, companions)
    if int(series.element["data_type"]) in COMPLEX_TYPES:
        yield not_an_image("", ErrorCode.COMPLEX_VALUED, "The file holds complex numbers.")
        return
    yield _signal_of(path, series, settings, limits)


def _series_of(path: Path, head: np.void) -> _Series:
    valid, declared = int(head["valid"]), int(head["total"])
    if not 0 < valid <= declared:
        raise UnreadableYet(ErrorCode.TRUNCATED, "The series holds no finished frame yet.")
    word = "<u8" if int(head["version"]) >= VERSION_OF_LONG_OFFSETS else "<u4"
    table = int(_read(path, np.dtype(word), HEAD.itemsize))
    width = np.dtype(word).itemsize
    offsets = tuple(int(_read(path, np.dtype(word), table + i * width)) for i in range(valid))
    time_tag = int(_read(path, np.dtype(word), table + declared * width))
    element = _read(path, ELEMENT, offsets[0])
    return _Series(
        declared=declared,
        offsets=offsets,
        element=element,
        started_s=int(_read(path, np.dtype("<u4"), time_tag + 4)),
    )


def _read(path: Path, dtype: np.dtype[np.void] | np.dtype[np.generic], offset: int) -> np.void:
    with path.open("rb") as file:
        file.seek(offset)
        found = file.read(dtype.itemsize)
    if len(found) < dtype.itemsize:
        raise UnreadableYet(ErrorCode.TRUNCATED, "The series ends before the frames it declares.")
    value: np.void = np.frombuffer(found, dtype)[0]
    return value


def _signal_of(
    path: Path, series: _Series, settings: ET.Element | None, limits: ReadLimits
) -> Signal:
    element = series.element
    dtype = np.dtype(DTYPE_OF_TYPE[int(element["data_type"])])
    shape_px = (int(element["height"]), int(element["width"]))
    check_declared_size(
        limits,
        shape_px=shape_px,
        frame_count=len(series.offsets),
        pixel_bytes=dtype.itemsize,
    )
    _check_end(path, series, math.prod(shape_px) * dtype.itemsize)
    recorded = len(series.offsets)
    partial = f"{recorded} of {series.declared} frames were recorded"
    return Signal(
        shape_px=shape_px,
        frame_count=recorded,
        is_series=series.declared > 1,
        dtype=dtype,
        read_frame=lambda i: _read_frame(path, series, i, dtype),
        pixel_size=pixel_size_of(
            (float(element["y_delta_m"]), "m"),
            (float(element["x_delta_m"]), "m"),
            CalibrationSource.FILE,
        ),
        acquisition=_acquisition(series, settings),
        bottom_up=True,
        obstacle=_obstacle(element, settings),
        suspect=partial if recorded < series.declared else None,
    )


def _check_end(path: Path, series: _Series, frame_bytes: int) -> None:
    needed = max(series.offsets) + ELEMENT.itemsize + frame_bytes
    present = path.stat().st_size
    if present < needed:
        raise UnreadableYet(
            ErrorCode.TRUNCATED,
            f"The series has {present} bytes of the {needed} its frames need.",
        )


def _read_frame(
    path: Path, series: _Series, i: int, dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    element = _read(path, ELEMENT, series.offsets[i])
    shape = (int(series.element["height"]), int(series.element["width"]))
    if (int(element["height"]), int(element["width"])) != shape:
        raise UnreadableYet(ErrorCode.UNREADABLE, "The frames of the series differ in size.")
    offset = series.offsets[i] + ELEMENT.itemsize
    return np.fromfile(path, dtype, math.prod(shape), offset=offset).reshape(shape)


def _settings(path: Path, companions: tuple[Path, ...]) -> ET.Element | None:
    """What the `.emi` states about this `.ser`; None where there is none or it is unfinished."""
    emi = next((other for other in companions if other.suffix.lower() == ".emi"), None)
    if emi is None:
        return None
    with emi.open("rb") as file:
        objects = OBJECT_INFO.findall(file.read(EMI_BYTES))
    number = re.search(r"_(\d+)$", path.stem)
    index = int(number.group(1)) - 1 if number else 0
    if not 0 <= index < len(objects) or b"<!ENTITY" in objects[index]:
        return None
    try:
        return ET.fromstring(objects[index])
    except ET.ParseError:
        return None


def _described(settings: ET.Element | None, label: str) -> str:
    """Value beside a label of the experimental description, or nothing."""
    described = None if settings is None else settings.find("ExperimentalDescription/Root")
    if described is None:
        return ""
    for data in described.iter("Data"):
        if data.findtext("Label") == label:
            return (data.findtext("Value") or "").strip()
    return ""


def _imaging_mode(settings: ET.Element | None) -> ImagingMode:
    words = _described(settings, "Mode").split()
    if "STEM" in words:
        return ImagingMode.STEM
    return ImagingMode.TEM if "TEM" in words else ImagingMode.UNKNOWN


def _obstacle(element: np.void, settings: ET.Element | None) -> NotAMicrograph | None:
    """A diffraction pattern: by its steps of 1/m, by the projector, or a camera used in STEM."""
    is_camera = settings is not None and settings.find("AcquireInfo/CameraNamePath") is not None
    is_stem = _imaging_mode(settings) is ImagingMode.STEM
    in_diffraction = "Diffraction" in _described(settings, "Mode").split()
    steps_m = (abs(float(element["y_delta_m"])), abs(float(element["x_delta_m"])))
    by_mode = is_camera if is_stem else in_diffraction
    if by_mode or max(steps_m) > LARGEST_LENGTH_M:
        return NotAMicrograph(
            ErrorCode.DIFFRACTION, "The file holds a diffraction pattern, not an image."
        )
    return None


def _acquisition(series: _Series, settings: ET.Element | None) -> Acquisition:
    def stated(name: str) -> str:
        return "" if settings is None else (settings.findtext(name) or "").strip()

    camera = stated("AcquireInfo/CameraNamePath")
    exposure = "DwellTimePath" if camera else "FrameTime"
    tension_v = stated("ExperimentalConditions/MicroscopeConditions/AcceleratingVoltage")
    return Acquisition(
        imaging_mode=_imaging_mode(settings),
        acquired_at_utc=datetime.fromtimestamp(series.started_s, UTC) if series.started_s else None,
        acquired_local=local_time(stated("AcquireDate"), TIME_FORMATS),
        tz_source="time stamp of the series" if series.started_s else None,
        high_tension_kv=positive(tension_v, 1e-3),
        magnification=positive(_described(settings, "Magnification")),
        exposure_s=positive(stated(f"AcquireInfo/{exposure}")),
        defocus_nm=_defocus_nm(settings),
        instrument=_described(settings, "Microscope") or None,
        detector=camera or None,
    )


def _defocus_nm(settings: ET.Element | None) -> float | None:
    """Defocus of the image, underfocus negative; in STEM the value belongs to the probe."""
    defocus_um = number(_described(settings, "Defocus"))
    is_tem = _imaging_mode(settings) is ImagingMode.TEM
    return defocus_um * 1e3 if is_tem and math.isfinite(defocus_um) else None
