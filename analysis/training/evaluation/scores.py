"""How one method did on one micrograph: pixels, particles, classes. Small, and kept as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.forest import CLASS_NAMES
from analysis.metrics import PixelCounts, match_instances, pixel_counts
from analysis.regions import equivalent_diameter_nm
from analysis.training.evaluation.cases import Case, Truth
from analysis.training.evaluation.methods import Found
from analysis.training.fit_forest import MERGED_SHARE, MOST_TRUTH_IN_BACKGROUND
from analysis.training.micrographs import AGGLOMERATION

IOU = 0.5
PROBABILITY_BINS = 20  # thresholds 0.05 apart
FULL_PROBABILITY = 255
BACKGROUND = "background"
LEAST_KEPT_NM = 0.5  # specks of a noisy threshold, by the thousand; no particle is that small


@dataclass(frozen=True, kw_only=True)
class ParticleScore:
    """A particle of the truth and the one found in its place; None for what has no partner.

    Diameters are area-equivalent, of what lies in the picture. `at_border`: either is cut.
    `true_class`: of the particle of the truth. `shown_class`: what the found region shows, see
    `shown_class`. `probabilities`: of the classes, in the order of `CLASS_NAMES`.
    """

    true_nm: float | None
    found_nm: float | None
    iou: float | None
    at_border: bool
    true_class: str | None = None
    shown_class: str | None = None
    fault: str | None = None
    tilt_deg: float | None = None
    probabilities: tuple[float, ...] | None = None

    @property
    def found_class(self) -> str | None:
        """The most probable class, or None where the method tells none."""
        if self.probabilities is None:
            return None
        return CLASS_NAMES[int(np.argmax(self.probabilities))]


@dataclass(frozen=True, kw_only=True)
class CaseScore:
    """One micrograph.

    `pixels`: of the labels after morphology. `with_margin`: the same, found mask grown, where a
    margin was asked for. `histogram`: how many pixels of the truth and of the rest have each
    probability, in bins of equal width; None where the method gives none.
    """

    key: str
    set_name: str
    name: str
    material: str
    empty: bool
    pixel_size_nm: float
    size_px: int
    dose_e_per_a2: float | None
    defocus_nm: float | None
    pixels: PixelCounts
    with_margin: PixelCounts | None
    particles: tuple[ParticleScore, ...]
    histogram: tuple[tuple[int, ...], tuple[int, ...]] | None
    in_domain: bool
    seconds: float

    @property
    def found_fraction(self) -> float:
        """Share of the picture taken for particle; false area where nothing is to be found."""
        return self.pixels.found / self.size_px


def score(key: str, case: Case, found: Found, margin_nm: float | None = None) -> CaseScore:
    """Judge what was found by the truth.

    Args:
        key: of the case.
        case: micrograph and truth.
        found: on the same pixels.
        margin_nm: grow the found mask by this for `with_margin`.
    """
    truth = case.labels != 0
    grown = None if margin_nm is None else grown_mask(found.labels, margin_nm / case.pixel_size_nm)
    return CaseScore(
        key=key,
        set_name=case.set_name,
        name=case.name,
        material=case.material,
        empty=case.empty,
        pixel_size_nm=case.pixel_size_nm,
        size_px=case.labels.size,
        dose_e_per_a2=case.dose_e_per_a2,
        defocus_nm=case.defocus_nm,
        pixels=pixel_counts(truth, found.labels),
        with_margin=None if grown is None else pixel_counts(truth, grown),
        particles=_particles(case, found),
        histogram=None if found.probability is None else _histogram(truth, found.probability),
        in_domain=found.in_domain,
        seconds=found.seconds,
    )


def grown_mask(labels: NDArray[np.integer], radius_px: float) -> NDArray[np.bool_]:
    """What lies within `radius_px` of a labelled pixel, (H, W) bool."""
    outside = (labels == 0).astype(np.uint8)
    if outside.all():
        return np.zeros(labels.shape, np.bool_)
    distance_px = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance_px <= radius_px)


def _particles(case: Case, found: Found) -> tuple[ParticleScore, ...]:
    matching = match_instances(case.labels, found.labels, IOU)
    true_nm = _diameters_nm(case.labels, case.pixel_size_nm)
    found_nm = _diameters_nm(found.labels, case.pixel_size_nm)
    trios: list[tuple[int, int, float | None]] = [
        (*pair, round(iou, 4)) for pair, iou in zip(matching.pairs, matching.ious, strict=True)
    ]
    trios += [(label, 0, None) for label in matching.missed]
    trios += [(0, seen, None) for seen in matching.invented if found_nm[seen] >= LEAST_KEPT_NM]
    areas_px = np.bincount(case.labels.ravel())
    cut_true, cut_found = _at_border(case.labels), _at_border(found.labels)
    particles = []
    for true, seen, iou in trios:
        region = case.regions.get(true, Truth())
        particles.append(
            ParticleScore(
                true_nm=true_nm.get(true),
                found_nm=found_nm.get(seen),
                iou=iou,
                at_border=true in cut_true or seen in cut_found,
                true_class=region.class_name,
                shown_class=shown_class(case, found.labels == seen, areas_px, true)
                if seen in found.probabilities
                else None,
                fault=region.fault,
                tilt_deg=region.tilt_deg,
                probabilities=found.probabilities.get(seen),
            )
        )
    return tuple(particles)


def shown_class(
    case: Case, region: NDArray[np.bool_], areas_px: NDArray[np.integer], matched: int
) -> str | None:
    """What a region shows, which is what the forest should say of it; None where nobody knows.

    Background where next to nothing of it is particle; an agglomeration where it holds much of
    two or more; else the class of the particle it matches. The rule the forest is trained by.

    Args:
        case: with the truth.
        region: (H, W).
        areas_px: of each label of the truth.
        matched: label it matches, or 0.
    """
    covered = np.bincount(case.labels[region], minlength=len(areas_px))
    if covered[1:].sum() <= MOST_TRUTH_IN_BACKGROUND * covered.sum():
        return BACKGROUND
    if np.count_nonzero(covered[1:] >= MERGED_SHARE * np.maximum(areas_px[1:], 1)) > 1:
        return AGGLOMERATION
    return case.regions.get(matched, Truth()).class_name


def _diameters_nm(labels: NDArray[np.integer], pixel_size_nm: float) -> dict[int, float]:
    areas = np.bincount(labels.ravel())
    return {
        int(label): round(equivalent_diameter_nm(int(areas[label]), pixel_size_nm), 4)
        for label in np.flatnonzero(areas)
        if label
    }


def _at_border(labels: NDArray[np.integer]) -> set[int]:
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return {int(label) for label in np.unique(rim) if label}


def _histogram(
    truth: NDArray[np.bool_], probability: NDArray[np.uint8]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    edges = np.linspace(0, FULL_PROBABILITY, PROBABILITY_BINS + 1)
    inside, outside = (
        np.histogram(probability[mask], edges)[0].tolist() for mask in (truth, ~truth)
    )
    return tuple(inside), tuple(outside)


def as_json(score: CaseScore) -> dict[str, Any]:
    """The score as plain values."""
    return asdict(score)


def from_json(stored: Mapping[str, Any]) -> CaseScore:
    """The score that `as_json` wrote.

    Raises:
        TypeError, KeyError: it is something else.
    """
    histogram = stored["histogram"]
    margin = stored["with_margin"]
    return CaseScore(
        **{
            **stored,
            "pixels": PixelCounts(**stored["pixels"]),
            "with_margin": None if margin is None else PixelCounts(**margin),
            "particles": tuple(_particle(each) for each in stored["particles"]),
            "histogram": None if histogram is None else (tuple(histogram[0]), tuple(histogram[1])),
        }
    )


def _particle(stored: Mapping[str, Any]) -> ParticleScore:
    probabilities = stored["probabilities"]
    return ParticleScore(
        **{**stored, "probabilities": None if probabilities is None else tuple(probabilities)}
    )
