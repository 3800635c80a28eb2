"""What the network says of two particles that meet in one region: over each other, or side by side.

The network sees the crossed fringes and the darker lens of two particles that overlap directly; no
statistic of the whole region does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.regions import Labels, Region

JUNCTION_FEATURE_NAMES = ("overlap_mean", "overlap_high", "seam_mean", "seam_high")
HIGH_PERCENTILE = 95.0


@dataclass(frozen=True, kw_only=True)
class Junctions:
    """Probability that two particles overlap, and that they touch, at each pixel.

    `overlap`, `seam`: (h, w) float32 in [0, 1], on any grid that covers the field of the labels.
    """

    overlap: NDArray[np.float32]
    seam: NDArray[np.float32]


def junction_features(
    junctions: Junctions | None, labels: Labels, region: Region
) -> dict[str, float]:
    """Mean and 95th percentile of both probabilities over the pixels of a region, by name.

    Taken at the pixels of the network whose middle lies in the region; where none does, at the one
    nearest to its centroid. 0 where a network does not tell: it has seen no two particles meet.

    Args:
        junctions: of the same field; None where the network does not tell.
        labels: (H, W) integer.
        region: one of those labels.
    """
    if junctions is None:
        return dict.fromkeys(JUNCTION_FEATURE_NAMES, 0.0)
    rows, columns = _pixels(labels, region, junctions.overlap.shape)
    values = []
    for probability in (junctions.overlap, junctions.seam):
        inside = probability[rows, columns]
        values += [float(inside.mean()), float(np.percentile(inside, HIGH_PERCENTILE))]
    return dict(zip(JUNCTION_FEATURE_NAMES, values, strict=True))


def _pixels(
    labels: Labels, region: Region, shape_px: tuple[int, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the network's pixels whose middle lies in the region; at least one."""
    native = np.array(labels.shape) / shape_px  # native pixels in one of the network
    ends = np.array([region.bbox[:2], region.bbox[2:]])
    (top, left), (bottom, right) = np.floor(ends / native).astype(int)
    y, x = (
        np.arange(top, min(bottom + 1, shape_px[0])),
        np.arange(left, min(right + 1, shape_px[1])),
    )
    middle_y = np.floor((y + 0.5) * native[0]).astype(int)
    middle_x = np.floor((x + 0.5) * native[1]).astype(int)
    rows, columns = np.nonzero(labels[np.ix_(middle_y, middle_x)] == region.label)
    if rows.size:
        return y[rows], x[columns]
    centroid = np.array([region.centroid_y_px, region.centroid_x_px]) + 0.5
    nearest = np.minimum((centroid / native).astype(int), np.array(shape_px) - 1)
    return nearest[:1], nearest[1:]
