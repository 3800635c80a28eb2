"""Drawings of sizes and shapes: figures made from values, None where there is nothing to draw."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daemon.palette import GREEN, SKY_BLUE, VERMILLION, hex_colour
from daemon.report.style import FAINT, INK, new_figure, without_grid
from schema.distribution import Deciles
from schema.fits import Fit
from schema.population import Population
from schema.portrait import FEW, Histogram, Portrait

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_BARS = hex_colour(SKY_BLUE)
_POINTS = 300


def size_chart(population: Population, portrait: Portrait) -> "Figure | None":
    """Counts with both laws at the left, cumulative shares at the right."""
    if population.particles < FEW:
        return None
    edges = np.array(population.size_edges_nm)
    figure = new_figure(2.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
    _bars(left, edges, np.array(population.size_histogram))
    quantiles = portrait.size_quantiles_nm
    right.plot(quantiles, np.linspace(0, 100, len(quantiles)), color=_BARS, linewidth=3)
    limits = _limits(population, edges)
    _draw_laws(left, right, population, limits)
    for axes in (left, right):
        axes.set_xlim(limits)
        _mark_sizes(axes, population)
        axes.set_xlabel("area-equivalent diameter / nm")
    without_grid(left, "x")
    left.set_ylabel(f"particles in {edges[1] - edges[0]:.3g} nm")
    right.set_ylabel("smaller / %")
    right.set_ylim(0, 100)
    right.set_yticks([0, 10, 50, 90, 100])
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _draw_laws(
    left: "Axes", right: "Axes", population: Population, limits: tuple[float, float]
) -> None:
    """As many particles as lie above the lower size limit, in bins as wide as the bars."""
    edges = np.array(population.size_edges_nm)
    limit_nm = population.size_limit_nm or 0.0
    seen = np.array(population.size_histogram)[edges[1:] > limit_nm].sum()
    for fit, colour, dashes in (
        (population.lognormal, INK, "-"),
        (population.normal, hex_colour(VERMILLION), "--"),
    ):
        if fit is not None:
            x, density, share = _law(fit, limit_nm, limits)
            style: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 1.2}
            left.plot(x, density * seen * (edges[1] - edges[0]), label=f"{fit.model} law", **style)
            right.plot(x, 100 * share, **style)


def _limits(population: Population, edges: Floats) -> tuple[float, float]:
    """Of the axis: all bars, and the lower size limit where it is near."""
    low, high = float(edges[0]), float(edges[-1])
    room = 0.04 * (high - low)
    limit = population.size_limit_nm
    if limit is not None and low - (high - low) / 2 < limit < low:
        low = limit
    return max(low - room, 0.0), high + room


def _law(fit: Fit, limit_nm: float, limits: tuple[float, float]) -> tuple[Floats, Floats, Floats]:
    """Diameters, density per nm and cumulative share of what lies above the lower size limit."""
    from scipy.stats import lognorm, norm

    centre, spread = fit.centre_nm.value or np.nan, fit.spread.value or np.nan
    x = np.linspace(max(limits[0], limit_nm, 1e-6), limits[1], _POINTS)
    if fit.model == "lognormal":
        law = lognorm(s=np.log(spread), scale=centre)
    else:
        law = norm(loc=centre, scale=spread)
    seen = 1 - fit.unseen
    return x, law.pdf(x) / seen, (law.cdf(x) - fit.unseen) / seen


def _mark_sizes(axes: "Axes", population: Population) -> None:
    """Median with its interval, and the lower size limit where it lies on the axis."""
    median, green = population.diameter_nm.d50, hex_colour(GREEN)
    if median.value is not None:
        if median.low is not None and median.high is not None:
            axes.axvspan(median.low, median.high, color=green, alpha=0.25, linewidth=0)
        axes.axvline(median.value, color=green, linewidth=1.2, label="median")
    limit_nm = population.size_limit_nm
    if limit_nm is not None and limit_nm > axes.get_xlim()[0]:
        axes.axvline(
            limit_nm,
            color=FAINT,
            linestyle=":",
            linewidth=1.5,
            label="lower size limit",
        )


def shape_chart(population: Population, portrait: Portrait) -> "Figure | None":
    """Aspect ratio at the left, circularity at the right."""
    if population.particles < FEW:
        return None
    figure = new_figure(1.95)
    left, right = figure.subplots(1, 2)
    _shape(left, portrait.aspect_ratio, population.aspect_ratio)
    _shape(right, portrait.circularity, population.circularity)
    left.set_xlabel("aspect ratio")
    right.set_xlabel("circularity")
    left.set_ylabel("particles")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _shape(axes: "Axes", histogram: Histogram, deciles: Deciles) -> None:
    _bars(axes, np.array(histogram.edges), np.array(histogram.counts))
    for found, name, dashes in (
        (deciles.d10, "D10", ":"),
        (deciles.d50, "D50", "-"),
        (deciles.d90, "D90", "--"),
    ):
        if found.value is not None:
            axes.axvline(found.value, color=INK, linewidth=1.2, linestyle=dashes, label=name)
    without_grid(axes, "x")


def _bars(axes: "Axes", edges: Floats, counts: NDArray[np.int64]) -> None:
    """Counts between edges."""
    axes.bar(
        edges[:-1],
        counts,
        width=np.diff(edges),
        align="edge",
        color=_BARS,
        edgecolor="white",
        linewidth=0.3,
    )
