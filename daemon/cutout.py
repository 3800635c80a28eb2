"""Picture of one particle, cut out of its micrograph with a margin, outlined, with a scale bar.

The bar stands in a strip below: no pixel of the micrograph is hidden by it.
"""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.outlines import (
    DARK,
    Picture,
    draw_outlines,
    draw_scale,
    nearest,
    resized,
    stretched,
)

MARGIN = 0.3
LEAST_SIDE_PX = 32

_TEXT_SIZE = 1.1
_STRIP_PX = 56


def cutout(
    image: NDArray[Any],
    labels: NDArray[Any],
    label: int,
    classes: Mapping[int, str | None],
    pixel_size_nm: float | None,
    side_px: int = 320,
) -> Picture:
    """The picture: (side + 56, side, 3) uint8, red-green-blue; the particle's outline is thicker.

    Args:
        image: (H, W) of any real dtype; shown between the 1st and 99th percentile of what is seen.
        labels: (H, W) integer, 0 background.
        label: of the particle.
        classes: the class of each label; a label without one is drawn white.
        pixel_size_nm: side of a square pixel of `image`, in nm; None draws no scale bar.
        side_px: of the picture, in its pixels.

    Raises:
        ValueError: image and labels differ in shape.
        LookupError: there is no such label.
    """
    if image.ndim != 2 or image.shape != labels.shape:
        raise ValueError(f"image {image.shape} and labels {labels.shape}")
    window = _window(labels, label)
    shape = (side_px, side_px)
    grey = stretched(resized(image[window], shape, enlarging=cv2.INTER_CUBIC))
    picture = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    shown = nearest(labels[window], shape)
    draw_outlines(picture, np.where(shown == label, 0, shown), classes, width_px=1)
    draw_outlines(picture, np.where(shown == label, shown, 0), classes, width_px=3)
    seen_px = window[0].stop - window[0].start
    shown_pixel_nm = None if pixel_size_nm is None else pixel_size_nm * seen_px / side_px
    strip = np.full((_STRIP_PX, side_px, 3), DARK, dtype=np.uint8)
    draw_scale(strip, shown_pixel_nm, _TEXT_SIZE, baseline_px=round(32 * _TEXT_SIZE))
    return np.vstack((picture, strip))


def _window(labels: NDArray[Any], label: int) -> tuple[slice, slice]:
    """The square about a particle; where the micrograph ends it is moved inwards."""
    rows, columns = (np.flatnonzero((labels == label).any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        raise LookupError(f"there is no particle {label}")
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    side = min(max(round(float(extent) * (1 + 2 * MARGIN)), LEAST_SIDE_PX), *labels.shape)
    starts = [
        min(max((int(each[0]) + int(each[-1]) + 1 - side) // 2, 0), length - side)
        for each, length in zip((rows, columns), labels.shape, strict=True)
    ]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)
