"""Micrographs that somebody labelled: which mask belongs to which, and samples drawn from them.

A mask has the size of its image; 0 is background. Several numbers, or colours, are instances; one
number alone is particle, and its connected parts are then taken one by one.
"""

import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import measure

from analysis.micrograph import Micrograph
from analysis.preprocess import prepare
from analysis.readers import MICROGRAPH_SUFFIXES, read_micrographs
from analysis.training import augment
from analysis.training.checkpoint import TrainingError
from analysis.training.crops import (
    LARGEST_FIELD_PX,
    MODEL_PIXEL_SIZE_NM,
    OVERLAP,
    SEAM,
    SMALLEST_FIELD_PX,
    Sample,
    marks_of,
    on_grid,
    part_window,
)

MASK_SUFFIXES = (".png", ".tif", ".tiff")
MASK_ENDINGS = ("_mask", "_masks", "_cp_masks", "_label", "_labels", "_seg")
MASK_FOLDERS = ("masks", "labels", "mask", "label")
IMAGE_FOLDERS = ("images", "image", "micrographs")
REMEMBERED_IMAGES = 8  # of 4096 x 4096 pixels, 0.8 GB
MOST_INSTANCES = 65_534
MOST_PIECES = 4  # connected pieces a number; smoothed edges have far more
GREY_ALPHA, COLOUR_ALPHA = 2, 4


class LabelsError(TrainingError):
    """A folder of labelled micrographs cannot be used as it is; one sentence for a person."""


@dataclass(frozen=True, kw_only=True)
class LabelledImage:
    """A micrograph, its mask, and the side of its square pixel in nm."""

    image: Path
    mask: Path
    pixel_size_nm: float


@dataclass(frozen=True, kw_only=True)
class LabelledVariety:
    """How often what is done to a recorded micrograph, which has its own noise and optics already.

    `magnification_error`: of the stated pixel size, as a logarithm.
    """

    magnification_error: float = 0.12
    part_of_field: float = 0.7
    thickness: float = 0.4
    contrast: float = 0.3
    noise: float = 0.25
    blur: float = 0.25
    rescale: float = 0.15
    print_fraction: float = 0.2


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A micrograph and who is who in it.

    `image`: (H, W), as the file holds it. `instances`: (H, W) uint16. `told_apart`: whether the
    mask itself numbers the particles, so that where two touch is known.
    """

    image: NDArray[np.generic]
    instances: NDArray[np.uint16]
    told_apart: bool


def labelled_images(
    folder: Path, pixel_size_nm: float | None = None
) -> tuple[tuple[LabelledImage, ...], tuple[Path, ...]]:
    """The images of a folder that have a mask, and those that have none; both in order of name.

    A mask lies beside its image as `NAME_mask.png`, or as `NAME.png` in a folder `masks` beside
    the folder `images`; other endings and folders of common tools: see `MASK_ENDINGS`,
    `MASK_FOLDERS`.

    Args:
        folder: it, or its `images`, holds the micrographs.
        pixel_size_nm: used where a file states none.

    Raises:
        LabelsError: no image has a mask, or one that has states no pixel size, or a mask is of
            another size or no mask.
        AnalysisError: an image cannot be read.
    """
    masks = _masks(folder)
    found, without = [], []
    for image in _images(folder):
        mask = masks.get(image.stem.casefold())
        if mask is None:
            without.append(image)
        else:
            found.append(
                LabelledImage(
                    image=image, mask=mask, pixel_size_nm=_pixel_size_nm(image, pixel_size_nm)
                )
            )
    if not found:
        raise LabelsError(
            f"no image in {folder} has a mask: NAME_mask.png beside it, or masks/NAME.png beside "
            "images/"
        )
    for one in found:
        read_labels(one)
    return tuple(found), tuple(without)


def read_labels(image: LabelledImage) -> Labels:
    """The pixels of an image and of its mask.

    Raises:
        LabelsError: the mask has another size, or is no picture of numbers or colours.
        AnalysisError: the image cannot be read.
    """
    pixels = only_micrograph(image.image).image
    instances, told_apart = read_mask(image.mask)
    if instances.shape != pixels.shape:
        sizes = " and ".join(f"{one.shape[1]} x {one.shape[0]}" for one in (instances, pixels))
        raise LabelsError(f"{image.mask} and {image.image.name} have {sizes} pixels")
    return Labels(image=pixels, instances=instances, told_apart=told_apart)


def read_mask(path: Path) -> tuple[NDArray[np.uint16], bool]:
    """Instances of a mask, (H, W) uint16, and whether it numbers them itself.

    Raises:
        LabelsError: it is no picture, or its values number no particles.
    """
    try:
        with Image.open(path) as picture:
            values = _numbers(np.asarray(picture))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise LabelsError(f"the mask {path} cannot be read: {error}") from error
    names, numbered = np.unique(values, return_inverse=True)
    numbered = np.asarray(numbered).reshape(values.shape) + int(names[0] != 0)
    highest = int(numbered.max())
    if highest <= 1:
        _, connected = cv2.connectedComponents(numbered.astype(np.uint8), connectivity=8)
        return np.asarray(connected, np.uint16), False
    pieces = int(measure.label(numbered, background=0, connectivity=2).max())  # type: ignore[no-untyped-call]
    if pieces > MOST_PIECES * highest or highest > MOST_INSTANCES:
        raise LabelsError(
            f"the mask {path} has {highest} values in {pieces} pieces, which number no particles: "
            "save it without smoothing, black and white or one number a particle"
        )
    return numbered.astype(np.uint16), True


def draw_labelled(
    image: LabelledImage, rng: np.random.Generator, variety: LabelledVariety
) -> Sample:
    """A part of a labelled micrograph, changed a little, prepared as at the microscope."""
    labels = _remembered(image)
    a_pixel = MODEL_PIXEL_SIZE_NM / image.pixel_size_nm
    largest = max(1, round(LARGEST_FIELD_PX * a_pixel))
    smallest = max(1, round(SMALLEST_FIELD_PX * a_pixel))
    if rng.random() >= variety.part_of_field:
        smallest = largest
    rows, columns = labels.instances.shape
    window = part_window((rows, columns), smallest, rng, largest)
    pixels, instances = labels.image[window].astype(np.float32), labels.instances[window]
    changed = _changed(pixels, rng, variety)
    stated_nm = image.pixel_size_nm * np.exp(
        rng.uniform(-variety.magnification_error, variety.magnification_error)
    )
    prepared = prepare(changed, float(stated_nm), MODEL_PIXEL_SIZE_NM, "default").network_input
    unknown = (OVERLAP,) if labels.told_apart else (SEAM, OVERLAP)
    on_network_grid = on_grid(instances, (prepared.shape[0], prepared.shape[1]))
    return Sample(
        network_input=prepared.astype(np.float16),
        marks=marks_of(on_network_grid, unknown=unknown),
    )


def _changed(
    pixels: NDArray[np.float32], rng: np.random.Generator, variety: LabelledVariety
) -> NDArray[np.float32]:
    changes: Mapping[Callable[..., NDArray[np.float32]], float] = {
        augment.uneven_thickness: variety.thickness,
        augment.uneven_contrast: variety.contrast,
        augment.uneven_noise: variety.noise,
        augment.blurred: variety.blur,
        augment.rescaled: variety.rescale,
        augment.printed: variety.print_fraction,
    }
    changed = pixels - float(pixels.min())  # thickness multiplies what lies above the dark level
    for change, share in changes.items():
        if rng.random() < share:
            changed = change(changed, rng)
    return changed


@functools.lru_cache(REMEMBERED_IMAGES)
def _remembered(image: LabelledImage) -> Labels:
    return read_labels(image)


def _images(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in _image_folder(folder).iterdir()
        if path.suffix.lower() in MICROGRAPH_SUFFIXES and not is_mask(path)
    )


def _image_folder(folder: Path) -> Path:
    """Its `images`, or the folder itself where it has none."""
    inner = [folder / name for name in IMAGE_FOLDERS if (folder / name).is_dir()]
    return inner[0] if inner else folder


def _masks(folder: Path) -> dict[str, Path]:
    """Every mask by the name of the image it belongs to, in small letters."""
    beside = [path for path in sorted(_image_folder(folder).iterdir()) if is_mask(path)]
    apart = [
        path
        for name in MASK_FOLDERS
        if (folder / name).is_dir()
        for path in sorted((folder / name).iterdir())
        if path.suffix.lower() in MASK_SUFFIXES
    ]
    return {_without_ending(path.stem).casefold(): path for path in (*beside, *apart)}


def is_mask(path: Path) -> bool:
    """Whether a file is called like a mask that lies beside its image."""
    return path.suffix.lower() in MASK_SUFFIXES and _without_ending(path.stem) != path.stem


def _without_ending(stem: str) -> str:
    for ending in sorted(MASK_ENDINGS, key=len, reverse=True):
        if stem.lower().endswith(ending):
            return stem[: -len(ending)]
    return stem


def _pixel_size_nm(image: Path, given: float | None) -> float:
    size_nm = only_micrograph(image, given).calibration.pixel_size_nm
    if size_nm is None:
        raise LabelsError(f"{image} states no pixel size: give one with --pixel-size-nm")
    return size_nm


def only_micrograph(path: Path, pixel_size_nm: float | None = None) -> Micrograph:
    """The one image of a file.

    Raises:
        LabelsError: it holds several.
        AnalysisError: it cannot be read.
    """
    found = list(itertools.islice(read_micrographs(path, pixel_size_nm=pixel_size_nm), 2))
    if len(found) != 1:
        raise LabelsError(f"{path} holds more than one image, and a mask belongs to one")
    return found[0]


def _numbers(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Pixels of a mask as one number each, (H, W): colours apart, black and transparent are 0."""
    if values.ndim == 2:
        return values
    if values.ndim != 3:
        raise ValueError(f"pixels of {values.ndim} dimensions")
    wide = values.astype(np.int64)
    count = wide.shape[-1]
    opaque = wide[..., -1] > 0 if count in (GREY_ALPHA, COLOUR_ALPHA) else np.True_
    colours = wide[..., :1] if count == GREY_ALPHA else wide[..., :3]
    weights = 256 ** np.arange(colours.shape[-1])
    return np.asarray(np.where(opaque, colours @ weights, 0))
