"""The population as plain values under the names that `summary --json` promises."""

from dataclasses import asdict
from typing import Any

from schema.distribution import Deciles, Estimate, with_calibration
from schema.fits import Fit
from schema.fractions import Fraction
from schema.needed import FRACTION_WITHIN, MEDIAN_WITHIN, Needed, needed
from schema.population import Population
from schema.resampling import CONFIDENCE

Plain = dict[str, Any]

_PLAIN = (
    "found",
    "particles",
    "micrographs",
    "fields_of_view",
    "area_imaged_nm2",
    "excluded",
    "class_counts",
    "unclassified",
    "counting_rule",
    "pipeline_fingerprint",
    "size_limit_nm",
    "size_edges_nm",
    "size_histogram",
)


def statement(population: Population, per_minute: float | None = None) -> Plain:
    """The figures, and beside them their intervals.

    Args:
        population: what is stated.
        per_minute: micrographs that come now, None where that is not known.
    """
    figures = sizes(population)
    intervals = {name: [each.low, each.high] for name, each in figures.items()}
    return {
        **{name: getattr(population, name) for name in _PLAIN},
        **{name: each.value for name, each in figures.items()},
        "aspect_ratio": _deciles(population.aspect_ratio),
        "circularity": _deciles(population.circularity),
        "bootstrap": {
            **intervals,
            "confidence": CONFIDENCE,
            "method": population.interval_method,
        },
        "calibration": _calibration(population),
        "lognormal": _fit(
            population.lognormal, "geometric_mean_nm", "geometric_standard_deviation"
        ),
        "normal": _fit(population.normal, "mean_nm", "standard_deviation_nm"),
        "observable_fraction": _fraction(population.observable_fraction),
        "stacking_fault_fraction": _fraction(population.stacking_fault_fraction),
        "needed": _needed(population, per_minute),
    }


def sizes(population: Population) -> dict[str, Estimate]:
    """The figures of size, by their names."""
    diameter, moments = population.diameter_nm, population.moments_nm
    return {
        "d10_nm": diameter.d10,
        "d50_nm": diameter.d50,
        "d90_nm": diameter.d90,
        "mean_nm": moments.mean,
        "standard_deviation_nm": moments.standard_deviation,
        "coefficient_of_variation": moments.coefficient_of_variation,
        "geometric_mean_nm": moments.geometric_mean,
        "geometric_standard_deviation": moments.geometric_standard_deviation,
    }


def _calibration(population: Population) -> Plain | None:
    """The median and the mean with the uncertainty of the pixel size in their intervals."""
    uncertainty = population.pixel_size_uncertainty
    if uncertainty is None:
        return None
    lengths = {"d50_nm": population.diameter_nm.d50, "mean_nm": population.moments_nm.mean}
    widened = {name: with_calibration(each, uncertainty) for name, each in lengths.items()}
    return {
        "pixel_size_uncertainty": uncertainty,
        "confidence": CONFIDENCE,
        **{name: [each.low, each.high] for name, each in widened.items()},
    }


def _deciles(found: Deciles) -> Plain:
    return {
        name: {"value": each.value, "bootstrap": [each.low, each.high]}
        for name, each in (("d10", found.d10), ("d50", found.d50), ("d90", found.d90))
    }


def _fit(fit: Fit | None, centre: str, spread: str) -> Plain | None:
    if fit is None:
        return None
    values = asdict(fit)
    del values["model"], values["centre_nm"], values["spread"]
    return {
        centre: fit.centre_nm.value,
        spread: fit.spread.value,
        "bootstrap": {
            centre: [fit.centre_nm.low, fit.centre_nm.high],
            spread: [fit.spread.low, fit.spread.high],
        },
        **values,
    }


def _fraction(fraction: Fraction) -> Plain:
    wilson, by_field = fraction.wilson, fraction.by_field
    return {
        "count": wilson.count,
        "total": wilson.total,
        "value": wilson.value,
        "wilson": [wilson.low, wilson.high],
        "bootstrap": [by_field.low, by_field.high],
        "corrected": asdict(fraction.corrected),
    }


def missing(population: Population, per_minute: float | None = None) -> tuple[Needed, Needed]:
    """What the median and the fraction of visible faults still need.

    Args:
        population: as it is now.
        per_minute: micrographs that come now, None where that is not known.
    """
    fault, median = population.stacking_fault_fraction, population.diameter_nm.d50
    observable = fault.wilson.total
    rates = [_rate(population, count, per_minute) for count in (population.particles, observable)]
    return (
        needed(median, population.particles, MEDIAN_WITHIN, relative=True, per_minute=rates[0]),
        needed(fault.by_field, observable, FRACTION_WITHIN, relative=False, per_minute=rates[1]),
    )


def _needed(population: Population, per_minute: float | None) -> Plain:
    median, fault = missing(population, per_minute)
    return {"d50_nm": asdict(median), "stacking_fault_fraction": asdict(fault)}


def _rate(population: Population, count: int, per_minute: float | None) -> float | None:
    """Particles a minute, from micrographs a minute."""
    if per_minute is None or population.micrographs == 0:
        return None
    return per_minute * count / population.micrographs
