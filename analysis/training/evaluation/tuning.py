"""The paper's two methods, tuned on training fields: they meet the test set as the bundles do."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.baselines import Annulus, Example, Otsu, fit_annulus, fit_otsu
from analysis.simulation.dataset import MIXED
from analysis.training.evaluation.cases import CaseSource, simulated_cases
from analysis.training.evaluation.methods import FourierMethod, Method, OtsuMethod
from analysis.training.evaluation.records import Progress, Records, code_digest

LEAST_EXAMPLES = 4  # of a material, for an annulus of its own
STAGE = "tune the baselines"
TUNING = "tuning"


def baselines(
    train: Path, most: int, seed: int, records: Records, progress: Progress
) -> tuple[Method, ...]:
    """Otsu's threshold plain and smoothed, Fourier filtering without and with the material known.

    Args:
        train: folder of training fields.
        most: how many of them are looked at.
        seed: of the conditions they are seen under.
        records: a tuning that is known is not done again.
        progress: called with (stage, done, in all).

    Raises:
        ValueError: none of the fields holds a particle.
    """
    sources = simulated_cases(train, "train", seed, most=most)
    key = "/".join([code_digest(), *(source.key for source in sources)])
    tuned = records.find(TUNING, key)
    if tuned is None:
        tuned = _tuned(_examples(sources, progress))
        records.keep(TUNING, key, tuned)
    annulus = Annulus(**tuned["annulus"])
    known = {material: Annulus(**each) for material, each in tuned["known"].items()}
    return (
        OtsuMethod(name="Otsu", otsu=Otsu(), cleaned=False),
        OtsuMethod(name="Otsu, smoothed", otsu=Otsu(**tuned["otsu"])),
        FourierMethod(name="Fourier filtering", annulus=annulus),
        FourierMethod(name="Fourier filtering, material known", annulus=annulus, known=known),
    )


def _examples(sources: Sequence[CaseSource], progress: Progress) -> dict[str, list[Example]]:
    """Those with particles, by material."""
    examples: dict[str, list[Example]] = {}
    for number, source in enumerate(sources, start=1):
        case = source.make()
        if not case.empty:
            example = Example(
                image=case.micrograph.image,
                truth=case.labels != 0,
                pixel_size_nm=case.pixel_size_nm,
            )
            examples.setdefault(case.material, []).append(example)
        progress(STAGE, number, len(sources))
    return examples


def _tuned(examples: Mapping[str, Sequence[Example]]) -> dict[str, Any]:
    together = [each for group in examples.values() for each in group]
    return {
        "otsu": asdict(fit_otsu(together)),
        "annulus": asdict(fit_annulus(together)),
        "known": {
            material: asdict(fit_annulus(group))
            for material, group in examples.items()
            if material != MIXED and len(group) >= LEAST_EXAMPLES
        },
    }
