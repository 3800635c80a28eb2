"""Fit the forest on particles as the U-Net finds them, labelled by the simulation's truth.

A region that is no particle teaches the class background; since the U-Net leaves few of those,
discs of bare carbon are added. Split by field, so that no held-out particle has a sibling in
training.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis import features
from analysis.bundle import Bundle
from analysis.forest import CLASS_NAMES, Forest
from analysis.metrics import (
    balanced_accuracy,
    confusion,
    expected_calibration_error,
    reliability,
)
from analysis.pipeline import Particle
from analysis.regions import measure
from analysis.simulation.dataset import load_field
from analysis.training.described import (
    described,
    described_as_published,
    in_order,
    junctions_of,
    native_pixels,
)
from analysis.training.evaluate import labelled
from analysis.training.evaluation.intervals import Estimate, wilson
from analysis.training.micrographs import AGGLOMERATION, Rendered, rendered
from analysis.trees import Growth

LEAST_OVERLAP = 0.5  # intersection over union of a region and the truth it is labelled by
MOST_TRUTH_IN_BACKGROUND = 0.05
MERGED_SHARE = 0.3  # of an instance; a region with so much of two is an agglomeration
LARGEST_CLASS = 2.0  # times the smallest
CARBON_DISCS = 2
CARBON_DIAMETER_NM = (2.0, 9.0)
DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class LabelledRegions:
    """What is known of N regions, in one order.

    `features`: (N, F). `published`: (N, 5), the paper's, for comparison. `classes`, `fields`:
    (N,), index of the class and number of the field.
    """

    features: NDArray[np.float64]
    published: NDArray[np.float64]
    classes: NDArray[np.int64]
    fields: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> "LabelledRegions":
        """Only the chosen regions."""
        return LabelledRegions(
            features=self.features[chosen],
            published=self.published[chosen],
            classes=self.classes[chosen],
            fields=self.fields[chosen],
        )

    def counts(self) -> dict[str, int]:
        """How many regions each class has."""
        found = np.bincount(self.classes, minlength=len(CLASS_NAMES))
        return dict(zip(CLASS_NAMES, map(int, found), strict=True))


@dataclass(frozen=True, kw_only=True)
class _Example:
    """One region: the bundle's features of it, the paper's, and its class."""

    features: list[float]
    published: list[float]
    class_index: int


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
    examples: list[tuple[_Example, int]] = []
    for index, path in enumerate(paths):
        rng = np.random.default_rng([seed, index])
        for _ in range(renderings):
            seen = rendered(load_field(path), rng, path.name)
            native = native_pixels(bundle.manifest, seen.micrograph.image)
            found = _found(bundle, seen, native) + _carbon(bundle, seen, native, rng)
            examples += [(one, index) for one in found if np.isfinite(one.features).all()]
        if progress is not None:
            progress(index + 1, len(paths))
    return LabelledRegions(
        features=np.array([one.features for one, _ in examples], np.float64),
        published=np.array([one.published for one, _ in examples], np.float64),
        classes=np.array([one.class_index for one, _ in examples], np.int64),
        fields=np.array([index for _, index in examples], np.int64),
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


def fit_forest(
    regions: LabelledRegions, seed: int, growth: Growth = "boosted"
) -> tuple[Forest, dict[str, Any]]:
    """The forest fitted to the training fields, and its figures on the held-out ones.

    `recall` is the share of each class that was recognised and the ends of its 95 % Wilson
    interval. `expected_calibration_error`: of the likeliest class, in ten bins of equal width
    (Naeini, Cooper and Hauskrecht, AAAI 2015). `published_features`: what the paper's random forest
    on its five features reaches, fitted and judged on the very same regions.
    """
    test = held_out(regions)
    training, unseen = balanced(regions.where(~test), seed), regions.where(test)
    forest, probabilities = _fitted(training.features, training, unseen.features, seed, growth)
    _, behind = _fitted(training.published, training, unseen.published, seed, "random")
    matrix = _confusion(unseen, probabilities)
    metrics = {
        "classes": list(CLASS_NAMES),
        "confusion_rows_are_truth": matrix.tolist(),
        "balanced_accuracy": _rounded(balanced_accuracy(matrix)),
        "recall": {
            name: _with_ends(wilson(int(row[index]), int(row.sum())))
            for index, (name, row) in enumerate(zip(CLASS_NAMES, matrix, strict=True))
        },
        "expected_calibration_error": _rounded(
            expected_calibration_error(reliability(probabilities, unseen.classes))
        ),
        "growth": growth,
        "sharpness": _rounded(forest.sharpness),
        "published_features": {
            "balanced_accuracy": _rounded(balanced_accuracy(_confusion(unseen, behind)))
        },
        "training_regions": training.counts(),
        "held_out_regions": unseen.counts(),
        "held_out": "every fourth field",
    }
    return forest, metrics


def _fitted(
    rows: NDArray[np.float64],
    training: LabelledRegions,
    unseen: NDArray[np.float64],
    seed: int,
    growth: Growth,
) -> tuple[Forest, NDArray[np.float64]]:
    """A forest of these rows of the training regions, and what it says of the unseen ones."""
    forest = Forest()
    forest.fit(rows, training.classes, seed, training.fields, growth)
    return forest, forest.probabilities(unseen)


def _confusion(regions: LabelledRegions, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    predicted = probabilities.argmax(axis=1)
    return np.asarray(confusion(regions.classes, predicted, len(CLASS_NAMES)), np.int64)


def _with_ends(estimate: Estimate) -> list[float | None]:
    return [_rounded(each) for each in (estimate.value, estimate.low, estimate.high)]


def _rounded(value: float) -> float | None:
    return round(float(value), DIGITS) if math.isfinite(value) else None


def _found(bundle: Bundle, seen: Rendered, native: NDArray[np.float32]) -> list[_Example]:
    """Every region the U-Net finds that the truth can name."""
    analysis, labels = labelled(bundle, seen.micrograph.image, _pixel_size_nm(seen))
    found = []
    for particle in analysis.particles:
        kind = _class(particle, labels, seen) if particle.excluded is None else None
        if kind is not None:
            found.append(
                _Example(
                    features=in_order(particle.features, bundle.manifest.feature_names),
                    published=described_as_published(native, labels, particle.region),
                    class_index=kind,
                )
            )
    return found


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
    bundle: Bundle, seen: Rendered, native: NDArray[np.float32], rng: np.random.Generator
) -> list[_Example]:
    """Discs that lie on bare carbon, at places no particle reaches."""
    size_nm = _pixel_size_nm(seen)
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
    background = features.background_statistics(native, seen.labels, size_nm)
    regions = measure(labels, np.zeros(labels.shape, np.float32))
    junctions = junctions_of(bundle, seen.micrograph)
    return [
        _Example(
            features=described(
                bundle.manifest, native, labels, region, size_nm, background, junctions
            ),
            published=described_as_published(native, labels, region),
            class_index=CLASS_NAMES.index("background"),
        )
        for region in regions
        if region.label > particles
    ]


def _pixel_size_nm(seen: Rendered) -> float:
    size_nm = seen.micrograph.calibration.pixel_size_nm
    if size_nm is None:
        raise ValueError("a rendered micrograph has a pixel size")
    return size_nm
