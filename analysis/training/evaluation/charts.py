"""The charts of the report: each a figure made from results, nothing else."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.simulation.dataset import MIXED
from analysis.training.evaluation.classes import ClassReport
from analysis.training.evaluation.curves import DEFOCUS, DIAMETER, DOSE, PIXEL_SIZE, CurvePoint
from analysis.training.evaluation.intervals import Estimate
from analysis.training.evaluation.limits import LEAST_DICE, MOST_BIAS
from analysis.training.evaluation.results import MethodResult, has_estimate
from analysis.training.evaluation.style import (
    BLUE,
    COLOURS,
    GREY,
    look_of,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {
    DOSE: "dose / e/Å²",
    DEFOCUS: "defocus / nm",
    PIXEL_SIZE: "pixel size / nm",
    DIAMETER: "diameter / nm",
}
LOGARITHMIC: Mapping[str, tuple[float, ...]] = {  # with their ticks
    DOSE: (20, 100, 400, 1600, 5000),
    PIXEL_SIZE: (0.01, 0.02, 0.04, 0.1),
    DIAMETER: (2, 3, 5, 8, 12),
}
MOST_COLUMNS = 4
SHORT_CLASSES = ("fault", "no fault", "misoriented", "agglomerate", "background")


def dice_chart(methods: Sequence[MethodResult]) -> "Figure":
    """Dice of every method on every material, with 95 % intervals."""
    materials = list(methods[0].core)
    figure = new_figure(7.2, 0.8 + 0.06 * max(7, len(methods)) * len(materials))
    axes = figure.subplots()
    for index, method in enumerate(methods):
        rows = [material for material in materials if material in method.core]
        places = np.array([materials.index(name) for name in rows], float)
        places += 0.6 * ((index + 0.5) / len(methods) - 0.5)
        estimates = [method.core[name].dice for name in rows]
        axes.errorbar(
            [each.value for each in estimates],
            places,
            xerr=_bars(estimates),
            linestyle="none",
            markersize=4,
            elinewidth=1,
            label=method.name,
            **look_of(index),
        )
    axes.set_yticks(range(len(materials)), materials)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("Dice, mean over micrographs")
    figure.legend(loc="outside right upper")
    return figure


def pixel_confusion_chart(method: MethodResult) -> "Figure":
    """Confusion of pixels for each material: the paper's Figure 2."""
    names = [name for name in method.pixels if name != MIXED]
    columns = min(MOST_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = new_figure(1.8 * max(2, columns), 2.0 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for number, axes in enumerate(grid.ravel()):
        if number >= len(names):
            axes.set_axis_off()
            continue
        shares = method.pixels[names[number]]
        kept, found = shares.background_kept, shares.particle_found
        _matrix(axes, np.array([[kept, 1 - kept], [1 - found, found]]), ("carbon", "particle"))
        axes.set_title(names[number])
        if number % columns:
            axes.set_yticks([])
        else:
            axes.set_ylabel("truth")
    return figure


def threshold_chart(method: MethodResult) -> "Figure":
    """Precision and recall of pixels against the probability threshold, by material."""
    names = [name for name, points in method.thresholds.items() if points and name != MIXED]
    figure = new_figure(7.2, 2.6)
    left, right = figure.subplots(1, 2, sharey=True)
    lowest = 1.0
    for index, name in enumerate(names):
        points = method.thresholds[name]
        at = [each.threshold for each in points]
        for axes, values in (
            (left, [each.precision for each in points]),
            (right, [each.recall for each in points]),
        ):
            axes.plot(at, values, linewidth=1.4, markersize=3, label=name, **look_of(index))
            lowest = min(lowest, *values)
    left.set_ylabel("precision of pixels")
    right.set_ylabel("recall of pixels")
    left.set_ylim(min(0.9, lowest - 0.02), 1.005)
    for axes in (left, right):
        axes.set_xlabel("threshold")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")
    return figure


def curve_chart(methods: Sequence[MethodResult]) -> "Figure":
    """Dice, instance F1, bias and class accuracy over each condition; a column a condition."""
    names = [name for name in (DOSE, DEFOCUS, PIXEL_SIZE, DIAMETER) if name in methods[0].curves]
    figure = new_figure(9.6, 7.2)
    grid = figure.subplots(len(_ROWS), len(names), sharex="col", squeeze=False)
    for row, (label, of) in enumerate(_ROWS):
        for column, name in enumerate(names):
            axes = grid[row, column]
            for index, method in enumerate(methods):
                _curve(axes, method.curves.get(name, ()), of, index, method.name)
            _limits(axes, methods[0].curves[name], label)
            if name in LOGARITHMIC:
                _logarithmic(axes, LOGARITHMIC[name])
            if column:
                axes.tick_params(labelleft=False)
            if row == len(_ROWS) - 1:
                axes.set_xlabel(LABELS[name])
        grid[row, 0].set_ylabel(label)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4)
    return figure


def bias_chart(method: MethodResult) -> "Figure":
    """Median diameter bias by class of size and of defocus."""
    figure = new_figure(7.2, 2.4)
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, groups, label in (
        (left, method.bias_by_size, "true diameter"),
        (right, method.bias_by_defocus, "defocus"),
    ):
        estimates = [group.relative for group in groups.values()]
        values = [100 * each.value for each in estimates]
        axes.errorbar(
            range(len(groups)),
            values,
            yerr=100 * _bars(estimates),
            fmt="o",
            color=BLUE,
            markersize=4,
        )
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_xticks(
            range(len(groups)),
            [f"{name}\nn = {group.particles}" for name, group in groups.items()],
            fontsize=8,
        )
        axes.set_xlim(-0.5, len(groups) - 0.5)
        axes.set_xlabel(label)
    left.set_ylabel("median bias / %")
    return figure


def confusion_chart(report: ClassReport) -> "Figure":
    """The 5x5 confusion matrix as shares of each true class: the paper's Figure 5f."""
    counts = np.array(report.confusion, float)
    examples = counts.sum(axis=1, keepdims=True)
    shares = np.where(examples > 0, counts / np.maximum(examples, 1), np.nan)
    figure = new_figure(4.6, 3.9)
    axes = figure.subplots()
    _matrix(axes, shares, SHORT_CLASSES)
    axes.set_ylabel("truth")
    return figure


def reliability_chart(report: ClassReport) -> "Figure":
    """How often the most probable class is right, against how probable it was said to be."""
    figure = new_figure(3.6, 3.2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    bins = report.reliability
    axes.plot(
        [each.mean_confidence for each in bins],
        [each.share_right for each in bins],
        marker="o",
        markersize=4,
        color=BLUE,
    )
    for each in bins:
        axes.annotate(
            str(each.count),
            (each.mean_confidence, each.share_right),
            textcoords="offset points",
            xytext=(5, -9),
            fontsize=7,
            color=GREY,
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("probability of the most probable class")
    axes.set_ylabel("share right")
    return figure


_ROWS: tuple[tuple[str, Callable[[CurvePoint], Estimate]], ...] = (
    ("Dice", lambda each: each.dice),
    ("instance F1", lambda each: each.instance_f1),
    ("diameter bias", lambda each: each.bias),
    ("class accuracy", lambda each: each.class_accuracy),
)


def _curve(
    axes: "Axes",
    points: Sequence[CurvePoint],
    of: Callable[[CurvePoint], Estimate],
    index: int,
    name: str,
) -> None:
    known = [each for each in points if has_estimate(of(each))]
    at = [each.value for each in known]
    estimates = [of(each) for each in known]
    axes.plot(
        at,
        [each.value for each in estimates],
        markersize=3,
        linewidth=1.2,
        label=name,
        **look_of(index),
    )
    if index == 0:  # a band for each would hide the lines
        lows, highs = [each.low for each in estimates], [each.high for each in estimates]
        axes.fill_between(at, lows, highs, color=COLOURS[index], alpha=0.15, linewidth=0)


def _limits(axes: "Axes", points: Sequence[CurvePoint], label: str) -> None:
    """Where the rule draws its line; the scale of the axis."""
    if label == "diameter bias":
        for edge in (-MOST_BIAS, MOST_BIAS):
            axes.axhline(edge, color=GREY, linewidth=0.8, linestyle="--")
        axes.set_ylim(-0.3, 0.3)
        axes.set_yticks([-0.2, 0, 0.2], ["−20 %", "0", "20 %"])
        return
    if label != "class accuracy":
        axes.axhline(LEAST_DICE, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_ylim(0, 1.02)


def _logarithmic(axes: "Axes", ticks: Sequence[float]) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{value:g}" for value in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())


def _matrix(axes: "Axes", shares: Any, names: Sequence[str]) -> None:
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    for row, column in np.ndindex(*shares.shape):
        share = float(shares[row, column])
        if math.isnan(share):
            continue
        colour = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{share:.2f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("found")


def _bars(estimates: Sequence[Estimate]) -> Any:
    """Lengths of error bars down and up, (2, N); none where there is no interval."""
    values = np.array([each.value for each in estimates])
    low = np.array([each.low for each in estimates])
    high = np.array([each.high for each in estimates])
    return np.nan_to_num(np.clip([values - low, high - values], 0, None))
