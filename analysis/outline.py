"""The outline and the shade of one region: what tells two particles that overlap from one."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

OUTLINE_FEATURE_NAMES = ("dent_depth", "inscribed_ratio", "hull_excess")
SHADE_FEATURE_NAMES = (
    "shade_low",
    "shade_high",
    "shade_std",
    "shade_with_depth",
    "shade_rest",
    "shade_gap",
)

SHADE_SMOOTHING_NM = 0.3
SHADE_GRID_NM = 0.1
MOST_POINTS = 2**18  # a larger region, over 58 nm, is sampled more coarsely


def outline_features(mask: NDArray[np.bool_]) -> dict[str, float]:
    """Features of the shape, without unit, in the order of `OUTLINE_FEATURE_NAMES`.

    dent_depth: largest distance of the outline from its convex hull, over the diameter of the disc
    of equal area. inscribed_ratio: diameter of the largest disc inside, over the same diameter;
    1 for a disc, to a pixel. hull_excess: area of the hull over that inside the outline, less 1.

    Args:
        mask: (h, w) bool, one region, not empty; of several parts the longest outline counts.
    """
    framed = np.pad(mask, 1).astype(np.uint8)
    contours, _ = cv2.findContours(framed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=len).astype(np.int32)
    diameter_px = 2 * math.sqrt(np.count_nonzero(mask) / math.pi)
    deepest_px = float(cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_5).max())
    hull = cv2.convexHull(contour).astype(np.int32)
    values = (
        _dent_px(contour) / diameter_px,
        (2 * deepest_px - 1) / diameter_px,
        max(0.0, _area_px(hull) / _area_px(contour) - 1),
    )
    return dict(zip(OUTLINE_FEATURE_NAMES, values, strict=True))


def _area_px(outline: NDArray[np.int32]) -> float:
    """Pixels inside or on an outline through pixel centres, but for its curvature (Pick)."""
    return float(cv2.contourArea(outline)) + float(cv2.arcLength(outline, True)) / 2 + 1


def _dent_px(contour: NDArray[np.int32]) -> float:
    """Depth of the deepest dent, in pixels."""
    hull = np.sort(cv2.convexHull(contour, returnPoints=False), axis=0)[::-1]
    if len(hull) < 4:
        return 0.0
    found: Any = cv2.convexityDefects(contour, np.ascontiguousarray(hull))  # its stub forgets None
    defects: NDArray[np.int32] | None = found
    return 0.0 if defects is None else float(defects.reshape(-1, 4)[:, 3].max()) / 256


def shade_features(
    intensity: NDArray[np.float32], mask: NDArray[np.bool_], pixel_size_nm: float
) -> dict[str, float]:
    """Features of the slow part of the intensity, in the order of `SHADE_FEATURE_NAMES`.

    The intensity smoothed by a Gaussian of 0.3 nm, inside the region, where its surroundings count
    at the rim: shade_low, shade_high: its
    5th and 95th percentile from its median, shade_std: its deviation, in σ.
    shade_with_depth: its correlation with the distance from the outline; −1 where a particle is
    darkest in its middle, near 0 where another lies on its side; 0 where either is constant.
    shade_rest: deviation in σ of what a parabola in that distance leaves. shade_gap: between the
    means of the dark and the bright part of the region that differ most (Otsu, IEEE Trans. SMC 9,
    1979, 62), in σ.

    Args:
        intensity: (h, w) float32 in σ of the background.
        mask: (h, w) bool, one region, not empty.
        pixel_size_nm: side of a pixel, in nm.
    """
    smooth, depth = _shade_and_depth(intensity, mask, pixel_size_nm)
    low, median, high = np.percentile(smooth, [5, 50, 95])
    powers = np.stack([np.ones_like(depth), depth, depth**2], axis=1)
    fitted = powers @ np.linalg.lstsq(powers, smooth, rcond=None)[0]
    values = (
        low - median,
        high - median,
        smooth.std(),
        _correlation(smooth, depth),
        (smooth - fitted).std(),
        _gap(smooth),
    )
    return dict(zip(SHADE_FEATURE_NAMES, map(float, values), strict=True))


def _shade_and_depth(
    intensity: NDArray[np.float32], mask: NDArray[np.bool_], pixel_size_nm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smoothed intensity, and distance from the outline in nm, of the region's points, (n,) each.

    On a grid of about 0.1 nm; on the pixels where those are coarser or the region has none of it.
    """
    every = max(1, math.floor(SHADE_GRID_NM / pixel_size_nm))
    middle = slice(every // 2, None, every)
    if not mask[middle, middle].any():
        every, middle = 1, slice(None)
    framed = np.pad(mask, 1).astype(np.uint8)
    depth_px = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    means = cv2.blur(intensity, (every, every))[middle, middle]
    smooth = cv2.GaussianBlur(means, (0, 0), SHADE_SMOOTHING_NM / (every * pixel_size_nm))
    inside, depth = mask[middle, middle], depth_px[middle, middle]
    points = np.flatnonzero(inside)
    points = points[:: math.ceil(len(points) / MOST_POINTS)]
    return (
        smooth.ravel()[points].astype(np.float64),
        depth.ravel()[points].astype(np.float64) * pixel_size_nm,
    )


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / scale if scale > 0 else 0.0


def _gap(smooth: NDArray[np.float64]) -> float:
    """Between the means of the two parts with the largest variance between them."""
    count = len(smooth)
    if count < 2:
        return 0.0
    total = np.cumsum(np.sort(smooth))
    dark = np.arange(1, count)
    gaps = (total[-1] - total[:-1]) / (count - dark) - total[:-1] / dark
    return float(gaps[(dark * (count - dark) * gaps**2).argmax()])
