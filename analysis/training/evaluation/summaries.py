"""Many scores in a few numbers, each with its 95 % interval over micrographs."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.forest import CLASS_NAMES
from analysis.metrics import balanced_accuracy, confusion
from analysis.simulation.dataset import MIXED
from analysis.training.evaluation.intervals import NOTHING, Estimate, bootstrap
from analysis.training.evaluation.scores import CaseScore, ParticleScore

COUNTED_NM = 2.0  # a smaller piece, cut off by the border, is neither missed nor invented
ALL = "all"
AGGLOMERATION = "agglomeration"
LEAST_OF_A_CLASS = 10


@dataclass(frozen=True, kw_only=True)
class Bias:
    """Found diameter against true, medians over whole single particles: relative, and in nm."""

    particles: int
    relative: Estimate
    absolute_nm: Estimate


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Scores of one method on one group of micrographs.

    `dice`, `precision`, `recall`: of pixels, means over micrographs with particles.
    `instance_f1`: 2·TP/(2·TP + FP + FN) of all particles together, at IoU 0.5. `false_area`: mean
    found fraction of the empty micrographs. `seconds`: median.
    """

    micrographs: int
    empty_micrographs: int
    out_of_domain: int
    particles: int
    dice: Estimate
    precision: Estimate
    recall: Estimate
    instance_f1: Estimate
    false_area: Estimate
    bias: Bias
    seconds: float


def summarised(scores: Sequence[CaseScore]) -> Summary:
    """The numbers of a table row."""
    filled = [score for score in scores if not score.empty]
    empty = [score for score in scores if score.empty]
    return Summary(
        micrographs=len(filled),
        empty_micrographs=len(empty),
        out_of_domain=sum(not score.in_domain for score in scores),
        particles=sum(is_demanded(each) for score in filled for each in score.particles),
        dice=_mean(filled, lambda score: score.pixels.dice),
        precision=_mean(filled, lambda score: score.pixels.precision),
        recall=_mean(filled, lambda score: score.pixels.recall),
        instance_f1=bootstrap(filled, instance_f1) if filled else NOTHING,
        false_area=_mean(empty, lambda score: score.found_fraction),
        bias=bias(filled),
        seconds=float(np.median([score.seconds for score in scores])) if scores else math.nan,
    )


def summed_by_material(scores: Sequence[CaseScore]) -> dict[str, Summary]:
    """A summary of all, and of each material; fields of several materials count among all."""
    groups: dict[str, list[CaseScore]] = {}
    for score in scores:
        if not score.empty and score.material != MIXED:
            groups.setdefault(score.material, []).append(score)
    return {ALL: summarised(scores)} | {
        name: summarised(group) for name, group in sorted(groups.items())
    }


def is_demanded(particle: ParticleScore, least_nm: float = COUNTED_NM) -> bool:
    """Whether the particle is in the truth, and large enough to count as missed."""
    return particle.true_nm is not None and particle.true_nm >= least_nm


def instance_f1(scores: Iterable[CaseScore], least_nm: float = COUNTED_NM) -> float:
    """F1 of particles at IoU 0.5 in [0, 1]; NaN where there is nothing to find or found.

    A pair counts as found; what has no partner counts where its visible part reaches `least_nm`.
    """
    found = missed = invented = 0
    for score in scores:
        for each in score.particles:
            if each.true_nm is not None and each.found_nm is not None:
                found += 1
            elif each.true_nm is not None:
                missed += each.true_nm >= least_nm
            elif each.found_nm is not None:
                invented += each.found_nm >= least_nm
    judged = 2 * found + missed + invented
    return 2 * found / judged if judged else math.nan


def bias(
    scores: Sequence[CaseScore], chosen: Callable[[ParticleScore], bool] = lambda _: True
) -> Bias:
    """Of found particles that are whole, single and chosen."""
    return Bias(
        particles=len(_whole(scores, chosen)),
        relative=_median(scores, chosen, lambda true, found: found / true - 1),
        absolute_nm=_median(scores, chosen, lambda true, found: found - true),
    )


def class_balanced_accuracy(scores: Iterable[CaseScore]) -> float:
    """Mean recall of the classes of matched particles that have at least ten examples."""
    pairs = [
        (CLASS_NAMES.index(each.shown_class), CLASS_NAMES.index(each.found_class))
        for score in scores
        for each in score.particles
        if each.iou is not None and each.shown_class and each.found_class
    ]
    if not pairs:
        return math.nan
    true, found = np.array(pairs).T
    matrix = np.asarray(confusion(true, found, len(CLASS_NAMES)))
    matrix[matrix.sum(axis=1) < LEAST_OF_A_CLASS] = 0
    return balanced_accuracy(matrix)


def grouped(
    scores: Sequence[CaseScore], group: Callable[[CaseScore], str | None]
) -> Mapping[str, list[CaseScore]]:
    """Scores by group, in the order met; None belongs to none."""
    found: dict[str, list[CaseScore]] = {}
    for score in scores:
        name = group(score)
        if name is not None:
            found.setdefault(name, []).append(score)
    return found


def _mean(scores: Sequence[CaseScore], of: Callable[[CaseScore], float]) -> Estimate:
    values = [of(score) for score in scores]
    return bootstrap(values, lambda drawn: float(np.mean(drawn))) if values else NOTHING


def _median(
    scores: Sequence[CaseScore],
    chosen: Callable[[ParticleScore], bool],
    of: Callable[[float, float], float],
) -> Estimate:
    """Of whole single particles; resampled by micrograph."""
    values = [[of(*pair) for pair in _whole([score], chosen)] for score in scores]
    values = [each for each in values if each]
    if not values:
        return NOTHING
    return bootstrap(values, lambda drawn: float(np.median(np.concatenate(drawn))))


def _whole(
    scores: Iterable[CaseScore], chosen: Callable[[ParticleScore], bool]
) -> list[tuple[float, float]]:
    """True and found diameter of matched particles that no border cuts and none overlaps."""
    return [
        (each.true_nm, each.found_nm)
        for score in scores
        for each in score.particles
        if each.true_nm is not None
        and each.found_nm is not None
        and not each.at_border
        and each.true_class != AGGLOMERATION
        and chosen(each)
    ]
