"""Lattices as sums of plane waves, and what the analysis makes of a region of them.

Positions are in nm from the middle of the field, so a picture is the same at any pixel size.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from analysis.reflections import Lattice, find_lattice
from analysis.spectrum import spectrum

RIM_NM = 0.5
Picture = NDArray[np.float64]


def places_nm(pixel_size_nm: float, field_nm: float) -> tuple[Picture, Picture]:
    """y and x of every pixel."""
    side = round(field_nm / pixel_size_nm)
    along = (np.arange(side) - (side - 1) / 2) * pixel_size_nm
    y, x = np.meshgrid(along, along, indexing="ij")
    return y, x


def wave(
    y: Picture, x: Picture, q_per_nm: float, azimuth_rad: float, phase_rad: Picture | float = 0.0
) -> Picture:
    """A cosine of unit amplitude; its azimuth from +x towards +y, down."""
    across = x * math.cos(azimuth_rad) + y * math.sin(azimuth_rad)
    return np.asarray(np.cos(2 * np.pi * q_per_nm * across + phase_rad))


def white_noise(shape: tuple[int, ...], pixel_size_nm: float, seed: int) -> Picture:
    """Of unit power per nm⁻², whatever the pixel: its deviation is 1/p."""
    return np.random.default_rng(seed).normal(0, 1 / pixel_size_nm, shape)


def seen(picture: Picture, inside: NDArray[np.bool_], pixel_size_nm: float) -> Lattice:
    """The reflections of a region, whose weight falls to 0 across a rim of 0.5 nm."""
    outside_nm = ndimage.distance_transform_edt(~inside) * pixel_size_nm
    weight = np.clip(1 - outside_nm / RIM_NM, 0, 1)
    window = (0.5 - 0.5 * np.cos(np.pi * weight)).astype(np.float32)
    found = find_lattice(spectrum(picture.astype(np.float32), window, pixel_size_nm), window)
    assert found is not None
    return found


def disc_of(y: Picture, x: Picture, diameter_nm: float) -> NDArray[np.bool_]:
    """Which pixels lie in a disc in the middle."""
    return np.asarray(np.hypot(y, x) < diameter_nm / 2)
