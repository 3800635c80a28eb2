"""How well the classes are told: on particles as the bundle's own U-Net finds them."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.forest import CLASS_NAMES
from analysis.metrics import (
    ReliabilityBin,
    balanced_accuracy,
    confusion,
    expected_calibration_error,
    reliability,
)
from analysis.training.evaluation.intervals import Estimate, bootstrap, wilson
from analysis.training.evaluation.scores import CaseScore, ParticleScore

STACKING_FAULT = "stacking_fault"
TWIN = "twin"
TILTED_DEG = (2.0, 7.0)  # off axis by so little that it may be taken for on axis


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Some particles looked at apart: how many, and how many got their class."""

    particles: int
    right: Estimate


@dataclass(frozen=True, kw_only=True)
class ClassReport:
    """How well the classes are told.

    `confusion`: rows are truth, in the order of `CLASS_NAMES`. `recalls`: with Wilson intervals.
    `balanced_accuracy`: with a bootstrap over fields. `calibration_error`: ECE in ten bins.
    `twins`: particles whose visible fault is a twin boundary. `tilted`: particles 2-7° off axis.
    """

    particles: int
    fields: int
    confusion: tuple[tuple[int, ...], ...]
    recalls: tuple[Estimate, ...]
    balanced_accuracy: Estimate
    calibration_error: float
    reliability: tuple[ReliabilityBin, ...]
    twins: Apart
    other_faults: Apart
    tilted: Apart


def class_report(scores: Sequence[CaseScore]) -> ClassReport | None:
    """The report on all particles that have a class and were given one; None where none was."""
    judged = [(true, each) for score in scores for true, each in _judged(score)]
    if not judged:
        return None
    truth = np.array([true for true, _ in judged])
    probabilities = np.array([each.probabilities for _, each in judged])
    matrix = np.asarray(confusion(truth, probabilities.argmax(axis=1), len(CLASS_NAMES)))
    bins = reliability(probabilities, truth)
    return ClassReport(
        particles=len(judged),
        fields=len(scores),
        confusion=tuple(tuple(map(int, row)) for row in matrix),
        recalls=tuple(wilson(int(row[index]), int(row.sum())) for index, row in enumerate(matrix)),
        balanced_accuracy=bootstrap([_matrix(score) for score in scores], _balanced),
        calibration_error=expected_calibration_error(bins),
        reliability=bins,
        twins=_apart(judged, lambda true, each: true == STACKING_FAULT and each.fault == TWIN),
        other_faults=_apart(
            judged, lambda true, each: true == STACKING_FAULT and each.fault != TWIN
        ),
        tilted=_apart(judged, _is_tilted),
    )


def accuracy_gain(better: Sequence[CaseScore], worse: Sequence[CaseScore]) -> Estimate:
    """Difference of two balanced accuracies on the same fields, resampled field by field.

    Raises:
        ValueError: the scores are of different fields.
    """
    if [score.key for score in better] != [score.key for score in worse]:
        raise ValueError("accuracies of different fields")
    pairs = [(_matrix(one), _matrix(other)) for one, other in zip(better, worse, strict=True)]
    return bootstrap(
        pairs,
        lambda drawn: _balanced([one for one, _ in drawn]) - _balanced([two for _, two in drawn]),
    )


def _judged(score: CaseScore) -> Iterator[tuple[int, ParticleScore]]:
    """Index of the class shown, and particle, of those that were given a class and show one."""
    for each in score.particles:
        if each.shown_class is not None and each.probabilities is not None:
            yield CLASS_NAMES.index(each.shown_class), each


def _matrix(score: CaseScore) -> NDArray[np.int64]:
    pairs = [
        (true, CLASS_NAMES.index(each.found_class))
        for true, each in _judged(score)
        if each.found_class is not None
    ]
    true, found = np.array(pairs, np.int64).reshape(-1, 2).T
    return np.asarray(confusion(true, found, len(CLASS_NAMES)), np.int64)


def _balanced(matrices: Sequence[NDArray[np.int64]]) -> float:
    return balanced_accuracy(np.sum(matrices, axis=0))


def _apart(
    judged: Sequence[tuple[int, ParticleScore]], chosen: Callable[[str, ParticleScore], bool]
) -> Apart:
    members = [(true, each) for true, each in judged if chosen(CLASS_NAMES[true], each)]
    right = sum(each.found_class == CLASS_NAMES[true] for true, each in members)
    return Apart(particles=len(members), right=wilson(right, len(members)))


def _is_tilted(_: str, each: ParticleScore) -> bool:
    low, high = TILTED_DEG
    tilt_deg = math.nan if each.tilt_deg is None else each.tilt_deg
    return low <= tilt_deg <= high
