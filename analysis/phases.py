"""The phase of the lattice inside one region: whether one crystal runs through it undisturbed.

Each reflection is cut out of the spectrum and brought back to real space as a slowly varying
complex amplitude (geometric phase analysis: Hytch, Snoeck and Kilaas, Ultramicroscopy 74, 1998,
131). A stacking fault moves one side of the crystal by a fraction of a lattice vector R: along a
straight line the phase of a reflection g steps by 2π·g·R. A twin or a second particle has other
reflections on either side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.reflections import TINY, Lattice, Reflection, patch

PHASE_FEATURE_NAMES = (
    "phase_step_mean_rad",
    "phase_step_98_rad",
    "amplitude_spread",
    "lattice_cover",
    "reflection_cover",
    "split_gain",
    "split_phase",
    "split_third",
    "split_step_rad",
    "split_contrast",
    "split_misfit",
    "domain_asymmetry",
)

SPACING_NM = 0.3
REACH_PER_NM = 0.7  # of the mask round a reflection: 0.8 nm in real space
LEAST_POINTS = 12
MOST_POINTS = 500  # a larger region is sampled more coarsely for the search
PRESENT = 4.0  # times the power of noise
PRESENT_SHARE = 0.15  # of the region's 90th percentile
LINE_DIRECTIONS = 12
LINE_SHARES = np.arange(2, 15) / 16  # of the area on one side of a line
SHIFTS = np.arange(-2, 3) * 0.375  # of g, over the diameter
MODEL_ERROR = 0.03  # of the power: thickness and defocus bend the phase of a perfect crystal


@dataclass(frozen=True, kw_only=True)
class Points:
    """Places inside a region on a square grid.

    `y_nm` (h,), `x_nm` (w,): from the centre of the first pixel of the crop. `inside`: (h, w).
    """

    y_nm: NDArray[np.float64]
    x_nm: NDArray[np.float64]
    inside: NDArray[np.bool_]


def phase_features(lattice: Lattice, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Features of the phase of up to six reflections, in the order of `PHASE_FEATURE_NAMES`.

    Without a reflection they are those of the strongest maximum.
    phase_step_mean_rad, phase_step_98_rad: modulus of the phase difference of neighbours 0.3 nm
    apart, mean and 98th percentile; amplitude_spread: deviation over mean of the amplitude. Each
    the mean over the reflections, weighed by the logarithm of their strength.
    lattice_cover: share of the region where any reflection is present; reflection_cover: mean of
    the shares of each. Present: above four times the power of noise and 0.15 of its own 90th
    percentile in the region.
    The split is the straight line across the region that gains most when the phase of every
    reflection may step there: with L and R the sums of its amplitude on the two sides, g the same
    on both and the best for either term, the sum over the reflections of
    ((|L| + |R|)² − |L + R|²) / (N + 0.03·|L + R|²), N = |L + R|² over the strength, about the
    power of noise. split_gain: that sum, about 0 for a whole crystal; noise on the flank of a
    strong reflection may be taken for one more, whose phase does step. With α the steps on that
    line, weighed by strength: split_phase: mean of (1 − cos α)/2, 3/4 where all step by 120°;
    split_third: mean of cos 3α, 1 where all step by exactly 0 or ±120°; split_step_rad: |α| of the
    reflection that gains most. The fault itself splits a reflection in two, which both are
    followed, and α is off by up to half a radian.
    split_contrast: the gain over one more than that of the median line. split_misfit: the largest
    further gain of any line when each side may have a g of its own.
    domain_asymmetry: how far reflections lie on one side of a line, |p − p'| / (p + p' + noise)
    with p and p' their mean powers on the two sides, mean over the reflections; of the line where
    it is largest, 0 to 1.

    Args:
        lattice: of the region.
        mask: (h, w) bool, the region in the crop the lattice was found in; not empty.

    Returns:
        The features; all 0 where fewer than 12 places of a grid of 0.3 nm lie in the region,
        about 1 nm², or none beside another, or there is no maximum at all.
    """
    points = grid_points(mask, lattice.spectrum.pixel_size_nm, SPACING_NM)
    reflections = lattice.followed
    neighbours = _neighbours(points.inside)
    enough = np.count_nonzero(points.inside) >= LEAST_POINTS and any(n.any() for n in neighbours)
    if not enough or not reflections:
        return dict.fromkeys(PHASE_FEATURE_NAMES, 0.0)
    amplitudes = np.stack([_amplitude(lattice, one, points) for one in reflections])
    noise = np.array([_noise_power(lattice, one) for one in reflections])
    weights = np.log1p([one.strength for one in reflections])
    sides = _sides(reflections, amplitudes, points, noise)
    values = (
        *_steps(amplitudes, points.inside, weights),
        *_cover(amplitudes[:, points.inside], noise, weights),
        *_split(sides),
        _asymmetry(sides),
    )
    return dict(zip(PHASE_FEATURE_NAMES, map(float, values), strict=True))


def grid_points(mask: NDArray[np.bool_], pixel_size_nm: float, spacing_nm: float) -> Points:
    """The places of a grid that lie on a pixel of the mask, which is not empty."""
    axes_nm, pixels = [], []
    for axis in (0, 1):
        used = np.flatnonzero(mask.any(axis=1 - axis))
        first_nm, last_nm = used[0] * pixel_size_nm, used[-1] * pixel_size_nm
        count = 1 + math.floor((last_nm - first_nm) / spacing_nm)
        start_nm = (first_nm + last_nm - (count - 1) * spacing_nm) / 2
        axes_nm.append(start_nm + np.arange(count) * spacing_nm)
        pixels.append(np.rint(axes_nm[-1] / pixel_size_nm).astype(np.intp))
    return Points(y_nm=axes_nm[0], x_nm=axes_nm[1], inside=mask[np.ix_(*pixels)])


def _amplitude(lattice: Lattice, reflection: Reflection, points: Points) -> NDArray[np.complex64]:
    """Complex amplitude of a reflection at the points, (h, w) complex64, in σ per root of the area.

    Constant where the lattice is a plane wave of exactly that g.
    """
    around = patch(lattice.spectrum, reflection.q_per_nm, REACH_PER_NM)
    mask = _mask(np.hypot(around.y_per_nm[:, None], around.x_per_nm[None, :]))
    masked = lattice.spectrum.transform[around.rows, around.columns] * mask
    down = np.exp(2j * np.pi * np.outer(points.y_nm, around.y_per_nm)).astype(np.complex64)
    along = np.exp(2j * np.pi * np.outer(around.x_per_nm, points.x_nm)).astype(np.complex64)
    wave = down @ masked @ along * np.float32(lattice.spectrum.step_per_nm**2)
    return np.asarray(wave, np.complex64)


def _mask(distance_per_nm: NDArray[np.float64]) -> NDArray[np.float32]:
    """1 up to half the reach, a raised cosine down to 0 at the reach."""
    beyond = np.clip(2 * distance_per_nm / REACH_PER_NM - 1, 0, 1)
    return (0.5 + 0.5 * np.cos(np.pi * beyond)).astype(np.float32)


def _noise_power(lattice: Lattice, reflection: Reflection) -> float:
    """Mean |amplitude|² that the ring alone brings inside the region."""
    return reflection.power / reflection.strength * MASK_AREA / lattice.spectrum.area_nm2


def _mask_area() -> float:
    """∫ mask² d²q, in nm⁻²."""
    q = np.linspace(0, REACH_PER_NM, 200)
    return float(np.trapezoid(_mask(q) ** 2 * 2 * np.pi * q, q))


MASK_AREA = _mask_area()


def _steps(
    amplitudes: NDArray[np.complex64], inside: NDArray[np.bool_], weights: NDArray[np.float64]
) -> list[float]:
    """Mean and 98th percentile of the phase steps, and the spread of the amplitude."""
    below, beside = _neighbours(inside)
    down = (amplitudes[:, 1:] * amplitudes[:, :-1].conj())[:, below]
    along = (amplitudes[:, :, 1:] * amplitudes[:, :, :-1].conj())[:, beside]
    steps = np.abs(np.angle(np.concatenate([down, along], axis=1)))
    modulus = np.abs(amplitudes[:, inside])
    spread = modulus.std(axis=1) / np.maximum(modulus.mean(axis=1), TINY)
    return [
        float(weights @ each / weights.sum())
        for each in (steps.mean(axis=1), np.percentile(steps, 98, axis=1), spread)
    ]


def _neighbours(inside: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which points have the one above in the region too, (h − 1, w); and the one before."""
    return inside[1:] & inside[:-1], inside[:, 1:] & inside[:, :-1]


def _cover(
    amplitudes: NDArray[np.complex64], noise: NDArray[np.float64], weights: NDArray[np.float64]
) -> list[float]:
    """Shares of the region where any reflection is present, and where each is."""
    power = np.abs(amplitudes) ** 2
    largest = np.percentile(power, 90, axis=1)
    present = power > np.maximum(PRESENT * noise, PRESENT_SHARE * largest)[:, None]
    each = weights @ present.mean(axis=1) / weights.sum()
    return [float(present.any(axis=0).mean()), float(each)]


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """Sums over the two sides of many lines across a region.

    `left`, `right`: (g, l, s) complex64 sums of the amplitude with g moved by each of s shifts.
    `left_power`, `right_power`: (g, l) mean power above noise. `noise`: (g,) its mean power.
    `strengths`, `weights` (g,): a reflection says as much as its strength, until the error of
    the model limits it.
    """

    left: NDArray[np.complex64]
    right: NDArray[np.complex64]
    left_power: NDArray[np.float64]
    right_power: NDArray[np.float64]
    noise: NDArray[np.float64]
    strengths: NDArray[np.float64]
    weights: NDArray[np.float64]


def _sides(
    reflections: Sequence[Reflection],
    amplitudes: NDArray[np.complex64],
    points: Points,
    noise: NDArray[np.float64],
) -> _Sides:
    """The sums over both sides of lines in 12 directions and across the reflections."""
    every = math.ceil(math.sqrt(np.count_nonzero(points.inside) / MOST_POINTS))
    if np.count_nonzero(points.inside[::every, ::every]) < LEAST_POINTS:
        every = 1  # a thread
    inside = points.inside[::every, ::every]
    waves = amplitudes[:, ::every, ::every][:, inside]
    y_nm = np.broadcast_to(points.y_nm[::every, None], inside.shape)[inside]
    x_nm = np.broadcast_to(points.x_nm[None, ::every], inside.shape)[inside]
    y_nm, x_nm = y_nm - y_nm.mean(), x_nm - x_nm.mean()
    fixed = np.arange(LINE_DIRECTIONS) * math.pi / LINE_DIRECTIONS
    directions = np.concatenate([fixed, [one.azimuth_rad for one in reflections]])
    on_left = _lines(directions, y_nm, x_nm)
    diameter_nm = 2 * every * SPACING_NM * math.sqrt(len(y_nm) / math.pi)
    down, along = np.meshgrid(SHIFTS / diameter_nm, SHIFTS / diameter_nm, indexing="ij")
    turns = np.outer(y_nm, down) + np.outer(x_nm, along)
    moved = waves[:, :, None] * np.exp(-2j * np.pi * turns).astype(np.complex64)
    left = (on_left @ moved.view(np.float32)).view(np.complex64)  # real times complex: half of it
    share = on_left.mean(axis=1, dtype=np.float64)
    power = np.maximum(np.abs(waves) ** 2 - noise[:, None], 0)
    on_left_power = power @ on_left.T / len(y_nm)
    strengths = np.array([one.strength for one in reflections])
    return _Sides(
        left=left,
        right=moved.sum(axis=1)[:, None] - left,
        left_power=on_left_power / share,
        right_power=(power.mean(axis=1)[:, None] - on_left_power) / (1 - share),
        noise=noise,
        strengths=strengths,
        weights=strengths / (1 + MODEL_ERROR * strengths),
    )


def _lines(
    directions: NDArray[np.float64], y_nm: NDArray[np.float64], x_nm: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(l, n) float32: 1 for the points left of each line, whose sides have set shares of them."""
    distance = np.sin(directions)[:, None] * y_nm + np.cos(directions)[:, None] * x_nm
    rank = np.argsort(np.argsort(distance, axis=1), axis=1)
    lines = rank[:, None, :] < np.rint(LINE_SHARES * len(y_nm))[:, None]
    return lines.reshape(-1, len(y_nm)).astype(np.float32)


def _split(sides: _Sides) -> tuple[float, ...]:
    """Gain, phase, third, step, contrast and misfit of the best line."""
    left, right = np.abs(sides.left), np.abs(sides.right)
    together = (left + right) ** 2
    best = together.argmax(axis=2)[..., None]
    stepped = np.take_along_axis(together, best, axis=2)[..., 0]
    whole = (np.abs(sides.left[:, 0] + sides.right[:, 0]) ** 2).max(axis=1)
    scale = np.maximum(whole * (1 / sides.strengths + MODEL_ERROR), TINY)[:, None]
    gain = (stepped - whole[:, None]) / scale
    total = gain.sum(axis=0)
    line = int(total.argmax())
    meeting = sides.left[:, line] * sides.right[:, line].conj()
    step = np.angle(np.take_along_axis(meeting, best[:, line], axis=1)[:, 0])
    share = sides.weights / sides.weights.sum()
    apart = (left.max(axis=2) + right.max(axis=2)) ** 2
    misfit = ((apart - stepped) / scale).sum(axis=0)
    return (
        float(total[line]),
        float(share @ (1 - np.cos(step)) / 2),
        float(share @ np.cos(3 * step)),
        float(abs(step[gain[:, line].argmax()])),
        float(total[line] / (np.median(total) + 1)),
        float(misfit.max()),
    )


def _asymmetry(sides: _Sides) -> float:
    """How far reflections lie on one side of a line, of the line where that is most."""
    both = sides.left_power + sides.right_power + sides.noise[:, None]
    contrast = np.abs(sides.left_power - sides.right_power) / np.maximum(both, TINY)
    return float((sides.weights @ contrast).max() / sides.weights.sum())
