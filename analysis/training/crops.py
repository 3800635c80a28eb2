"""What the network is shown: a prepared field, its truth on the same grid, squares cut from both.

Where the field comes from, a simulation or somebody's own micrographs, makes no difference here.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

MODEL_PIXEL_SIZE_NM = 0.04
CROP_PX = 256
SMALLEST_FIELD_PX = 128  # 5 nm: patches cut from figures are that small
LARGEST_FIELD_PX = 768  # 31 nm: a pool of samples is kept in memory
SEAM_RADIUS_PX = 5  # 0.2 nm: what lies so near to two instances is a seam
BACKGROUND, PARTICLE, SEAM, OVERLAP = range(4)
CHANNELS = 4
UNKNOWN = -1.0  # in a target: the truth does not say


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A prepared field and its truth on the same grid.

    `network_input`: (h, w) float16; `truth`: (h, w, 4) bool, background, particle, seam, overlap.
    `unknown`: channels of which the truth says nothing, such as the seams where it does not tell
    touching particles apart.
    """

    network_input: NDArray[np.float16]
    truth: NDArray[np.bool_]
    unknown: tuple[int, ...] = ()


def channels(
    instances: NDArray[np.uint16], overlap: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """What the network shall say of each pixel, (h, w, 4) bool.

    Background, particle, seam, overlap. A seam is what lies within 0.2 nm of two instances.
    `overlap`: (h, w), where particles of one instance lie over each other; None means nowhere.
    """
    side = 2 * SEAM_RADIUS_PX + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    highest = cv2.dilate(instances, disc)
    inverted = np.where(instances > 0, np.uint16(65535) - instances, np.uint16(0))
    lowest = np.uint16(65535) - np.asarray(cv2.dilate(inverted, disc), np.uint16)
    seam = (np.asarray(highest) > 0) & (highest != lowest)
    over = np.zeros(instances.shape, np.bool_) if overlap is None else overlap
    return np.stack([instances == 0, instances > 0, seam, over], axis=-1)


def on_grid(instances: NDArray[np.uint16], shape: tuple[int, int]) -> NDArray[np.uint16]:
    """The same instances with other pixels, each of the one that lies nearest. (h, w) uint16."""
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(instances, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint16)


def mask_on_grid(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The same mask with other pixels, each like the one that lies nearest. (h, w) bool."""
    return on_grid(mask.astype(np.uint16), shape) > 0


def part_window(
    shape: tuple[int, int],
    smallest_px: int,
    rng: np.random.Generator,
    largest_px: int | None = None,
) -> tuple[slice, slice]:
    """A rectangle of a field, from `smallest_px` to `largest_px` a side where the field has it."""
    window = []
    for side in shape:
        most = side if largest_px is None else min(side, largest_px)
        length = int(rng.integers(min(smallest_px, most), most + 1))
        start = int(rng.integers(0, side - length + 1))
        window.append(slice(start, start + length))
    return window[0], window[1]


def draw_crop(
    sample: Sample, rng: np.random.Generator, crop_px: int = CROP_PX
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A square of the sample, turned and mirrored at random; small fields are reflected out.

    Pixels (crop, crop) and truth (crop, crop, 4).
    """
    network_input, whole_truth = _at_least(sample, crop_px)
    top = int(rng.integers(0, network_input.shape[0] - crop_px + 1))
    left = int(rng.integers(0, network_input.shape[1] - crop_px + 1))
    window = (slice(top, top + crop_px), slice(left, left + crop_px))
    turns, mirrored = int(rng.integers(0, 4)), bool(rng.integers(0, 2))
    crops = [np.rot90(whole[window], turns) for whole in (network_input, whole_truth)]
    pixels, truth = (np.fliplr(crop) if mirrored else crop for crop in crops)
    return pixels.astype(np.float32), truth.astype(np.bool_)


def draw_batch(
    samples: list[Sample], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One crop of each: inputs (n, 256, 256, 1) and targets (n, 256, 256, 4), as `channels`.

    Where a truth says nothing of a channel it is `UNKNOWN`.
    """
    inputs = np.empty((len(samples), CROP_PX, CROP_PX, 1), np.float32)
    targets = np.empty((len(samples), CROP_PX, CROP_PX, CHANNELS), np.float32)
    for index, sample in enumerate(samples):
        inputs[index, :, :, 0], targets[index] = draw_crop(sample, rng)
        targets[index, :, :, list(sample.unknown)] = UNKNOWN
    return inputs, targets


def _at_least(sample: Sample, side_px: int) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    missing = [(0, max(0, side_px - side)) for side in sample.network_input.shape]
    if not any(after for _, after in missing):
        return sample.network_input, sample.truth
    return (
        np.pad(sample.network_input, missing, mode="symmetric"),
        np.pad(sample.truth, [*missing, (0, 0)], mode="symmetric"),
    )
