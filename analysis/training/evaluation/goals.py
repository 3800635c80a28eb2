"""What the model that ships has to reach, and whether it does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.features import PUBLISHED_FEATURES
from analysis.training.evaluation.markdown import number, percent
from analysis.training.evaluation.results import MethodResult
from analysis.training.evaluation.summaries import ALL, Bias

LEAST_IN_A_CLASS = 10  # particles; fewer decide nothing


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One of them, in words; `reached` is None where nothing was measured."""

    what: str
    asked: str
    found: str
    reached: bool | None


def goals(methods: Sequence[MethodResult]) -> list[Goal]:
    """The project's own goals for the core set, the real patches and the classes.

    Args:
        methods: the first is the one that is judged.
    """
    judged = methods[0]
    core = judged.core[ALL]
    found = [
        _at_least("mean Dice, core set", 0.97, core.dice.value),
        _at_least("instance F1 at IoU 0.5, core set", 0.95, core.instance_f1.value),
        _at_most(
            "false area, empty set",
            0.002,
            judged.empty.false_area.value if judged.empty else math.nan,
        ),
        _bias("diameter bias by size", list(judged.bias_by_size.values())),
        _bias("diameter bias by defocus", list(judged.bias_by_defocus.values())),
    ]
    if judged.real is not None:
        found += [
            _at_least("mean Dice, real patches, with margin", 0.90, judged.real.dice_with_margin),
            _at_most("false area, empty real patches", 0.005, judged.real.false_area),
        ]
    if judged.classes is not None:
        accuracy, error = judged.classes.balanced_accuracy.value, judged.classes.calibration_error
        found += [
            _at_least("balanced accuracy of five classes", 0.93, accuracy),
            _at_most("expected calibration error", 0.05, error, as_percent=False),
        ]
    found += [
        _at_least(f"balanced accuracy above that of {each.name}", 0.10, each.behind_judged.value)
        for each in methods
        if each.feature_set == PUBLISHED_FEATURES and each.behind_judged is not None
    ]
    return found


def _at_least(what: str, limit: float, value: float) -> Goal:
    reached = value >= limit if math.isfinite(value) else None
    return Goal(what=what, asked=f"≥ {limit:.2f}", found=number(value), reached=reached)


def _at_most(what: str, limit: float, value: float, as_percent: bool = True) -> Goal:
    reached = value <= limit if math.isfinite(value) else None
    if as_percent:
        return Goal(
            what=what, asked=f"≤ {100 * limit:g} %", found=percent(value, 2), reached=reached
        )
    return Goal(what=what, asked=f"≤ {limit:g}", found=number(value), reached=reached)


def _bias(what: str, groups: Sequence[Bias]) -> Goal:
    """2 % or 0.05 nm, whichever is larger, in every class with enough particles."""
    told = [group for group in groups if group.particles >= LEAST_IN_A_CLASS]
    asked = "≤ 2 % or 0.05 nm, medians"
    if not told:
        return Goal(what=what, asked=asked, found=number(None), reached=None)
    worst = max(told, key=lambda group: abs(group.relative.value))
    return Goal(
        what=what,
        asked=asked,
        found=f"{percent(worst.relative.value)} ({number(worst.absolute_nm.value)} nm) at worst",
        reached=all(
            abs(group.relative.value) <= 0.02 or abs(group.absolute_nm.value) <= 0.05
            for group in told
        ),
    )
