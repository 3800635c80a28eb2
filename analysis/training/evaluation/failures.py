"""The worst cases of a method, picked by rule and not by taste."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.training.evaluation.results import Failure
from analysis.training.evaluation.scores import CaseScore

LEAST_NM = 2.0


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A way to fail: how bad a micrograph is in it (0: not at all), and how to say so."""

    title: str
    badness: Callable[[CaseScore], float]
    said: Callable[[CaseScore], str]


def failures(scores: Sequence[CaseScore]) -> tuple[Failure, ...]:
    """The worst micrograph in each of three ways, no micrograph twice.

    Lowest Dice; largest particle missed; largest particle found where the truth has no partner.
    """
    picked: list[Failure] = []
    for kind in _KINDS:
        taken = {failure.key for failure in picked}
        left = [score for score in scores if score.key not in taken and kind.badness(score) > 0]
        if left:
            worst = max(left, key=kind.badness)
            picked.append(
                Failure(
                    key=worst.key,
                    name=f"{worst.set_name}/{worst.name}",
                    title=kind.title,
                    facts=f"`{worst.set_name}/{worst.name}`: {kind.said(worst)}; "
                    f"{_conditions(worst)}.",
                )
            )
    return tuple(picked)


def _missed_nm(score: CaseScore) -> float:
    return max((each.true_nm or 0 for each in score.particles if each.found_nm is None), default=0)


def _invented_nm(score: CaseScore) -> float:
    return max((each.found_nm or 0 for each in score.particles if each.true_nm is None), default=0)


def _lost(score: CaseScore) -> float:
    return 0.0 if score.empty else 1 - score.pixels.dice


_KINDS = (
    _Kind(
        title="The lowest Dice",
        badness=_lost,
        said=lambda score: (
            f"Dice {score.pixels.dice:.3f}, precision {score.pixels.precision:.3f}, "
            f"recall {score.pixels.recall:.3f}"
        ),
    ),
    _Kind(
        title="The largest particle that was missed",
        badness=lambda score: size if (size := _missed_nm(score)) >= LEAST_NM else 0.0,
        said=lambda score: f"{_missed_nm(score):.1f} nm, no region with an IoU of 0.5",
    ),
    _Kind(
        title="The largest region that is no particle of the truth",
        badness=lambda score: size if (size := _invented_nm(score)) >= LEAST_NM else 0.0,
        said=lambda score: f"{_invented_nm(score):.1f} nm, no particle with an IoU of 0.5",
    ),
)


def _conditions(score: CaseScore) -> str:
    said = [score.material, f"{score.pixel_size_nm:.3f} nm/px"]
    if score.dose_e_per_a2 is not None:
        said.append(f"{score.dose_e_per_a2:.0f} e/Å²")
    if score.defocus_nm is not None:
        said.append(f"defocus {score.defocus_nm:+.0f} nm".replace("-", "−"))
    return ", ".join(said)
