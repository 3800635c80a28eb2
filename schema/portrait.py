"""What the pictures of a population are drawn from, beside its figures.

Pure: the regions that count in, small frozen values out, however many regions there are.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from schema.correlation import by_field
from schema.distribution import nice_edges
from schema.fits import LEAST_PARTICLES
from schema.fractions import FAULT, NO_FAULT
from schema.resampling import Weighted
from schema.sample import Sample

Floats = NDArray[np.float64]

FEW = LEAST_PARTICLES
"""Fewer than can be fitted have no distribution either: they are named one by one."""

_STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Particles, as they are, between ascending edges."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One field of view; `median_nm` is None where it has no particle whose size counts.

    `seen_at_utc`: when a file of it was first seen. `faults` of `observable` particles.
    """

    seen_at_utc: datetime
    particles: int
    median_nm: float | None
    faults: int
    observable: int


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """How sizes and shapes are distributed, and what each field of view had, in order of time.

    `few_nm`: the sizes themselves, ascending, where there are fewer than `FEW`. `size_quantiles_nm`
    at 201 even shares from 0 to 1, border weights included; empty where there are few.
    """

    few_nm: tuple[float, ...]
    size_quantiles_nm: tuple[float, ...]
    aspect_ratio: Histogram
    circularity: Histogram
    course: tuple[Moment, ...]


def portrait(counted: Sample) -> Portrait:
    """What is to be drawn of one selection."""
    sized = counted.is_sized
    diameter = np.sort(counted.diameter_nm[sized])
    is_few = diameter.size < FEW
    return Portrait(
        few_nm=tuple(diameter.tolist()) if is_few else (),
        size_quantiles_nm=() if is_few else _quantiles(counted),
        aspect_ratio=_histogram(counted.aspect_ratio[sized]),
        circularity=_histogram(counted.circularity[sized]),
        course=_course(counted),
    )


def _quantiles(counted: Sample) -> tuple[float, ...]:
    sized = counted.is_sized
    sizes = Weighted(counted.diameter_nm[sized], counted.weight[sized])
    return tuple(sizes.quantiles(tuple(np.linspace(0, 1, _STEPS + 1).tolist())).tolist())


def _histogram(values: Floats) -> Histogram:
    edges = nice_edges(values)
    counts = np.histogram(values, edges)[0].tolist() if edges.size else []
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts))


def _course(counted: Sample) -> tuple[Moment, ...]:
    fields, sized = counted.fields, counted.is_sized
    faults = counted.class_code == FAULT
    observable = faults | (counted.class_code == NO_FAULT)
    medians = by_field(np.median, counted.diameter_nm[sized], counted.field[sized], fields)
    numbers = [
        np.bincount(counted.field[chosen], minlength=fields)
        for chosen in (sized, faults, observable)
    ]
    return tuple(
        Moment(
            seen_at_utc=datetime.fromtimestamp(counted.seen_seconds[place], UTC),
            particles=int(numbers[0][place]),
            median_nm=float(medians[place]) if np.isfinite(medians[place]) else None,
            faults=int(numbers[1][place]),
            observable=int(numbers[2][place]),
        )
        for place in np.argsort(counted.seen_seconds, kind="stable")
    )
