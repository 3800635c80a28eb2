"""Outlines, letters and scale bars, drawn onto pictures of micrographs.

Colour and a letter both tell the class, so a picture reads in grey as well. Text is drawn by OpenCV
in its own plain font: the same on every machine.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from daemon.palette import CLASS_MARKS, Colour

Picture = NDArray[np.uint8]

DARK: Colour = (16, 18, 22)
LIGHT: Colour = (235, 235, 235)
_BAR_DIGITS = (5, 2, 1)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_JPEG = (
    *(cv2.IMWRITE_JPEG_QUALITY, 88),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
)


def scale_bar_nm(width_nm: float) -> float:
    """Length of the bar, in nm: the largest of 1, 2, 5 · 10ⁿ within a quarter of the width."""
    limit_nm = width_nm / 4
    decade = 10.0 ** math.floor(math.log10(limit_nm))
    return next(digit * decade for digit in _BAR_DIGITS if digit * decade <= limit_nm)


def resized(
    image: NDArray[Any], shape: tuple[int, int], enlarging: int = cv2.INTER_NEAREST
) -> NDArray[np.float32]:
    """The image on another grid: means of its pixels where there are fewer, else `enlarging`."""
    pixels = image.astype(np.float32)
    method = cv2.INTER_AREA if shape[0] < image.shape[0] else enlarging
    return np.asarray(cv2.resize(pixels, shape[::-1], interpolation=method), dtype=np.float32)


def nearest(labels: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Labels on the grid of the picture; float32 holds every integer up to 2²⁴ exactly."""
    pixels = labels.astype(np.float32)
    found = cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(found, dtype=np.float32)


def stretched(image: NDArray[np.float32]) -> Picture:
    """Grey levels, black at the 1st and white at the 99th percentile."""
    low, high = np.nanpercentile(image, (1, 99))
    span = high - low if high > low else 1.0
    return np.asarray(np.clip((image - low) / span * 255, 0, 255), dtype=np.uint8)


def draw_outlines(
    picture: Picture,
    labels: NDArray[np.float32],
    classes: Mapping[int, str | None],
    width_px: int,
) -> None:
    """Colour the inner rim of each region, and darken a thin rim outside it for contrast."""
    kernel = np.ones((2 * width_px + 1, 2 * width_px + 1), dtype=np.uint8)
    outside = (labels == 0) & (cv2.dilate(labels, np.ones((3, 3), dtype=np.uint8)) > 0)
    picture[outside] = DARK
    inner = (labels > 0) & (labels != cv2.erode(labels, kernel))
    touching = (labels > 0) & (labels != cv2.dilate(labels, kernel))
    rim = inner | touching
    colours = np.full((int(labels.max()) + 1, 3), CLASS_MARKS[None].colour, dtype=np.uint8)
    for label, name in classes.items():
        if 0 < label < len(colours):
            colours[label] = CLASS_MARKS[name].colour
    picture[rim] = colours[labels[rim].astype(np.int64)]


def draw_letters(
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
        cv2.rectangle(picture, (x, y), corner, DARK, thickness=cv2.FILLED)
        origin = (x + (side_px - text_width_px(letter, size)) // 2, y + round(0.83 * side_px))
        write(picture, letter, origin, size, CLASS_MARKS[name].colour)


def draw_scale(strip: Picture, shown_pixel_nm: float | None, size: float, baseline_px: int) -> None:
    """Draw a bar at the left of a strip as wide as the picture, and how long it is."""
    left = round(16 * size)
    if shown_pixel_nm is None:
        write(strip, "no pixel size: no scale", (left, baseline_px + 4), size, LIGHT)
        return
    length_nm = scale_bar_nm(strip.shape[1] * shown_pixel_nm)
    right = left + round(length_nm / shown_pixel_nm)
    top, bottom = baseline_px - round(8 * size), baseline_px + round(4 * size)
    cv2.rectangle(strip, (left, top), (right - 1, bottom), LIGHT, thickness=cv2.FILLED)
    write(strip, f"{length_nm:g} nm", (right + round(20 * size), round(40 * size)), size, LIGHT)


def text_width_px(text: str, size: float) -> int:
    """How wide `write` draws it."""
    return int(cv2.getTextSize(text, _FONT, size, 1)[0][0])


def write(
    picture: Picture, text: str, origin: tuple[int, int], size: float, colour: Colour
) -> None:
    """Draw a line of text; `origin` (x, y) is the left end of its base line."""
    cv2.putText(picture, text, origin, _FONT, size, colour, max(1, round(1.6 * size)), cv2.LINE_AA)


def write_picture(path: Path, picture: Picture) -> None:
    """Write a picture as its suffix says, `.png` or `.jpg`; it appears whole or not at all.

    A JPEG keeps its colours at full resolution: outlines are thin.

    Raises:
        OSError: the folder cannot be written to.
    """
    options = _JPEG if path.suffix == ".jpg" else ()
    _, encoded = cv2.imencode(path.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(encoded.tobytes())
    partial.replace(path)
