"""The figures of a population in words, the same on the terminal and on the page of a report."""

import math
from collections.abc import Iterator

from daemon.lines import counted
from schema.correlation import Drift, Relations, SizeBin
from schema.distribution import Estimate, with_calibration
from schema.fits import Fit
from schema.fractions import Fraction
from schema.population import Population
from schema.statement import missing

NONE = "—"
MINUTES_PER_HOUR = 60

Row = tuple[str, str, str, str]
"""Quantity, value, 95 % interval, and what it rests on."""


def heading(population: Population) -> str:
    """How many particles the figures are of, and of how many micrographs."""
    fields = population.fields_of_view
    return (
        f"{counted(population.particles, 'particle')} in size statistics, of "
        f"{counted(population.found, 'region')} in {counted(population.micrographs, 'micrograph')} "
        f"({fields} field{'' if fields == 1 else 's'} of view)"
    )


def figures(population: Population) -> Iterator[Row]:
    """Sizes, shapes, fits and fractions, one after the other."""
    diameter, moments = population.diameter_nm, population.moments_nm
    sized = counted(population.particles, "particle")
    yield "median diameter", *value_and_interval(diameter.d50, "{:.2f}", "nm"), sized
    yield from _with_calibration(population)
    for name, found in (
        ("D10", diameter.d10),
        ("D90", diameter.d90),
        ("mean", moments.mean),
        ("standard deviation", moments.standard_deviation),
        ("geometric mean", moments.geometric_mean),
    ):
        yield name, *value_and_interval(found, "{:.2f}", "nm"), sized
    yield (
        "geometric SD",
        *value_and_interval(moments.geometric_standard_deviation, "{:.3f}", ""),
        sized,
    )
    variation = moments.coefficient_of_variation
    yield "coeff. of variation", *value_and_interval(variation, "{:.1f}", "%", 100), sized
    for name, shape in (
        ("aspect ratio, median", population.aspect_ratio),
        ("circularity, median", population.circularity),
    ):
        yield name, *value_and_interval(shape.d50, "{:.3f}", ""), sized
    for name, fit in (("lognormal fit", population.lognormal), ("normal fit", population.normal)):
        yield name, *_fit(fit)
    if population.size_limit_nm is not None:
        limit = f"{population.size_limit_nm:.2f} nm"
        yield "lower size limit", limit, "", "below: left out"
    yield from _fraction("observable particles", population.observable_fraction, "crystalline")
    yield from _fraction("visible faults", population.stacking_fault_fraction, "observable")


def _with_calibration(population: Population) -> Iterator[Row]:
    """The median once more, as sure as the calibration lets it be."""
    uncertainty, median = population.pixel_size_uncertainty, population.diameter_nm.d50
    if uncertainty is None or median.low is None:
        return
    _, interval = value_and_interval(with_calibration(median, uncertainty), "{:.2f}", "nm")
    yield "  with its calibration", "", interval, f"pixel size ±{100 * uncertainty:.2g} %"


def still_needed(population: Population, per_minute: float | None = None) -> Iterator[str]:
    """Whether to go on measuring.

    Args:
        population: as it is now.
        per_minute: micrographs that come now, None where that is not known.
    """
    median, fault = missing(population, per_minute)
    aims = (
        (median, "particles", f"{100 * median.within:.0f} % on the median"),
        (fault, "observable particles", f"{100 * fault.within:.0f} points on the visible faults"),
    )
    for aim, what, words in aims:
        if aim.particles is not None:
            verdict = f"{aim.particles} {what} more" if aim.particles else "reached"
            when = f", about {about(aim.minutes)}" if aim.particles and aim.minutes else ""
            yield f"for ±{words}: {verdict}{when}"


def about(minutes: float) -> str:
    """A guess at a time, as precise as it deserves."""
    if minutes < MINUTES_PER_HOUR:
        return f"{math.ceil(minutes)} min"
    hours = minutes / MINUTES_PER_HOUR
    return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"


def value_and_interval(
    found: Estimate, form: str, unit: str, factor: float = 1.0
) -> tuple[str, str]:
    """Both in words, each `—` where there is none."""
    if found.value is None:
        return NONE, NONE
    space = " " if unit else ""
    value = f"{form.format(factor * found.value)}{space}{unit}"
    if found.low is None or found.high is None:
        return value, NONE
    return value, f"{form.format(factor * found.low)} to {form.format(factor * found.high)}"


def _fit(fit: Fit | None) -> tuple[str, str, str]:
    if fit is None or fit.centre_nm.value is None or fit.spread.value is None:
        return NONE, NONE, "no such law fits, or too few particles"
    value = f"{fit.centre_nm.value:.2f} nm, {fit.spread.value:.3f}"
    _, interval = value_and_interval(fit.centre_nm, "{:.2f}", "")
    unseen = f"; {percent(fit.unseen)} unseen" if fit.unseen >= 0.0005 else ""
    return value, interval, f"distance {fit.distance:.3f}{unseen}"


def _fraction(name: str, fraction: Fraction, what: str) -> Iterator[Row]:
    share = fraction.wilson
    rests_on = f"{share.count} of {share.total} {what}"
    yield name, percent(share.value), percents(share.low, share.high, "Wilson"), rests_on
    if share.value is None:
        return
    by_field = fraction.by_field
    yield "", "", percents(by_field.low, by_field.high, "fields"), ""
    corrected = fraction.corrected
    yield (
        "  corrected",
        percent(corrected.value),
        percents(corrected.low, corrected.high),
        corrected.source or corrected.reason or "",
    )


def percent(share: float | None) -> str:
    """A share in per cent."""
    return NONE if share is None else f"{100 * share:.1f} %"


def percents(low: float | None, high: float | None, method: str = "") -> str:
    """An interval of a share in per cent, and how it was made."""
    if low is None or high is None:
        return NONE
    named = f" ({method})" if method else ""
    return f"{100 * low:.1f} to {100 * high:.1f} %{named}"


def what_goes_with_what(found: Relations) -> Iterator[tuple[str, str]]:
    """Faults with size, and both with time."""
    yield "a fault, per nm of size", _slope(found)
    yield "faulted against faultless particles", _shift(found)
    yield "median size in the course of time", drift(found.drift_of_median)
    yield "visible faults in the course of time", drift(found.drift_of_faults)


def _slope(found: Relations) -> str:
    slope = found.fault_slope
    if slope.odds_ratio_per_nm is None:
        return f"{NONE} {slope.reason}"
    return (
        f"odds times {slope.odds_ratio_per_nm:.2f} (95 % {slope.low:.2f} to {slope.high:.2f} over "
        f"fields of view, p {slope.p_value:.2g})"
    )


def _shift(found: Relations) -> str:
    shift = found.size_shift
    if shift.larger is None:
        return f"{NONE} {shift.reason}"
    return (
        f"larger in {100 * shift.larger:.0f} % of pairs (p {shift.p_value_if_independent:.2g} if "
        "particles were independent)"
    )


def drift(found: Drift) -> str:
    """Whether the fields of view go up or down with time."""
    if found.rho is None:
        return f"{NONE} {found.reason}"
    where = f"over {found.fields} fields of view (p {found.p_value:.2g})"
    return f"rank correlation {signed(found.rho)} {where}"


SIZE_COLUMNS = ("size", "visible faults", "95 % interval (Wilson)", "observable")


def size_row(each: SizeBin) -> Row:
    """A range of sizes under `SIZE_COLUMNS`."""
    share = each.faults
    return (
        f"{each.low_nm:.2f} to {each.high_nm:.2f} nm",
        percent(share.value),
        percents(share.low, share.high),
        str(share.total),
    )


def rank(rho: float | None) -> str:
    """A rank correlation."""
    return NONE if rho is None else signed(rho)


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, the minus as it is printed; what rounds to nothing has none."""
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text if text.strip("+−0.") else text[1:]
