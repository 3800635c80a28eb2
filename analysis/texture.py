"""Where in a region the lattice is, what is left without it, and whether its parts are alike.

The picture is brought back from the spectrum with every ring divided by its noise, so that an
amorphous region has the local power 1 everywhere, whatever the lens and the dose.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from analysis.reflections import TINY, Lattice, in_band
from analysis.spectrum import Spectrum

TEXTURE_FEATURE_NAMES = (
    "crystallinity_mean",
    "crystallinity_low",
    "disorder_mean",
    "disorder_high",
    "disorder_contrast",
    "disorder_extent",
    "disorder_share",
    "halves_likeness_min",
    "halves_likeness_mean",
    "halves_likeness_max",
)

FIELD = 1.5  # of the picture, in crops
SMOOTHING_NM = 0.45
EXCESS = 1.3  # medians
CUTS = 6
CUT_RIM_NM = 0.3  # on each side of a cut: one half fades into the other
HALVES_PER_NM = (1.5, 6.5)


def texture_features(lattice: Lattice, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Features of the local power, by name in the order of `TEXTURE_FEATURE_NAMES`.

    crystallinity_mean, _low: power from 1.2 to 7.5 nm⁻¹ in units of an amorphous region's,
    smoothed by a Gaussian of 0.45 nm: mean and 5th percentile over the region.
    disorder_mean, _high: the same of what remains without the reflections, mean and 95th
    percentile; disorder_contrast: its 97th percentile over its median; disorder_extent: radius of
    gyration, over the diameter, of what exceeds 1.3 medians; 0 where nothing does. High along a
    fault and where a second particle lies on the first. disorder_share: disorder_mean over
    crystallinity_mean.
    halves_likeness_min, _mean, _max: correlation of ln(1 + P / mean P) of the two halves of the
    region, P the power of the same picture from 1.5 to 6.5 nm⁻¹, over six directions of the cut
    through its middle: high for one crystal, low where the halves have reflections of their own;
    1 for a region too small for two samples of P.

    Args:
        lattice: of the region.
        mask: (h, w) bool, the region in the crop the lattice was found in; not empty.
    """
    spectrum = lattice.spectrum
    thinned = _thinned(spectrum, max(mask.shape) * spectrum.pixel_size_nm)
    step_per_nm = thinned.step * spectrum.step_per_nm
    white = _whitened(lattice, thinned)
    beyond = lattice.beyond[thinned, thinned]
    picture, rest = (_picture(each, step_per_nm) for each in (white, np.where(beyond, white, 0)))
    spacing_nm = 1 / (len(picture) * step_per_nm)
    inside = _resampled(mask, spectrum.pixel_size_nm, spacing_nm, picture.shape)
    rows, columns = _bounds(inside)
    inside = inside[rows, columns]
    picture, rest = picture[rows, columns], rest[rows, columns]
    unit = np.count_nonzero(in_band(spectrum.kept, spectrum.step_per_nm)) * spectrum.step_per_nm**2
    scale = spectrum.area_nm2 / max(unit, TINY)
    local, left = (_local(each, inside, spacing_nm) * scale for each in (picture, rest))
    values = (
        float(local.mean()),
        float(np.percentile(local, 5)),
        *_disorder(left, inside),
        float(left.mean()) / max(float(local.mean()), TINY),
        *_likeness(picture, inside, spacing_nm),
    )
    return dict(zip(TEXTURE_FEATURE_NAMES, values, strict=True))


def _thinned(spectrum: Spectrum, crop_nm: float) -> slice:
    """Every n-th sample on both sides of q = 0: enough for a field of one and a half crops."""
    every = max(1, math.floor(1 / (spectrum.step_per_nm * FIELD * crop_nm)))
    return slice(spectrum.kept % every, None, every)


def _whitened(lattice: Lattice, thinned: slice) -> NDArray[np.complex64]:
    """These rows and columns of the transform over the square root of its ring; 0 off the band."""
    taken = thinned, thinned
    band = in_band(lattice.spectrum.kept, lattice.spectrum.step_per_nm)[taken]
    white = lattice.spectrum.transform[taken] / np.sqrt(lattice.ring[taken])
    return np.where(band, white, np.complex64(0))


def _picture(transform: NDArray[np.complex64], step_per_nm: float) -> NDArray[np.float32]:
    """The picture (n, n) float32 of the transform (2K + 1, 2K + 1) of a real one."""
    kept = len(transform) // 2
    side = fft.next_fast_len(2 * kept + 2, real=True)
    columns = np.zeros((side, kept + 1), np.complex64)
    columns[: kept + 1] = transform[kept:, kept:]
    columns[side - kept :] = transform[:kept, kept:]
    picture = fft.irfft2(columns, (side, side), norm="forward")
    return np.asarray(picture * np.float32(step_per_nm**2), np.float32)


def _resampled(
    mask: NDArray[np.bool_], pixel_size_nm: float, spacing_nm: float, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """The mask on the grid of the picture; at least one point."""
    found = np.zeros(shape, np.bool_)
    taken = []
    for axis in (0, 1):
        last_nm = (mask.shape[axis] - 1) * pixel_size_nm
        count = min(shape[axis], 1 + math.floor(last_nm / spacing_nm + 1e-9))
        taken.append(np.rint(np.arange(count) * (spacing_nm / pixel_size_nm)).astype(np.intp))
    found[: len(taken[0]), : len(taken[1])] = mask[np.ix_(*taken)]
    if not found.any():
        y, x = np.argwhere(mask)[0] * pixel_size_nm / spacing_nm
        found[round(y), round(x)] = True
    return found


def _bounds(inside: NDArray[np.bool_]) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _local(
    picture: NDArray[np.float32], inside: NDArray[np.bool_], spacing_nm: float
) -> NDArray[np.float32]:
    """Local mean of the squared picture at the points inside, (n,) float32."""
    reach = (0, 0), SMOOTHING_NM / spacing_nm
    weight = inside.astype(np.float32)
    blurred = cv2.GaussianBlur(weight * picture**2, *reach)[inside]
    return np.asarray(blurred / cv2.GaussianBlur(weight, *reach)[inside], np.float32)


def _disorder(
    left: NDArray[np.float32], inside: NDArray[np.bool_]
) -> tuple[float, float, float, float]:
    """Mean, 95th percentile, contrast and extent of what the reflections leave."""
    median, high, highest = map(float, np.percentile(left, [50, 95, 97]))
    excess = np.maximum(left - EXCESS * median, 0).astype(np.float64)
    extent = 0.0
    if excess.any():
        places = np.argwhere(inside)
        weights = excess / excess.sum()
        spread = weights @ places**2 - (weights @ places) ** 2
        extent = math.sqrt(max(0.0, spread.sum())) / (2 * math.sqrt(len(left) / math.pi))
    return float(left.mean()), high, highest / max(median, TINY), extent


def _likeness(
    picture: NDArray[np.float32], inside: NDArray[np.bool_], spacing_nm: float
) -> tuple[float, float, float]:
    """Least, mean and largest correlation of the spectra of two halves, over all cuts."""
    masked = np.where(inside, picture, np.float32(0))
    side = fft.next_fast_len(max(picture.shape), real=True)
    q = fft.fftfreq(side, spacing_nm), fft.rfftfreq(side, spacing_nm)
    radius = np.hypot(q[0][:, None], q[1][None, :])
    band = (radius > HALVES_PER_NM[0]) & (radius < HALVES_PER_NM[1])
    if np.count_nonzero(band) < 2:
        return 1.0, 1.0, 1.0
    whole = fft.rfft2(masked, (side, side))[band]
    down, along = np.arange(picture.shape[0])[:, None], np.arange(picture.shape[1])[None, :]
    found = []
    for azimuth in np.arange(CUTS) * math.pi / CUTS:
        distance = math.sin(azimuth) * down + math.cos(azimuth) * along
        beyond = (distance - np.median(distance[inside])) * (spacing_nm / CUT_RIM_NM)
        share = np.clip(0.5 + beyond / 2, 0, 1).astype(np.float32)
        half = fft.rfft2(masked * share, (side, side))[band]
        found.append(_correlation(_relative(half), _relative(whole - half)))
    return min(found), sum(found) / CUTS, max(found)


def _relative(transform: NDArray[np.complex64]) -> NDArray[np.float32]:
    """ln(1 + P / mean P) of the samples of a half."""
    power = transform.real**2 + transform.imag**2
    return np.asarray(np.log1p(power / max(float(power.mean()), TINY)), np.float32)


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / scale if scale > 0 else 1.0
