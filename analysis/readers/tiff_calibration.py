"""Where the writers of TIFF put pixel size, time and settings.

A plain resolution of 72 or 300 dots an inch belongs to a printer and is no calibration; one finer
than any printer's was put there by a camera program.
"""

from collections.abc import Callable
from typing import Any

import tifffile

from analysis.micrograph import Acquisition, CalibrationSource
from analysis.readers.signal import UNCALIBRATED, PixelSize, obstacle_of_axes, pixel_size_of
from analysis.readers.stated import number
from analysis.readers.tiff_makers import Statement, jeol, olympus_sis, tvips
from analysis.readers.tiff_tags import (
    date_time,
    nm_per_resolution_unit,
    parsed_xml,
    pixels_per_unit,
    tag_text,
)

DM_UNIT_X, DM_UNIT_Y, DM_SCALE_X, DM_SCALE_Y = 65003, 65004, 65009, 65010
# 20,000 dots an inch; no printer reaches it, 1.27 µm is the coarsest pixel taken from it.
COARSEST_RESOLUTION_NM = 1270.0


def statements_of(tif: tifffile.TiffFile, page: Any) -> Statement:
    """Pixel size, acquisition, and why this is no image, as the first writer that speaks says."""
    acquisition = Acquisition(acquired_local=date_time(page), instrument=tag_text(page, "Model"))
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
    y = (pixels_per_unit(page, "YResolution"), y_unit)
    x = (pixels_per_unit(page, "XResolution"), unit)
    return _one_over(y, x), acquisition, obstacle_of_axes(y_unit, unit)


def _one_over(y: tuple[float, str], x: tuple[float, str]) -> PixelSize:
    if y[0] <= 0 or x[0] <= 0:
        return UNCALIBRATED
    return pixel_size_of((1 / y[0], y[1]), (1 / x[0], x[1]), CalibrationSource.FILE)


def _ome(tif: tifffile.TiffFile, page: Any, acquisition: Acquisition) -> Statement | None:
    del page
    root = parsed_xml(tif.ome_metadata) if tif.is_ome else None
    pixels = None if root is None else root.find(".//{*}Pixels")
    if pixels is None:
        return None
    y = (number(pixels.get("PhysicalSizeY")), pixels.get("PhysicalSizeYUnit") or "µm")
    x = (number(pixels.get("PhysicalSizeX")), pixels.get("PhysicalSizeXUnit") or "µm")
    return pixel_size_of(y, x, CalibrationSource.FILE), acquisition, obstacle_of_axes(y[1], x[1])


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


WRITERS: tuple[Callable[[tifffile.TiffFile, Any, Acquisition], Statement | None], ...] = (
    _imagej,
    _ome,
    _digital_micrograph,
    olympus_sis,
    tvips,
    jeol,
)


def _resolution(page: Any) -> PixelSize:
    nm = nm_per_resolution_unit(page)
    y, x = pixels_per_unit(page, "YResolution"), pixels_per_unit(page, "XResolution")
    if nm is None or min(y, x) < nm / COARSEST_RESOLUTION_NM:
        return UNCALIBRATED
    return pixel_size_of((nm / y, "nm"), (nm / x, "nm"), CalibrationSource.FILE)
