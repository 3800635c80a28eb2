"""Crops that somebody sorted into a folder for each class, as examples for the forest.

A crop shows one particle. What of it is the particle says a mask beside it, `NAME_mask.png`; else
the U-Net finds it, the region nearest to the middle. A background crop has none, and its inscribed
disc stands for one. Crops of one micrograph are called `MICROGRAPH__ANYTHING`, so that they are
held out together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis import features
from analysis.bundle import Bundle
from analysis.forest import CLASS_NAMES
from analysis.micrograph import Micrograph
from analysis.pipeline import AnalysisSettings, analyse
from analysis.readers import MICROGRAPH_SUFFIXES
from analysis.regions import Labels, measure
from analysis.training.checkpoint import TrainingError
from analysis.training.described import (
    described,
    described_as_published,
    junctions_of,
    native_pixels,
)
from analysis.training.labelled import is_mask, only_micrograph, read_mask

MICROGRAPH_END = "__"
BACKGROUND = CLASS_NAMES.index("background")
SETTINGS = AnalysisSettings()


@dataclass(frozen=True, kw_only=True)
class Crop:
    """One file, its class as an index of `CLASS_NAMES`, and the micrograph it was cut from."""

    path: Path
    mask: Path | None
    class_index: int
    micrograph: str
    pixel_size_nm: float


@dataclass(frozen=True, kw_only=True)
class CropRows:
    """Features (N, F) of the crops that could be used, and the crops that could not.

    `published`: (N, 5), the paper's features. `crops`: the N used ones, in the order of the rows.
    """

    features: NDArray[np.float64]
    published: NDArray[np.float64]
    crops: tuple[Crop, ...]
    without_particle: tuple[Path, ...]


def holds_class_folders(folder: Path) -> bool:
    """Whether a folder has a folder for at least one class."""
    return any((folder / name).is_dir() for name in CLASS_NAMES)


def class_crops(folder: Path, pixel_size_nm: float | None = None) -> tuple[Crop, ...]:
    """The crops in the folders of their classes, by class and name.

    Args:
        folder: with folders called like classes.
        pixel_size_nm: used where a file states none.

    Raises:
        TrainingError: a folder is called like no class, holds nothing, or a file states no pixel
            size.
        AnalysisError: a file cannot be read.
    """
    strange = sorted(
        path.name for path in folder.iterdir() if path.is_dir() and path.name not in CLASS_NAMES
    )
    if strange:
        raise TrainingError(
            f"{folder} has a folder {strange[0]!r}, and the classes are {', '.join(CLASS_NAMES)}"
        )
    found = [
        _crop(path, index, pixel_size_nm)
        for index, name in enumerate(CLASS_NAMES)
        if (folder / name).is_dir()
        for path in sorted((folder / name).iterdir())
        if path.suffix.lower() in MICROGRAPH_SUFFIXES and not is_mask(path)
    ]
    if not found:
        raise TrainingError(f"{folder} holds no crop in a folder of its class")
    return tuple(found)


def crop_rows(
    bundle: Bundle, crops: Sequence[Crop], progress: Callable[[int, int], None] | None = None
) -> CropRows:
    """The features of every crop, of the set that the bundle's manifest names.

    Args:
        bundle: its U-Net finds the particle where no mask says.
        crops: as `class_crops` found them.
        progress: called with crops done and crops in all.

    Raises:
        TrainingError: a mask does not belong to its crop.
        AnalysisError: a file cannot be read.
    """
    rows, used, without = [], [], []
    for number, crop in enumerate(crops, start=1):
        micrograph = only_micrograph(crop.path, crop.pixel_size_nm)
        labels = _labels(bundle, crop, micrograph)
        row = None if labels is None else _rows(bundle, crop, micrograph, labels)
        if row is None:
            without.append(crop.path)
        else:
            rows.append(row)
            used.append(crop)
        if progress is not None:
            progress(number, len(crops))
    wide, paper = len(bundle.manifest.feature_names), len(features.PUBLISHED_FEATURE_NAMES)
    return CropRows(
        features=np.array([row for row, _ in rows], np.float64).reshape(-1, wide),
        published=np.array([row for _, row in rows], np.float64).reshape(-1, paper),
        crops=tuple(used),
        without_particle=tuple(without),
    )


def _crop(path: Path, class_index: int, pixel_size_nm: float | None) -> Crop:
    size_nm = only_micrograph(path, pixel_size_nm).calibration.pixel_size_nm
    if size_nm is None:
        raise TrainingError(f"{path} states no pixel size: give one with --pixel-size-nm")
    mask = path.with_name(f"{path.stem}_mask.png")
    return Crop(
        path=path,
        mask=mask if mask.exists() else None,
        class_index=class_index,
        micrograph=path.stem.partition(MICROGRAPH_END)[0],
        pixel_size_nm=size_nm,
    )


def _labels(bundle: Bundle, crop: Crop, micrograph: Micrograph) -> Labels | None:
    """(H, W) 1 on the particle of the crop, 0 elsewhere; None where there is none."""
    shape = (micrograph.image.shape[0], micrograph.image.shape[1])
    instances: Labels
    if crop.mask is not None:
        instances, _ = read_mask(crop.mask)
        if instances.shape != shape:
            raise TrainingError(f"{crop.mask} has other pixels than {crop.path.name}")
    else:
        _, masks = analyse(micrograph, bundle, SETTINGS, force=True)
        instances = np.zeros(shape, np.uint16) if masks is None else masks.labels
    if instances.any():
        return np.asarray(instances == _nearest(instances), np.uint16)
    return _inscribed_disc(shape) if crop.class_index == BACKGROUND else None


def _nearest(instances: NDArray[np.integer]) -> int:
    """The label that comes nearest to the middle."""
    places = np.argwhere(instances > 0)
    middle = (np.array(instances.shape) - 1) / 2
    nearest = places[np.argmin(((places - middle) ** 2).sum(axis=1))]
    return int(instances[nearest[0], nearest[1]])


def _inscribed_disc(shape: tuple[int, int]) -> NDArray[np.uint16]:
    """Half as wide as the crop, so that carbon remains around it."""
    disc = np.zeros(shape, np.uint8)
    cv2.circle(disc, (shape[1] // 2, shape[0] // 2), max(1, min(shape) // 4), 1, -1)
    return np.asarray(disc, np.uint16)


def _rows(
    bundle: Bundle, crop: Crop, micrograph: Micrograph, labels: Labels
) -> tuple[list[float], list[float]] | None:
    """The features in the manifest's order and the paper's; None where one has no value."""
    (region,) = measure(labels, np.zeros(labels.shape, np.float32))
    native = native_pixels(bundle.manifest, micrograph.image)
    background = features.background_statistics(native, labels, crop.pixel_size_nm)
    row = described(
        bundle.manifest,
        native,
        labels,
        region,
        crop.pixel_size_nm,
        background,
        junctions_of(bundle, micrograph),
    )
    if not np.isfinite(row).all():
        return None
    return row, described_as_published(native, labels, region)
