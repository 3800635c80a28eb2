"""The camera: what it makes of a noise-free picture, from drift to dead pixels.

An exposure is drawn apart from the specimen, so that training sees each field through a new camera
every time.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from analysis.simulation.grid import FIELD_PX, PIXEL_SIZE_NM

Conditions = Literal["broad", "good_day"]

COUNTS_MAX = 65535


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """The camera and what reaches it.

    `mtf_at_nyquist` in (0, 1]; a `counting` camera has its blur before the shot noise, a
    scintillator after it. `gradient` is the relative change of the illumination across the
    picture. `drift_nm`: how far the specimen moves, evenly, during the exposure. `stripe_gain`:
    relative deviation of the gain from line to line. `spikes`, `bad_pixels`: expected number of
    X-ray hits, and of dead or hot pixels, per 512² pixels.
    """

    dose_e_per_a2: float = 1000.0
    pixel_size_nm: float = PIXEL_SIZE_NM
    mtf_at_nyquist: float = 0.5
    counting: bool = False
    counts_per_electron: float = 8.0
    readout_counts: float = 2.0
    gradient: float = 0.0
    gradient_angle_rad: float = 0.0
    drift_nm: float = 0.0
    drift_angle_rad: float = 0.0
    stripe_gain: float = 0.0
    spikes: float = 0.0
    bad_pixels: float = 0.0

    @property
    def electrons_per_px(self) -> float:
        """Electrons that reach a pixel behind vacuum."""
        return self.dose_e_per_a2 * (10 * self.pixel_size_nm) ** 2

    def relative_noise(self) -> tuple[float, float]:
        """Variance of shot noise and of readout in a pixel, relative to vacuum squared."""
        readout = self.readout_counts / (self.counts_per_electron * self.electrons_per_px)
        return 1 / self.electrons_per_px, readout**2


def draw_exposure(
    rng: np.random.Generator,
    conditions: Conditions = "broad",
    pixel_size_nm: float | None = None,
) -> Exposure:
    """A camera setting; 20-5000 e/Å² and 0.01-0.1 nm/px where no pixel size is given."""
    drawn_nm = float(np.exp(rng.uniform(np.log(0.01), np.log(0.1))))
    pixel_nm = drawn_nm if pixel_size_nm is None else pixel_size_nm
    counting = rng.random() < 0.4
    good_day = conditions == "good_day"
    lowest, highest = (500, 3000) if good_day else (20, 5000)
    exposure = Exposure(
        dose_e_per_a2=float(np.exp(rng.uniform(np.log(lowest), np.log(highest)))),
        pixel_size_nm=pixel_nm,
        mtf_at_nyquist=rng.uniform(0.4, 0.9) if counting else rng.uniform(0.1, 0.5),
        counting=counting,
        counts_per_electron=float(np.exp(rng.uniform(np.log(3), np.log(25)))),
        readout_counts=rng.uniform(0, 1) if counting else rng.uniform(1, 10),
        gradient=rng.uniform(0, 0.05) if good_day else abs(rng.normal(0, 0.08)),
        gradient_angle_rad=rng.uniform(0, 2 * np.pi),
        spikes=0.5 if rng.random() < 0.5 else 0.0 if good_day else rng.uniform(0, 6),
    )
    return exposure if good_day else _with_troubles(exposure, rng)


def _with_troubles(exposure: Exposure, rng: np.random.Generator) -> Exposure:
    """Drift in three of ten pictures, stripes and bad pixels in two."""
    drifting, striped, bad = (rng.random() < share for share in (0.3, 0.2, 0.2))
    return replace(
        exposure,
        drift_nm=rng.uniform(0, 0.15) if drifting else 0.0,
        drift_angle_rad=rng.uniform(0, np.pi),
        stripe_gain=rng.uniform(0, 0.02) if striped else 0.0,
        bad_pixels=rng.uniform(0, 10) if bad else 0.0,
    )


def expose(
    picture: NDArray[np.float32], exposure: Exposure, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Counts (h, w) the camera writes for a noise-free picture, 1 behind vacuum."""
    expected = drifted(picture, exposure) * _illumination(picture.shape, exposure)
    expected = expected * np.float32(exposure.electrons_per_px)
    if exposure.counting:
        expected = blurred(expected, exposure.mtf_at_nyquist)
    counts = rng.poisson(np.maximum(expected, 0)).astype(np.float32)
    if not exposure.counting:
        counts = blurred(counts, exposure.mtf_at_nyquist)
    counts *= np.float32(exposure.counts_per_electron)
    counts *= _stripes(picture.shape, exposure, rng)
    counts += np.float32(exposure.readout_counts) * rng.standard_normal(counts.shape, np.float32)
    _add_spikes(counts, exposure, rng)
    _break_pixels(counts, exposure, rng)
    return np.clip(np.rint(counts), 0, COUNTS_MAX).astype(np.uint16)


def drifted(picture: NDArray[np.float32], exposure: Exposure) -> NDArray[np.float32]:
    """The picture (h, w) smeared evenly along the drift."""
    if exposure.drift_nm == 0:
        return picture
    h, w = picture.shape
    along = (
        math.sin(exposure.drift_angle_rad) * fft.fftfreq(h, exposure.pixel_size_nm)[:, None]
        + math.cos(exposure.drift_angle_rad) * fft.rfftfreq(w, exposure.pixel_size_nm)[None, :]
    )
    smear = np.sinc(along * exposure.drift_nm).astype(np.float32)
    return np.asarray(fft.irfft2(fft.rfft2(picture) * smear, s=picture.shape), dtype=np.float32)


def _illumination(shape: tuple[int, ...], exposure: Exposure) -> NDArray[np.float32]:
    """Relative illumination, mean 1: a slope and half as much falling off from the middle."""
    y, x = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in shape)
    angle = exposure.gradient_angle_rad
    slope = math.cos(angle) * x[None, :] + math.sin(angle) * y[:, None]
    bowl = 1 / 6 - x[None, :] ** 2 - y[:, None] ** 2
    return np.asarray(1 + exposure.gradient * (slope + 0.5 * bowl), dtype=np.float32)


def blurred(counts: NDArray[np.float32], mtf_at_nyquist: float) -> NDArray[np.float32]:
    """Counts behind a Lorentzian MTF, 1/(1 + k q²/q_N²), with the given value at Nyquist."""
    k = 1 / mtf_at_nyquist - 1
    h, w = counts.shape
    q2 = (2 * fft.fftfreq(h)[:, None]) ** 2 + (2 * fft.rfftfreq(w)[None, :]) ** 2
    mtf = (1 / (1 + k * q2)).astype(np.float32)
    return np.asarray(fft.irfft2(fft.rfft2(counts) * mtf, s=counts.shape), dtype=np.float32)


def _stripes(
    shape: tuple[int, ...], exposure: Exposure, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Relative gain of each row or of each column, mean 1."""
    axis = int(rng.integers(0, 2))
    lines = (shape[0], 1) if axis == 0 else (1, shape[1])
    return 1 + np.float32(exposure.stripe_gain) * rng.standard_normal(lines, np.float32)


def _add_spikes(counts: NDArray[np.float32], exposure: Exposure, rng: np.random.Generator) -> None:
    """X-ray hits: single pixels several times as bright as the mean, in place."""
    hits = rng.poisson(exposure.spikes * counts.size / FIELD_PX**2)
    y, x = (rng.integers(0, n, hits) for n in counts.shape)
    counts[y, x] += rng.uniform(2, 30, hits).astype(np.float32) * (counts.mean() + 10)


def _break_pixels(
    counts: NDArray[np.float32], exposure: Exposure, rng: np.random.Generator
) -> None:
    """Dead pixels at 0 and hot ones several times as bright as the mean, in place."""
    broken = rng.poisson(exposure.bad_pixels * counts.size / FIELD_PX**2)
    y, x = (rng.integers(0, n, broken) for n in counts.shape)
    hot = rng.random(broken) < 0.5
    counts[y, x] = np.where(hot, rng.uniform(2, 10, broken) * (counts.mean() + 10), 0.0)
