"""What a SerialEM `.mdoc` states about the image beside it.

Plain text, `Key = value` lines: a head for the whole file, then one `[ZValue = n]` a frame. Lengths
are in Å and µm, the tension in kV.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from analysis.micrograph import Acquisition, CalibrationSource, ImagingMode
from analysis.readers.signal import UNCALIBRATED, PixelSize, pixel_size_of
from analysis.readers.stated import local_time

MDOC_BYTES = 4 * 2**20
TIME_FORMATS = ("%d-%b-%y  %H:%M:%S", "%d-%b-%Y  %H:%M:%S", "%Y-%m-%d %H:%M:%S")


def completed(
    pixel_size: PixelSize, acquisition: Acquisition, companions: Iterable[Path]
) -> tuple[PixelSize, Acquisition]:
    """What a file states, completed by the `.mdoc` among its companions."""
    for mdoc in (other for other in companions if other.suffix.lower() == ".mdoc"):
        spacing, settings = read_mdoc(mdoc)
        if pixel_size is UNCALIBRATED:
            pixel_size = spacing
        missing = {
            name: value
            for name, value in vars(settings).items()
            if getattr(acquisition, name) in (None, ImagingMode.UNKNOWN)
        }
        acquisition = replace(acquisition, **missing)
    return pixel_size, acquisition


def read_mdoc(path: Path) -> tuple[PixelSize, Acquisition]:
    """Pixel size and acquisition as the head and the first frame of the `.mdoc` state them."""
    with path.open("rb") as file:
        text = file.read(MDOC_BYTES).decode("utf-8", errors="replace")
    stated = _first_values(text)
    spacing_a = _number(stated, "PixelSpacing")
    defocus_um = _number(stated, "Defocus")
    spacing = (spacing_a or math.nan, "Å")
    acquisition = Acquisition(
        acquired_local=local_time(stated.get("DateTime"), TIME_FORMATS),
        high_tension_kv=_number(stated, "Voltage"),
        magnification=_number(stated, "Magnification"),
        exposure_s=_number(stated, "ExposureTime"),
        dose_e_per_a2=_number(stated, "ExposureDose") or None,
        defocus_nm=None if defocus_um is None else defocus_um * 1e3,
    )
    return pixel_size_of(spacing, spacing, CalibrationSource.SIDECAR), acquisition


def _first_values(text: str) -> Mapping[str, str]:
    """What each key states first; a last line without its end may have been cut in a number."""
    values: dict[str, str] = {}
    whole = text[: text.rfind("\n") + 1]
    for line in whole.splitlines():
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
