"""Say what of a turned crystal a perfect eye could see: reflections, a planar fault, its class.

A label is what is visible, never what was built: a fault turned away from the beam is none. A
rotation is a matrix (3, 3) from the crystal frame to the field, whose z is the beam.
"""

from functools import cache

import numpy as np

from analysis.simulation.crystals import MATERIALS, Vectors, reciprocal_vectors

INFORMATION_LIMIT_NM = 0.12
"""Finest spacing the simulation transfers: 2/3 of Nyquist at 0.04 nm/px."""

STRONG = 0.25
"""Reflections weaker than this share of the strongest are not counted as transferred."""

MEAN_CHORD = 2 / 3
"""Mean thickness over diameter, of a sphere along the beam."""

WAVELENGTH_300_KV_NM = 0.00197
LEAST_ANGLE_RAD = np.deg2rad(10)


def visible_class(reflections: int, fault_visible: bool) -> str:
    """Class of a particle that overlaps no other."""
    if reflections < 2:
        return "misoriented"
    return "stacking_fault" if fault_visible else "no_stacking_fault"


def transferred_reflections(material: str, diameter_nm: float, rotation: Vectors) -> int:
    """Number of non-parallel directions among the excited strong reflections, at 300 kV."""
    return directions(excited_reflections(material, diameter_nm, rotation, WAVELENGTH_300_KV_NM))


def excited_reflections(
    material: str, diameter_nm: float, rotation: Vectors, wavelength_nm: float
) -> Vectors:
    """In-plane vectors (N, 2) in nm⁻¹, x right and y down, of the strong excited reflections.

    A reflection is excited where the Ewald sphere cuts its shape transform: excitation error
    below half the inverse mean thickness.
    """
    turned = _strong_reflections(material) @ rotation.T
    excitation = turned[:, 2] + 0.5 * wavelength_nm * np.sum(turned**2, axis=1)
    thickness_nm = MEAN_CHORD * diameter_nm
    return np.asarray(turned[np.abs(excitation) < 0.5 / thickness_nm, :2])


def directions(reflections: Vectors) -> int:
    """How many directions more than 10 degrees apart (N, 2) vectors have; g and -g are one."""
    azimuths = np.sort(np.mod(np.arctan2(reflections[:, 1], reflections[:, 0]), np.pi))
    if azimuths.size == 0:
        return 0
    gaps = np.diff(np.append(azimuths, azimuths[0] + np.pi))
    return max(1, int(np.count_nonzero(gaps > LEAST_ANGLE_RAD)))


@cache
def _strong_reflections(material: str) -> Vectors:
    g, strength = reciprocal_vectors(MATERIALS[material], 1 / INFORMATION_LIMIT_NM)
    return np.asarray(g[strength >= STRONG])


def edge_on_tolerance_rad(material: str, diameter_nm: float) -> float:
    """Tilt at which atom columns smear as far as the step between letters, a/(2√3).

    Seen along a row, that sideways step is all that tells one stacking from another.
    """
    step_nm = MATERIALS[material].row_nm / (2 * np.sqrt(3))
    return float(np.arctan(step_nm / (MEAN_CHORD * diameter_nm)))


def fault_edge_on(material: str, diameter_nm: float, rotation: Vectors) -> bool:
    """Whether the beam runs along a close-packed row of the fault plane, within the tolerance."""
    return row_tilt_rad(rotation) <= edge_on_tolerance_rad(material, diameter_nm)


def row_tilt_rad(rotation: Vectors) -> float:
    """Angle between the beam and the nearest close-packed row of the layers."""
    angles = np.deg2rad([0, 60, 120])
    rows = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(3)])
    cosines = np.abs(rows @ rotation[2])
    return float(np.arccos(min(1.0, cosines.max())))
