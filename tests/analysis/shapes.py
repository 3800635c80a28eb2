"""Bodies of known geometry, digitised: a pixel belongs where its centre lies inside."""

import math

import numpy as np
from numpy.typing import NDArray


def _along_axes(
    shape: tuple[int, int], centre_yx: tuple[float, float], angle_rad: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates along and across an axis; the angle counter-clockwise as displayed."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    up, right = centre_yx[0] - y, x - centre_yx[1]
    along = right * math.cos(angle_rad) + up * math.sin(angle_rad)
    across = -right * math.sin(angle_rad) + up * math.cos(angle_rad)
    return along, across


def ellipse(
    shape: tuple[int, int],
    centre_yx: tuple[float, float],
    half_axes: tuple[float, float],
    angle_rad: float = 0.0,
) -> NDArray[np.uint8]:
    along, across = _along_axes(shape, centre_yx, angle_rad)
    return ((along / half_axes[0]) ** 2 + (across / half_axes[1]) ** 2 <= 1).astype(np.uint8)


def disc(
    shape: tuple[int, int], centre_yx: tuple[float, float], radius: float
) -> NDArray[np.uint8]:
    return ellipse(shape, centre_yx, (radius, radius))


def rectangle(
    shape: tuple[int, int],
    centre_yx: tuple[float, float],
    sides: tuple[float, float],
    angle_rad: float = 0.0,
) -> NDArray[np.uint8]:
    along, across = _along_axes(shape, centre_yx, angle_rad)
    inside = (np.abs(along) <= sides[0] / 2) & (np.abs(across) <= sides[1] / 2)
    return inside.astype(np.uint8)
