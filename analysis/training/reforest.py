"""A bundle with a forest of somebody's own: the U-Net stays, the classes are learnt anew."""

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.bundle import NAME, Bundle, Manifest, load, stored_weights, write
from analysis.features import (
    FEATURE_NAMES,
    FEATURE_SET_VERSION,
    PUBLISHED_FEATURE_NAMES,
    PUBLISHED_FEATURES,
)
from analysis.forest import CLASS_NAMES
from analysis.training.checkpoint import TrainingError
from analysis.training.class_crops import Crop, class_crops, crop_rows, holds_class_folders
from analysis.training.fit_forest import (
    LabelledRegions,
    fit_forest,
    held_out,
    labelled_regions,
)
from analysis.training.gather import is_simulated, simulated_fields
from analysis.training.sources import SimulatedFields
from analysis.trees import Growth

Progress = Callable[[str, int, int], None]
"""What is looked at, how much of it is done, and how much there is."""

CROPS = "sorted crops"
LEAST_CLASSES = 2
LEAST_HELD_OUT = 5


@dataclass(frozen=True, kw_only=True)
class WantedForest:
    """What shall be made of what.

    `start`: folder of the bundle whose U-Net segments. `features`: "default" or "published".
    `renderings`: micrographs of each simulated field.
    """

    output: Path
    start: Path
    data: tuple[Path, ...]
    features: str = "default"
    renderings: int = 3
    seed: int = 1
    pixel_size_nm: float | None = None


def refit(wanted: WantedForest, progress: Progress) -> tuple[Manifest, tuple[Path, ...]]:
    """Fit the forest and write the bundle; its manifest, and crops in which no particle was found.

    Raises:
        TrainingError: the data hold no examples, or too few to learn from and to judge by.
        AnalysisError: a crop cannot be read, or the start is damaged.
        OSError: the output cannot be written.
    """
    if not NAME.fullmatch(wanted.output.resolve().name):
        raise TrainingError(
            f"{wanted.output.name!r} becomes the name of the bundle: letters, digits, '.', '_' "
            "and '-', please"
        )
    bundle = _with_features(load(wanted.start, "cpu"), wanted.features)
    data = [_examples(folder, wanted.pixel_size_nm) for folder in wanted.data]
    parts: list[LabelledRegions] = []
    told: list[dict[str, Any]] = []
    without: list[Path] = []
    for one in data:
        if isinstance(one, SimulatedFields):
            parts.append(_simulated(bundle, one, wanted, progress))
            told.append({**one.described(), "renderings": wanted.renderings})
        else:
            regions, left_out = _sorted(bundle, one, progress)
            parts.append(regions)
            without += left_out
            told.append(_described(one))
    regions = _joined(parts)
    _check(regions)
    # The paper's features come with the paper's forest.
    growth: Growth = "random" if wanted.features == "published" else "boosted"
    forest, metrics = fit_forest(regions, wanted.seed, growth)
    draft = _draft(wanted, bundle.manifest, {"forest_data": told}, metrics)
    check = regions.where(held_out(regions)).features
    return write(wanted.output, draft, stored_weights(wanted.start), forest, check), tuple(without)


def _with_features(bundle: Bundle, chosen: str) -> Bundle:
    """The bundle, asked for other features than its own; its forest would not understand them."""
    sets = {
        "default": (FEATURE_SET_VERSION, FEATURE_NAMES),
        "published": (PUBLISHED_FEATURES, PUBLISHED_FEATURE_NAMES),
    }
    if chosen not in sets:
        raise TrainingError(f"no features are called {chosen!r}; there are default and published")
    name, names = sets[chosen]
    manifest = replace(
        bundle.manifest, feature_set=name, feature_names=names, class_names=CLASS_NAMES
    )
    return replace(bundle, manifest=manifest, forest=None)


def _examples(folder: Path, pixel_size_nm: float | None) -> SimulatedFields | tuple[Crop, ...]:
    if not folder.is_dir():
        raise TrainingError(f"{folder} is not a folder")
    if is_simulated(folder):
        return simulated_fields(folder)
    if holds_class_folders(folder):
        return class_crops(folder, pixel_size_nm)
    raise TrainingError(
        f"{folder} is no simulated set and has no folder called like a class: "
        f"{', '.join(CLASS_NAMES)}"
    )


def _simulated(
    bundle: Bundle, source: SimulatedFields, wanted: WantedForest, progress: Progress
) -> LabelledRegions:
    return labelled_regions(
        bundle,
        source.paths(),
        wanted.seed,
        wanted.renderings,
        lambda done, total: progress("fields", done, total),
    )


def _sorted(
    bundle: Bundle, crops: Sequence[Crop], progress: Progress
) -> tuple[LabelledRegions, tuple[Path, ...]]:
    """Regions of sorted crops; those of one micrograph have one number."""
    rows = crop_rows(bundle, crops, lambda done, total: progress("crops", done, total))
    numbers: dict[str, int] = {}
    fields = [numbers.setdefault(crop.micrograph, len(numbers)) for crop in rows.crops]
    regions = LabelledRegions(
        features=rows.features,
        published=rows.published,
        classes=np.array([crop.class_index for crop in rows.crops], np.int64),
        fields=np.array(fields, np.int64),
    )
    return regions, rows.without_particle


def _joined(parts: Sequence[LabelledRegions]) -> LabelledRegions:
    """All regions; no field of one part has the number of one of another."""
    offsets = np.cumsum([0, *(int(part.fields.max(initial=-1)) + 1 for part in parts[:-1])])
    return LabelledRegions(
        features=np.concatenate([part.features for part in parts]),
        published=np.concatenate([part.published for part in parts]),
        classes=np.concatenate([part.classes for part in parts]),
        fields=np.concatenate(
            [part.fields + offset for part, offset in zip(parts, offsets, strict=True)]
        ),
    )


def _check(regions: LabelledRegions) -> None:
    """Whether there is something to tell apart, and something to judge by."""
    test = held_out(regions)
    counts = regions.where(~test).counts()
    if sum(count > 0 for count in counts.values()) < LEAST_CLASSES:
        raise TrainingError(
            f"examples of fewer than two classes were found: {_listed(regions.counts())}"
        )
    if int(test.sum()) < LEAST_HELD_OUT:
        raise TrainingError(
            f"{len(test)} examples leave {int(test.sum())} to judge by, and at least "
            f"{LEAST_HELD_OUT} are needed: {_listed(regions.counts())}"
        )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _described(crops: Sequence[Crop]) -> dict[str, Any]:
    """For the manifest: how many of each class, from how many micrographs."""
    counts = dict.fromkeys(CLASS_NAMES, 0)
    for crop in crops:
        counts[CLASS_NAMES[crop.class_index]] += 1
    return {
        "kind": CROPS,
        "micrographs": len({crop.micrograph for crop in crops}),
        "crops": counts,
    }


def _draft(
    wanted: WantedForest, manifest: Manifest, told: dict[str, Any], metrics: dict[str, Any]
) -> Manifest:
    """The manifest of the start, with the forest and its figures in place of its own."""
    start = {"name": manifest.name, "version": manifest.version}
    kinds = sorted({str(one["kind"]) for one in told["forest_data"]})
    on = " and ".join("simulated particles" if kind != CROPS else CROPS for kind in kinds)
    return replace(
        manifest,
        name=wanted.output.resolve().name,
        version="1",
        libraries={
            **manifest.libraries,
            **{name: importlib.metadata.version(name) for name in ("scikit-learn", "skops")},
        },
        training={
            **manifest.training,
            **told,
            "forest_seed": wanted.seed,
            "forest_code": "fringewatch train forest",
            "forest_code_version": importlib.metadata.version("fringewatch"),
            "unet_of": start,
        },
        metrics={**manifest.metrics, "forest_held_out": {**metrics, "on": on}},
        files={},
        sha256="",
    )
