"""The evaluation, from fields and bundles to numbers; reads as a table of contents."""

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from analysis.training.evaluation import sets
from analysis.training.evaluation.cases import CaseSource, real_cases, simulated_cases
from analysis.training.evaluation.classes import accuracy_gain, class_report
from analysis.training.evaluation.curves import (
    DIAMETER,
    VARIABLES,
    CurvePoint,
    Variable,
    point,
    size_curve,
    varied_cases,
)
from analysis.training.evaluation.failures import failures
from analysis.training.evaluation.limits import reliable_domain
from analysis.training.evaluation.methods import BundleMethod, Method
from analysis.training.evaluation.records import Progress, Records, scored
from analysis.training.evaluation.results import (
    Evaluation,
    MethodResult,
    bias_by_defocus,
    bias_by_size,
    by_material,
    pixel_shares,
    real_summary,
    threshold_curve,
)
from analysis.training.evaluation.scores import CaseScore
from analysis.training.evaluation.summaries import summarised, summed_by_material
from analysis.training.evaluation.tuning import baselines

SEED = 3
MARGIN_NM = 0.2  # human outlines lie 0.1-0.3 nm outside the last fringe
CLASSES, WIDE, REAL = "forest_test", "wide", "real"
SIMULATED = ("core", "unseen", "empty", CLASSES, WIDE)
LIBRARIES = ("fringewatch", "keras", "tensorflow", "numpy", "scikit-image", "scikit-learn", "abtem")

Scores = Mapping[str, Sequence[CaseScore]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is evaluated on what.

    `bundles`: the first is the one that is judged. `data`: folders of simulated fields. `real`:
    folder of real patches, or None. `work`: where scores are kept. `variables`: of the curves.
    """

    bundles: tuple[BundleMethod, ...]
    data: Path
    work: Path
    real: Path | None = None
    counts: sets.Counts = sets.FULL
    seed: int = SEED
    margin_nm: float = MARGIN_NM
    processes: int = 1
    variables: Mapping[str, Variable] = field(default_factory=lambda: VARIABLES)


@dataclass(frozen=True, kw_only=True)
class Made:
    """The numbers, and what the pictures are drawn from: methods, cases, scores by set."""

    evaluation: Evaluation
    methods: tuple[Method, ...]
    sources: Mapping[str, Sequence[CaseSource]]
    scores: Mapping[str, Scores]


def evaluate(plan: Plan, date: str, command: str, progress: Progress) -> Made:
    """Everything the report says.

    Args:
        plan: methods and data.
        date: of the report, as it is written there.
        command: that made it, as it is written there.
        progress: called with (stage, done, in all).

    Raises:
        FileNotFoundError: no real patches in the folder.
    """
    folders = sets.prepared(plan.data, plan.counts, plan.processes, progress)
    records = Records(plan.work)
    tuned = baselines(folders["train"], plan.counts.train, plan.seed, records, progress)
    methods = (*plan.bundles, *tuned)
    sources = _sources(plan, folders)
    scores = _scores(plan, methods, sources, records, progress)
    curves = _curves(plan, folders["core"], scores, records, progress)
    judged = methods[0].name
    evaluation = Evaluation(
        date=date,
        command=command,
        versions=_versions(),
        seed=plan.seed,
        margin_nm=plan.margin_nm,
        sets=tuple(sets.facts(folder, name, plan.counts) for name, folder in folders.items()),
        methods=tuple(_result(each, scores, curves.get(each.name, {}), judged) for each in methods),
        failures=failures([*scores["core"][judged], *scores.get("empty", {}).get(judged, ())]),
    )
    return Made(evaluation=evaluation, methods=methods, sources=sources, scores=scores)


def _sources(plan: Plan, folders: Mapping[str, Path]) -> dict[str, Sequence[CaseSource]]:
    sources: dict[str, Sequence[CaseSource]] = {
        name: simulated_cases(folders[name], name, plan.seed, most=getattr(plan.counts, name))
        for name in SIMULATED
        if name in folders
    }
    if plan.real is not None:
        sources[REAL] = real_cases(plan.real)
    return sources


def _scores(
    plan: Plan,
    methods: Sequence[Method],
    sources: Mapping[str, Sequence[CaseSource]],
    records: Records,
    progress: Progress,
) -> dict[str, Scores]:
    own = _unscaled(plan.bundles)
    asked: dict[str, Sequence[Method]] = {
        WIDE: own,
        CLASSES: [replace(bundle, carbon_disc=True) for bundle in own],
    }
    return {
        name: scored(
            records,
            cases,
            asked.get(name, methods),
            progress,
            name,
            plan.margin_nm if name == REAL else None,
        )
        for name, cases in sources.items()
    }


def _curves(
    plan: Plan,
    fields: Path,
    scores: Mapping[str, Scores],
    records: Records,
    progress: Progress,
) -> dict[str, dict[str, tuple[CurvePoint, ...]]]:
    """Scores over dose, defocus, pixel size and particle size, by the name of the bundle.

    Over the first three the judged bundle alone: that is a thousand micrographs for each.
    """
    own = _unscaled(plan.bundles)
    sizes = scores.get(WIDE, scores["core"])
    judged = own[:1] if own[:1] == [plan.bundles[0]] else []
    curves: dict[str, dict[str, tuple[CurvePoint, ...]]] = {
        method.name: {DIAMETER: tuple(size_curve(sizes[method.name]))} for method in own
    }
    for name, variable in plan.variables.items():
        found = {
            value: scored(records, cases, judged, progress, f"{name} {value:g}")
            for value, cases in varied_cases(fields, variable, plan.seed, plan.counts.curve).items()
        }
        for method in judged:
            curves[method.name][name] = tuple(
                point(value, each[method.name]) for value, each in found.items()
            )
    return curves


def _result(
    method: Method,
    scores: Mapping[str, Scores],
    curves: Mapping[str, tuple[CurvePoint, ...]],
    judged: str,
) -> MethodResult:
    core, unseen, empty, classes, real = (
        scores.get(name, {}).get(method.name, [])
        for name in ("core", "unseen", "empty", CLASSES, REAL)
    )
    groups = by_material(core)
    return MethodResult(
        name=method.name,
        group=method.group,
        identity=method.identity,
        about=method.about,
        feature_set=method.bundle.manifest.feature_set
        if isinstance(method, BundleMethod)
        else None,
        core=summed_by_material(core),
        unseen=summed_by_material(unseen) if unseen else {},
        empty=summarised(empty) if empty else None,
        bias_by_size=bias_by_size(core),
        bias_by_defocus=bias_by_defocus(core),
        pixels={name: pixel_shares(group) for name, group in groups.items()},
        thresholds={name: threshold_curve(group) for name, group in groups.items()},
        real=real_summary(real),
        curves=curves,
        domain=reliable_domain(curves) if curves else None,
        classes=class_report(classes),
        behind_judged=accuracy_gain(scores[CLASSES][judged], classes)
        if classes and method.name != judged
        else None,
    )


def _unscaled(bundles: Sequence[BundleMethod]) -> list[BundleMethod]:
    """The bundles at their own pixel size: other scales are tried on micrographs, no further."""
    return [bundle for bundle in bundles if bundle.scale_nm is None]


def _versions() -> dict[str, str]:
    return {"Python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in LIBRARIES
    }
