"""What an evaluation leaves in the manifest of a bundle: figures, and the domain it holds in."""

import math
from collections.abc import Mapping
from typing import Any

from analysis.forest import CLASS_NAMES
from analysis.training.evaluation.classes import ClassReport
from analysis.training.evaluation.intervals import Estimate
from analysis.training.evaluation.records import Progress
from analysis.training.evaluation.results import MethodResult, RealSummary
from analysis.training.evaluation.run import Plan, evaluate
from analysis.training.evaluation.summaries import ALL, Summary

DIGITS = 4


def measured(plan: Plan, progress: Progress) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Figures and domain of the first bundle of the plan, from a whole evaluation.

    Its scores are kept in the plan's folder of work: a report on the same bundle, whatever its
    manifest has come to say by then, is written without doing them again.

    Args:
        plan: with a draft of the bundle, its manifest without these figures.
        progress: as in `run.evaluate`.
    """
    found = evaluate(plan, "", "", progress).evaluation
    return metrics(found.judged, found.seed, found.margin_nm), domain(found.judged)


def metrics(result: MethodResult, seed: int, margin_nm: float) -> dict[str, Any]:
    """For `Manifest.metrics`: each figure with its interval, plain values.

    Args:
        result: of this bundle.
        seed: of the evaluation.
        margin_nm: of the real patches.
    """
    found: dict[str, Any] = {
        "seed": seed,
        "core": {name: _summary(each) for name, each in result.core.items()},
    }
    if result.unseen:
        found["unseen_materials"] = _summary(result.unseen[ALL])
    if result.empty is not None:
        found["false_area_on_empty"] = _estimate(result.empty.false_area)
    if result.real is not None:
        found["real_patches"] = _real(result.real, margin_nm)
    if result.classes is not None:
        found["forest_test"] = _classes(result.classes)
    return found


def domain(result: MethodResult) -> Mapping[str, Any]:
    """For `Manifest.domain`: between which conditions the rule holds; empty without curves."""
    return {} if result.domain is None else result.domain.as_manifest()


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "micrographs": summary.micrographs,
        "particles": summary.particles,
        "dice": _estimate(summary.dice),
        "precision": _estimate(summary.precision),
        "recall": _estimate(summary.recall),
        "instance_f1": _estimate(summary.instance_f1),
        "diameter_bias": _estimate(summary.bias.relative),
        "diameter_bias_nm": _estimate(summary.bias.absolute_nm),
    }


def _real(real: RealSummary, margin_nm: float) -> dict[str, Any]:
    return {
        "margin_nm": margin_nm,
        "mean_dice": _rounded(real.dice),
        "mean_dice_with_margin": _rounded(real.dice_with_margin),
        "false_area_on_empty": _rounded(real.false_area),
        "each": {
            patch.name: {
                "dice": _rounded(patch.dice),
                "dice_with_margin": _rounded(patch.dice_with_margin),
                "found_fraction": _rounded(patch.found_fraction),
            }
            for patch in real.patches
        },
    }


def _classes(report: ClassReport) -> dict[str, Any]:
    return {
        "classes": list(CLASS_NAMES),
        "confusion_rows_are_truth": [list(row) for row in report.confusion],
        "balanced_accuracy": _rounded(report.balanced_accuracy.value),
        "balanced_accuracy_interval": _estimate(report.balanced_accuracy)[1:],
        "recall": {
            name: _estimate(each) for name, each in zip(CLASS_NAMES, report.recalls, strict=True)
        },
        "expected_calibration_error": _rounded(report.calibration_error),
        "fields": report.fields,
    }


def _estimate(estimate: Estimate) -> list[float | None]:
    """Value, low and high end of the 95 % interval."""
    return [_rounded(each) for each in (estimate.value, estimate.low, estimate.high)]


def _rounded(value: float) -> float | None:
    return round(value, DIGITS) if math.isfinite(value) else None
