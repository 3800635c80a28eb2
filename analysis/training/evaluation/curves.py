"""How the scores change with one condition, all else being as it was."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from analysis.training.evaluation.cases import CaseSource, simulated_cases
from analysis.training.evaluation.intervals import NOTHING, Estimate, bootstrap
from analysis.training.evaluation.scores import CaseScore, ParticleScore
from analysis.training.evaluation.summaries import (
    bias,
    class_balanced_accuracy,
    instance_f1,
)
from analysis.training.micrographs import CORE, RenderConditions

DOSES_E_PER_A2 = (20.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3000.0, 5000.0)
DEFOCI_NM = (-150.0, -100.0, -70.0, -40.0, -20.0, 0.0, 20.0, 40.0, 70.0, 100.0)
PIXEL_SIZES_NM = (0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1)
DIAMETERS_NM = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.5, 8.0, 10.0, 12.0, 15.0)
DOSE, DEFOCUS, PIXEL_SIZE, DIAMETER = "dose", "defocus", "pixel size", "diameter"


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A condition that is varied: its name for people, unit, values, and what it changes."""

    name: str
    unit: str
    values: tuple[float, ...]
    conditions: Callable[[float], RenderConditions]


VARIABLES: Mapping[str, Variable] = MappingProxyType(
    {
        variable.name: variable
        for variable in (
            Variable(
                name=DOSE,
                unit="e/Å²",
                values=DOSES_E_PER_A2,
                conditions=lambda dose: replace(CORE, dose_e_per_a2=(dose, dose)),
            ),
            Variable(
                name=DEFOCUS,
                unit="nm",
                values=DEFOCI_NM,
                conditions=lambda defocus: replace(CORE, defocus_nm=(defocus, defocus)),
            ),
            Variable(
                name=PIXEL_SIZE,
                unit="nm",
                values=PIXEL_SIZES_NM,
                conditions=lambda size_nm: replace(CORE, pixel_size_nm=(size_nm, size_nm)),
            ),
        )
    }
)


FEW_VARIABLES: Mapping[str, Variable] = MappingProxyType(
    {name: replace(variable, values=variable.values[::3]) for name, variable in VARIABLES.items()}
)
"""For a trial: every third value."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """Scores at one value of the condition; `low`, `high` are the ends of a class of sizes.

    `dice`: mean over micrographs; over particles for a class of sizes, 2·IoU/(1 + IoU), 0 where
    missed.
    """

    value: float
    low: float
    high: float
    particles: int
    dice: Estimate
    instance_f1: Estimate
    bias: Estimate
    class_accuracy: Estimate


def varied_cases(
    folder: Path, variable: Variable, seed: int, most: int
) -> dict[float, list[CaseSource]]:
    """The same fields under each value of the variable."""
    return {
        value: simulated_cases(
            folder, f"{variable.name} {value:g}", seed, variable.conditions(value), most
        )
        for value in variable.values
    }


def point(value: float, scores: Sequence[CaseScore]) -> CurvePoint:
    """The scores of micrographs recorded at this value."""
    filled = [score for score in scores if not score.empty]
    return CurvePoint(
        value=value,
        low=value,
        high=value,
        particles=sum(each.true_nm is not None for score in filled for each in score.particles),
        dice=_estimate(filled, _mean_dice),
        instance_f1=_estimate(filled, instance_f1),
        bias=bias(filled).relative,
        class_accuracy=_estimate(filled, class_balanced_accuracy),
    )


def size_curve(
    scores: Sequence[CaseScore], edges_nm: Sequence[float] = DIAMETERS_NM
) -> list[CurvePoint]:
    """One point for each class of true diameters; a particle the border cuts is in none."""
    points = []
    for low, high in itertools.pairwise(edges_nm):
        chosen = [_of_size(score, low, high) for score in scores]
        chosen = [score for score in chosen if score.particles]
        points.append(
            CurvePoint(
                value=math.sqrt(low * high),
                low=low,
                high=high,
                particles=sum(
                    each.true_nm is not None for score in chosen for each in score.particles
                ),
                dice=_estimate(chosen, _mean_particle_dice),
                instance_f1=_estimate(chosen, lambda drawn: instance_f1(drawn, least_nm=0.0)),
                bias=bias(chosen).relative,
                class_accuracy=_estimate(chosen, class_balanced_accuracy),
            )
        )
    return points


def _of_size(score: CaseScore, low_nm: float, high_nm: float) -> CaseScore:
    def belongs(each: ParticleScore) -> bool:
        size_nm = each.found_nm if each.true_nm is None else each.true_nm
        return size_nm is not None and low_nm <= size_nm < high_nm and not each.at_border

    return replace(score, particles=tuple(each for each in score.particles if belongs(each)))


def _mean_dice(scores: Sequence[CaseScore]) -> float:
    return float(np.mean([score.pixels.dice for score in scores]))


def _mean_particle_dice(scores: Sequence[CaseScore]) -> float:
    ious = [
        each.iou or 0.0 for score in scores for each in score.particles if each.true_nm is not None
    ]
    return float(np.mean([2 * iou / (1 + iou) for iou in ious])) if ious else math.nan


def _estimate(
    scores: Sequence[CaseScore], statistic: Callable[[Sequence[CaseScore]], float]
) -> Estimate:
    return bootstrap(scores, statistic) if scores else NOTHING
