"""The population as tables for people: each figure with its interval and what it rests on."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from schema.correlation import Drift, Relations
from schema.distribution import Estimate
from schema.fits import Fit
from schema.fractions import Fraction
from schema.population import Population
from schema.statement import missing


def console() -> Console:
    """Where commands print: names are shown as they are, whatever stands in them."""
    return Console(highlight=False, markup=False)


def print_population(population: Population, classifier_note: str | None) -> None:
    """Print the figures of a population as a table, each with the count it rests on."""
    out = console()
    out.print(
        f"{population.particles} particles in size statistics, of {population.found} regions in "
        f"{population.micrographs} micrographs ({population.fields_of_view} fields of view)"
    )
    table = Table("quantity", "value", "95 % interval", "from", box=None, pad_edge=False)
    for row in _rows(population):
        table.add_row(*row)
    out.print(table)
    for name, count in population.class_counts.items():
        out.print(f"  {count:6d}  {name}")
    if population.unclassified:
        out.print(f"  {population.unclassified:6d}  without a class")
    for reason, count in population.excluded.items():
        out.print(f"  {count:6d}  left out: {reason}")
    for line in _still_needed(population):
        out.print(line)
    out.print(f"intervals: {population.interval_method}", style="dim", soft_wrap=True)
    out.print(f"counting rule: {population.counting_rule}", style="dim", soft_wrap=True)
    if classifier_note:
        out.print(
            f"classes are as the classifier gave them; {classifier_note}",
            style="dim",
            soft_wrap=True,
        )


def _rows(population: Population) -> Iterator[tuple[str, str, str, str]]:
    """Quantity, value, 95 % interval, and what it rests on."""
    diameter, moments = population.diameter_nm, population.moments_nm
    sized = f"{population.particles} particles"
    for name, found in (
        ("median diameter", diameter.d50),
        ("D10", diameter.d10),
        ("D90", diameter.d90),
        ("mean", moments.mean),
        ("standard deviation", moments.standard_deviation),
        ("geometric mean", moments.geometric_mean),
    ):
        yield name, *_figure(found, "{:.2f}", "nm"), sized
    yield (
        "geometric standard deviation",
        *_figure(moments.geometric_standard_deviation, "{:.3f}", ""),
        sized,
    )
    variation = moments.coefficient_of_variation
    yield "coefficient of variation", *_figure(variation, "{:.1f}", "%", 100), sized
    yield "aspect ratio, median", *_figure(population.aspect_ratio.d50, "{:.3f}", ""), sized
    yield "circularity, median", *_figure(population.circularity.d50, "{:.3f}", ""), sized
    for name, fit in (("lognormal fit", population.lognormal), ("normal fit", population.normal)):
        yield name, *_fit(fit)
    if population.size_limit_nm is not None:
        limit = f"{population.size_limit_nm:.2f} nm"
        yield "lower size limit", limit, "", "smaller ones are left out"
    yield from _fraction_rows(
        "observable particles", population.observable_fraction, "of crystalline single particles"
    )
    yield from _fraction_rows(
        "visible stacking faults", population.stacking_fault_fraction, "of observable particles"
    )


def _still_needed(population: Population) -> Iterator[str]:
    """Whether to go on measuring."""
    median, fault = missing(population)
    aims = (
        (median, "particles", f"{100 * median.within:.0f} % on the median"),
        (fault, "observable particles", f"{100 * fault.within:.0f} points on the visible faults"),
    )
    for aim, what, words in aims:
        if aim.particles is not None:
            verdict = f"{aim.particles} {what} more" if aim.particles else "reached"
            yield f"for ±{words}: {verdict}"


def _figure(found: Estimate, form: str, unit: str, factor: float = 1.0) -> tuple[str, str]:
    """Value and interval."""
    if found.value is None:
        return "—", "—"
    space = " " if unit else ""
    value = f"{form.format(factor * found.value)}{space}{unit}"
    if found.low is None or found.high is None:
        return value, "—"
    return value, f"{form.format(factor * found.low)} to {form.format(factor * found.high)}"


def _fit(fit: Fit | None) -> tuple[str, str, str]:
    if fit is None or fit.centre_nm.value is None or fit.spread.value is None:
        return "—", "—", "no such law fits, or too few particles"
    value = f"{fit.centre_nm.value:.2f} nm, {fit.spread.value:.3f}"
    low, high = fit.centre_nm.low, fit.centre_nm.high
    interval = "—" if low is None or high is None else f"{low:.2f} to {high:.2f}"
    likeness = f"distance {fit.distance:.3f}"
    unseen = f", {100 * fit.unseen:.1f} % below the limit" if fit.unseen >= 0.0005 else ""
    return value, interval, f"{likeness}{unseen}"


def _fraction_rows(
    name: str, fraction: Fraction, of_what: str
) -> Iterator[tuple[str, str, str, str]]:
    share = fraction.wilson
    value = "—" if share.value is None else f"{100 * share.value:.1f} %"
    yield (
        name,
        value,
        _percents(share.low, share.high, "Wilson"),
        (f"{share.count} of {share.total} {of_what}"),
    )
    if share.value is None:
        return
    by_field = fraction.by_field
    yield "", "", _percents(by_field.low, by_field.high, "over fields of view"), ""
    corrected = fraction.corrected
    if corrected.value is None:
        yield "  corrected for the classifier", "—", "—", corrected.reason or ""
        return
    bounds = _percents(corrected.low, corrected.high, "")
    yield (
        "  corrected for the classifier",
        f"{100 * corrected.value:.1f} %",
        bounds,
        (f"{corrected.source}"),
    )


def _percents(low: float | None, high: float | None, method: str) -> str:
    if low is None or high is None:
        return "—"
    named = f" ({method})" if method else ""
    return f"{100 * low:.1f} to {100 * high:.1f} %{named}"


def print_correlations(found: Relations) -> None:
    """Print what goes with what."""
    out = console()
    out.print()
    out.print("what goes with what")
    for what, words in (
        ("a fault, per nm of size", _slope(found)),
        ("faulted against faultless particles", _shift(found)),
        ("median size in the course of time", _drift(found.drift_of_median)),
        ("visible faults in the course of time", _drift(found.drift_of_faults)),
    ):
        out.print(f"  {what}: {words}", soft_wrap=True)
    if found.fault_by_size:
        out.print(_by_size(found))
    out.print("Spearman's rank correlation")
    out.print(_ranks(found))


def _slope(found: Relations) -> str:
    slope = found.fault_slope
    if slope.odds_ratio_per_nm is None:
        return f"— {slope.reason}"
    return (
        f"odds times {slope.odds_ratio_per_nm:.2f} (95 % {slope.low:.2f} to {slope.high:.2f} over "
        f"fields of view, p {slope.p_value:.2g})"
    )


def _shift(found: Relations) -> str:
    shift = found.size_shift
    if shift.larger is None:
        return f"— {shift.reason}"
    return (
        f"larger in {100 * shift.larger:.0f} % of pairs (p {shift.p_value_if_independent:.2g} if "
        "particles were independent)"
    )


def _drift(drift: Drift) -> str:
    if drift.rho is None:
        return f"— {drift.reason}"
    where = f"over {drift.fields} fields of view (p {drift.p_value:.2g})"
    return f"rank correlation {drift.rho:+.2f} {where}"


def _by_size(found: Relations) -> Table:
    columns = ("size", "visible faults", "95 % interval (Wilson)", "observable")
    table = Table(*columns, box=None, pad_edge=False)
    for each in found.fault_by_size:
        share = each.faults
        value = "—" if share.value is None else f"{100 * share.value:.1f} %"
        table.add_row(
            f"{each.low_nm:.2f} to {each.high_nm:.2f} nm",
            value,
            _percents(share.low, share.high, ""),
            str(share.total),
        )
    return table


def _ranks(found: Relations) -> Table:
    """The lower triangle, numbered as its rows."""
    names = found.ranks.names
    numbers = (str(number) for number in range(1, len(names)))
    table = Table("", *numbers, box=None, pad_edge=False)
    for row, name in enumerate(names):
        values = (found.ranks.rho[row][column] for column in range(row))
        table.add_row(f"{row + 1} {name}", *("—" if v is None else f"{v:+.2f}" for v in values))
    return table
