"""The small figures of one result, which the live view adds up.

Written in the transaction of the result, so that a refresh reads one row per micrograph and not
one per particle.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schema.records import CLASS_NAMES, ParticleRecord

SIZE_CLASSES = ("stacking_fault", "no_stacking_fault", "misoriented")
"""The classes of crystalline single particles, whose size and shape count."""

COUNTING_RULE = "particles that touch the border are left out, no correction for it"

_SMALLEST_EDGE_NM = 0.5
_BINS_PER_OCTAVE = 16
_BINS = 160

SIZE_EDGES_NM = tuple(_SMALLEST_EDGE_NM * 2 ** (k / _BINS_PER_OCTAVE) for k in range(_BINS + 1))
"""Edges of the size histogram, 0.5 nm to 512 nm, 16 bins per doubling: each 4.4 % wide."""


@dataclass(frozen=True, kw_only=True)
class ResultSummary:
    """What one result adds to the population.

    Every region is in exactly one of `excluded_count`, `border_count`, `unclassified_count` and
    `class_counts`, tried in this order. `size_count` are those of `SIZE_CLASSES` with a size in
    nm, with Σ ln(d / nm) and Σ ln²(d / nm) over them; `size_histogram` has one count per bin of
    `SIZE_EDGES_NM`, sizes beyond the ends in the outermost bins.
    """

    particle_count: int
    excluded_count: int
    border_count: int
    unclassified_count: int
    class_counts: tuple[int, ...]
    size_count: int
    sum_ln_d: float
    sum_ln_d_squared: float
    size_histogram: tuple[int, ...]


def summarise(particles: Iterable[ParticleRecord]) -> ResultSummary:
    """The summary of one result."""
    every = tuple(particles)
    kept = [particle for particle in every if particle.excluded is None]
    counted = [particle for particle in kept if not particle.touches_border]
    classes = [particle.particle_class for particle in counted]
    logs = [
        math.log(particle.equivalent_diameter_nm)
        for particle in counted
        if particle.particle_class in SIZE_CLASSES and particle.equivalent_diameter_nm is not None
    ]
    return ResultSummary(
        particle_count=len(every),
        excluded_count=len(every) - len(kept),
        border_count=len(kept) - len(counted),
        unclassified_count=classes.count(None),
        class_counts=tuple(classes.count(name) for name in CLASS_NAMES),
        size_count=len(logs),
        sum_ln_d=math.fsum(logs),
        sum_ln_d_squared=math.fsum(value * value for value in logs),
        size_histogram=_histogram(logs),
    )


def _histogram(logs: Sequence[float]) -> tuple[int, ...]:
    counts = [0] * _BINS
    for value in logs:
        octaves = value / math.log(2) - math.log2(_SMALLEST_EDGE_NM)
        counts[min(max(math.floor(octaves * _BINS_PER_OCTAVE), 0), _BINS - 1)] += 1
    return tuple(counts)
