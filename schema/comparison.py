"""Two selections beside each other: by how much they differ, and whether chance may have done it.

Fields of view are drawn in both, independently; an interval of a difference that leaves out zero is
one that few fields would not bring about by chance. The tests rest on fields as well, except for
the one that says that it takes particles as independent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schema.correction import Classifier, true_shares
from schema.correlation import by_field
from schema.distribution import NOTHING, Estimate, estimate
from schema.fractions import FAULT, NO_FAULT, Tallies, fault_share, tallied
from schema.resampling import CONFIDENCE, LEAST_FIELDS, RESAMPLES, FieldBootstrap, Weighted
from schema.sample import Sample

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """By how much the second selection differs from the first: second minus first.

    `median_nm`: of the medians of size. `faults`: of the fractions of visible faults as classified,
    over fields of view; `faults_newcombe` the 95 % interval that takes particles as independent.
    `corrected_faults`: with the classifier's errors taken out of both by the same matrices.
    `field_p_value`: Mann and Whitney's test of the fields' medians. `distance`: Kolmogorov and
    Smirnov's of the two size distributions, `distance_p_if_independent` as if particles were
    independent. What cannot be had is None.
    """

    median_nm: Estimate
    faults: Estimate
    faults_newcombe: tuple[float, float] | None
    corrected_faults: Estimate
    field_p_value: float | None
    distance: float | None
    distance_p_if_independent: float | None


def compare(
    first: Sample,
    second: Sample,
    rng: np.random.Generator,
    classifier: Classifier,
    resamples: int = RESAMPLES,
) -> Comparison:
    """The difference of two selections of one pipeline.

    Args:
        first: the one the other is held against.
        second: of the same pipeline.
        rng: draws fields of view and confusion matrices.
        classifier: what is known of its errors.
        resamples: of the fields of either.
    """
    sides = [_Side.of(each, rng, resamples) for each in (first, second)]
    fewer = min(sides, key=lambda side: side.bootstrap.fields).bootstrap
    distance, distance_p = _distance(sides)
    return Comparison(
        median_nm=_difference([side.medians() for side in sides], fewer),
        faults=_difference([side.faults for side in sides], fewer),
        faults_newcombe=_newcombe(sides),
        corrected_faults=_corrected(sides, rng, classifier, fewer),
        field_p_value=_field_p_value(sides),
        distance=distance,
        distance_p_if_independent=distance_p,
    )


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One selection, its particles whose size counts, and its classes in each resample."""

    bootstrap: FieldBootstrap
    field: NDArray[np.int64]
    diameter_nm: Floats
    weight: Floats
    tallies: Tallies

    @classmethod
    def of(cls, counted: Sample, rng: np.random.Generator, resamples: int) -> "_Side":
        bootstrap = FieldBootstrap(counted.fields, rng, resamples)
        sized = counted.is_sized
        return cls(
            bootstrap=bootstrap,
            field=counted.field[sized],
            diameter_nm=counted.diameter_nm[sized],
            weight=counted.weight[sized],
            tallies=tallied(counted.field, counted.class_code, counted.weight, bootstrap),
        )

    def medians(self) -> Floats:
        """(1 + B,) the first of the selection itself."""
        if self.diameter_nm.size == 0:
            return np.full(1 + self.bootstrap.resamples, np.nan)
        sizes = Weighted(self.diameter_nm, self.weight)
        drawn = self.bootstrap.quantiles(self.field, sizes, (0.5,))
        return np.concatenate([sizes.quantiles((0.5,)), drawn[:, 0]])

    @property
    def faults(self) -> Floats:
        """(1 + B,) the share of visible faults, the first of the selection itself."""
        return fault_share(self.tallies.counts)

    def field_medians(self) -> Floats:
        found = by_field(np.median, self.diameter_nm, self.field, self.bootstrap.fields)
        return found[np.isfinite(found)]


def _difference(both: list[Floats], fewer: FieldBootstrap) -> Estimate:
    """The interval is widened as for the side with fewer fields of view."""
    found = both[1] - both[0]
    return estimate(float(found[0]), fewer, found[1:])


def _newcombe(sides: list[_Side]) -> tuple[float, float] | None:
    classes = [side.tallies.counts[0] for side in sides]
    faults = [round(each[FAULT]) for each in classes]
    observable = [round(each[FAULT] + each[NO_FAULT]) for each in classes]
    if min(observable) == 0:
        return None
    from statsmodels.stats.proportion import confint_proportions_2indep

    low, high = confint_proportions_2indep(
        faults[1], observable[1], faults[0], observable[0], method="newcomb", alpha=1 - CONFIDENCE
    )
    return float(low), float(high)


def _corrected(
    sides: list[_Side], rng: np.random.Generator, classifier: Classifier, fewer: FieldBootstrap
) -> Estimate:
    confusion = classifier.confusion
    if confusion is None:
        return NOTHING
    rates = confusion.drawn(rng, fewer.resamples)
    shares = [true_shares(side.tallies.weights, rates) for side in sides]
    return _difference([fault_share(each) for each in shares], fewer)


def _field_p_value(sides: list[_Side]) -> float | None:
    medians = [side.field_medians() for side in sides]
    if min(each.size for each in medians) < LEAST_FIELDS:
        return None
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(*medians).pvalue)


def _distance(sides: list[_Side]) -> tuple[float | None, float | None]:
    if min(side.diameter_nm.size for side in sides) == 0:
        return None, None
    from scipy.stats import ks_2samp

    found = ks_2samp(sides[0].diameter_nm, sides[1].diameter_nm)
    return float(found.statistic), float(found.pvalue)
