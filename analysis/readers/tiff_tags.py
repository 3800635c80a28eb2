"""Single tags of a TIFF page, as values with units."""

import re
import xml.etree.ElementTree as ET
from datetime import datetime
from typing import Any

import tifffile

from analysis.readers.stated import local_time, positive

NM_PER_RESOLUTION_UNIT = {tifffile.RESUNIT.INCH: 25.4e6, tifffile.RESUNIT.CENTIMETER: 1e7}
TIME_FORMATS = ("%Y:%m:%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S")
DESCRIPTION_CHARACTERS = 1_000_000


def nm_per_resolution_unit(page: Any) -> float | None:
    """Length of the unit in which the resolution is given, in nm; None where it has none."""
    unit = page.tags.get("ResolutionUnit")
    return None if unit is None else NM_PER_RESOLUTION_UNIT.get(unit.value)


def pixels_per_unit(page: Any, name: str) -> float:
    """Resolution of the tag, in pixels a unit; 0 where it states none."""
    tag = page.tags.get(name)
    if tag is None:
        return 0.0
    numerator, denominator = tag.value
    return numerator / denominator if denominator else 0.0


def date_time(page: Any) -> datetime | None:
    """Time of the microscope's clock, or None."""
    return local_time(tag_text(page, "DateTime"), TIME_FORMATS)


def exif_exposure_s(page: Any) -> float | None:
    """Exposure in s of the Exif block, or None."""
    exif = page.tags.get("ExifTag")
    if exif is None or not isinstance(exif.value, dict):
        return None
    numerator, denominator = exif.value.get("ExposureTime", (0, 1))
    return positive(numerator / denominator) if denominator else None


def tag_text(page: Any, name: str) -> str | None:
    """Text of the tag, or None where it is missing or empty."""
    tag = page.tags.get(name)
    return str(tag.value).strip() or None if tag is not None else None


def parsed_xml(text: str | None) -> ET.Element | None:
    """Parsed text, or None; entity declarations are not accepted."""
    if not text or len(text) > DESCRIPTION_CHARACTERS or "<!ENTITY" in text:
        return None
    start = re.search(r"<[A-Za-z]", text)
    try:
        return ET.fromstring(text[start.start() :].rstrip("\0 \r\n\t\1")) if start else None
    except ET.ParseError:
        return None
