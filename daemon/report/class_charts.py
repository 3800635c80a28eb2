"""Drawings of classes and faults: figures made from values, None where there is nothing to draw."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from daemon.palette import CLASS_MARKS, VERMILLION, hex_colour
from daemon.report.style import FAINT, INK, new_figure, without_grid
from daemon.words import NONE, percent, percents
from schema.correlation import Relations
from schema.fractions import Fraction
from schema.population import Population
from schema.records import CLASS_NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Whisker = tuple[str, float | None, float | None, float | None]
"""How an interval was made; the fraction, and its ends."""


def class_chart(population: Population) -> "Figure | None":
    """A bar for each class with its count and share."""
    counts: dict[str | None, int] = {name: population.class_counts[name] for name in CLASS_NAMES}
    if population.unclassified:
        counts[None] = population.unclassified
    total = sum(counts.values())
    if total == 0:
        return None
    from matplotlib.ticker import MaxNLocator

    marks = [CLASS_MARKS[name] for name in counts]
    figure = new_figure(0.35 + 0.21 * len(counts))
    axes = figure.subplots()
    axes.barh(
        [f"{mark.words} ({mark.sign})" for mark in marks],
        list(counts.values()),
        color=[hex_colour(mark.colour) for mark in marks],
        edgecolor=INK,
        linewidth=0.5,
        height=0.7,
    )
    for row, count in enumerate(counts.values()):
        words = f"{count} ({percent(count / total)})"
        axes.annotate(words, (count, row), xytext=(4, 0), textcoords="offset points", va="center")
    axes.invert_yaxis()
    axes.set_xlim(0, 1.2 * max(counts.values()))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("particles counted")
    axes.tick_params(axis="y", length=0)
    without_grid(axes, "y")
    return figure


def fraction_chart(population: Population) -> "Figure | None":
    """Both fractions, each with its three intervals and their numbers."""
    groups = (
        ("observable particles", population.observable_fraction),
        ("visible faults", population.stacking_fault_fraction),
    )
    if all(fraction.wilson.value is None for _, fraction in groups):
        return None
    figure = new_figure(1.6)
    axes, beside = figure.subplots(1, 2, width_ratios=(1, 0.5), sharey=True)
    names, places = [], []
    for group, (name, fraction) in enumerate(groups):
        for row, whisker in enumerate(_whiskers(fraction)):
            names.append(f"{name}: {whisker[0]}")
            places.append(3.6 * group + row)
            _whisker(axes, beside, places[-1], whisker)
    axes.set_yticks(places, names)
    axes.set_xlim(0, 100)
    axes.set_ylim(max(places) + 0.6, -0.6)
    axes.set_xlabel("%")
    axes.tick_params(axis="y", length=0)
    without_grid(axes, "y")
    beside.set_axis_off()
    return figure


def _whiskers(fraction: Fraction) -> Iterator[Whisker]:
    share, field, corrected = fraction.wilson, fraction.by_field, fraction.corrected
    yield "Wilson", share.value, share.low, share.high
    yield "over fields of view", field.value, field.low, field.high
    yield "classifier corrected", corrected.value, corrected.low, corrected.high


def _whisker(axes: "Axes", beside: "Axes", place: float, whisker: Whisker) -> None:
    """A point and its interval, and beside them both in words."""
    name, value, low, high = whisker
    colour = hex_colour(VERMILLION) if name.startswith("classifier") else INK
    if value is not None:
        ends = [100 * abs(value - (value if end is None else end)) for end in (low, high)]
        axes.errorbar(
            [100 * value],
            [place],
            xerr=[ends[:1], ends[1:]],
            fmt="o",
            markersize=4,
            color=colour,
            elinewidth=1.2,
            capsize=2.5,
            clip_on=False,
        )
    interval = percents(low, high)
    for x, words in ((0.3, percent(value)), (1.0, "" if interval == NONE else interval)):
        beside.text(x, place, words, va="center", ha="right")


def size_bin_chart(relations: Relations) -> "Figure | None":
    """The fraction of visible faults in ranges of size, with Wilson intervals."""
    bins = relations.fault_by_size
    if not bins:
        return None
    ends = np.array([(each.low_nm, each.high_nm) for each in bins])
    shares = [(each.faults.value, each.faults.low, each.faults.high) for each in bins]
    value, low, high = 100 * np.array(shares, np.float64).T
    figure = new_figure(1.9)
    axes = figure.subplots()
    axes.errorbar(
        ends.mean(axis=1),
        value,
        xerr=np.ptp(ends, axis=1) / 2,
        yerr=[value - low, high - value],
        fmt="o",
        markersize=4,
        color=INK,
        ecolor=FAINT,
        elinewidth=1,
    )
    axes.set_ylim(0, min(100.0, 1.15 * float(high.max())))
    axes.set_xlabel("area-equivalent diameter / nm")
    axes.set_ylabel("visible faults / %")
    return figure
