"""How good a bundle is: on held-out simulated fields under core conditions, and on real patches.

Segmentation is judged as a user gets it, by the labels after morphology.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.bundle import Bundle
from analysis.metrics import dice
from analysis.pipeline import Analysis, AnalysisSettings, analyse
from analysis.regions import Labels
from analysis.simulation.dataset import load_field
from analysis.training.micrographs import calibrated, rendered

EMPTY_FRACTION = 0.01  # a patch with less particle than this counts as empty
SETTINGS = AnalysisSettings()


@dataclass(frozen=True, kw_only=True)
class SegmentationScore:
    """One micrograph: Dice against its truth, the particle fraction of both."""

    name: str
    dice: float
    true_fraction: float
    found_fraction: float

    @property
    def empty(self) -> bool:
        """Whether there is next to nothing to find, so that only false area can be judged."""
        return self.true_fraction < EMPTY_FRACTION


def simulated_scores(bundle: Bundle, paths: Sequence[Path], seed: int) -> list[SegmentationScore]:
    """One score for each held-out field, each under conditions drawn from the seed."""
    scores = []
    for index, path in enumerate(paths):
        seen = rendered(load_field(path), np.random.default_rng([seed, index]), path.name)
        found = _found(bundle, seen.micrograph.image, seen.micrograph.calibration.pixel_size_nm)
        scores.append(_score(path.name, seen.labels > 0, found))
    return scores


def summary(scores: Iterable[SegmentationScore]) -> dict[str, Any]:
    """Mean Dice where there are particles, mean false area where there are none, and each."""
    scores = list(scores)
    filled = [score.dice for score in scores if not score.empty]
    empty = [score.found_fraction for score in scores if score.empty]
    return {
        "micrographs_with_particles": len(filled),
        "mean_dice": round(float(np.mean(filled)), 4) if filled else None,
        "median_dice": round(float(np.median(filled)), 4) if filled else None,
        "empty_micrographs": len(empty),
        "false_area_on_empty": round(float(np.mean(empty)), 5) if empty else None,
    }


def labelled(
    bundle: Bundle, image: NDArray[np.generic], pixel_size_nm: float
) -> tuple[Analysis, Labels]:
    """The analysis and the labels of one calibrated image."""
    micrograph = calibrated(image, pixel_size_nm, "evaluation")
    analysis, masks = analyse(micrograph, bundle, SETTINGS, force=True)
    if masks is None:
        raise ValueError("a forced analysis gave no masks")
    return analysis, masks.labels


def _found(
    bundle: Bundle, image: NDArray[np.generic], pixel_size_nm: float | None
) -> NDArray[np.bool_]:
    """Pixels of every labelled particle, whatever its size."""
    if pixel_size_nm is None:
        raise ValueError("an evaluation needs a pixel size")
    _, labels = labelled(bundle, image, pixel_size_nm)
    return np.asarray(labels != 0)


def _score(name: str, truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> SegmentationScore:
    return SegmentationScore(
        name=name,
        dice=float(dice(truth, found)),
        true_fraction=float(truth.mean()),
        found_fraction=float(found.mean()),
    )
