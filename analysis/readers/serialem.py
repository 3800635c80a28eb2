"""What a SerialEM `.mdoc` states about the image beside it.

Plain text, `Key = value` lines: a head for the whole file, then one `[ZValue = n]` a frame. Lengths
are in Å and µm, the tension in kV.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from analysis.micrograph import Acquisition, CalibrationSource, ImagingMode
from analysis.readers.signal import PixelSize, pixel_size_of

MDOC_BYTES = 4 * 2**20
TIME_FORMATS = ("%d-%b-%y  %H:%M:%S", "%d-%b-%Y  %H:%M:%S", "%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, kw_only=True)
class SerialEmStatement:
    """Pixel size and acquisition as the `.mdoc` gives them."""

    pixel_size: PixelSize
    acquisition: Acquisition


def read_mdoc(path: Path) -> SerialEmStatement:
    """What the head and the first frame of the `.mdoc` state."""
    with path.open("rb") as file:
        text = file.read(MDOC_BYTES).decode("utf-8", errors="replace")
    stated = _first_values(text)
    spacing_a = _number(stated, "PixelSpacing")
    defocus_um = _number(stated, "Defocus")
    return SerialEmStatement(
        pixel_size=pixel_size_of(
            (spacing_a or math.nan, "Å"), (spacing_a or math.nan, "Å"), CalibrationSource.SIDECAR
        ),
        acquisition=Acquisition(
            imaging_mode=ImagingMode.UNKNOWN,
            acquired_local=_local_time(stated.get("DateTime")),
            high_tension_kv=_number(stated, "Voltage"),
            magnification=_number(stated, "Magnification"),
            exposure_s=_number(stated, "ExposureTime"),
            dose_e_per_a2=_number(stated, "ExposureDose") or None,
            defocus_nm=None if defocus_um is None else defocus_um * 1e3,
        ),
    )


def _first_values(text: str) -> Mapping[str, str]:
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("["):
            values.setdefault(key.strip(), value.strip())
    return values


def _number(stated: Mapping[str, str], key: str) -> float | None:
    try:
        value = float(stated[key])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _local_time(text: str | None) -> datetime | None:
    for time_format in TIME_FORMATS:
        try:
            return datetime.strptime(text or "", time_format)  # noqa: DTZ007  states no zone
        except ValueError:
            continue
    return None
