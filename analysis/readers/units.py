"""Units of an axis as microscopes write them, turned to nm.

`n_m`, `um`, `µm`, `micron`, `Å`, `A`, `pm` and `m` all occur; so do `1/nm`, `mrad` and `eV`, which
say that the picture is no image of the specimen.
"""

import math
import unicodedata
from enum import StrEnum

# A pixel of an electron micrograph lies between 0.1 pm and 0.1 mm; outside, the number is a
# placeholder or its unit is wrong, and states nothing.
PLAUSIBLE_NM = (1e-4, 1e5)

NM_PER_UNIT = {
    "m": 1e9,
    "meter": 1e9,
    "metre": 1e9,
    "μm": 1e3,
    "um": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "micrometers": 1e3,
    "micrometre": 1e3,
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometers": 1.0,
    "nanometre": 1.0,
    "å": 0.1,
    "a": 0.1,
    "angstrom": 0.1,
    "angstroms": 0.1,
    "ångström": 0.1,
    "pm": 1e-3,
    "picometer": 1e-3,
    "picometers": 1e-3,
}
ANGLE_UNITS = frozenset({"rad", "mrad", "μrad", "urad", "deg", "degrees", "°"})
ENERGY_UNITS = frozenset({"ev", "kev", "mev"})


class AxisKind(StrEnum):
    """What is laid out along an axis."""

    LENGTH = "length"
    RECIPROCAL = "reciprocal"
    ENERGY = "energy"
    UNKNOWN = "unknown"


def _plain(unit: str) -> str:
    unit = unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ")
    unit = unicodedata.normalize("NFKC", unit)
    return unit.replace("_", "").replace(" ", "").strip("[]()\0").lower()


def axis_kind(unit: str | None) -> AxisKind:
    """Kind of the axis that carries this unit."""
    plain = _plain(unit or "")
    if plain in NM_PER_UNIT:
        return AxisKind.LENGTH
    if plain in ENERGY_UNITS:
        return AxisKind.ENERGY
    reciprocal = plain.startswith("1/") or plain.endswith(("^-1", "-1", "⁻¹"))
    if reciprocal or plain in ANGLE_UNITS:
        return AxisKind.RECIPROCAL
    return AxisKind.UNKNOWN


def length_nm(value: float, unit: str | None) -> float | None:
    """Length in nm, or None where the unit is no length or the value cannot be a pixel size."""
    factor = NM_PER_UNIT.get(_plain(unit or ""))
    if factor is None or not math.isfinite(value):
        return None
    nm = abs(value) * factor
    smallest, largest = PLAUSIBLE_NM
    return nm if smallest <= nm <= largest else None
