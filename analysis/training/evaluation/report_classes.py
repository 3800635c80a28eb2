"""The part of the report about the classes."""

from collections.abc import Mapping, Sequence

from analysis.forest import CLASS_NAMES
from analysis.training.evaluation.classes import Apart, ClassReport
from analysis.training.evaluation.markdown import ABSENT, interval, number, percent_interval, table
from analysis.training.evaluation.results import Evaluation, MethodResult


def classes_section(
    evaluation: Evaluation, pictures: Mapping[str, str], notes: Mapping[str, str]
) -> str:
    """Confusion, recall, calibration; empty where no bundle tells classes."""
    told = [method for method in evaluation.methods if method.classes is not None]
    if not told:
        return ""
    judged = evaluation.judged
    parts = [
        "## Classes",
        "Particles of the forest's test set as each bundle's own U-Net finds them, with the class "
        "of the truth they match at an IoU of 0.5; a region that holds 30 % or more of two "
        "particles is an agglomeration. Background is a region of which at most 5 % lies on any "
        "particle: what the U-Net invents and, since that is little, one disc of bare "
        "carbon of 2-9 nm added to each field. What is true is what can be seen: a fault that the "
        "lens or the dose hides is none. Balanced accuracy is the mean recall of the classes, its "
        "interval by bootstrap over fields; recalls have Wilson intervals.",
        notes.get("classes", ""),
        table(
            [
                "bundle",
                "particles",
                "balanced accuracy",
                f"below {judged.name} by",
                "expected calibration error",
                *CLASS_NAMES,
            ],
            [_row(method, method.classes) for method in told if method.classes is not None],
        ),
    ]
    if judged.classes is not None:
        parts += [
            f"Confusion of {judged.name}, rows are truth (the paper's Figure 5f):",
            _confusion(judged.classes),
            pictures.get("confusion", ""),
            "How sure the forest says it is, and how often it is right:",
            pictures.get("reliability", ""),
            "Looked at apart:",
            _apart_table(told),
        ]
    without = [each.name for each in _bundles_without(evaluation.methods)]
    if without:
        parts.append(f"Without a forest, and so without classes: {', '.join(without)}.")
    return "\n\n".join(part for part in parts if part)


def _row(method: MethodResult, report: ClassReport) -> list[str]:
    behind = method.behind_judged
    return [
        method.name,
        f"{report.particles} in {report.fields} fields",
        interval(report.balanced_accuracy),
        ABSENT if behind is None else interval(behind),
        number(report.calibration_error),
        *(interval(each, 2) for each in report.recalls),
    ]


def _confusion(report: ClassReport) -> str:
    return table(
        ["truth \\ found", *CLASS_NAMES],
        [[name, *map(str, row)] for name, row in zip(CLASS_NAMES, report.confusion, strict=True)],
    )


def _apart_table(methods: Sequence[MethodResult]) -> str:
    rows = []
    for method in methods:
        if method.classes is not None:
            for what, each in (
                ("twins, called stacking_fault", method.classes.twins),
                ("other faults, called stacking_fault", method.classes.other_faults),
                ("2-7° off a zone axis, given their class", method.classes.tilted),
            ):
                rows.append([method.name, what, *_apart(each)])
    return table(["bundle", "", "particles", "right"], rows)


def _apart(apart: Apart) -> list[str]:
    return [str(apart.particles), percent_interval(apart.right)]


def _bundles_without(methods: Sequence[MethodResult]) -> list[MethodResult]:
    return [method for method in methods if method.curves and method.classes is None]
