"""The radial power spectrum of a weighted crop, per unit area.

In bins of 0.05 nm⁻¹ from 0.5 to 8 nm⁻¹, the same for every crop and pixel size: white noise of
deviation s has the power s²·p² whatever the crop, p the pixel size.
"""

import math
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


def radial_power(
    intensity: NDArray[np.float32], weight: NDArray[np.float32], pixel_size_nm: float
) -> NDArray[np.float64]:
    """Azimuthal mean of the power per unit area, in intensity²·nm², one value for each bin.

    P(q) = p²·|Σ w·(I − μ)·exp(−2πi q·r)|² / Σ w², with μ the weighted mean; ∫P d²q is the
    weighted variance.

    Args:
        intensity: (h, w) float32, a crop.
        weight: (h, w) float32 in [0, 1], falling smoothly to 0 at the rim of the crop.
        pixel_size_nm: side of a pixel, in nm.

    Returns:
        (n,) float64 for the bins of `bin_centres_per_nm`.
    """
    reduced = weight * (intensity - np.float32(np.average(intensity, weights=weight)))
    side_px = _side_px(max(reduced.shape), pixel_size_nm)
    kept, rings = _rings(side_px, pixel_size_nm)
    rows = fft.rfft(reduced, n=side_px, axis=1)[:, : kept + 1]
    columns = fft.fft(rows, n=side_px, axis=0)
    transform = np.concatenate([columns[: kept + 1], columns[side_px - kept :]])
    power = transform.real**2 + transform.imag**2
    area = float(np.square(weight, dtype=np.float64).sum())
    return np.asarray(rings @ power.ravel() * (pixel_size_nm**2 / area), np.float64)


def _side_px(crop_px: int, pixel_size_nm: float) -> int:
    crop_nm = crop_px * pixel_size_nm
    side_nm = max(LEAST_FIELD_NM, crop_nm, min(2 * crop_nm, DOUBLED_UP_TO_NM))
    side_px: int = fft.next_fast_len(math.ceil(side_nm / pixel_size_nm), real=True)
    return side_px


@lru_cache(maxsize=4)
def _rings(side_px: int, pixel_size_nm: float) -> tuple[int, sparse.csr_array]:
    """The Fourier samples used, and the matrix (bins, samples) that takes their azimuthal mean.

    Rows −kept ... kept and columns 0 ... kept: of a real picture's transform the other half
    repeats them, so all columns but the first count twice. A sample between the centres of two
    bins counts for both in proportion: a reflection does not jump between bins with the padding.
    """
    bins = bin_centres_per_nm(pixel_size_nm).size
    step_per_nm = 1 / (side_px * pixel_size_nm)
    highest_per_nm = LOWEST_PER_NM + (bins + 0.5) * BIN_PER_NM
    kept = min(math.floor(highest_per_nm / step_per_nm), (side_px - 1) // 2)
    qy = np.concatenate([np.arange(kept + 1), np.arange(-kept, 0)]) * step_per_nm
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
    return kept, sparse.csr_array((1 / totals)[:, None] * counted)
