"""The two methods the paper compares its network with: Otsu's threshold and Fourier filtering.

Both begin as Groschner, Choi and Scott (2021) do, with a 3x3 median. What they can be tuned by is
tuned on training data, by Dice, so that neither is held back by a number nobody optimised.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from analysis.metrics import dice
from analysis.preprocess import median_filtered

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Setting = TypeVar("Setting")

EDGE_PX = 2.0  # softness of the annulus in Fourier pixels: a sharp one rings
OTSU_SMOOTHING_NM = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)
INNER_PER_NM = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
OUTER_PER_NM = (3.5, 4.0, 4.5, 5.0, 6.0, 8.0)
FOURIER_SMOOTHING_NM = (0.15, 0.3, 0.5, 0.8)


@dataclass(frozen=True, kw_only=True)
class Otsu:
    """A threshold on brightness; `smoothing_nm` is the deviation of a Gaussian, 0 the paper's."""

    smoothing_nm: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Annulus:
    """The band of spatial frequencies that is kept, and how far its strength is smoothed."""

    inner_per_nm: float
    outer_per_nm: float
    smoothing_nm: float


@dataclass(frozen=True, kw_only=True)
class Example:
    """A micrograph (H, W) with its truth (H, W), to tune a baseline on."""

    image: NDArray[np.generic]
    truth: Mask
    pixel_size_nm: float


def otsu_mask(image: NDArray[np.generic], pixel_size_nm: float, otsu: Otsu) -> Mask:
    """Pixels darker than Otsu's threshold: in bright field a particle takes light. (H, W) bool.

    Args:
        image: (H, W), any real type.
        pixel_size_nm: side of a square pixel.
        otsu: how far to smooth first.
    """
    smooth = _smoothed(median_filtered(image), otsu.smoothing_nm / pixel_size_nm)
    return np.asarray(smooth < _threshold(smooth))


def fourier_mask(image: NDArray[np.generic], pixel_size_nm: float, annulus: Annulus) -> Mask:
    """Pixels where the lattice is strong: band-passed, its modulus smoothed, Otsu. (H, W) bool.

    Args:
        image: (H, W), any real type.
        pixel_size_nm: side of a square pixel.
        annulus: the band and the smoothing.
    """
    band = _band_passed(_spectrum(image), _shape(image), pixel_size_nm, annulus)
    strength = _smoothed(np.abs(band), annulus.smoothing_nm / pixel_size_nm)
    return np.asarray(strength > _threshold(strength))


def fit_otsu(examples: Sequence[Example]) -> Otsu:
    """The smoothing with the highest mean Dice.

    Raises:
        ValueError: no example.
    """
    scores = {
        Otsu(smoothing_nm=smoothing): [
            dice(
                each.truth, otsu_mask(each.image, each.pixel_size_nm, Otsu(smoothing_nm=smoothing))
            )
            for each in examples
        ]
        for smoothing in OTSU_SMOOTHING_NM
    }
    return _best(scores)


def fit_annulus(examples: Iterable[Example]) -> Annulus:
    """The annulus and smoothing with the highest mean Dice, of a grid.

    Raises:
        ValueError: no example.
    """
    grid = [
        Annulus(inner_per_nm=inner, outer_per_nm=outer, smoothing_nm=smoothing)
        for inner, outer in product(INNER_PER_NM, OUTER_PER_NM)
        if outer > inner
        for smoothing in FOURIER_SMOOTHING_NM
    ]
    scores: dict[Annulus, list[float]] = {annulus: [] for annulus in grid}
    for each in examples:
        spectrum, size_nm = _spectrum(each.image), each.pixel_size_nm
        bands: dict[tuple[float, float], Image] = {}
        for annulus in grid:
            edges = annulus.inner_per_nm, annulus.outer_per_nm
            if edges not in bands:
                bands[edges] = np.abs(_band_passed(spectrum, each.truth.shape, size_nm, annulus))
            strength = _smoothed(bands[edges], annulus.smoothing_nm / size_nm)
            scores[annulus].append(dice(each.truth, strength > _threshold(strength)))
    return _best(scores)


def _best(scores: Mapping[Setting, Sequence[float]]) -> Setting:
    if not all(scores.values()):
        raise ValueError("a baseline needs examples to be tuned on")
    return max(scores, key=lambda setting: float(np.mean(scores[setting])))


def _spectrum(image: NDArray[np.generic]) -> NDArray[np.complex64]:
    clean = median_filtered(image)
    return np.asarray(fft.rfft2(clean - clean.mean()), np.complex64)


def _band_passed(
    spectrum: NDArray[np.complex64],
    shape: tuple[int, ...],
    pixel_size_nm: float,
    annulus: Annulus,
) -> Image:
    rows = fft.fftfreq(shape[0], pixel_size_nm)[:, None]
    columns = fft.rfftfreq(shape[1], pixel_size_nm)[None, :]
    radius_per_nm = np.hypot(rows, columns).astype(np.float32)
    inside = (radius_per_nm >= annulus.inner_per_nm) & (radius_per_nm < annulus.outer_per_nm)
    soft = ndimage.gaussian_filter(inside.astype(np.float32), EDGE_PX, mode=("wrap", "mirror"))
    return np.asarray(fft.irfft2(spectrum * soft, s=shape), np.float32)


def _smoothed(image: Image, sigma_px: float) -> Image:
    if sigma_px <= 0:
        return image
    return cast(Image, cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT))


def _threshold(image: Image) -> float:
    """Otsu's, by scikit-image; nothing lies beyond it in an even picture."""
    from skimage.filters import threshold_otsu

    found = float(threshold_otsu(image))  # type: ignore[no-untyped-call]
    return found if math.isfinite(found) else 0.0


def _shape(image: NDArray[np.generic]) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
