"""Picture of a micrograph with its particles outlined, for a person to check the result by eye.

Colour and a letter both tell the class, so the picture reads in grey as well. Scale bar and
legend stand in a strip below: no pixel of the micrograph is hidden by them.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from daemon.palette import CLASS_MARKS, Colour
from schema.records import CLASS_NAMES

Picture = NDArray[np.uint8]

_SHORT_WORDS: Mapping[str | None, str] = {
    "stacking_fault": "fault",
    "no_stacking_fault": "no fault",
    "agglomeration": "aggl.",
}
_DARK: Colour = (16, 18, 22)
_LIGHT: Colour = (235, 235, 235)
_BAR_DIGITS = (5, 2, 1)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


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
    picture = np.repeat(_stretched(_resized(image, shape))[:, :, np.newaxis], 3, axis=2)
    shown = _nearest(labels, shape)
    _draw_outlines(picture, shown, classes, width_px=max(2, round(max(shape) / 400)))
    _draw_letters(picture, shown.astype(np.int32), classes, size=0.55 * _text_scale(shape[1]))
    counts = Counter(classes.get(int(label)) for label in np.unique(labels[labels > 0]))
    shown_pixel_nm = None if pixel_size_nm is None else pixel_size_nm / factor
    return np.vstack((picture, _caption(shape[1], counts, shown_pixel_nm)))


def write_overlay(
    path: Path,
    image: NDArray[Any],
    labels: NDArray[Any],
    classes: Mapping[int, str | None],
    pixel_size_nm: float | None,
) -> None:
    """Write the picture as PNG; the file appears whole or not at all.

    Raises:
        OSError: the folder cannot be written to.
    """
    picture = overlay(image, labels, classes, pixel_size_nm)
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(encoded.tobytes())
    partial.replace(path)


def scale_bar_nm(width_nm: float) -> float:
    """Length of the bar, in nm: the largest of 1, 2, 5 · 10ⁿ within a quarter of the width."""
    limit_nm = width_nm / 4
    decade = 10.0 ** math.floor(math.log10(limit_nm))
    return next(digit * decade for digit in _BAR_DIGITS if digit * decade <= limit_nm)


def _zoom(longer_side_px: int, side_px: int) -> float:
    if longer_side_px > side_px:
        return side_px / longer_side_px
    return float(max(1, math.ceil(512 / longer_side_px)))  # small crops in whole steps


def _resized(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    pixels = image.astype(np.float32)
    shrinks = shape[0] < image.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(pixels, shape[::-1], interpolation=method), dtype=np.float32)


def _nearest(labels: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Labels on the grid of the picture; float32 holds every integer up to 2²⁴ exactly."""
    pixels = labels.astype(np.float32)
    resized = cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized, dtype=np.float32)


def _stretched(image: NDArray[np.float32]) -> Picture:
    low, high = np.nanpercentile(image, (1, 99))
    span = high - low if high > low else 1.0
    return np.asarray(np.clip((image - low) / span * 255, 0, 255), dtype=np.uint8)


def _draw_outlines(
    picture: Picture,
    labels: NDArray[np.float32],
    classes: Mapping[int, str | None],
    width_px: int,
) -> None:
    """Colour the inner rim of each region, and darken a thin rim outside it for contrast."""
    kernel = np.ones((2 * width_px + 1, 2 * width_px + 1), dtype=np.uint8)
    outside = (labels == 0) & (cv2.dilate(labels, np.ones((3, 3), dtype=np.uint8)) > 0)
    picture[outside] = _DARK
    inner = (labels > 0) & (labels != cv2.erode(labels, kernel))
    touching = (labels > 0) & (labels != cv2.dilate(labels, kernel))
    rim = inner | touching
    colours = np.full((int(labels.max()) + 1, 3), CLASS_MARKS[None].colour, dtype=np.uint8)
    for label, name in classes.items():
        if 0 < label < len(colours):
            colours[label] = CLASS_MARKS[name].colour
    picture[rim] = colours[labels[rim].astype(np.int64)]


def _draw_letters(
    picture: Picture, labels: NDArray[np.int32], classes: Mapping[int, str | None], size: float
) -> None:
    """Put the letter of its class on a dark plate on top of each region's outline."""
    side_px = round(32 * size)
    limits = (picture.shape[1] - side_px, picture.shape[0] - side_px)
    for index, box in enumerate(ndimage.find_objects(labels)):
        if box is None:
            continue
        name = classes.get(index + 1)
        letter = CLASS_MARKS[name].sign
        x = min(max(0, (box[1].start + box[1].stop - side_px) // 2), limits[0])
        y = min(max(0, box[0].start - round(0.8 * side_px)), limits[1])
        corner = (x + side_px - 1, y + side_px - 1)
        cv2.rectangle(picture, (x, y), corner, _DARK, thickness=cv2.FILLED)
        origin = (x + (side_px - _text_width_px(letter, size)) // 2, y + round(0.83 * side_px))
        _write(picture, letter, origin, size, CLASS_MARKS[name].colour)


def _caption(
    width_px: int, counts: Mapping[str | None, int], shown_pixel_nm: float | None
) -> Picture:
    """The strip below the micrograph: scale bar on the first line, legend on the second."""
    size = 0.45 * _text_scale(width_px)
    line_px = round(52 * size)
    strip = np.full((2 * line_px + round(10 * size), width_px, 3), _DARK, dtype=np.uint8)
    _draw_scale(strip, shown_pixel_nm, size, baseline_px=round(32 * size))
    total = sum(counts.values())
    words = f"{total} particle{'' if total == 1 else 's'}"
    x = width_px - _text_width_px(words, size) - round(16 * size)
    _write(strip, words, (x, round(40 * size)), size, _LIGHT)
    _draw_legend(strip, counts, size, baseline_px=line_px + round(36 * size))
    return strip


def _draw_scale(
    strip: Picture, shown_pixel_nm: float | None, size: float, baseline_px: int
) -> None:
    left = round(16 * size)
    if shown_pixel_nm is None:
        _write(strip, "no pixel size: no scale", (left, baseline_px + 4), size, _LIGHT)
        return
    length_nm = scale_bar_nm(strip.shape[1] * shown_pixel_nm)
    right = left + round(length_nm / shown_pixel_nm)
    top, bottom = baseline_px - round(8 * size), baseline_px + round(4 * size)
    cv2.rectangle(strip, (left, top), (right - 1, bottom), _LIGHT, thickness=cv2.FILLED)
    _write(strip, f"{length_nm:g} nm", (right + round(20 * size), round(40 * size)), size, _LIGHT)


def _draw_legend(
    strip: Picture, counts: Mapping[str | None, int], size: float, baseline_px: int
) -> None:
    names: Sequence[str | None] = [*CLASS_NAMES, *([None] if None in counts else [])]
    entries = [
        f"{CLASS_MARKS[name].sign} {_short_words(name)} {counts.get(name, 0)}" for name in names
    ]
    widths = [_text_width_px(entry, size) for entry in entries]
    side = round(22 * size)
    room = strip.shape[1] - round(32 * size) - sum(widths) - len(entries) * round(1.5 * side)
    gap = max(4, min(round(30 * size), room // max(1, len(entries) - 1)))
    x = round(16 * size)
    for name, entry, width_px in zip(names, entries, widths, strict=True):
        corner = (x + side - 1, baseline_px + 1)
        top_left = (x, baseline_px - side + 2)
        cv2.rectangle(strip, top_left, corner, CLASS_MARKS[name].colour, thickness=cv2.FILLED)
        _write(strip, entry, (x + round(1.5 * side), baseline_px), size, _LIGHT)
        x += round(1.5 * side) + width_px + gap


def _short_words(name: str | None) -> str:
    return _SHORT_WORDS.get(name, CLASS_MARKS[name].words)


def _text_width_px(text: str, size: float) -> int:
    return int(cv2.getTextSize(text, _FONT, size, 1)[0][0])


def _text_scale(width_px: int) -> float:
    return max(1.0, width_px / 800)


def _write(
    picture: Picture, text: str, origin: tuple[int, int], size: float, colour: Colour
) -> None:
    cv2.putText(picture, text, origin, _FONT, size, colour, max(1, round(1.6 * size)), cv2.LINE_AA)
