"""What stands below the drawings of a report: what is seen, in numbers, or why there is nothing."""

from daemon.palette import CLASS_MARKS
from daemon.report.contents import Report
from daemon.report.numbers import counted
from daemon.words import NONE, drift, percent, percents, size_row, value_and_interval
from schema.distribution import Deciles
from schema.fits import Fit
from schema.fractions import Fraction
from schema.portrait import FEW


def sizes(report: Report) -> str:
    """Of the size distribution."""
    population = report.population
    if population.particles < FEW:
        return _too_few(report, "of sizes")
    median = population.diameter_nm.d50
    parts = [
        f"Sizes of {population.particles} particles",
        "left: counts, as they are",
        f"right: the share that is smaller, with border weights; {_three(population.diameter_nm)}",
        *([] if median.low is None else ["green band: the 95 % interval of the median"]),
        *(_law(name, getattr(population, name)) for name in ("lognormal", "normal")),
    ]
    if population.size_limit_nm is not None:
        parts.append(f"below {population.size_limit_nm:.2f} nm nothing is counted or drawn")
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in parts)


def _law(name: str, fit: Fit | None) -> str:
    """A law is that of the whole population; what of it lies above the limit is drawn."""
    if fit is None:
        return f"no {name} law is fitted"
    words = ("geometric mean", "geometric standard deviation", "")
    if fit.model == "normal":
        words = ("mean", "standard deviation", " nm")
    return (
        f"{name} law: {words[0]} {fit.centre_nm.value:.2f} nm, {words[1]} "
        f"{fit.spread.value:.3f}{words[2]}, largest distance {fit.distance:.3f}"
    )


def shapes(report: Report) -> str:
    """Of aspect ratio and circularity."""
    population = report.population
    if population.particles < FEW:
        return _too_few(report, "of shapes")
    aspect, round_ = population.aspect_ratio, population.circularity
    return (
        f"Shapes of {population.particles} particles, counts as they are. Aspect ratio, longest by "
        f"shortest caliper: {_three(aspect, '{:.3f}', '')}. Circularity, 4πA/P², 1 for a disc: "
        f"{_three(round_, '{:.3f}', '')}."
    )


def _three(deciles: Deciles, form: str = "{:.2f}", unit: str = "nm") -> str:
    return ", ".join(
        f"{name} {value_and_interval(each, form, unit)[0]}"
        for name, each in (("D10", deciles.d10), ("D50", deciles.d50), ("D90", deciles.d90))
    )


def classes(report: Report) -> str:
    """Of the bars of the classes."""
    population = report.population
    counts = [
        f"{count} {CLASS_MARKS[name].words}" for name, count in population.class_counts.items()
    ]
    if population.unclassified:
        counts.append(f"{population.unclassified} {CLASS_MARKS[None].words}")
    total = sum(population.class_counts.values()) + population.unclassified
    if total == 0:
        return "No particle counts, so there are no classes to show."
    return f"Classes of the {counted(total, 'particle')} counted: {', '.join(counts)}."


def fractions(report: Report) -> str:
    """Of both fractions with their intervals."""
    population = report.population
    if population.observable_fraction.wilson.total == 0:
        return "No crystalline single particle counts, so there is no fraction to show."
    both = "; ".join(
        f"{name} {_fraction(fraction)}"
        for name, fraction in (
            ("observable particles", population.observable_fraction),
            ("visible faults", population.stacking_fault_fraction),
        )
    )
    return (
        f"Fractions and their 95 % intervals: {both}. Wilson's takes particles as independent; the "
        "one over fields of view does not. Corrected are the fractions behind those observed, with "
        "the classifier's errors and the border accounted for."
    )


def _fraction(fraction: Fraction) -> str:
    share, corrected = fraction.wilson, fraction.corrected
    words = f"{percent(share.value)} ({share.count} of {share.total})"
    if corrected.value is None:
        return f"{words}, not corrected: {corrected.reason}"
    interval = percents(corrected.low, corrected.high)
    ends = "" if interval == NONE else f" ({interval})"
    return f"{words}, corrected {percent(corrected.value)}{ends}, {corrected.source}"


def by_size(report: Report) -> str:
    """Of the fraction of faults against size."""
    rows = [size_row(each) for each in report.relations.fault_by_size]
    if not rows:
        return f"Fewer than {FEW} observable particles: too few for ranges of size."
    first, last = rows[0], rows[-1]
    return (
        f"Visible faults among observable particles in {counted(len(rows), 'range')} of size, as "
        f"many particles in each, with Wilson intervals: {first[1]} from {first[0]}, {last[1]} "
        f"from {last[0]}."
    )


def course(report: Report) -> str:
    """Of the fields of view in the course of time."""
    fields = [moment for moment in report.portrait.course if moment.particles]
    if len(fields) < 2:
        return "Fewer than two fields of view have particles: there is no course of time to show."
    relations = report.relations
    return (
        f"Each point is one of {len(fields)} fields of view that have particles, in the order in "
        f"which their files were first seen. Median size: {drift(relations.drift_of_median)}. "
        f"Visible faults: {drift(relations.drift_of_faults)}."
    )


def _too_few(report: Report, of_what: str) -> str:
    few = report.portrait.few_nm
    return (
        f"{counted(len(few), 'particle').capitalize()}: a distribution {of_what} needs at least "
        f"{FEW}."
    )
