"""Micrographs of any size with any number of crystals, drawn in seconds.

Discs with two families of fringes on speckled carbon, on a grid with jitter so that none touches
another. They look enough like particles for the network to find them, and are not meant for more.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.analysis.gratings import wave
from tests.analysis.lattices import BETWEEN_RAD, GOLD_PER_NM

CARBON_COUNTS = 400.0
SPECKLE = 0.06  # deviation of the carbon, as a share of the counts
SPECKLE_NM = 0.12
DARKER = 0.22
FRINGES = 0.16
LARGEST_NM = 6.0
FILLING = 0.62  # of a cell of the grid, by the diameter
JITTER = 0.15
_MARGIN_PX = 2


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A micrograph, (H, W) uint16, and which of its pixels belong to a crystal, (H, W) bool."""

    counts: NDArray[np.uint16]
    is_crystal: NDArray[np.bool_]


def scene(side_px: int, particles: int, pixel_size_nm: float, seed: int) -> Scene:
    """A field of crystals.

    Args:
        side_px: of the square micrograph.
        particles: how many.
        pixel_size_nm: side of a pixel, in nm.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    speckle = cv2.GaussianBlur(
        rng.standard_normal((side_px, side_px), np.float32), (0, 0), SPECKLE_NM / pixel_size_nm
    )
    mean = CARBON_COUNTS * (1 + SPECKLE * speckle / speckle.std())
    is_crystal = np.zeros(mean.shape, np.bool_)
    across = math.ceil(math.sqrt(particles))
    cell_px = side_px / across
    radius_px = min(LARGEST_NM / pixel_size_nm, FILLING * cell_px) / 2
    for place in rng.permutation(across**2)[:particles]:
        middle = (np.array(divmod(int(place), across)) + 0.5) * cell_px
        middle += rng.uniform(-JITTER, JITTER, 2) * cell_px
        box, inside = _disc(middle, radius_px, mean.shape)
        waves = _fringes(box, pixel_size_nm, rng.uniform(0, math.pi))
        mean[box] = np.where(inside, CARBON_COUNTS * (1 - DARKER + FRINGES * waves), mean[box])
        is_crystal[box] |= inside
    counts = rng.poisson(np.maximum(mean, 1.0)).astype(np.uint16)
    return Scene(counts=counts, is_crystal=is_crystal)


def _disc(
    middle: NDArray[np.float64], radius_px: float, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """A box of the field, and which of its pixels lie in the disc."""
    reach = math.ceil(radius_px) + _MARGIN_PX
    low = np.maximum(np.floor(middle).astype(int) - reach, 0)
    high = np.minimum(np.floor(middle).astype(int) + reach + 1, shape)
    box = slice(low[0], high[0]), slice(low[1], high[1])
    y, x = np.mgrid[box]
    return box, np.hypot(y - middle[0], x - middle[1]) <= radius_px


def _fringes(
    box: tuple[slice, slice], pixel_size_nm: float, azimuth_rad: float
) -> NDArray[np.float64]:
    """Two crossing waves of unit amplitude."""
    y, x = np.mgrid[box] * pixel_size_nm
    first, second = GOLD_PER_NM
    return wave(y, x, first, azimuth_rad) + wave(y, x, second, azimuth_rad + BETWEEN_RAD)
