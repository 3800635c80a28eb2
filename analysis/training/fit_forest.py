"""Fit the forest on particles as the U-Net finds them, labelled by the simulation's truth.

A region that is no particle teaches the class background; since the U-Net leaves few of those,
discs of bare carbon are added. Split by field, so that no held-out particle has a sibling in
training.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis import features
from analysis.bundle import Bundle
from analysis.forest import CLASS_NAMES, Forest
from analysis.metrics import balanced_accuracy, confusion
from analysis.pipeline import Particle
from analysis.preprocess import despike
from analysis.regions import measure
from analysis.simulation.dataset import load_field
from analysis.training.evaluate import labelled
from analysis.training.micrographs import AGGLOMERATION, Rendered, rendered

LEAST_OVERLAP = 0.5  # intersection over union of a region and the truth it is labelled by
MOST_TRUTH_IN_BACKGROUND = 0.05
MERGED_SHARE = 0.3  # of an instance; a region with so much of two is an agglomeration
LARGEST_CLASS = 2.0  # times the smallest
CARBON_DISCS = 2
CARBON_DIAMETER_NM = (2.0, 9.0)


@dataclass(frozen=True, kw_only=True)
class LabelledRegions:
    """Features (N, F), class indices (N,) and the number of the field (N,) of N regions."""

    features: NDArray[np.float64]
    classes: NDArray[np.int64]
    fields: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> "LabelledRegions":
        """Only the chosen regions."""
        return LabelledRegions(
            features=self.features[chosen], classes=self.classes[chosen], fields=self.fields[chosen]
        )

    def counts(self) -> dict[str, int]:
        """How many regions each class has."""
        found = np.bincount(self.classes, minlength=len(CLASS_NAMES))
        return dict(zip(CLASS_NAMES, map(int, found), strict=True))


def labelled_regions(
    bundle: Bundle,
    paths: Sequence[Path],
    seed: int,
    renderings: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> LabelledRegions:
    """Every region found in the fields, with the class of the truth it covers.

    Args:
        bundle: its U-Net segments; a forest is not needed.
        paths: of simulated fields.
        seed: of optics and dose.
        renderings: micrographs of each field, each under its own conditions.
        progress: called with fields done and fields in all.
    """
    rows: list[tuple[Sequence[float], int, int]] = []
    for index, path in enumerate(paths):
        rng = np.random.default_rng([seed, index])
        for _ in range(renderings):
            seen = rendered(load_field(path), rng, path.name)
            described = _found(bundle, seen) + _carbon(seen, bundle, rng)
            rows += [(values, kind, index) for values, kind in described]
        if progress is not None:
            progress(index + 1, len(paths))
    kept = [row for row in rows if np.isfinite(row[0]).all()]
    return LabelledRegions(
        features=np.array([values for values, _, _ in kept], np.float64),
        classes=np.array([kind for _, kind, _ in kept], np.int64),
        fields=np.array([index for _, _, index in kept], np.int64),
    )


def held_out(regions: LabelledRegions, every: int = 4) -> NDArray[np.bool_]:
    """Which regions lie in every fourth field: for testing only. (N,) bool."""
    return np.asarray(regions.fields % every == 0)


def balanced(regions: LabelledRegions, seed: int) -> LabelledRegions:
    """At most `LARGEST_CLASS` times as many of any class as of the rarest."""
    rng = np.random.default_rng(seed)
    present = np.bincount(regions.classes, minlength=len(CLASS_NAMES))
    most = int(LARGEST_CLASS * present[present > 0].min())
    chosen = np.zeros(len(regions.classes), np.bool_)
    for kind in np.flatnonzero(present):
        members = np.flatnonzero(regions.classes == kind)
        chosen[rng.permutation(members)[:most]] = True
    return regions.where(chosen)


def fit_forest(regions: LabelledRegions, seed: int) -> tuple[Forest, dict[str, Any]]:
    """The forest fitted to the training fields, and its confusion on the held-out ones."""
    test = held_out(regions)
    training, unseen = balanced(regions.where(~test), seed), regions.where(test)
    forest = Forest()
    forest.fit(training.features, training.classes, seed)
    predicted = forest.probabilities(unseen.features).argmax(axis=1)
    matrix = np.asarray(confusion(unseen.classes, predicted, len(CLASS_NAMES)))
    metrics = {
        "classes": list(CLASS_NAMES),
        "confusion_rows_are_truth": matrix.tolist(),
        "balanced_accuracy": round(float(balanced_accuracy(matrix)), 4),
        "recall": _recall(matrix),
        "training_regions": training.counts(),
        "held_out_regions": unseen.counts(),
        "held_out": "every fourth field",
    }
    return forest, metrics


def _recall(matrix: NDArray[np.int64]) -> Mapping[str, float | None]:
    return {
        name: round(float(row[index] / row.sum()), 4) if row.sum() else None
        for index, (name, row) in enumerate(zip(CLASS_NAMES, matrix, strict=True))
    }


def _found(bundle: Bundle, seen: Rendered) -> list[tuple[list[float], int]]:
    """Features and class of every region the U-Net finds that the truth can name."""
    size_nm = seen.micrograph.calibration.pixel_size_nm
    if size_nm is None:
        raise ValueError("a rendered micrograph has a pixel size")
    analysis, labels = labelled(bundle, seen.micrograph.image, size_nm)
    names = bundle.manifest.feature_names
    described = []
    for particle in analysis.particles:
        kind = _class(particle, labels, seen) if particle.excluded is None else None
        if kind is not None:
            described.append((_row(particle.features, names), kind))
    return described


def _class(particle: Particle, labels: NDArray[np.generic], seen: Rendered) -> int | None:
    """The class of the instance it matches; background where there is none; else None.

    A region over most of two or more instances is an agglomeration, whatever they are apart.
    """
    y0, x0, y1, x1 = particle.region.bbox
    inside = labels[y0:y1, x0:x1] == particle.region.label
    covered = np.bincount(seen.labels[y0:y1, x0:x1][inside])
    covered[0] = 0
    if covered.sum() <= MOST_TRUTH_IN_BACKGROUND * particle.region.area_px:
        return CLASS_NAMES.index("background")
    areas = np.bincount(seen.labels.ravel(), minlength=len(covered))[: len(covered)]
    if np.count_nonzero(covered >= MERGED_SHARE * np.maximum(areas, 1)) > 1:
        return CLASS_NAMES.index(AGGLOMERATION)
    best = int(covered.argmax())
    union = particle.region.area_px + int(areas[best]) - int(covered[best])
    if covered[best] < LEAST_OVERLAP * union:
        return None
    names = {region.label: region.class_name for region in seen.regions}
    return CLASS_NAMES.index(names[best])


def _carbon(
    seen: Rendered, bundle: Bundle, rng: np.random.Generator
) -> list[tuple[list[float], int]]:
    """Features of discs that lie on bare carbon, at places no particle reaches."""
    size_nm = seen.micrograph.calibration.pixel_size_nm
    if size_nm is None:
        raise ValueError("a rendered micrograph has a pixel size")
    labels = seen.labels.copy()
    particles = int(labels.max(initial=0))
    free = cv2.distanceTransform((labels == 0).astype(np.uint8), cv2.DIST_L2, 5)
    for number in range(CARBON_DISCS):
        radius_px = float(rng.uniform(*CARBON_DIAMETER_NM)) / 2 / size_nm
        places = np.argwhere(free > radius_px + 0.5 / size_nm)
        if len(places):
            y, x = places[int(rng.integers(0, len(places)))]
            disc = np.zeros(labels.shape, np.uint8)
            cv2.circle(disc, (int(x), int(y)), round(radius_px), 1, -1)
            labels[(disc > 0) & (labels == 0)] = particles + 1 + number
    native = despike(seen.micrograph.image)
    background = features.background_statistics(native, seen.labels, size_nm)
    regions = measure(labels, np.zeros(labels.shape, np.float32))
    return [
        (
            _row(
                features.region_features(native, labels, region, size_nm, background),
                bundle.manifest.feature_names,
            ),
            CLASS_NAMES.index("background"),
        )
        for region in regions
        if region.label > particles
    ]


def _row(values: Mapping[str, float | None] | None, names: Sequence[str]) -> list[float]:
    stated = values or {}
    return [float("nan") if stated.get(name) is None else float(stated[name]) for name in names]  # type: ignore[arg-type]
