"""Turn an exit wave into a picture: lens, detector, dose.

The lens is abTEM's contrast transfer function, envelopes included, multiplied onto the wave. Here
underfocus is negative; abTEM has the opposite sign. Optics and exposure are drawn apart from the
wave, so that training sees each field through a new microscope every time.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from abtem.transfer import CTF
from numpy.typing import NDArray
from scipy import fft

from analysis.simulation.fields import Field
from analysis.simulation.grid import CELL_NM, CELL_PX, FIELD_PX, MARGIN_PX, PIXEL_SIZE_NM

Conditions = Literal["broad", "good_day"]

COUNTS_MAX = 65535
FINER_NM, COARSER_NM = 0.999 * PIXEL_SIZE_NM, 1.001 * PIXEL_SIZE_NM
ELECTRON_REST_KEV = 510.99895
HC_KEV_NM = 1.23984198


@dataclass(frozen=True, kw_only=True)
class Optics:
    """The lens: underfocus is negative.

    `focal_spread_nm` is Δ of the damping exp(-(π λ Δ q²/2)²), √2 times the standard deviation of
    the defocus.
    """

    defocus_nm: float = -40.0
    spherical_aberration_mm: float = 0.0
    focal_spread_nm: float = 3.0
    astigmatism_nm: float = 0.0
    astigmatism_angle_rad: float = 0.0
    angular_spread_mrad: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """The camera and what reaches it.

    `mtf_at_nyquist` in (0, 1]; a `counting` camera has its blur before the shot noise, a
    scintillator after it. `gradient` is the relative change of the illumination across the
    picture. `spikes` is the expected number of X-ray hits per 512² pixels.
    """

    dose_e_per_a2: float = 1000.0
    pixel_size_nm: float = PIXEL_SIZE_NM
    mtf_at_nyquist: float = 0.5
    counting: bool = False
    counts_per_electron: float = 8.0
    readout_counts: float = 2.0
    gradient: float = 0.0
    gradient_angle_rad: float = 0.0
    spikes: float = 0.0


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
        )
    corrected = rng.random() < 0.6
    return Optics(
        defocus_nm=rng.uniform(-90, 90) if rng.random() < 0.6 else rng.uniform(-70, 0),
        spherical_aberration_mm=rng.uniform(-0.02, 0.02) if corrected else rng.uniform(0.4, 1.2),
        focal_spread_nm=rng.uniform(1, 4) if corrected else rng.uniform(2, 8),
        astigmatism_nm=abs(rng.normal(0, 3)),
        astigmatism_angle_rad=rng.uniform(0, np.pi),
        angular_spread_mrad=rng.uniform(0.02, 0.4),
    )


def draw_exposure(
    rng: np.random.Generator,
    conditions: Conditions = "broad",
    pixel_size_nm: float | None = None,
) -> Exposure:
    """A camera setting; the pixel size is drawn from 0.02 to 0.06 nm where none is given."""
    good_day = conditions == "good_day"
    drawn_nm = rng.uniform(0.02, 0.06)
    counting = rng.random() < 0.4
    dose = np.exp(rng.uniform(np.log(500 if good_day else 60), np.log(3000)))
    return Exposure(
        dose_e_per_a2=float(dose),
        pixel_size_nm=drawn_nm if pixel_size_nm is None else pixel_size_nm,
        mtf_at_nyquist=rng.uniform(0.4, 0.9) if counting else rng.uniform(0.1, 0.5),
        counting=counting,
        counts_per_electron=float(np.exp(rng.uniform(np.log(3), np.log(25)))),
        readout_counts=rng.uniform(0, 1) if counting else rng.uniform(1, 10),
        gradient=rng.uniform(0, 0.05) if good_day else abs(rng.normal(0, 0.08)),
        gradient_angle_rad=rng.uniform(0, 2 * np.pi),
        spikes=0.5 if rng.random() < 0.5 else 0.0 if good_day else rng.uniform(0, 6),
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
    cell_px = _cell_px(pixel_size_nm)
    wave = fft.ifft2(spectrum if cell_px == CELL_PX else _padded(spectrum, cell_px))
    bright = (wave.real**2 + wave.imag**2).astype(np.float32)
    margin_px = round(MARGIN_PX * cell_px / CELL_PX)
    window = slice(margin_px, margin_px + round(FIELD_PX * cell_px / CELL_PX))
    picture = np.ascontiguousarray(bright[window, window])
    side_px = picture_side_px(pixel_size_nm)
    if side_px >= len(picture):
        return picture
    return np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA))


def picture_side_px(pixel_size_nm: float) -> int:
    """Side of the picture of a whole field, in pixels."""
    if pixel_size_nm > COARSER_NM:
        return round(FIELD_PX * PIXEL_SIZE_NM / pixel_size_nm)
    return round(FIELD_PX * _cell_px(pixel_size_nm) / CELL_PX)


def _cell_px(pixel_size_nm: float) -> int:
    """Side of the cell in pixels: an even number at finer pixels, 576 at coarser ones."""
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


def expose(
    picture: NDArray[np.float32], exposure: Exposure, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Counts (h, w) the camera writes for a noise-free picture."""
    electrons_per_px = exposure.dose_e_per_a2 * (10 * exposure.pixel_size_nm) ** 2
    expected = picture * _illumination(picture.shape, exposure) * np.float32(electrons_per_px)
    if exposure.counting:
        expected = np.maximum(_blurred(expected, exposure.mtf_at_nyquist), 0)
    counts = rng.poisson(expected).astype(np.float32)
    if not exposure.counting:
        counts = _blurred(counts, exposure.mtf_at_nyquist)
    counts *= np.float32(exposure.counts_per_electron)
    counts += np.float32(exposure.readout_counts) * rng.standard_normal(counts.shape, np.float32)
    _add_spikes(counts, exposure, rng)
    return np.clip(np.rint(counts), 0, COUNTS_MAX).astype(np.uint16)


def _illumination(shape: tuple[int, ...], exposure: Exposure) -> NDArray[np.float32]:
    """Relative illumination, mean 1: a slope and half as much falling off from the middle."""
    y, x = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in shape)
    angle = exposure.gradient_angle_rad
    slope = math.cos(angle) * x[None, :] + math.sin(angle) * y[:, None]
    bowl = 1 / 6 - x[None, :] ** 2 - y[:, None] ** 2
    return np.asarray(1 + exposure.gradient * (slope + 0.5 * bowl), dtype=np.float32)


def _blurred(counts: NDArray[np.float32], mtf_at_nyquist: float) -> NDArray[np.float32]:
    """Counts behind a Lorentzian MTF, 1/(1 + k q²/q_N²), with the given value at Nyquist."""
    k = 1 / mtf_at_nyquist - 1
    h, w = counts.shape
    q2 = (2 * fft.fftfreq(h)[:, None]) ** 2 + (2 * fft.rfftfreq(w)[None, :]) ** 2
    mtf = (1 / (1 + k * q2)).astype(np.float32)
    return np.asarray(fft.irfft2(fft.rfft2(counts) * mtf, s=counts.shape), dtype=np.float32)


def _add_spikes(counts: NDArray[np.float32], exposure: Exposure, rng: np.random.Generator) -> None:
    """X-ray hits: single pixels several times as bright as the mean, in place."""
    hits = rng.poisson(exposure.spikes * counts.size / FIELD_PX**2)
    y, x = (rng.integers(0, n, hits) for n in counts.shape)
    counts[y, x] += rng.uniform(2, 30, hits).astype(np.float32) * (counts.mean() + 10)


def render(
    field: Field, optics: Optics, exposure: Exposure, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Counts (h, w) of the field seen through this lens by this camera."""
    picture = intensity(field, optics, exposure.pixel_size_nm)
    return expose(picture, actual_exposure(exposure), rng)


def actual_exposure(exposure: Exposure) -> Exposure:
    """The exposure with the pixel size the picture really has.

    A field has a whole number of pixels, which moves a drawn pixel size by less than 0.2 %.
    """
    if exposure.pixel_size_nm > COARSER_NM:
        side_px = picture_side_px(exposure.pixel_size_nm)
        return replace(exposure, pixel_size_nm=FIELD_PX * PIXEL_SIZE_NM / side_px)
    return replace(exposure, pixel_size_nm=CELL_NM / _cell_px(exposure.pixel_size_nm))


def truth_labels(field: Field, shape_px: tuple[int, int]) -> NDArray[np.uint16]:
    """The labels on the grid of a picture of the whole field, nearest neighbour."""
    size = (shape_px[1], shape_px[0])
    return np.asarray(cv2.resize(field.labels, size, interpolation=cv2.INTER_NEAREST_EXACT))
