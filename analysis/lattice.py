"""Describe the reflections of one region: how many, how strong, how sharp, what lies between."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from analysis.reflections import (
    APART_RAD,
    MOST_FOLLOWED,
    RING_CLIP,
    Extent,
    Lattice,
    Reflection,
    by_direction,
    in_band,
    patch,
)

LATTICE_FEATURE_NAMES = (
    "reflection_count",
    "reflection_directions",
    "reflection_strength",
    "second_direction_strength",
    "third_direction_strength",
    "bragg_power",
    "bragg_fraction",
    "reflection_elongation",
    "reflection_width",
    "reflection_sharpness",
    "streak_contrast",
    "streak_along_reflection",
    "unindexed_fraction",
)

SHAPED = 4  # reflections whose shape is averaged
SHAPE_WIDTHS = 2.4
STREAK_PER_NM = 1.45
STREAK_STEP_PER_NM = 0.1
STREAK_DIRECTIONS = 12
STREAK_ASIDE = np.array([-0.35, 0.0, 0.35])  # widths
STREAK_FLOOR = 0.1  # of the ring: an empty strip has a logarithm too
MOST_INDEX = 3
INDEXED_WIDTHS = 0.7


def lattice_features(lattice: Lattice) -> dict[str, float]:
    """Features of the reflections, by name in the order of `LATTICE_FEATURE_NAMES`.

    reflection_count: maxima of at least ten times their ring, ±g once, at most 12.
    reflection_directions: of these, how many more than 12° apart.
    reflection_strength, second_, third_direction_strength: power over ring of the strongest
    maximum in the three strongest directions, also below ten; 0 where there is none.
    bragg_power: ∫ (P − 3·ring)₊ d²q from 1.2 to 7.5 nm⁻¹ in σ², the variance that reflections
    bring in, and a twentieth of that of noise; bragg_fraction: its share of ∫ P d²q.
    reflection_elongation, reflection_width, reflection_sharpness: of the four strongest, mean
    weighed by the logarithm of their strength, from the second moments of (P − 2·ring)₊ within
    2.4 widths of the window: long over short axis, long axis in widths, and the peak over the
    product of its integral and the window's area, near 1 for a whole crystal. A fault stretches
    or splits a reflection along its normal (Warren, X-Ray Diffraction, 1969, chapter 13).
    streak_contrast: P over ring in strips through the strongest reflections, beyond their width
    and up to 1.4 nm⁻¹ away, geometric mean over the reflections: of all directions the strongest
    over the median; streak_along_reflection: the same for the strongest strip that points along a
    reflection, as a fault normal does.
    Without a reflection shape and streaks are those of the strongest maximum; without a maximum
    the elongation and the streaks are 1, width and sharpness 0.
    unindexed_fraction: share of the reflections, weighed by the logarithm of their strength, that
    are no combination, with integers up to 3, of the two that explain most: 0 for one crystal and
    for two reflections or fewer, more for twins and agglomerations.
    """
    reflections = lattice.reflections
    strengths = [0.0, 0.0, 0.0]
    for number, strongest in enumerate(by_direction(lattice.candidates)[:3]):
        strengths[number] = strongest.strength
    values = (
        len(reflections),
        len(by_direction(reflections)),
        *strengths,
        *_bragg_power(lattice),
        *_shapes(lattice),
        *_streaks(lattice),
        _unindexed(reflections, lattice.extent),
    )
    return dict(zip(LATTICE_FEATURE_NAMES, map(float, values), strict=True))


def _bragg_power(lattice: Lattice) -> tuple[float, float]:
    """Variance that reflections bring in, and its share."""
    band = in_band(lattice.spectrum.kept, lattice.spectrum.step_per_nm)
    power = lattice.power[band]
    above = np.maximum(power - RING_CLIP * lattice.ring[band], 0).sum(dtype=np.float64)
    total = power.sum(dtype=np.float64)
    share = float(above / total) if total > 0 else 0.0
    return float(above) * lattice.spectrum.step_per_nm**2, share


def _shapes(lattice: Lattice) -> tuple[float, float, float]:
    """Elongation, width and sharpness of the strongest reflections, weighed means."""
    shaped = [(one, _shape(lattice, one)) for one in lattice.followed[:SHAPED]]
    found = [(math.log1p(one.strength), shape) for one, shape in shaped if shape is not None]
    if not found:
        return 1.0, 0.0, 0.0
    weights = [weight for weight, _ in found]
    elongation, width, sharpness = np.average(
        [shape for _, shape in found], axis=0, weights=weights
    )
    return float(elongation), float(width), float(sharpness)


def _shape(lattice: Lattice, reflection: Reflection) -> tuple[float, float, float] | None:
    """Elongation, width and sharpness of one reflection; None where it has no power."""
    spectrum, extent = lattice.spectrum, lattice.extent
    around = patch(spectrum, reflection.q_per_nm, SHAPE_WIDTHS / extent.narrowest_nm)
    window = around.rows, around.columns
    places = around.vectors() @ extent.root_nm  # in widths, where the window's own shape is round
    excess = np.maximum(lattice.power[window] - 2 * lattice.ring[window], 0).astype(np.float64)
    excess[np.hypot(places[..., 0], places[..., 1]) > SHAPE_WIDTHS] = 0
    total = float(excess.sum())
    if not total > 0:
        return None
    flat, weights = places.reshape(-1, 2), excess.ravel() / total
    centred = flat - weights @ flat
    moments = centred.T @ (weights[:, None] * centred)
    sample = (spectrum.step_per_nm * extent.narrowest_nm) ** 2 / 12
    short, long = np.maximum(np.linalg.eigvalsh(moments), sample)
    integral = total * spectrum.step_per_nm**2 * spectrum.area_nm2
    return math.sqrt(long / short), math.sqrt(long), reflection.power / integral


def _streaks(lattice: Lattice) -> tuple[float, float]:
    """Strongest strip over the median direction: of any direction, and along a reflection."""
    followed = lattice.followed
    if not followed:
        return 1.0, 1.0
    fixed = np.arange(STREAK_DIRECTIONS) * math.pi / STREAK_DIRECTIONS
    azimuths = np.concatenate([fixed, [one.azimuth_rad for one in followed]])
    places = _strips(lattice, azimuths)
    row, column = places[..., 0], places[..., 1]
    beyond = lattice.beyond[row, column]
    ratio = lattice.power[row, column] / lattice.ring[row, column]
    counted = np.maximum(beyond.sum(axis=(2, 3)), 1)
    mean = np.where(beyond, ratio, 0).sum(axis=(2, 3)) / counted
    weights = np.log1p([one.strength for one in followed])
    levels = np.average(np.log(mean + STREAK_FLOOR), axis=0, weights=weights)
    levels -= np.median(levels[:STREAK_DIRECTIONS])
    return math.exp(levels.max()), math.exp(levels[STREAK_DIRECTIONS:].max())


def _strips(lattice: Lattice, azimuths_rad: NDArray[np.float64]) -> NDArray[np.intp]:
    """Samples of strips through reflections, (reflections, directions, along, aside, 2)."""
    step, kept = lattice.spectrum.step_per_nm, lattice.spectrum.kept
    along = np.stack([np.sin(azimuths_rad), np.cos(azimuths_rad)], axis=-1)
    across = along[:, ::-1] * (1, -1)
    across = across / lattice.extent.widths(across)[:, None]
    far = np.arange(STREAK_STEP_PER_NM, STREAK_PER_NM, STREAK_STEP_PER_NM)
    far = np.concatenate([-far, far])
    strips = (
        far[:, None, None] * along[:, None, None] + STREAK_ASIDE[:, None] * across[:, None, None]
    )
    centres = np.array([one.q_per_nm for one in lattice.followed])
    places = np.rint((centres[:, None, None, None] + strips) / step).astype(np.intp) + kept
    return np.asarray(np.clip(places, 0, 2 * kept), np.intp)


def _unindexed(reflections: Sequence[Reflection], extent: Extent) -> float:
    """Share that the best pair of base vectors leaves unexplained; 0 where there is no pair."""
    if len(reflections) <= 2:
        return 0.0
    vectors = np.array([one.q_per_nm for one in reflections])
    weights = np.log([one.strength for one in reflections])
    pairs = np.array(list(combinations(range(min(len(reflections), MOST_FOLLOWED)), 2)))
    bases = vectors[pairs]  # (pairs, 2, 2), a row for each base vector
    lengths = np.linalg.norm(bases, axis=-1).prod(axis=-1)
    bases = bases[np.abs(np.linalg.det(bases)) > math.sin(APART_RAD) * lengths]
    if not len(bases):
        return 0.0
    whole = np.rint(vectors @ np.linalg.inv(bases))
    error = extent.widths(vectors - whole @ bases)
    explained = (error < INDEXED_WIDTHS) & (np.abs(whole).max(axis=-1) <= MOST_INDEX)
    return 1 - float((explained @ weights).max() / weights.sum())
