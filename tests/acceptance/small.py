"""Micrographs of a few kilobytes for tests of everything but the analysis."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.simulation.files import write_tiff

SIDE_PX = 96
PIXEL_SIZE_NM = 0.04
DISC_RADIUS_PX = 24


def disc(number: int) -> NDArray[np.uint16]:
    """(96, 96) counts: a dark disc of 1.9 nm on noise; another image for every number."""
    rng = np.random.default_rng(number)
    y, x = np.indices((SIDE_PX, SIDE_PX))
    inside = (y - SIDE_PX / 2) ** 2 + (x - SIDE_PX / 2) ** 2 < DISC_RADIUS_PX**2
    return rng.poisson(np.where(inside, 400, 1000)).astype(np.uint16)


def write_disc(path: Path, number: int) -> Path:
    """The disc as a calibrated TIFF, at once."""
    write_tiff(path, disc(number), PIXEL_SIZE_NM)
    return path
