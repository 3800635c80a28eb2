"""What the network is shown: a prepared field, its truth on the same grid, squares cut from both.

Where the field comes from, a simulation or somebody's own micrographs, makes no difference here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
Marks = NDArray[np.uint8]
"""Truth of pixels, one bit a channel; four bits higher, whether it says nothing of that channel."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A prepared field, (h, w) float16, and its truth on the same grid, (h, w)."""

    network_input: NDArray[np.float16]
    marks: Marks


def marks_of(
    instances: NDArray[np.uint16],
    overlap: NDArray[np.bool_] | None = None,
    unknown: Sequence[int] = (),
) -> Marks:
    """What the network shall say of each pixel, (h, w), packed.

    Background, particle, seam, overlap. A seam is what lies within 0.2 nm of two instances.

    Args:
        instances: (h, w), 0 is background.
        overlap: (h, w), where particles of one instance lie over each other; None means nowhere.
        unknown: channels of which the truth says nothing, such as the seams where it does not tell
            touching particles apart.
    """
    side = 2 * SEAM_RADIUS_PX + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    highest = cv2.dilate(instances, disc)
    inverted = np.where(instances > 0, np.uint16(65535) - instances, np.uint16(0))
    lowest = np.uint16(65535) - np.asarray(cv2.dilate(inverted, disc), np.uint16)
    seam = (np.asarray(highest) > 0) & (highest != lowest)
    over = np.zeros(instances.shape, np.bool_) if overlap is None else overlap
    marks = np.full(instances.shape, sum(16 << channel for channel in unknown), np.uint8)
    for channel, there in enumerate((instances == 0, instances > 0, seam, over)):
        marks |= there.astype(np.uint8) << channel
    return marks


def channels(marks: Marks) -> NDArray[np.float32]:
    """Marks (...) as the network would say them, (..., 4): 1, 0, or `UNKNOWN`."""
    bits = np.unpackbits(marks[..., None], axis=-1, bitorder="little").astype(np.float32)
    return np.where(bits[..., CHANNELS:] > 0, np.float32(UNKNOWN), bits[..., :CHANNELS])


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
) -> tuple[NDArray[np.float16], Marks]:
    """A square of the sample, turned and mirrored at random; small fields are reflected out.

    Pixels (crop, crop) and truth (crop, crop).
    """
    wholes = [_at_least(whole, crop_px) for whole in (sample.network_input, sample.marks)]
    top, left = (int(rng.integers(0, side - crop_px + 1)) for side in wholes[0].shape)
    window = (slice(top, top + crop_px), slice(left, left + crop_px))
    turns, mirrored = int(rng.integers(0, 4)), bool(rng.integers(0, 2))
    crops = [np.rot90(whole[window], turns) for whole in wholes]
    pixels, marks = (np.fliplr(crop) if mirrored else crop for crop in crops)
    return np.asarray(pixels, np.float16), np.asarray(marks, np.uint8)


def draw_batch(
    samples: Sequence[Sample], rng: np.random.Generator
) -> tuple[NDArray[np.float16], Marks]:
    """One crop of each: inputs and marks, both (n, 256, 256, 1)."""
    inputs = np.empty((len(samples), CROP_PX, CROP_PX, 1), np.float16)
    marks = np.empty((len(samples), CROP_PX, CROP_PX, 1), np.uint8)
    for index, sample in enumerate(samples):
        inputs[index, :, :, 0], marks[index, :, :, 0] = draw_crop(sample, rng)
    return inputs, marks


def _at_least(whole: NDArray[Any], side_px: int) -> NDArray[Any]:
    missing = [(0, max(0, side_px - side)) for side in whole.shape]
    return np.pad(whole, missing, mode="symmetric") if np.any(missing) else whole
