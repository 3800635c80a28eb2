"""Find the reflections of one region: maxima of its power spectrum far above the ring they lie on.

The ring is what an amorphous region has: carbon and shot noise. Such noise reaches s times its
ring once in exp(s) independent samples. Everything is in nm⁻¹ or in units of the ring, so that
neither crop nor magnification nor gain changes it. How finely a region resolves depends on its
outline, so distances between reflections are counted in its own widths, see `Extent`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.spectrum import Spectrum

LOWEST_PER_NM = 1.2  # below lie thickness and the envelope of the region
HIGHEST_PER_NM = 7.5
RING_PER_NM = 0.2
RING_SMOOTHING = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9  # of five neighbouring rings
RING_CLIP = 3.0  # times the ring: reflections hardly count for their own background
CLIPPED_MEAN = 1 - math.exp(-RING_CLIP)  # of an exponential distribution
RING_ROUNDS = 4
LEAST_STRENGTH = 10.0  # white noise over 5 nm has a stronger maximum in every other region
MOST_CANDIDATES = 12
LOOKED_AT = 96  # maxima, strongest over their ring first; many are side lobes
MOST_FOLLOWED = 6  # a lattice seen along an axis has 2 to 6 strong ones
APART_RAD = math.radians(12)
APART_WIDTHS = 0.9
SIDE_LOBE_WIDTHS = 3.2  # where the side lobes of an outline lie
SIDE_LOBE_POWER = 0.05  # of the reflection they belong to
PEAK_WIDTHS = 1.6  # a reflection of a whole crystal ends here
TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, kw_only=True)
class Reflection:
    """A maximum of the power over its ring; of ±g that with q_y ≥ 0, to a fraction of a sample.

    `q_per_nm`: (2,) float64, (q_y, q_x) in nm⁻¹, y down. `power` in σ²·nm²; `strength`: the power
    over that of its ring.
    """

    q_per_nm: NDArray[np.float64]
    power: float
    strength: float

    @property
    def azimuth_rad(self) -> float:
        """Direction of the reflection in [0, π], from +x towards +y."""
        return math.atan2(*self.q_per_nm) % math.pi


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How far a window reaches in each direction: `root_nm` (2, 2), four roots of its moments.

    For a disc of diameter D it is D times the unit matrix: its reflections fall to a hundredth
    1.1/D away and have side lobes beyond.
    """

    root_nm: NDArray[np.float64]

    @classmethod
    def of(cls, weight: NDArray[np.float32], pixel_size_nm: float) -> "Extent":
        """From the second moments of a window (h, w), of which a pixel has its own."""
        moments = cv2.moments(weight)
        xx, yy, xy = (moments[name] / moments["m00"] for name in ("mu20", "mu02", "mu11"))
        spread = np.array([[yy + 1 / 12, xy], [xy, xx + 1 / 12]]) * pixel_size_nm**2
        values, axes = np.linalg.eigh(spread)
        return cls(root_nm=axes * (4 * np.sqrt(np.maximum(values, TINY))) @ axes.T)

    def widths(self, q_per_nm: NDArray[np.floating]) -> NDArray[np.float64]:
        """Length of vectors (..., 2) in widths of a reflection: |q|·D for a disc."""
        return np.asarray(np.linalg.norm(q_per_nm @ self.root_nm, axis=-1), np.float64)

    @property
    def narrowest_nm(self) -> float:
        """Diameter along the short axis."""
        return float(np.linalg.eigvalsh(self.root_nm)[0])


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """A spectrum with what was found in it.

    `power`, `ring`: (2K + 1, 2K + 1) float32 in σ²·nm². `candidates`: maxima, strongest over
    their ring first, also those too weak for a reflection. `extent`: of the window.
    """

    spectrum: Spectrum
    extent: Extent
    power: NDArray[np.float32]
    ring: NDArray[np.float32]
    candidates: tuple[Reflection, ...]

    @property
    def reflections(self) -> tuple[Reflection, ...]:
        """Those candidates ten times above their ring; of noise in every other region of 5 nm."""
        return tuple(one for one in self.candidates if one.strength >= LEAST_STRENGTH)

    @property
    def followed(self) -> tuple[Reflection, ...]:
        """The strongest reflections, at most six; one candidate where there is none."""
        return self.reflections[:MOST_FOLLOWED] or self.candidates[:1]

    @cached_property
    def beyond(self) -> NDArray[np.bool_]:
        """Which samples lie outside the width of every followed reflection, (2K + 1, 2K + 1)."""
        beyond = np.ones(self.power.shape, np.bool_)
        reach_per_nm = PEAK_WIDTHS / self.extent.narrowest_nm
        for one in self.followed:
            for q in (one.q_per_nm, -one.q_per_nm):
                around = patch(self.spectrum, q, reach_per_nm)
                outside = self.extent.widths(around.vectors()) > PEAK_WIDTHS
                beyond[around.rows, around.columns] &= outside
        return beyond


def find_lattice(spectrum: Spectrum, weight: NDArray[np.float32]) -> Lattice | None:
    """Rings and reflections of a region; None where Nyquist lies below any lattice.

    Args:
        spectrum: of the crop.
        weight: (h, w) float32, its window.
    """
    if spectrum.kept * spectrum.step_per_nm < LOWEST_PER_NM + 2 * RING_PER_NM:
        return None
    power = spectrum.power()
    ring = ring_power(spectrum, power)
    extent = Extent.of(weight, spectrum.pixel_size_nm)
    return Lattice(
        spectrum=spectrum,
        extent=extent,
        power=power,
        ring=ring,
        candidates=_candidates(spectrum, power, ring, extent),
    )


def ring_power(spectrum: Spectrum, power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power of an amorphous region at every sample, (2K + 1, 2K + 1) float32 in σ²·nm².

    The azimuthal mean in rings of 0.2 nm⁻¹, smoothed over five of them. Each sample counts for at
    most 3 times the mean of the round before, four times over, so that reflections hardly raise
    it; what noise, whose power has an exponential distribution, loses by that is given back.
    """
    kept = spectrum.kept
    ring, lower, upper_share = _ring_geometry(kept, spectrum.step_per_nm)
    index, sampled = ring.ravel(), power[kept::2, ::2].ravel()  # neighbours say the same
    count = int(kept * spectrum.step_per_nm / RING_PER_NM) + 1  # corners belong to the last
    members = np.maximum(np.bincount(index, minlength=count), 1)
    first = math.ceil(LOWEST_PER_NM / 2 / RING_PER_NM)
    mean = np.bincount(index, sampled, count) / members
    for _ in range(RING_ROUNDS):
        clipped = np.minimum(sampled, RING_CLIP * _smooth(mean, first)[index])
        mean = np.bincount(index, clipped, count) / members / CLIPPED_MEAN
    level = np.maximum(_smooth(mean, first), TINY).astype(np.float32)
    lower_half = level[lower] + (level[lower + 1] - level[lower]) * upper_share
    return np.concatenate([lower_half[:0:-1], lower_half])


def _smooth(mean: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """The rings from `first` on smoothed; those further in have the value of the first."""
    padded = np.pad(mean[first:], len(RING_SMOOTHING) // 2, mode="edge")
    smooth = np.convolve(padded, RING_SMOOTHING, "valid")
    return np.concatenate([np.full(first, smooth[0]), smooth])


@lru_cache(maxsize=4)
def _ring_geometry(
    kept: int, step_per_nm: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Of the half with q_y ≥ 0: ring of every other sample; of each the ring below, share above.

    The last ring takes the corners in.
    """
    position = radius_per_nm(kept, step_per_nm)[kept:] / RING_PER_NM
    last = int(kept * step_per_nm / RING_PER_NM)
    lower = np.clip(np.floor(position - 0.5), 0, last - 1)
    share = np.clip(position - 0.5 - lower, 0, 1)
    ring = np.minimum(position[::2, ::2].astype(np.intp), last)
    return ring, lower.astype(np.intp), share.astype(np.float32)


@lru_cache(maxsize=4)
def radius_per_nm(kept: int, step_per_nm: float) -> NDArray[np.float32]:
    """Spatial frequency of every sample, (2K + 1, 2K + 1) float32 in nm⁻¹."""
    q = np.arange(-kept, kept + 1, dtype=np.float32) * np.float32(step_per_nm)
    return np.asarray(np.hypot(q[:, None], q[None, :]), np.float32)


@lru_cache(maxsize=4)
def in_band(kept: int, step_per_nm: float) -> NDArray[np.bool_]:
    """Which samples lie where reflections do, two samples below Nyquist, (2K + 1, 2K + 1) bool."""
    radius = radius_per_nm(kept, step_per_nm)
    highest = min(HIGHEST_PER_NM, (kept - 2) * step_per_nm)
    return np.asarray((radius > LOWEST_PER_NM) & (radius < highest))


def _candidates(
    spectrum: Spectrum, power: NDArray[np.float32], ring: NDArray[np.float32], extent: Extent
) -> tuple[Reflection, ...]:
    """Maxima of power over ring in half of the plane, strongest first, without side lobes."""
    kept, step = spectrum.kept, spectrum.step_per_nm
    ratio = power[kept - 1 :] / ring[kept - 1 :]  # one row more, for the maxima in the first
    top = (ratio >= cv2.dilate(ratio, np.ones((3, 3)))) & (ratio > 0)
    top[0] = top[1, : kept + 1] = False
    rows, columns = np.nonzero(top & in_band(kept, step)[kept - 1 :])
    strongest = np.argsort(-ratio[rows, columns], kind="stable")[:LOOKED_AT]
    rows, columns = rows[strongest] + kept - 1, columns[strongest]
    places = np.stack([rows, columns], axis=-1) - kept + _offsets(power, rows, columns)
    powers = power[rows, columns]
    return tuple(
        Reflection(
            q_per_nm=places[index] * step,
            power=float(powers[index]),
            strength=float(powers[index] / ring[rows[index], columns[index]]),
        )
        for index in _apart(places * step, powers, extent)
    )


def _offsets(
    power: NDArray[np.float32], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Where parabolas through the logarithms of three samples have their maxima, (n, 2) samples."""
    around = np.arange(-1, 2)[:, None]
    before, middle, after = np.log(
        np.maximum(
            np.stack([power[rows + around, columns], power[rows, columns + around]], axis=-1), TINY
        )
    ).astype(np.float64)
    bend = np.minimum(before - 2 * middle + after, -TINY)
    return np.asarray(np.clip((before - after) / (2 * bend), -1, 1), np.float64)


def _apart(q_per_nm: NDArray[np.float64], powers: NDArray[np.float32], extent: Extent) -> list[int]:
    """Indices of those that are no flank or side lobe of a stronger one before them, or of −g."""
    apart = np.minimum(
        extent.widths(q_per_nm[:, None] - q_per_nm), extent.widths(q_per_nm[:, None] + q_per_nm)
    )
    lobes = (apart < SIDE_LOBE_WIDTHS) & (powers[:, None] < SIDE_LOBE_POWER * powers)
    belongs = lobes | (apart < APART_WIDTHS)
    found: list[int] = []
    for index in range(len(powers)):
        if len(found) < MOST_CANDIDATES and not belongs[index, found].any():
            found.append(index)
    return found


def by_direction(reflections: Sequence[Reflection]) -> list[Reflection]:
    """The strongest of every direction, more than 12° from all stronger ones."""
    kept: list[Reflection] = []
    for one in sorted(reflections, key=lambda reflection: -reflection.strength):
        if all(between_rad(one.azimuth_rad, other.azimuth_rad) > APART_RAD for other in kept):
            kept.append(one)
    return kept


def between_rad(one_rad: float, other_rad: float) -> float:
    """Angle in [0, π/2] between two axes, in rad."""
    difference = abs(one_rad - other_rad) % math.pi
    return min(difference, math.pi - difference)


@dataclass(frozen=True, kw_only=True)
class Patch:
    """The samples around a reflection: `rows`, `columns`, and (h,), (w,) their distance in nm⁻¹."""

    rows: slice
    columns: slice
    y_per_nm: NDArray[np.float64]
    x_per_nm: NDArray[np.float64]

    def vectors(self) -> NDArray[np.float64]:
        """Distance of every sample from the reflection, (h, w, 2) in nm⁻¹."""
        grid = np.meshgrid(self.y_per_nm, self.x_per_nm, indexing="ij")
        return np.stack(grid, axis=-1)


def patch(spectrum: Spectrum, q_per_nm: NDArray[np.float64], reach_per_nm: float) -> Patch:
    """The square that reaches as far from a place on each side, cut at the end of the spectrum."""
    kept, step = spectrum.kept, spectrum.step_per_nm
    reach = math.ceil(reach_per_nm / step)
    slices, distances = [], []
    for q in q_per_nm:
        middle = round(q / step) + kept
        taken = slice(max(0, middle - reach), max(0, middle + reach + 1))
        slices.append(taken)
        distances.append((np.arange(2 * kept + 1)[taken] - kept) * step - q)
    return Patch(rows=slices[0], columns=slices[1], y_per_nm=distances[0], x_per_nm=distances[1])
