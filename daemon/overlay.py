"""Picture of a micrograph with its particles outlined, for a person to check the result by eye.

Colour and a letter both tell the class, so the picture reads in grey as well. Scale bar and
legend stand in a strip below: no pixel of the micrograph is hidden by them.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.outlines import (
    DARK,
    LIGHT,
    Picture,
    draw_letters,
    draw_outlines,
    draw_scale,
    nearest,
    resized,
    stretched,
    text_width_px,
    write,
)
from daemon.palette import CLASS_MARKS
from schema.records import CLASS_NAMES

_SHORT_WORDS: Mapping[str | None, str] = {
    "stacking_fault": "fault",
    "no_stacking_fault": "no fault",
    "agglomeration": "aggl.",
}


def overlay(
    image: NDArray[Any],
    labels: NDArray[Any],
    classes: Mapping[int, str | None],
    pixel_size_nm: float | None,
    side_px: int = 1024,
) -> Picture:
    """The picture: (h, w, 3) uint8, red-green-blue, its longer side at most `side_px`.

    Args:
        image: (H, W) of any real dtype; shown between its 1st and 99th percentile.
        labels: (H, W) integer, 0 background.
        classes: the class of each label; a label without one is drawn white, marked `?`.
        pixel_size_nm: side of a square pixel of `image`, in nm; None draws no scale bar.
        side_px: largest side of the drawn micrograph, in pixels of the picture; at least 512.

    Raises:
        ValueError: image and labels differ in shape, or are not two-dimensional.
    """
    if image.ndim != 2 or image.shape != labels.shape:
        raise ValueError(f"image {image.shape} and labels {labels.shape}")
    factor = _zoom(max(image.shape), max(side_px, 512))
    shape = (max(1, round(image.shape[0] * factor)), max(1, round(image.shape[1] * factor)))
    picture = np.repeat(stretched(resized(image, shape))[:, :, np.newaxis], 3, axis=2)
    shown = nearest(labels, shape)
    draw_outlines(picture, shown, classes, width_px=max(2, round(max(shape) / 400)))
    draw_letters(picture, shown.astype(np.int32), classes, size=0.55 * _text_scale(shape[1]))
    counts = Counter(classes.get(int(label)) for label in np.unique(labels[labels > 0]))
    shown_pixel_nm = None if pixel_size_nm is None else pixel_size_nm / factor
    return np.vstack((picture, _caption(shape[1], counts, shown_pixel_nm)))


def _zoom(longer_side_px: int, side_px: int) -> float:
    if longer_side_px > side_px:
        return side_px / longer_side_px
    return float(max(1, math.ceil(512 / longer_side_px)))  # small crops in whole steps


def _caption(
    width_px: int, counts: Mapping[str | None, int], shown_pixel_nm: float | None
) -> Picture:
    """The strip below the micrograph: scale bar on the first line, legend on the second."""
    size = 0.45 * _text_scale(width_px)
    line_px = round(52 * size)
    strip = np.full((2 * line_px + round(10 * size), width_px, 3), DARK, dtype=np.uint8)
    draw_scale(strip, shown_pixel_nm, size, baseline_px=round(32 * size))
    total = sum(counts.values())
    words = f"{total} particle{'' if total == 1 else 's'}"
    x = width_px - text_width_px(words, size) - round(16 * size)
    write(strip, words, (x, round(40 * size)), size, LIGHT)
    _draw_legend(strip, counts, size, baseline_px=line_px + round(36 * size))
    return strip


def _draw_legend(
    strip: Picture, counts: Mapping[str | None, int], size: float, baseline_px: int
) -> None:
    names: Sequence[str | None] = [*CLASS_NAMES, *([None] if None in counts else [])]
    entries = [
        f"{CLASS_MARKS[name].sign} {_short_words(name)} {counts.get(name, 0)}" for name in names
    ]
    widths = [text_width_px(entry, size) for entry in entries]
    side = round(22 * size)
    room = strip.shape[1] - round(32 * size) - sum(widths) - len(entries) * round(1.5 * side)
    gap = max(4, min(round(30 * size), room // max(1, len(entries) - 1)))
    x = round(16 * size)
    for name, entry, width_px in zip(names, entries, widths, strict=True):
        corner = (x + side - 1, baseline_px + 1)
        top_left = (x, baseline_px - side + 2)
        cv2.rectangle(strip, top_left, corner, CLASS_MARKS[name].colour, thickness=cv2.FILLED)
        write(strip, entry, (x + round(1.5 * side), baseline_px), size, LIGHT)
        x += round(1.5 * side) + width_px + gap


def _short_words(name: str | None) -> str:
    return _SHORT_WORDS.get(name, CLASS_MARKS[name].words)


def _text_scale(width_px: int) -> float:
    return max(1.0, width_px / 800)
