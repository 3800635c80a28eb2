"""The small figures of every region of a result, packed into one value of its row.

Written in the transaction of the result. A statistic over a million particles reads ten thousand
rows in place of a million, in a tenth of a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schema.errors import StoreError
from schema.records import CLASS_NAMES, ParticleRecord

EXCLUSIONS = ("below_size_limit",)
"""Reasons why a region stays outside statistics. Only added to, as rows hold their place in it."""

UNCLASSIFIED = -1

PACKED = np.dtype(
    [
        ("diameter_nm", "<f8"),
        ("caliper_nm", "<f8"),
        ("aspect_ratio", "<f8"),
        ("circularity", "<f8"),
        ("class_code", "i1"),
        ("exclusion", "u1"),
        ("touches_border", "?"),
    ]
)
"""One region. `diameter_nm` is the area-equivalent one, `caliper_nm` the mean of the longest and
the shortest caliper, both NaN without a pixel size. `class_code` is a place in `CLASS_NAMES` or -1,
`exclusion` 0 or one more than a place in `EXCLUSIONS`."""

Packed = NDArray[np.void]


@dataclass(frozen=True, kw_only=True)
class ResultSummary:
    """The regions of one result, in order of their labels: how many, and each as `PACKED`."""

    particle_count: int
    packed: bytes


def summarise(particles: Sequence[ParticleRecord]) -> ResultSummary:
    """The summary of one result.

    Raises:
        StoreError: a particle is excluded for a reason that has no place in `EXCLUSIONS`.
    """
    ordered = sorted(particles, key=lambda particle: particle.label)
    table = np.array([_packed(particle) for particle in ordered], dtype=PACKED)
    return ResultSummary(particle_count=len(ordered), packed=table.tobytes())


def unpacked(parts: Sequence[bytes]) -> tuple[Packed, NDArray[np.int64]]:
    """(N,) regions of several results, and (N,) the place of the result each belongs to."""
    counts = [len(part) // PACKED.itemsize for part in parts]
    table = np.frombuffer(b"".join(parts), dtype=PACKED)
    return table, np.repeat(np.arange(len(parts)), counts)


def _packed(particle: ParticleRecord) -> tuple[float, float, float, float, int, int, bool]:
    nan = float("nan")
    name, longest, shortest = particle.particle_class, particle.feret_max_nm, particle.feret_min_nm
    return (
        nan if particle.equivalent_diameter_nm is None else particle.equivalent_diameter_nm,
        nan if longest is None or shortest is None else (longest + shortest) / 2,
        particle.aspect_ratio,
        particle.circularity,
        UNCLASSIFIED if name is None else CLASS_NAMES.index(name),
        _exclusion(particle.excluded),
        particle.touches_border,
    )


def _exclusion(reason: str | None) -> int:
    if reason is None:
        return 0
    if reason not in EXCLUSIONS:
        raise StoreError(f"no place for particles that are left out as {reason!r}")
    return EXCLUSIONS.index(reason) + 1
