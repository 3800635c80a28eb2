"""The two fractions of the paper, with what chance and the classifier make of them.

Worded as what is seen, never as prevalence: visible stacking faults among observable particles.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schema.correction import Classifier, Confusion, Source, true_shares
from schema.distribution import Estimate, Proportion, estimate, proportion
from schema.records import CLASS_NAMES
from schema.resampling import FieldBootstrap

Floats = NDArray[np.float64]

FAULT, NO_FAULT, MISORIENTED = (
    CLASS_NAMES.index(name) for name in ("stacking_fault", "no_stacking_fault", "misoriented")
)


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """The fraction behind the one observed, border and classifier accounted for.

    `source`: on what the classifier's errors were measured. `reason` says why there is none.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    source: Source | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Fraction:
    """A share of the particles counted, as they were classified, without weights of the border.

    `wilson` takes all particles as independent; `by_field` is the bootstrap over fields of view,
    its bounds None where there is none.
    """

    wilson: Proportion
    by_field: Estimate
    corrected: Corrected


@dataclass(frozen=True, kw_only=True)
class Fractions:
    """Observable particles among crystalline single ones, and visible faults among observable."""

    observable: Fraction
    stacking_fault: Fraction


@dataclass(frozen=True, kw_only=True)
class Tallies:
    """Particles of each of the C classes, in all and in each of B resamples.

    `counts` (1 + B, C) as they are, `weights` (1 + B, C) with the weights of the border; the first
    row is the sample itself, and the only one where `bootstrap` is None.
    """

    counts: Floats
    weights: Floats
    bootstrap: FieldBootstrap | None


def tallied(
    field: NDArray[np.int64],
    class_code: NDArray[np.int8],
    weight: Floats,
    bootstrap: FieldBootstrap | None,
) -> Tallies:
    """The classes of the regions that count.

    Args:
        field: (N,) in [0, F), where each lies.
        class_code: (N,) place in `CLASS_NAMES`, or -1 for none.
        weight: (N,) of the border.
        bootstrap: of the fields.
    """
    has_class = class_code >= 0
    field, code, weight = field[has_class], class_code[has_class], weight[has_class]
    one = np.ones(code.size)
    counts, weights = (_tallied(field, code, each, bootstrap) for each in (one, weight))
    return Tallies(counts=counts, weights=weights, bootstrap=bootstrap)


def _tallied(
    field: NDArray[np.int64],
    code: NDArray[np.int8],
    weight: Floats,
    bootstrap: FieldBootstrap | None,
) -> Floats:
    kinds = len(CLASS_NAMES)
    own = np.bincount(code, weight, kinds)[np.newaxis].astype(np.float64)
    if bootstrap is None:
        return own
    return np.concatenate([own, bootstrap.tallies(field, code, kinds, weight)])


def fractions(
    tallies: Tallies, classifier: Classifier, rng: np.random.Generator | None
) -> Fractions:
    """Both fractions, with their intervals.

    Args:
        tallies: particles of each class.
        classifier: what is known of its errors.
        rng: draws confusion matrices; None gives no interval of what is corrected.
    """
    confusion = classifier.confusion
    shares = None if confusion is None else _true_shares(tallies, confusion, rng)
    return Fractions(
        observable=_fraction(_observable, tallies, classifier, shares),
        stacking_fault=_fraction(_faulted, tallies, classifier, shares),
    )


Parts = tuple[Floats, Floats]


def _observable(classes: Floats) -> Parts:
    part = classes[:, FAULT] + classes[:, NO_FAULT]
    return part, part + classes[:, MISORIENTED]


def _faulted(classes: Floats) -> Parts:
    return classes[:, FAULT], classes[:, FAULT] + classes[:, NO_FAULT]


def fault_share(classes: Floats) -> Floats:
    """(B,) visible faults among observable particles; NaN where there are none.

    Args:
        classes: (B, C) counts, weights or shares of the classes.
    """
    return _ratio(*_faulted(classes))


def _true_shares(tallies: Tallies, confusion: Confusion, rng: np.random.Generator | None) -> Floats:
    """(1 + B, C) the first by the matrix as it was measured, the others by matrices drawn."""
    times = 0 if rng is None else tallies.weights.shape[0] - 1
    rates = confusion.rates()[np.newaxis] if rng is None else confusion.drawn(rng, times)
    return true_shares(tallies.weights[: 1 + times], rates)


def _fraction(
    parts: Callable[[Floats], Parts],
    tallies: Tallies,
    classifier: Classifier,
    shares: Floats | None,
) -> Fraction:
    part, whole = parts(tallies.counts)
    observed = _ratio(part, whole)
    return Fraction(
        wilson=proportion(round(part[0]), round(whole[0])),
        by_field=_by_field(observed, tallies.bootstrap),
        corrected=_corrected(parts, tallies, classifier, shares),
    )


def _by_field(ratios: Floats, bootstrap: FieldBootstrap | None) -> Estimate:
    """Without an interval where no resample could differ: none, or all, of the particles."""
    if ratios[0] in (0.0, 1.0):
        bootstrap = None
    return estimate(float(ratios[0]), bootstrap, ratios[1:])


def _corrected(
    parts: Callable[[Floats], Parts],
    tallies: Tallies,
    classifier: Classifier,
    shares: Floats | None,
) -> Corrected:
    if shares is None or classifier.confusion is None:
        return Corrected(reason=classifier.reason)
    ratios = _ratio(*parts(shares))
    found = estimate(float(ratios[0]), tallies.bootstrap, ratios[1:])
    if found.value is None:
        return Corrected(reason="no observable particle")
    if float(_ratio(*parts(tallies.counts))[0]) in (0.0, 1.0):
        return Corrected(reason="none, or all, of them: no interval")
    return Corrected(
        value=found.value, low=found.low, high=found.high, source=classifier.confusion.source
    )


def _ratio(part: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(part / whole)
