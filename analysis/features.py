"""The features of one region by which the forest tells its class.

After Groschner, Choi and Scott (2021): mean, deviation and centre of mass of the radial Fourier
profile, mean and deviation in real space. Here they belong to the particle, not to the picture:
in nm and nm⁻¹, per area, in units of the field's background, so that neither the crop nor the
magnification changes them. What shows a fault, a second particle or the lack of a lattice is in
`lattice`, `phases`, `texture`, `outline` and `junctions`. `published_features` keeps the paper's
definition in pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.special import erf

from analysis.junctions import JUNCTION_FEATURE_NAMES, Junctions, junction_features
from analysis.lattice import LATTICE_FEATURE_NAMES, lattice_features
from analysis.outline import (
    OUTLINE_FEATURE_NAMES,
    SHADE_FEATURE_NAMES,
    outline_features,
    shade_features,
)
from analysis.phases import PHASE_FEATURE_NAMES, phase_features
from analysis.reflections import find_lattice
from analysis.regions import Labels, Region
from analysis.spectrum import Spectrum, bin_centres_per_nm, radial_mean, spectrum
from analysis.texture import TEXTURE_FEATURE_NAMES, texture_features

FEATURE_SET_VERSION = "fringewatch-3"
PROFILE_FEATURE_NAMES = (
    "fourier_mean",
    "fourier_std",
    "fourier_centroid_per_nm",
    "intensity_mean",
    "intensity_std",
)  # all of feature set fringewatch-1, whose forests are still read
CRYSTAL_FEATURE_NAMES = (*LATTICE_FEATURE_NAMES, *PHASE_FEATURE_NAMES, *TEXTURE_FEATURE_NAMES)
FEATURE_NAMES = (
    *PROFILE_FEATURE_NAMES,
    *CRYSTAL_FEATURE_NAMES,
    *OUTLINE_FEATURE_NAMES,
    *SHADE_FEATURE_NAMES,
    *JUNCTION_FEATURE_NAMES,
)
PUBLISHED_FEATURES = "published"  # the feature set of the paper's five
PUBLISHED_FEATURE_NAMES = (
    "published_fourier_mean",
    "published_fourier_std",
    "published_fourier_centroid_px",
    "published_intensity_mean",
    "published_intensity_std",
)

GROWTH_NM = 0.5  # the rim round a region; the weight falls to 0 across it
SMOOTHING_NM = 0.05  # real space is compared in the band that every pixel size of the model has
LEAST_BINS = 2
LARGEST_CRYSTAL_NM = 80.0  # its spectrum has 1,300² samples; a field of 250 nm took 19 s and 2 GB

BACKGROUND_SAMPLES = 2**18
LEAST_BACKGROUND_FRACTION = 0.01
DEVIATIONS_PER_MAD = 1.4826  # of a normal distribution
ROUNDING = 1e-6  # of the level: what float32 makes of a constant field

PUBLISHED_RINGS = 100
PUBLISHED_RING_STEP_PX = math.sqrt(2)
PUBLISHED_RING_WIDTH_PX = 10.0
PUBLISHED_RING_EDGE_PX = 4.0
PUBLISHED_RADIUS_STEP_PX = 0.1


@dataclass(frozen=True, kw_only=True)
class Background:
    """Median and robust deviation of the field outside its particles, in counts."""

    level: float
    deviation: float


def background_statistics(
    native: NDArray[np.float32], labels: Labels, pixel_size_nm: float | None
) -> Background:
    """Level and deviation, in counts, of the field outside particles grown by 0.5 nm.

    Median and 1.4826·MAD (the standard deviation where more than half of the pixels are equal)
    of at most 2¹⁸ pixels on a regular grid, of the smoothed field as in `region_features`. The
    whole field counts where particles leave less than 1 % of it.

    Args:
        native: (H, W) float32, despiked, at the camera's own pixels.
        labels: (H, W) integer, 0 is background.
        pixel_size_nm: side of a pixel; where None, nothing is grown or smoothed.
    """
    stride = math.ceil(math.sqrt(native.size / BACKGROUND_SAMPLES))
    sampled = _smoothed(native, pixel_size_nm)[::stride, ::stride]
    free = (labels[::stride, ::stride] == 0).astype(np.uint8)
    if pixel_size_nm is not None and not free.all():
        distance_px = cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        free = (distance_px * stride * pixel_size_nm > GROWTH_NM).astype(np.uint8)
    outside = sampled[free > 0]
    if outside.size < LEAST_BACKGROUND_FRACTION * sampled.size:
        outside = sampled.ravel()
    level = float(np.median(outside))
    deviation = DEVIATIONS_PER_MAD * float(np.median(np.abs(outside - level)))
    deviation = deviation or float(outside.std(dtype=np.float64))
    rounding = ROUNDING * abs(level)
    return Background(level=level, deviation=deviation if deviation > rounding else 0.0)


def region_features(
    native: NDArray[np.float32],
    labels: Labels,
    region: Region,
    pixel_size_nm: float | None,
    background: Background,
    names: Sequence[str] = FEATURE_NAMES,
    junctions: Junctions | None = None,
) -> dict[str, float | None]:
    """The features of one region, by name in the order of `names`.

    Every pixel has a weight w: 1 inside the region, falling as a raised cosine to 0 at 0.5 nm
    outside it and at the edge of the micrograph. With I in units of the background deviation σ,
    μ its weighted mean, p the pixel size and f = w·(I − μ),

        P(q) = p²·|Σ f·exp(−2πi q·r)|² / Σ w²        in σ²·nm²,

    the power per unit area: white noise of deviation s has P = s²·p², whatever the crop, and
    ∫P d²q is the variance. Its azimuthal mean in bins of 0.05 nm⁻¹ from 0.5 to 8 nm⁻¹ is the
    profile; bins above Nyquist (pixels over 0.0625 nm) are absent.

    fourier_mean, fourier_std: of the profile, in σ²·nm². fourier_centroid_per_nm: Σ q·P / Σ P.
    intensity_mean, intensity_std: weighted, above the background level, in σ; of the micrograph
    smoothed by a Gaussian of 0.05 nm, as the background is, since noise per pixel depends on
    the pixel. The others are those of `lattice_features`, `phase_features`, `texture_features`,
    `outline_features`, `shade_features` and `junction_features`. Of a region over 80 nm across,
    lattice, phase and texture are those of the square of 80 nm around its innermost point.

    Args:
        native: (H, W) float32, despiked, at the camera's own pixels.
        labels: (H, W) integer.
        region: one of those labels.
        pixel_size_nm: side of a pixel; where None, what needs it is None, and the intensities
            are those of the bare region without smoothing.
        background: of the same field and pixel size.
        names: which features; what none of them needs is not computed.
        junctions: what the network says of particles that meet; None where it does not tell.

    Returns:
        Each feature. A region without a single reflection has values too, which each docstring
        names. None stands only where nothing can be said: a background without deviation, no
        pixel size (all but intensity, outline, junctions), pixels too coarse for any lattice (over
        0.3 nm), a region without contrast (centroid).

    Raises:
        ValueError: a name is none of `FEATURE_NAMES`.
    """
    if unknown := sorted(set(names) - set(FEATURE_NAMES)):
        raise ValueError(f"no feature of a region is called {unknown[0]!r}")
    found: dict[str, float | None] = {}
    if background.deviation > 0:
        box, weight = _weight(labels, region, pixel_size_nm)
        inside = np.asarray(labels[box] == region.label)
        found |= _of_intensity(native[box], weight, pixel_size_nm, background)
        if _any(names, OUTLINE_FEATURE_NAMES):
            found |= outline_features(inside)
        if _any(names, JUNCTION_FEATURE_NAMES):
            found |= junction_features(junctions, labels, region)
        if pixel_size_nm is not None:
            intensity = native[box] / np.float32(background.deviation)
            found |= _of_frequency(intensity, weight, inside, pixel_size_nm, names)
    return {name: found.get(name) for name in names}


def _of_frequency(
    intensity: NDArray[np.float32],
    weight: NDArray[np.float32],
    inside: NDArray[np.bool_],
    pixel_size_nm: float,
    names: Sequence[str],
) -> dict[str, float | None]:
    """Those of `names` that need a pixel size, and the profile."""
    transform = spectrum(intensity, weight, pixel_size_nm)
    found = _of_profile(transform)
    if _any(names, CRYSTAL_FEATURE_NAMES):
        if max(inside.shape) * pixel_size_nm <= LARGEST_CRYSTAL_NM:
            found |= _of_crystal(transform, weight, inside)
        else:
            found |= _of_innermost(intensity, weight, inside, pixel_size_nm)
    if _any(names, SHADE_FEATURE_NAMES):
        found |= shade_features(intensity, inside, pixel_size_nm)
    return found


def _any(names: Sequence[str], of: Sequence[str]) -> bool:
    return not set(of).isdisjoint(names)


def _of_intensity(
    native: NDArray[np.float32],
    weight: NDArray[np.float32],
    pixel_size_nm: float | None,
    background: Background,
) -> dict[str, float]:
    smooth = (_smoothed(native, pixel_size_nm) - background.level) / background.deviation
    mean = float(np.average(smooth, weights=weight))
    deviation = math.sqrt(np.average((smooth - mean) ** 2, weights=weight))
    return {"intensity_mean": mean, "intensity_std": deviation}


def _of_crystal(
    transform: Spectrum, weight: NDArray[np.float32], inside: NDArray[np.bool_]
) -> dict[str, float]:
    lattice = find_lattice(transform, weight)
    if lattice is None:
        return {}
    return {
        **lattice_features(lattice),
        **phase_features(lattice, inside),
        **texture_features(lattice, inside),
    }


def _of_innermost(
    intensity: NDArray[np.float32],
    weight: NDArray[np.float32],
    inside: NDArray[np.bool_],
    pixel_size_nm: float,
) -> dict[str, float]:
    """What the square of 80 nm around the innermost point has; its edges are weighed as a rim."""
    framed = np.pad(inside, 1).astype(np.uint8)
    depth_px = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    deepest = np.unravel_index(int(depth_px.argmax()), depth_px.shape)
    side_px = math.floor(LARGEST_CRYSTAL_NM / pixel_size_nm)
    first = [int(middle) - side_px // 2 for middle in deepest]
    part = tuple(slice(max(0, start), start + side_px) for start in first)
    rows, columns = (_edge(length, pixel_size_nm) for length in inside[part].shape)
    window = weight[part] * rows[:, None] * columns[None, :]
    transform = spectrum(intensity[part], window, pixel_size_nm)
    return _of_crystal(transform, window, inside[part])


def published_features(
    native: NDArray[np.float32], labels: Labels, region: Region
) -> dict[str, float]:
    """The paper's five features of one region, by name: in pixels of its bounding box.

    The box, mask and surroundings alike, is cut to the square at its top left; the moduli of its
    Fourier transform are summed over soft rings √2 FFT pixels apart and 10 wide, of which the
    first 100 are kept (HTTEM, ScottLabUCB, edbe336). Crop and magnification change all of them.

    published_fourier_mean, _std: of the ring sums, in counts. Named for what they hold: the
    published table has the two names exchanged. published_fourier_centroid_px: of the inner ring
    radius, in FFT pixels, √2 times the paper's ring number. published_intensity_mean, _std: of
    the box, in counts.

    Args:
        native: (H, W) float32; the paper's is median-filtered.
        labels: (H, W) integer; not used, since the paper masks nothing.
        region: one of those labels.
    """
    del labels
    y0, x0, y1, x1 = region.bbox
    crop = native[y0:y1, x0:x1]
    side_px = min(crop.shape)
    modulus = np.abs(fft.fftshift(fft.fft2(crop[:side_px, :side_px])))
    radius, rings = _published_rings(side_px)
    profile = rings @ np.bincount(radius.ravel(), modulus.ravel(), rings.shape[1])
    radii_px = PUBLISHED_RING_STEP_PX * np.arange(profile.size)
    total = float(profile.sum())
    values = (
        float(profile.mean()),
        float(profile.std()),
        float(radii_px @ profile) / total if total > 0 else 0.0,
        float(crop.mean(dtype=np.float64)),
        float(crop.std(dtype=np.float64)),
    )
    return dict(zip(PUBLISHED_FEATURE_NAMES, values, strict=True))


def _published_rings(side_px: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Radius of each Fourier pixel in steps of 0.1 px, and the weight of each radius in each ring.

    A ring rises and falls as an error function over 4 px, the paper's.
    """
    y, x = np.mgrid[:side_px, :side_px] - side_px / 2
    radius = np.rint(np.hypot(y, x) / PUBLISHED_RADIUS_STEP_PX).astype(np.intp)
    at_px = PUBLISHED_RADIUS_STEP_PX * np.arange(radius.max() + 1)
    inner = PUBLISHED_RING_STEP_PX * np.arange(min(side_px, PUBLISHED_RINGS))[:, None]
    outer = inner + PUBLISHED_RING_EDGE_PX + PUBLISHED_RING_WIDTH_PX
    return radius, _soft_step(at_px - inner) - _soft_step(at_px - outer)


def _soft_step(beyond_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 below, 1 above, over `PUBLISHED_RING_EDGE_PX`: by eye at its ends, as the paper has it."""
    rise = erf(4 * (beyond_px / PUBLISHED_RING_EDGE_PX - 0.5))
    half: NDArray[np.float64] = (1 + rise) / 2
    return half


def _of_profile(transform: Spectrum) -> dict[str, float | None]:
    centres_per_nm = bin_centres_per_nm(transform.pixel_size_nm)
    if centres_per_nm.size < LEAST_BINS:
        return {}
    profile = radial_mean(transform, transform.power())
    total = float(profile.sum())
    return {
        "fourier_mean": float(profile.mean()),
        "fourier_std": float(profile.std()),
        "fourier_centroid_per_nm": float(centres_per_nm @ profile) / total if total > 0 else None,
    }


def _weight(
    labels: Labels, region: Region, pixel_size_nm: float | None
) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
    """The crop that holds the grown region, and the weight of its pixels in [0, 1]."""
    margin = 0 if pixel_size_nm is None else math.ceil(GROWTH_NM / pixel_size_nm) + 1
    y0, x0, y1, x1 = region.bbox
    top, left = max(0, y0 - margin), max(0, x0 - margin)
    bottom, right = min(labels.shape[0], y1 + margin), min(labels.shape[1], x1 + margin)
    box = slice(top, bottom), slice(left, right)
    outside = (labels[box] != region.label).astype(np.uint8)
    if pixel_size_nm is None:
        return box, (1 - outside).astype(np.float32)
    to_centre_px = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    weight = _raised_cosine(1 - (to_centre_px - 0.5) * (pixel_size_nm / GROWTH_NM))
    rows = _edge(labels.shape[0], pixel_size_nm)[box[0]]
    columns = _edge(labels.shape[1], pixel_size_nm)[box[1]]
    return box, weight * rows[:, None] * columns[None, :]


def _edge(length_px: int, pixel_size_nm: float) -> NDArray[np.float32]:
    """Weight along a side, (n,): 0 at both ends, 1 from 0.5 nm on."""
    place = np.arange(length_px)
    inward_px = np.minimum(place, length_px - 1 - place) + 0.5
    return _raised_cosine(inward_px * (pixel_size_nm / GROWTH_NM))


def _raised_cosine(fraction: NDArray[np.floating]) -> NDArray[np.float32]:
    """0 at and below 0, 1 at and above 1, smooth between."""
    phase = np.pi * np.clip(fraction, 0, 1).astype(np.float32)
    return np.asarray(0.5 - 0.5 * np.cos(phase), np.float32)


def _smoothed(image: NDArray[np.float32], pixel_size_nm: float | None) -> NDArray[np.float32]:
    if pixel_size_nm is None:
        return image
    blurred = cv2.GaussianBlur(image, (0, 0), SMOOTHING_NM / pixel_size_nm)
    return blurred.astype(np.float32, copy=False)
