"""What the TIFF files of Olympus SIS, TVIPS and JEOL SightX state.

Each function takes the file, its page and what the plain tags said, and gives a `Statement`, or
None where the page is of another maker.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import tifffile

from analysis.errors import ErrorCode, NotAMicrograph
from analysis.micrograph import Acquisition, CalibrationSource, ImagingMode
from analysis.readers.signal import UNCALIBRATED, PixelSize, pixel_size_of
from analysis.readers.stated import number, positive
from analysis.readers.tiff_tags import (
    exif_exposure_s,
    nm_per_resolution_unit,
    parsed_xml,
    pixels_per_unit,
    tag_text,
)

# Pixel size, acquisition, and why this is no image.
Statement = tuple[PixelSize, Acquisition, NotAMicrograph | None]

JEOL_MODES = {"eosTEM": ImagingMode.TEM, "modeASID": ImagingMode.STEM}


def olympus_sis(tif: tifffile.TiffFile, page: Any, acquisition: Acquisition) -> Statement | None:
    """Olympus SIS: a block with lengths in metres."""
    del tif
    tag = page.tags.get("OlympusSIS")
    if tag is None or not isinstance(tag.value, dict):
        return None
    stated = tag.value
    pixel_size = pixel_size_of(
        (number(stated.get("pixelsizey")), "m"),
        (number(stated.get("pixelsizex")), "m"),
        CalibrationSource.FILE,
    )
    return (
        pixel_size,
        Acquisition(
            acquired_local=acquisition.acquired_local,
            magnification=positive(stated.get("magnification")),
            exposure_s=exif_exposure_s(page),
            detector=stated.get("cameraname") or tag_text(page, "Model"),
        ),
        None,
    )


def tvips(tif: tifffile.TiffFile, page: Any, acquisition: Acquisition) -> Statement | None:
    """EM-MENU of TVIPS: a block with lengths in nm, times in ms and tensions in V."""
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
            high_tension_kv=positive(float(stated["TemHighTension"]) / 1e3),
            magnification=positive(stated["TemMagnification"]),
            exposure_s=positive(float(stated["ExposureTime"]) / 1e3),
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


def jeol(tif: tifffile.TiffFile, page: Any, acquisition: Acquisition) -> Statement | None:
    """SightX of JEOL: the resolution is that of the picture, magnified as the XML says."""
    del tif
    text = str(page.description or "")
    root = parsed_xml(text) if "<TemReporter" in text[:500] else None
    if root is None:
        return None
    forming = root.findtext("ImageFormingSystem/ModeString") or ""
    magnification = positive(root.findtext("ImageFormingSystem/SelectorValue"))
    mode = JEOL_MODES.get(root.findtext("Eos/EosMode") or "", ImagingMode.UNKNOWN)
    is_image = mode is ImagingMode.TEM and "MAG" in forming
    volts = positive(root.findtext("ElectronGun/AccelerationVoltage"))
    taken = _zoned_time(root.findtext("DateTime"))
    found = replace(
        acquisition,
        imaging_mode=mode,
        acquired_at_utc=taken.astimezone(UTC) if taken else None,
        acquired_local=taken.replace(tzinfo=None) if taken else acquisition.acquired_local,
        tz_source="DateTime of the JEOL report" if taken else None,
        high_tension_kv=volts / 1e3 if volts else None,
        magnification=magnification if is_image else None,
        instrument=root.findtext("Instruments") or acquisition.instrument,
    )
    if "DIFF" in forming and mode is ImagingMode.TEM:
        return (
            UNCALIBRATED,
            found,
            NotAMicrograph(
                ErrorCode.DIFFRACTION, "The file states that it was recorded in diffraction mode."
            ),
        )
    nm = nm_per_resolution_unit(page)
    y, x = pixels_per_unit(page, "YResolution"), pixels_per_unit(page, "XResolution")
    if not is_image or magnification is None or nm is None or min(y, x) <= 0:
        return UNCALIBRATED, found, None
    y_nm, x_nm = nm / y / magnification, nm / x / magnification
    return pixel_size_of((y_nm, "nm"), (x_nm, "nm"), CalibrationSource.FILE), found, None


def _zoned_time(text: str | None) -> datetime | None:
    """Time with its zone, of 0.1 µs digits that datetime does not take; None without a zone."""
    trimmed = re.sub(r"(\.\d{6})\d+", r"\1", text or "")
    try:
        found = datetime.fromisoformat(trimmed)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
