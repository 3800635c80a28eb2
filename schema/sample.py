"""The regions that one statistic is about, as arrays: where each lies and what it counts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schema import border
from schema.choice import Choice, Rules
from schema.records import CLASS_NAMES
from schema.summaries import EXCLUSIONS, Packed

OUTSIDE_SIZE_RANGE = "outside_size_range"
"""Reason of those whose size was not asked for."""


@dataclass(frozen=True, kw_only=True)
class Particles:
    """All regions of some results.

    `table` (N,) of `summaries.PACKED`; `result` (N,) int64, the place of each one's result among
    those that were asked for.
    """

    table: Packed
    result: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The N regions that count: not excluded, away from the border, of the sizes asked for.

    `field` (N,) int64 in [0, `fields`), the field of view of each. `class_code` (N,) int8, place in
    `CLASS_NAMES` or -1. `diameter_nm`, `aspect_ratio`, `circularity` (N,) float64. `weight` (N,)
    float64: how many particles each stands for, those counted that touch the border included.
    `is_sized` (N,) bool: of the classes whose size and shape count. `seen_seconds`
    (`fields`,) POSIX time at which a file of each field of view was first seen.
    """

    fields: int
    field: NDArray[np.int64]
    class_code: NDArray[np.int8]
    diameter_nm: NDArray[np.float64]
    aspect_ratio: NDArray[np.float64]
    circularity: NDArray[np.float64]
    weight: NDArray[np.float64]
    is_sized: NDArray[np.bool_]
    seen_seconds: NDArray[np.float64]


def counts_for_size(table: Packed, rules: Rules) -> NDArray[np.bool_]:
    """(N,) whether size and shape of a region belong to the population by the counting rule."""
    is_sized = _has_size(table["class_code"], table["diameter_nm"], rules)
    return np.asarray(is_counted(table, rules) & is_sized)


def sample(choice: Choice, particles: Particles) -> Sample:
    """The regions that count, of the results that were chosen."""
    counted = is_counted(particles.table, choice.rules)
    class_code, diameter_nm, aspect_ratio, circularity, caliper_nm = (
        particles.table[name][counted]
        for name in ("class_code", "diameter_nm", "aspect_ratio", "circularity", "caliper_nm")
    )
    result = particles.result[counted]
    names = sorted({each.field_of_view_id for each in choice.results})
    place = {name: number for number, name in enumerate(names)}
    of_result = np.array([place[each.field_of_view_id] for each in choice.results], np.int64)
    seen = np.full(len(names), np.inf)
    np.minimum.at(seen, of_result, [each.seen_at_utc.timestamp() for each in choice.results])
    return Sample(
        fields=len(names),
        field=of_result[result],
        class_code=class_code,
        diameter_nm=diameter_nm,
        aspect_ratio=aspect_ratio,
        circularity=circularity,
        weight=_weights(choice, caliper_nm, result),
        is_sized=_has_size(class_code, diameter_nm, choice.rules),
        seen_seconds=seen,
    )


def excluded(choice: Choice, particles: Particles) -> dict[str, int]:
    """How many regions do not count, by the reason; one with two reasons has the first."""
    table = particles.table
    counts = np.bincount(table["exclusion"], minlength=1 + len(EXCLUSIONS)).tolist()
    found = {name: counts[place] for place, name in enumerate(EXCLUSIONS, 1) if counts[place]}
    inside = _is_inside(table)
    touching = int(np.count_nonzero((table["exclusion"] == 0) & ~inside))
    if touching:
        found["touches_border"] = touching
    unasked = int(np.count_nonzero(inside & ~_is_in_range(table, choice.rules)))
    if unasked:
        found[OUTSIDE_SIZE_RANGE] = unasked
    return found | {str(reason): count for reason, count in choice.left_out.items() if count}


def is_counted(table: Packed, rules: Rules) -> NDArray[np.bool_]:
    """(N,) whether a region is not excluded, does not touch the border, and is of a size wanted."""
    return _is_inside(table) & _is_in_range(table, rules)


def _has_size(
    class_code: NDArray[np.int8], diameter_nm: NDArray[np.float64], rules: Rules
) -> NDArray[np.bool_]:
    """(N,) whether size and shape of a region that counts belong to the population."""
    is_wanted = np.zeros(len(CLASS_NAMES) + 1, np.bool_)  # the last is for those without a class
    is_wanted[[CLASS_NAMES.index(name) for name in rules.size_classes]] = True
    return np.asarray(is_wanted[class_code] & np.isfinite(diameter_nm))


def _is_inside(table: Packed) -> NDArray[np.bool_]:
    return np.asarray((table["exclusion"] == 0) & ~table["touches_border"])


def _is_in_range(table: Packed, rules: Rules) -> NDArray[np.bool_]:
    if rules.size_range_nm is None:
        return np.ones(table.size, np.bool_)
    low, high = rules.size_range_nm
    return np.asarray((table["diameter_nm"] >= low) & (table["diameter_nm"] < high))


def _weights(
    choice: Choice, caliper_nm: NDArray[np.float64], result: NDArray[np.int64]
) -> NDArray[np.float64]:
    if not choice.rules.border_weights:
        return np.ones(result.size)
    nan = float("nan")
    sides = [(each.height_nm or nan, each.width_nm or nan) for each in choice.results]
    height, width = np.array(sides, np.float64).reshape(-1, 2)[result].T
    found = border.weights(caliper_nm, height, width)
    return np.where(np.isfinite(found), found, 1.0)
