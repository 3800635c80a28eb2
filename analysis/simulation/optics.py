"""Turn an exit wave into a noise-free picture: the lens.

The lens is abTEM's contrast transfer function, envelopes included, multiplied onto the wave. Here
underfocus is negative; abTEM has the opposite sign.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from abtem.transfer import CTF
from numpy.typing import NDArray
from scipy import fft

from analysis.simulation.camera import Conditions
from analysis.simulation.fields import Field
from analysis.simulation.grid import CELL_NM, CELL_PX, FIELD_PX, MARGIN_PX, PIXEL_SIZE_NM

FINER_NM, COARSER_NM = 0.999 * PIXEL_SIZE_NM, 1.001 * PIXEL_SIZE_NM
ELECTRON_REST_KEV = 510.99895
HC_KEV_NM = 1.23984198


@dataclass(frozen=True, kw_only=True)
class Optics:
    """The lens: underfocus is negative.

    `focal_spread_nm` is Δ of the damping exp(-(π λ Δ q²/2)²), √2 times the standard deviation of
    the defocus. `absorption`: share of the intensity lost for each unit of the field's mass
    thickness; 0.003 darkens 5 nm of gold by a fifth.
    """

    defocus_nm: float = -40.0
    spherical_aberration_mm: float = 0.0
    focal_spread_nm: float = 3.0
    astigmatism_nm: float = 0.0
    astigmatism_angle_rad: float = 0.0
    coma_nm: float = 0.0
    coma_angle_rad: float = 0.0
    angular_spread_mrad: float = 0.1
    absorption: float = 0.0


def draw_optics(rng: np.random.Generator, conditions: Conditions = "broad") -> Optics:
    """A lens setting: anything between corrected and old, or a good day's."""
    if conditions == "good_day":
        return Optics(
            defocus_nm=rng.uniform(-60, -20),
            spherical_aberration_mm=rng.uniform(-0.01, 0.01),
            focal_spread_nm=rng.uniform(1, 3.5),
            astigmatism_nm=abs(rng.normal(0, 1)),
            astigmatism_angle_rad=rng.uniform(0, np.pi),
            angular_spread_mrad=rng.uniform(0.02, 0.2),
            absorption=rng.uniform(0.0005, 0.003),
        )
    corrected = rng.random() < 0.6
    return Optics(
        defocus_nm=rng.uniform(-90, 90) if rng.random() < 0.6 else rng.uniform(-70, 0),
        spherical_aberration_mm=rng.uniform(-0.02, 0.02) if corrected else rng.uniform(0.4, 1.2),
        focal_spread_nm=rng.uniform(1, 4) if corrected else rng.uniform(2, 8),
        astigmatism_nm=abs(rng.normal(0, 3)),
        astigmatism_angle_rad=rng.uniform(0, np.pi),
        coma_nm=abs(rng.normal(0, 150)),
        coma_angle_rad=rng.uniform(0, 2 * np.pi),
        angular_spread_mrad=rng.uniform(0.02, 0.4),
        absorption=rng.uniform(0, 0.004) if rng.random() < 0.8 else 0.0,
    )


def wavelength_nm(energy_kev: float) -> float:
    """Relativistic electron wavelength in nm, λ = hc/√(E(E + 2mc²))."""
    return HC_KEV_NM / math.sqrt(energy_kev * (energy_kev + 2 * ELECTRON_REST_KEV))


def transfer_function(optics: Optics, energy_kev: float) -> NDArray[np.complex64]:
    """Transfer function (576, 576) by abTEM on the grid of `scipy.fft.fft2`, rows are y."""
    ctf = CTF(
        energy=1e3 * energy_kev,
        defocus=-10 * optics.defocus_nm,
        Cs=1e7 * optics.spherical_aberration_mm,
        astigmatism=10 * optics.astigmatism_nm,
        astigmatism_angle=optics.astigmatism_angle_rad,
        coma=10 * optics.coma_nm,
        coma_angle=optics.coma_angle_rad,
        focal_spread=10 * optics.focal_spread_nm,
        angular_spread=optics.angular_spread_mrad,
    )
    alpha, phi = _angular_grid(energy_kev)
    return np.asarray(ctf._evaluate_from_angular_grid(alpha, phi), dtype=np.complex64)


@lru_cache(maxsize=4)
def _angular_grid(energy_kev: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scattering angle in rad and azimuth of every Fourier pixel; y points down."""
    q = fft.fftfreq(CELL_PX, PIXEL_SIZE_NM).astype(np.float32)
    qx, qy = q[None, :], q[:, None]
    alpha = np.hypot(qx, qy) * np.float32(wavelength_nm(energy_kev))
    return alpha.astype(np.float32), np.arctan2(qy, qx).astype(np.float32)


def intensity(
    field: Field, optics: Optics, pixel_size_nm: float = PIXEL_SIZE_NM
) -> NDArray[np.float32]:
    """Noise-free picture (h, w) of the field, 1 where the beam meets nothing.

    Finer pixels than 0.04 nm come from the padded spectrum of the wave, before it is squared, and
    are therefore exact; coarser ones are averages over their area. 512² at 0.04, 1024² at 0.02.
    """
    spectrum = fft.fft2(field.exit_wave) * transfer_function(optics, field.energy_kev)
    cell_px = cell_side_px(pixel_size_nm)
    wave = fft.ifft2(spectrum if cell_px == CELL_PX else _padded(spectrum, cell_px))
    bright = (wave.real**2 + wave.imag**2).astype(np.float32) * _transmitted(field, optics, cell_px)
    margin_px = round(MARGIN_PX * cell_px / CELL_PX)
    window = slice(margin_px, margin_px + round(FIELD_PX * cell_px / CELL_PX))
    picture = np.ascontiguousarray(bright[window, window])
    side_px = picture_side_px(pixel_size_nm)
    if side_px >= len(picture):
        return picture
    return np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA))


def _transmitted(field: Field, optics: Optics, cell_px: int) -> NDArray[np.float32]:
    """Share of the intensity (cell, cell) that absorption leaves."""
    left = np.exp(-optics.absorption * field.mass_thickness.astype(np.float32))
    return np.asarray(cv2.resize(left, (cell_px, cell_px), interpolation=cv2.INTER_LINEAR))


def picture_side_px(pixel_size_nm: float) -> int:
    """Side of the picture of a whole field, in pixels."""
    if pixel_size_nm > COARSER_NM:
        return round(FIELD_PX * PIXEL_SIZE_NM / pixel_size_nm)
    return round(FIELD_PX * cell_side_px(pixel_size_nm) / CELL_PX)


def cell_side_px(pixel_size_nm: float) -> int:
    """Side of the whole cell in pixels: an even number at finer pixels, 576 at coarser ones."""
    if pixel_size_nm >= FINER_NM:
        return CELL_PX
    return 2 * round(CELL_NM / pixel_size_nm / 2)


def _padded(spectrum: NDArray[np.complex64], side_px: int) -> NDArray[np.complex64]:
    """The spectrum on a larger grid, scaled so that amplitudes stay.

    The band of the wave ends well before Nyquist: the row and column there are empty.
    """
    half = CELL_PX // 2
    wide = np.zeros((side_px, side_px), np.complex64)
    scale = np.float32((side_px / CELL_PX) ** 2)
    for rows in (slice(0, half), slice(-half, None)):
        for columns in (slice(0, half), slice(-half, None)):
            wide[rows, columns] = scale * spectrum[rows, columns]
    return wide
