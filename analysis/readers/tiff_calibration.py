"""Where the writers of TIFF put pixel size, time and settings.

A plain resolution of 72 or 300 dots an inch belongs to a printer and is no calibration; one finer
than any printer's was put there by a camera program.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import datetime
from typing import Any

import tifffile

from analysis.errors import NotAMicrograph
from analysis.micrograph import Acquisition, CalibrationSource, ImagingMode
from analysis.readers.signal import UNCALIBRATED, PixelSize, obstacle_of_axes, pixel_size_of

Statement = tuple[PixelSize, Acquisition, NotAMicrograph | None]

DM_UNIT_X, DM_UNIT_Y, DM_SCALE_X, DM_SCALE_Y = 65003, 65004, 65009, 65010
# 20,000 dots an inch; no printer reaches it, 1.27 µm is the coarsest pixel taken from it.
COARSEST_RESOLUTION_NM = 1270.0
NM_PER_RESOLUTION_UNIT = {tifffile.RESUNIT.INCH: 25.4e6, tifffile.RESUNIT.CENTIMETER: 1e7}
TIME_FORMATS = ("%Y:%m:%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S")
DESCRIPTION_CHARACTERS = 1_000_000


def statements_of(tif: tifffile.TiffFile, page: Any) -> Statement:
    """Pixel size, acquisition, and why this is no image, as the first writer that speaks says."""
    acquisition = Acquisition(acquired_local=_date_time(page), instrument=_tag_text(page, "Model"))
    for speaks in WRITERS:
        found = speaks(tif, page, acquisition)
        if found is not None:
            return found
    return _resolution(page), acquisition, None


def _imagej(tif: tifffile.TiffFile, page: Any, acquisition: Acquisition) -> Statement | None:
    stated = tif.imagej_metadata if tif.is_imagej else None
    if not stated or "XResolution" not in page.tags:
        return None
    unit = str(stated.get("unit") or "")
    y_unit = str(stated.get("yunit") or unit)
    y = (_pixels_per_unit(page, "YResolution"), y_unit)
    x = (_pixels_per_unit(page, "XResolution"), unit)
    return _one_over(y, x), acquisition, obstacle_of_axes(y_unit, unit)


def _one_over(y: tuple[float, str], x: tuple[float, str]) -> PixelSize:
    if y[0] <= 0 or x[0] <= 0:
        return UNCALIBRATED
    return pixel_size_of((1 / y[0], y[1]), (1 / x[0], x[1]), CalibrationSource.FILE)


def _ome(tif: tifffile.TiffFile, page: Any, acquisition: Acquisition) -> Statement | None:
    del page
    root = _xml(tif.ome_metadata) if tif.is_ome else None
    pixels = None if root is None else root.find(".//{*}Pixels")
    if pixels is None:
        return None
    sizes = [
        (_float(pixels.get(f"PhysicalSize{axis}")), pixels.get(f"PhysicalSize{axis}Unit") or "µm")
        for axis in "YX"
    ]
    return (
        pixel_size_of(*sizes, CalibrationSource.FILE),
        acquisition,
        obstacle_of_axes(sizes[0][1], sizes[1][1]),
    )


def _digital_micrograph(
    tif: tifffile.TiffFile, page: Any, acquisition: Acquisition
) -> Statement | None:
    del tif
    if DM_SCALE_X not in page.tags or DM_UNIT_X not in page.tags:
        return None
    y_unit, x_unit = str(page.tags[DM_UNIT_Y].value), str(page.tags[DM_UNIT_X].value)
    y, x = float(page.tags[DM_SCALE_Y].value), float(page.tags[DM_SCALE_X].value)
    return (
        pixel_size_of((y, y_unit), (x, x_unit), CalibrationSource.FILE),
        acquisition,
        obstacle_of_axes(y_unit, x_unit),
    )


def _olympus_sis(tif: tifffile.TiffFile, page: Any, acquisition: Acquisition) -> Statement | None:
    del tif
    tag = page.tags.get("OlympusSIS")
    if tag is None or not isinstance(tag.value, dict):
        return None
    stated = tag.value
    pixel_size = pixel_size_of(
        (_float(stated.get("pixelsizey")), "m"),
        (_float(stated.get("pixelsizex")), "m"),
        CalibrationSource.FILE,
    )
    return (
        pixel_size,
        Acquisition(
            acquired_local=acquisition.acquired_local,
            magnification=_positive(stated.get("magnification")),
            exposure_s=_exif_exposure_s(page),
            detector=stated.get("cameraname") or _tag_text(page, "Model"),
        ),
        None,
    )


def _tvips(tif: tifffile.TiffFile, page: Any, acquisition: Acquisition) -> Statement | None:
    del page
    stated = tif.tvips_metadata if tif.is_tvips else None
    if not stated or "PixelSizeX" not in stated:
        return None
    return (
        pixel_size_of(
            (float(stated["PixelSizeY"]), "nm"),
            (float(stated["PixelSizeX"]), "nm"),
            CalibrationSource.FILE,
        ),
        Acquisition(
            acquired_local=_tvips_time(int(stated["Date"]), int(stated["Time"])),
            high_tension_kv=_positive(float(stated["TemHighTension"]) / 1e3),
            magnification=_positive(stated["TemMagnification"]),
            exposure_s=_positive(float(stated["ExposureTime"]) / 1e3),
            instrument=stated["TemType"] or acquisition.instrument,
            detector=stated["CameraType"] or None,
        ),
        None,
    )


def _tvips_time(date: int, seconds: int) -> datetime | None:
    """Year in the high word, month and day in the two low bytes; seconds since midnight."""
    try:
        day = datetime(date >> 16, (date >> 8) & 0xFF, date & 0xFF)  # noqa: DTZ001  no zone given
        return day.replace(hour=seconds // 3600, minute=seconds // 60 % 60, second=seconds % 60)
    except ValueError:
        return None


def _jeol(tif: tifffile.TiffFile, page: Any, acquisition: Acquisition) -> Statement | None:
    del tif
    text = str(page.description or "")
    root = _xml(text) if "<TemReporter" in text[:500] else None
    if root is None:
        return None
    mode = ImagingMode.STEM if root.findtext("Eos/EosMode") == "modeASID" else ImagingMode.UNKNOWN
    if root.findtext("Eos/EosMode") == "eosTEM":
        mode = ImagingMode.TEM
    return UNCALIBRATED, acquisition.__class__(imaging_mode=mode), None


WRITERS: tuple[Callable[[tifffile.TiffFile, Any, Acquisition], Statement | None], ...] = (
    _imagej,
    _ome,
    _digital_micrograph,
    _olympus_sis,
    _tvips,
    _jeol,
)


def _resolution(page: Any) -> PixelSize:
    unit = page.tags.get("ResolutionUnit")
    nm = NM_PER_RESOLUTION_UNIT.get(unit.value if unit else None)
    if nm is None:
        return UNCALIBRATED
    y, x = _pixels_per_unit(page, "YResolution"), _pixels_per_unit(page, "XResolution")
    if min(y, x) < nm / COARSEST_RESOLUTION_NM:
        return UNCALIBRATED
    return pixel_size_of((nm / y, "nm"), (nm / x, "nm"), CalibrationSource.FILE)


def _pixels_per_unit(page: Any, name: str) -> float:
    tag = page.tags.get(name)
    if tag is None:
        return 0.0
    numerator, denominator = tag.value
    return numerator / denominator if denominator else 0.0


def _date_time(page: Any) -> datetime | None:
    text = _tag_text(page, "DateTime") or ""
    for time_format in TIME_FORMATS:
        try:
            return datetime.strptime(text.strip(), time_format)  # noqa: DTZ007  states no zone
        except ValueError:
            continue
    return None


def _exif_exposure_s(page: Any) -> float | None:
    exif = page.tags.get("ExifTag")
    if exif is None or not isinstance(exif.value, dict):
        return None
    numerator, denominator = exif.value.get("ExposureTime", (0, 1))
    return _positive(numerator / denominator) if denominator else None


def _tag_text(page: Any, name: str) -> str | None:
    tag = page.tags.get(name)
    return str(tag.value).strip() or None if tag is not None else None


def _xml(text: str | None) -> ET.Element | None:
    """Parsed text, or None; entity declarations are not accepted."""
    if not text or len(text) > DESCRIPTION_CHARACTERS or "<!ENTITY" in text:
        return None
    start = re.search(r"<[A-Za-z]", text)
    try:
        return ET.fromstring(text[start.start() :].rstrip("\0 \r\n\t\1")) if start else None
    except ET.ParseError:
        return None


def _float(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


def _positive(value: object) -> float | None:
    found = _float(value)
    return found if 0 < found < float("inf") else None
