"""A crystal on carbon, as a function of position: the same picture at any pixel size."""

import math

import numpy as np
from numpy.typing import NDArray

GOLD_PER_NM = (1 / 0.2355, 1 / 0.2039)  # 111 and 200
BETWEEN_RAD = math.radians(54.7)
CARBON_WAVES = 300


def crystal(
    pixel_size_nm: float,
    diameter_nm: float,
    field_nm: float,
    noise: float = 0.0,
    angle_rad: float = 0.3,
    carbon: float = 60.0,
    seed: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """Micrograph in counts and labels of a round crystal in the middle of its field.

    `carbon`: deviation of its speckle, in counts. `noise`: deviation of the shot noise, in counts
    per nm of pixel side, so that the dose per area is the same at every pixel size.
    """
    side = round(field_nm / pixel_size_nm)
    along = (np.arange(side) - (side - 1) / 2) * pixel_size_nm
    x, y = along[None, :], along[:, None]
    radius = np.hypot(x, y)
    inside = 0.5 - 0.5 * np.tanh((radius - diameter_nm / 2) / 0.1)
    fringes = sum(
        np.cos(2 * np.pi * q * (x * math.cos(a) + y * math.sin(a)) + 0.4)
        for q, a in zip(GOLD_PER_NM, (angle_rad, angle_rad + BETWEEN_RAD), strict=True)
    )
    image = (
        1000 + carbon * _carbon(x, y, np.random.default_rng(seed)) + inside * (90 * fringes - 80)
    )
    shot = np.random.default_rng(seed + 1).normal(0, 1, image.shape)
    image = image + shot * noise / pixel_size_nm
    return image.astype(np.float32), (radius <= diameter_nm / 2).astype(np.uint16)


def _carbon(
    x: NDArray[np.float64], y: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Speckle of unit deviation between 0.5 and 5 nm⁻¹; a sum of waves, so known everywhere."""
    q, angle, phase = rng.uniform((0.5, 0, 0), (5, 2 * np.pi, 2 * np.pi), (CARBON_WAVES, 3)).T
    across = np.exp(2j * np.pi * q[:, None] * np.cos(angle)[:, None] * x)
    down = np.exp(2j * np.pi * q * np.sin(angle) * y + 1j * phase)
    speckle = (down @ across).real
    return speckle / math.sqrt(CARBON_WAVES / 2)
