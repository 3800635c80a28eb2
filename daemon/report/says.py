"""What a report says, in sentences: the figures that matter most, and why one is missing.

Worded as what is seen: visible faults among observable particles, never prevalence.
"""

from collections.abc import Iterator

from daemon.figures import EXCLUSION_WORDS, interval_of
from daemon.report.contents import Report
from daemon.report.numbers import counted
from daemon.words import NONE, percent, percents, value_and_interval
from schema.fractions import Fraction
from schema.population import Population
from schema.portrait import FEW

NOT_PREVALENCE = (
    "These are faults visible in the projection, of particles that lie so that one would be seen. "
    "How many particles of the sample have a fault is not measured."
)


def says(report: Report) -> Iterator[str]:
    """The sentences over everything else."""
    if report.population.particles == 0:
        yield _nothing(report)
    else:
        yield from _sizes(report)
    if sum(report.population.class_counts.values()):
        yield from _fractions(report.population)


def exclusions(population: Population) -> list[tuple[str, int]]:
    """Regions that do not count, by the reason in words."""
    return [
        (EXCLUSION_WORDS.get(reason, reason.replace("_", " ")), count)
        for reason, count in population.excluded.items()
        if count
    ]


def _nothing(report: Report) -> str:
    population, provenance = report.population, report.provenance
    if provenance.seen == 0:
        return "No file of this selection has been seen: there is nothing to report yet."
    if provenance.verdicts.micrographs == 0:
        return f"Of {counted(provenance.seen, 'file')} seen none has a result yet."
    micrographs = counted(provenance.verdicts.micrographs, "micrograph")
    if population.found == 0:
        return f"In {micrographs} no particle was found{_unsegmented(report)}."
    reasons = [f"{count} {words}" for words, count in exclusions(population)]
    others = sum(population.class_counts.values()) + population.unclassified
    if others:
        reasons.append(f"{others} not classified as crystalline single particles")
    return (
        f"In {micrographs} there is no particle whose size counts. Of "
        f"{counted(population.found, 'region')} found: {', '.join(reasons)}."
    )


def _unsegmented(report: Report) -> str:
    verdicts = report.provenance.verdicts
    if not verdicts.not_segmented:
        return ""
    return (
        f"; {verdicts.not_segmented} of them were not looked through, as they lie outside the "
        f"model's domain ({verdicts.out_of_domain_example})"
    )


def _sizes(report: Report) -> Iterator[str]:
    population = report.population
    if population.particles < FEW:
        sizes = [f"{each:.2f}" for each in report.portrait.few_nm]
        listed = " and ".join(filter(None, (", ".join(sizes[:-1]), sizes[-1])))
        yield (
            f"Too few particles for a distribution, which needs {FEW}: "
            f"{counted(len(sizes), 'particle')} of {listed} nm in "
            f"{counted(population.micrographs, 'micrograph')}."
        )
        return
    value, interval = value_and_interval(population.diameter_nm.d50, "{:.2f}", "nm")
    yield (
        f"{population.particles} particles in {counted(population.fields_of_view, 'field')} of "
        f"view have a median diameter of {value} {_within(interval, population)}."
    )


def _within(interval: str, population: Population) -> str:
    if interval == NONE:
        return f"({population.interval_method})"
    return f"(95 % {interval} nm)"


def _fractions(population: Population) -> Iterator[str]:
    observable, faults = population.observable_fraction, population.stacking_fault_fraction
    if observable.wilson.total == 0:
        yield "There is no crystalline single particle, so nothing can be said of stacking faults."
        return
    of_what = counted(observable.wilson.total, "crystalline single particle")
    yield f"Observable: {observable.wilson.count} of {of_what}, {_share(observable)}."
    if faults.wilson.total == 0:
        yield "No particle is observable, so nothing can be said of stacking faults."
        return
    of_what = counted(faults.wilson.total, "observable particle")
    yield (
        f"Classified as showing a stacking fault: {faults.wilson.count} of {of_what}, "
        f"{_share(faults)}."
    )
    yield f"Corrected for what the classifier confuses: {_corrected(faults)}."
    yield NOT_PREVALENCE


def _share(fraction: Fraction) -> str:
    value = percent(fraction.wilson.value)
    interval = interval_of(fraction)
    if interval is None:
        return value
    low, high, method = interval
    return f"{value} (95 % {percents(low, high)}, {method})"


def _corrected(fraction: Fraction) -> str:
    corrected = fraction.corrected
    if corrected.value is None:
        return f"{NONE}, as {corrected.reason}"
    interval = percents(corrected.low, corrected.high)
    ends = "" if interval == NONE else f" (95 % {interval})"
    return f"{percent(corrected.value)}{ends}, {corrected.source}"
