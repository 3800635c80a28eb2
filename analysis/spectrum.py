"""The Fourier transform of a weighted crop, and its radial power per unit area.

In bins of 0.05 nm⁻¹ from 0.5 to 8 nm⁻¹, the same for every crop and pixel size: white noise of
deviation s has the power s²·p² whatever the crop, p the pixel size. One transform of a region
serves its profile, its reflections and its lattice phase.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

LOWEST_PER_NM = 0.5
HIGHEST_PER_NM = 8.0  # below Nyquist of 0.0625 nm/px
BIN_PER_NM = 0.05
LEAST_FIELD_NM = 20.0  # zero-padded to at least this: samples no further apart than a bin
DOUBLED_UP_TO_NM = 40.0  # |F|² of a crop L is smooth over 1/2L; a larger one fills its bins anyway


def bin_centres_per_nm(pixel_size_nm: float) -> NDArray[np.float64]:
    """Centres of the bins that lie wholly below Nyquist, in nm⁻¹, (n,) float64.

    150 of them up to 0.0625 nm/px, fewer for larger pixels, none above 0.9 nm/px.
    """
    highest = min(HIGHEST_PER_NM, 0.5 / pixel_size_nm)
    count = max(0, math.floor((highest - LOWEST_PER_NM) / BIN_PER_NM + 1e-6))
    return np.asarray(LOWEST_PER_NM + BIN_PER_NM * (np.arange(count) + 0.5), np.float64)


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """The transform of a weighted crop, as far as the bins go or to Nyquist.

    `transform`: (2K + 1, 2K + 1) complex64 in intensity·nm, scaled so that |F|² is the power per
    unit area; q = 0 is in the middle, rows are q_y and point down. Its phase refers to the centre
    of the first pixel. `step_per_nm`: between samples. `area_nm2`: Σ w²·p², the area the power
    is referred to. `side_px`, `pixel_size_nm`: of the padded crop.
    """

    transform: NDArray[np.complex64]
    step_per_nm: float
    area_nm2: float
    side_px: int
    pixel_size_nm: float

    @property
    def kept(self) -> int:
        """K, the number of samples on each side of q = 0."""
        return len(self.transform) // 2

    def power(self) -> NDArray[np.float32]:
        """|F|², (2K + 1, 2K + 1) float32 in intensity²·nm²."""
        return np.asarray(self.transform.real**2 + self.transform.imag**2, np.float32)


def spectrum(
    intensity: NDArray[np.float32], weight: NDArray[np.float32], pixel_size_nm: float
) -> Spectrum:
    """F(q) = p·Σ w·(I − μ)·exp(−2πi q·r) / √Σ w², with μ the weighted mean.

    |F|² is the power per unit area; over all q, ∫|F|² d²q is the variance weighted by w².

    Args:
        intensity: (h, w) float32, a crop.
        weight: (h, w) float32 in [0, 1], falling smoothly to 0 at the rim of the crop.
        pixel_size_nm: side of a pixel, in nm.
    """
    reduced = weight * (intensity - np.float32(np.average(intensity, weights=weight)))
    side_px = _side_px(max(reduced.shape), pixel_size_nm)
    kept = _kept(side_px, pixel_size_nm)
    squares = float(np.square(weight, dtype=np.float64).sum())
    rows = fft.rfft(reduced, n=side_px, axis=1)[:, : kept + 1]
    columns = fft.fft(rows, n=side_px, axis=0)
    transform = np.empty((2 * kept + 1, 2 * kept + 1), np.complex64)
    transform[kept:, kept:] = columns[: kept + 1]
    transform[:kept, kept:] = columns[side_px - kept :]
    transform[:, :kept] = transform[::-1, :kept:-1].conj()  # the picture is real
    transform *= np.float32(pixel_size_nm / math.sqrt(squares))
    return Spectrum(
        transform=transform,
        step_per_nm=1 / (side_px * pixel_size_nm),
        area_nm2=squares * pixel_size_nm**2,
        side_px=side_px,
        pixel_size_nm=pixel_size_nm,
    )


def radial_power(
    intensity: NDArray[np.float32], weight: NDArray[np.float32], pixel_size_nm: float
) -> NDArray[np.float64]:
    """Azimuthal mean of the power per unit area, in intensity²·nm², one value for each bin.

    Args:
        intensity: (h, w) float32, a crop.
        weight: (h, w) float32 in [0, 1], falling smoothly to 0 at the rim of the crop.
        pixel_size_nm: side of a pixel, in nm.

    Returns:
        (n,) float64 for the bins of `bin_centres_per_nm`.
    """
    found = spectrum(intensity, weight, pixel_size_nm)
    return radial_mean(found, found.power())


def radial_mean(spectrum: Spectrum, power: NDArray[np.float32]) -> NDArray[np.float64]:
    """Azimuthal mean of its power, one value for each bin of `bin_centres_per_nm`, (n,) float64."""
    rings = _rings(spectrum.side_px, spectrum.pixel_size_nm)
    return np.asarray(rings @ power[:, spectrum.kept :].ravel(), np.float64)


def _side_px(crop_px: int, pixel_size_nm: float) -> int:
    crop_nm = crop_px * pixel_size_nm
    side_nm = max(LEAST_FIELD_NM, crop_nm, min(2 * crop_nm, DOUBLED_UP_TO_NM))
    side_px: int = fft.next_fast_len(math.ceil(side_nm / pixel_size_nm), real=True)
    return side_px


def _kept(side_px: int, pixel_size_nm: float) -> int:
    """Samples on each side of q = 0 that the bins need, or that there are below Nyquist."""
    bins = bin_centres_per_nm(pixel_size_nm).size
    highest_per_nm = LOWEST_PER_NM + (bins + 0.5) * BIN_PER_NM
    return min(math.floor(highest_per_nm * side_px * pixel_size_nm), (side_px - 1) // 2)


@lru_cache(maxsize=4)
def _rings(side_px: int, pixel_size_nm: float) -> sparse.csr_array:
    """The matrix (bins, samples) that takes the azimuthal mean of the right half of a power.

    Rows −K ... K and columns 0 ... K: of a real picture's transform the other half repeats them,
    so all columns but the first count twice. A sample between the centres of two bins counts for
    both in proportion: a reflection does not jump between bins with the padding.
    """
    bins = bin_centres_per_nm(pixel_size_nm).size
    step_per_nm = 1 / (side_px * pixel_size_nm)
    kept = _kept(side_px, pixel_size_nm)
    qy = np.arange(-kept, kept + 1) * step_per_nm
    qx = np.arange(kept + 1) * step_per_nm
    position = ((np.hypot(qy[:, None], qx[None, :]) - LOWEST_PER_NM) / BIN_PER_NM - 0.5).ravel()
    lower = np.floor(position).astype(np.int32)
    upper_share = (position - lower).astype(np.float32)
    times = np.broadcast_to(
        np.where(qx > 0, np.float32(2), np.float32(1)), (qy.size, qx.size)
    ).ravel()
    bin_index = np.concatenate([lower, lower + 1])
    share = np.concatenate([times * (1 - upper_share), times * upper_share])
    sample = np.tile(np.arange(position.size, dtype=np.int32), 2)
    inside = (bin_index >= 0) & (bin_index < bins)
    counted = sparse.csr_array(
        (share[inside], (bin_index[inside], sample[inside])), shape=(bins, position.size)
    )
    totals = np.asarray(counted.sum(axis=1)).ravel()
    return sparse.csr_array((1 / totals)[:, None] * counted)
