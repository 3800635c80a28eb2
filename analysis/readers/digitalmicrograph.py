"""Signals of a DigitalMicrograph file, dm3 or dm4.

RosettaSciIO parses the tags without the pixels, so what they declare is known before anything is
allocated; the pixels are then read frame by frame from where the tags say.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rsciio.digitalmicrograph._api import DigitalMicrographReader

from analysis.errors import ErrorCode, NotAMicrograph, UnreadableYet
from analysis.micrograph import Acquisition, CalibrationSource, ImagingMode
from analysis.readers.limits import ReadLimits, check_declared_size
from analysis.readers.signal import Signal, not_an_image, obstacle_of_axes, pixel_size_of
from analysis.readers.stated import local_time
from analysis.readers.units import AxisKind, axis_kind

Tags = Mapping[str, Any]

DTYPE_OF_TYPE = {
    1: "i2",
    2: "f4",
    6: "u1",
    7: "i4",
    9: "i1",
    10: "u2",
    11: "u4",
    12: "f8",
    14: "?",
}
COLOUR_TYPES = (8, 23)
COMPLEX_TYPES = (3, 5, 13, 27, 28)
IMAGE_DIMENSIONS = 2
SERIES_DIMENSIONS = 3
# Acquisition Time (OS): 100 ns since 1601 in UTC, as Windows counts.
WINDOWS_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
LARGEST_ZONE = timedelta(hours=15)
DATE_FORMATS = ("%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%b-%y", "%d-%b-%Y", "%Y-%m-%d", "%d.%m.%Y")
CLOCK_FORMATS = ("%I:%M:%S %p", "%H:%M:%S")


def read_signals(path: Path, companions: tuple[Path, ...], limits: ReadLimits) -> Iterator[Signal]:
    """The images of the file in its own order, without thumbnails.

    Raises:
        UnreadableYet: the pixels reach beyond the end of the file.
    """
    del companions
    with path.open("rb") as file:
        reader = DigitalMicrographReader(file)
        reader.parse_file()
        images = reader.get_image_dictionaries() or []
        byte_order = "<" if reader.endian == "little" else ">"
    for image in images:
        yield _signal_of(path, image, byte_order, limits)


def _signal_of(path: Path, image: Tags, byte_order: str, limits: ReadLimits) -> Signal:
    title = _text(image, "Name") or ""
    shape = tuple(int(side) for side in image["ImageData"]["Dimensions"].values())[::-1]
    data_type = int(image["ImageData"]["DataType"])
    obstacle = _obstacle(image, shape, data_type)
    if obstacle is not None:
        return not_an_image(title, obstacle.code, str(obstacle))
    is_series = len(shape) == SERIES_DIMENSIONS
    samples = 4 if data_type in COLOUR_TYPES else 1
    dtype = np.dtype("u1" if samples > 1 else byte_order + DTYPE_OF_TYPE[data_type])
    height_px, width_px = shape[-IMAGE_DIMENSIONS:]
    stored = (shape[0] if is_series else 1, height_px, width_px)
    pixel_bytes = samples * dtype.itemsize
    check_declared_size(
        limits, shape_px=(height_px, width_px), frame_count=stored[0], pixel_bytes=pixel_bytes
    )
    offset = _offset_of(path, image, math.prod(shape) * pixel_bytes)
    x, y = _axes(image)[:IMAGE_DIMENSIONS]

    def read_frame(i: int) -> NDArray[np.generic]:
        whole = stored if samples == 1 else (*stored, samples)
        return np.array(np.memmap(path, dtype, "r", offset, whole)[i])

    return Signal(
        title=title,
        shape_px=(height_px, width_px),
        frame_count=stored[0],
        is_series=is_series,
        samples=samples,
        dtype=dtype,
        read_frame=read_frame,
        pixel_size=pixel_size_of(y, x, CalibrationSource.FILE),
        acquisition=_acquisition(image),
    )


def _obstacle(image: Tags, shape: tuple[int, ...], data_type: int) -> NotAMicrograph | None:
    units = [unit for _, unit in _axes(image)]
    kind = _text(image, "ImageTags", "Meta Data", "Format") or ""
    if kind.startswith("Spectrum") or AxisKind.ENERGY in {axis_kind(unit) for unit in units}:
        return NotAMicrograph(
            ErrorCode.SPECTRUM, "The file holds a spectrum: one of its axes is an energy."
        )
    if data_type in COMPLEX_TYPES:
        return NotAMicrograph(
            ErrorCode.COMPLEX_VALUED, "The file holds complex numbers: a Fourier transform."
        )
    if len(shape) not in (IMAGE_DIMENSIONS, SERIES_DIMENSIONS) or min(shape) == 0:
        return NotAMicrograph(
            ErrorCode.NOT_TWO_DIMENSIONAL,
            f"The file holds data of {len(shape)} dimension(s), not an image.",
        )
    if data_type not in (*DTYPE_OF_TYPE, *COLOUR_TYPES):
        return NotAMicrograph(ErrorCode.NO_IMAGE, f"Data of type {data_type} are no image.")
    if _is_diffraction(image):
        return NotAMicrograph(
            ErrorCode.DIFFRACTION, "The file states that it was recorded in diffraction mode."
        )
    return obstacle_of_axes(units[1], units[0])


def _is_diffraction(image: Tags) -> bool:
    modes = (
        _text(image, "ImageTags", "Microscope Info", name) or ""
        for name in ("Operation Mode", "Imaging Mode")
    )
    is_tem = _imaging_mode(image) is ImagingMode.TEM
    return is_tem and any("DIFFRACTION" in mode.upper() for mode in modes)


def _imaging_mode(image: Tags) -> ImagingMode:
    """From the illumination: in STEM the projector may well stand in diffraction."""
    illumination = _text(image, "ImageTags", "Microscope Info", "Illumination Mode") or ""
    operation = _text(image, "ImageTags", "Microscope Info", "Operation Mode") or ""
    if illumination.upper().startswith("STEM") or operation.upper() == "SCANNING":
        return ImagingMode.STEM
    return ImagingMode.TEM if illumination.upper().startswith("TEM") else ImagingMode.UNKNOWN


def _offset_of(path: Path, image: Tags, expected_bytes: int) -> int:
    stored = image["ImageData"]["Data"]
    offset, present = int(stored["offset"]), path.stat().st_size
    if int(stored["size_bytes"]) < expected_bytes or offset + expected_bytes > present:
        raise UnreadableYet(
            ErrorCode.TRUNCATED, "The file ends before the pixels its tags declare do."
        )
    return offset


def _axes(image: Tags) -> list[tuple[float, str | None]]:
    """Scale and unit of each axis, x first; axes beyond those calibrated get none."""
    dimensions = _tag(image, "ImageData", "Calibrations", "Dimension") or {}
    axes = [(float(_tag(one, "Scale") or 0.0), _text(one, "Units")) for one in dimensions.values()]
    return axes + [(0.0, None)] * (IMAGE_DIMENSIONS - len(axes))


def _acquisition(image: Tags) -> Acquisition:
    stated = _tag(image, "ImageTags") or {}
    volts = _number(stated, "Microscope Info", "Voltage")
    utc = _utc_time(stated)
    return Acquisition(
        imaging_mode=_imaging_mode(image),
        acquired_at_utc=utc,
        acquired_local=_local_time(stated, utc),
        tz_source="DataBar Acquisition Time (OS)" if utc else None,
        high_tension_kv=volts / 1e3 if volts else None,
        magnification=_number(stated, "Microscope Info", "Indicated Magnification"),
        exposure_s=_number(stated, "DataBar", "Exposure Time (s)")
        or _number(stated, "Acquisition", "Parameters", "High Level", "Exposure (s)"),
        instrument=_instrument(stated),
        detector=_text(stated, "DataBar", "Device Name")
        or _text(stated, "Acquisition", "Device", "Name"),
    )


def _instrument(stated: Tags) -> str | None:
    """Name of the microscope, or else of the connection to it."""
    names = (_text(stated, "Microscope Info", name) for name in ("Microscope", "Name"))
    return next((name for name in names if name and name != "Unknown"), None)


def _utc_time(stated: Tags) -> datetime | None:
    ticks = _number(stated, "DataBar", "Acquisition Time (OS)")
    try:
        return WINDOWS_EPOCH + timedelta(seconds=round(ticks / 1e7)) if ticks else None
    except OverflowError:
        return None


def _local_time(stated: Tags, utc: datetime | None) -> datetime | None:
    """Clock of the microscope; None where 8/7/2016 may be July or August and no UTC decides."""
    text = f"{_text(stated, 'DataBar', 'Acquisition Date')} "
    text += f"{_text(stated, 'DataBar', 'Acquisition Time')}"
    readings = {
        reading
        for date_format in DATE_FORMATS
        for clock_format in CLOCK_FORMATS
        if (reading := local_time(text, [f"{date_format} {clock_format}"])) is not None
    }
    if utc is not None:
        naive = utc.replace(tzinfo=None)
        readings = {one for one in readings if abs(one - naive) < LARGEST_ZONE}
    return readings.pop() if len(readings) == 1 else None


def _tag(tags: Any, *names: str) -> Any:
    for name in names:
        if not isinstance(tags, Mapping) or name not in tags:
            return None
        tags = tags[name]
    return tags


def _text(tags: Tags, *names: str) -> str | None:
    """Text of a tag; RosettaSciIO gives an empty text as an empty list."""
    found = _tag(tags, *names)
    return found.strip() or None if isinstance(found, str) else None


def _number(tags: Tags, *names: str) -> float | None:
    found = _tag(tags, *names)
    if not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found) or None
