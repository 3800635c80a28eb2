"""Everything an evaluation found, as values; the report and the JSON file are written from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis.training.evaluation.classes import ClassReport
from analysis.training.evaluation.curves import CurvePoint
from analysis.training.evaluation.intervals import Estimate
from analysis.training.evaluation.limits import ReliableDomain
from analysis.training.evaluation.scores import PROBABILITY_BINS, CaseScore, ParticleScore
from analysis.training.evaluation.summaries import ALL, Bias, Summary, bias

SIZE_CLASSES_NM = ((2.0, 4.0), (4.0, 6.0), (6.0, 9.0), (9.0, 13.0))
NEAR_FOCUS_NM = 30.0


@dataclass(frozen=True, kw_only=True)
class SetFacts:
    """A set of cases: what it is for, how many, and the digest of its manifest."""

    name: str
    purpose: str
    fields: int
    seed: int | None
    digest: str


@dataclass(frozen=True, kw_only=True)
class PixelShares:
    """A confusion matrix of pixels, rows adding up to 1: the paper's Figure 2."""

    particle_found: float
    background_kept: float


@dataclass(frozen=True, kw_only=True)
class ThresholdPoint:
    """Precision and recall of pixels where the probability reaches a threshold."""

    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True, kw_only=True)
class RealScore:
    """One real patch: Dice as it is and with the margin, and the share taken for particle."""

    name: str
    material: str
    pixel_size_nm: float
    true_fraction: float
    found_fraction: float
    empty: bool
    in_domain: bool
    dice: float
    dice_with_margin: float


@dataclass(frozen=True, kw_only=True)
class RealSummary:
    """All real patches of one method: mean Dice where there are particles, false area elsewhere."""

    patches: tuple[RealScore, ...]
    dice: float
    dice_with_margin: float
    false_area: float


@dataclass(frozen=True, kw_only=True)
class MethodResult:
    """What one method scored; what was not measured is empty or None.

    `group`: names of methods that differ in scale alone share it. `feature_set`: of a bundle.
    `behind_judged`: by how much its balanced accuracy is below that of the judged bundle, on the
    same fields.
    """

    name: str
    group: str
    identity: str
    about: str
    feature_set: str | None
    core: Mapping[str, Summary]
    unseen: Mapping[str, Summary]
    empty: Summary | None
    bias_by_size: Mapping[str, Bias]
    bias_by_defocus: Mapping[str, Bias]
    pixels: Mapping[str, PixelShares]
    thresholds: Mapping[str, tuple[ThresholdPoint, ...]]
    real: RealSummary | None
    curves: Mapping[str, tuple[CurvePoint, ...]]
    domain: ReliableDomain | None
    classes: ClassReport | None
    behind_judged: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One of the worst cases: `title` says in what, `facts` under which conditions.

    `key`: of the case. `name`: set and field, under which the notes explain it.
    """

    key: str
    name: str
    title: str
    facts: str


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The whole. The first method is the one that is judged; the others are for comparison."""

    date: str
    command: str
    versions: Mapping[str, str]
    seed: int
    margin_nm: float
    sets: tuple[SetFacts, ...]
    methods: tuple[MethodResult, ...]
    failures: tuple[Failure, ...]

    @property
    def judged(self) -> MethodResult:
        """The method the evaluation is about."""
        return self.methods[0]


def pixel_shares(scores: Sequence[CaseScore]) -> PixelShares:
    """Of all pixels together."""
    overlap, true, found, size = (
        sum(values)
        for values in zip(
            *(
                (each.pixels.overlap, each.pixels.true, each.pixels.found, each.size_px)
                for each in scores
            ),
            strict=True,
        )
    )
    return PixelShares(
        particle_found=overlap / true if true else float("nan"),
        background_kept=1 - (found - overlap) / (size - true) if size > true else float("nan"),
    )


def threshold_curve(scores: Sequence[CaseScore]) -> tuple[ThresholdPoint, ...]:
    """Of all pixels together, before morphology; empty where there are no probabilities."""
    histograms = [each.histogram for each in scores if each.histogram is not None]
    if not histograms:
        return ()
    inside, outside = np.sum(np.array(histograms, np.int64), axis=0)
    points = []
    for step in range(1, PROBABILITY_BINS):
        overlap, wrong = int(inside[step:].sum()), int(outside[step:].sum())
        if overlap + wrong:
            points.append(
                ThresholdPoint(
                    threshold=step / PROBABILITY_BINS,
                    precision=overlap / (overlap + wrong),
                    recall=overlap / max(1, int(inside.sum())),
                )
            )
    return tuple(points)


def by_material(scores: Sequence[CaseScore]) -> dict[str, list[CaseScore]]:
    """The scores with particles: all, and of each material."""
    groups: dict[str, list[CaseScore]] = {ALL: []}
    for score in scores:
        if not score.empty:
            groups[ALL].append(score)
            groups.setdefault(score.material, []).append(score)
    return {name: groups[name] for name in (ALL, *sorted(groups.keys() - {ALL})) if groups[name]}


def bias_by_size(scores: Sequence[CaseScore]) -> dict[str, Bias]:
    """The diameter bias by class of true diameters."""
    return {
        f"{low:g}-{high:g} nm": bias(scores, partial(_is_between, low, high))
        for low, high in SIZE_CLASSES_NM
    }


def _is_between(low_nm: float, high_nm: float, each: ParticleScore) -> bool:
    return each.true_nm is not None and low_nm <= each.true_nm < high_nm


def bias_by_defocus(scores: Sequence[CaseScore]) -> dict[str, Bias]:
    """The diameter bias under, near and over focus."""
    known = [(each, each.defocus_nm) for each in scores if each.defocus_nm is not None]
    groups = {
        f"below −{NEAR_FOCUS_NM:g} nm": [each for each, nm in known if nm < -NEAR_FOCUS_NM],
        f"within ±{NEAR_FOCUS_NM:g} nm": [each for each, nm in known if abs(nm) <= NEAR_FOCUS_NM],
        f"above {NEAR_FOCUS_NM:g} nm": [each for each, nm in known if nm > NEAR_FOCUS_NM],
    }
    return {name: bias(group) for name, group in groups.items()}


def real_summary(scores: Sequence[CaseScore]) -> RealSummary | None:
    """The patches of one method; None without any."""
    if not scores:
        return None
    patches = tuple(
        RealScore(
            name=each.name,
            material=each.material,
            pixel_size_nm=each.pixel_size_nm,
            true_fraction=each.pixels.true / each.size_px,
            found_fraction=each.found_fraction,
            empty=each.empty,
            in_domain=each.in_domain,
            dice=each.pixels.dice,
            dice_with_margin=(each.with_margin or each.pixels).dice,
        )
        for each in scores
    )
    return summed_up(patches)


def summed_up(patches: tuple[RealScore, ...]) -> RealSummary:
    """The means over patches."""
    filled = [each for each in patches if not each.empty]
    return RealSummary(
        patches=patches,
        dice=_mean([each.dice for each in filled]),
        dice_with_margin=_mean([each.dice_with_margin for each in filled]),
        false_area=_mean([each.found_fraction for each in patches if each.empty]),
    )


def best_of_scales(summaries: Sequence[RealSummary]) -> RealSummary:
    """For each patch the scale that did best on it, which nobody knows beforehand.

    Best is the highest Dice, or the least false area where nothing is to be found.
    """
    columns = zip(*(summary.patches for summary in summaries), strict=True)
    return summed_up(
        tuple(
            max(
                column,
                key=lambda each: -each.found_fraction if each.empty else each.dice,
            )
            for column in columns
        )
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def has_estimate(estimate: Estimate) -> bool:
    """Whether there is a number at all."""
    return bool(np.isfinite(estimate.value))
