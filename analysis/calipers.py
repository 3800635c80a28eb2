"""Calipers, in pixels, of a set of pixels: what its convex hull tells.

A pixel is a lattice point, its centre. A digitised body is a little smaller than the body: its
outermost row of pixels lies on average half a row spacing inside the edge. Both calipers give
that back; measured on random discs, ellipses and rotated rectangles they stay within a pixel,
and their mean is right. Nothing here replaces a region by its hull.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Calipers:
    """Longest and shortest caliper in pixels, and the pixels inside the hull."""

    feret_max_px: float
    feret_min_px: float
    convex_area_px: int


def calipers(mask: NDArray[np.uint8]) -> Calipers:
    """Feret diameters in pixels and convex area of the non-zero pixels of a mask.

    Args:
        mask: (H, W) uint8, at least one pixel not 0; it may have several parts.

    Raises:
        ValueError: the mask is empty.
    """
    hull = _hull_xy_px(mask)
    edges = np.roll(hull, -1, axis=0) - hull
    steps = np.gcd(np.abs(edges[:, 0]), np.abs(edges[:, 1]))
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    area = _convex_area_px(hull, int(steps.sum()))
    longest = _longest_chord_px(hull) + 2 * _rim_px(int(steps.sum()), float(lengths.sum()))
    shortest = _narrowest_slab_px(hull, edges, lengths, steps)
    return Calipers(feret_max_px=max(longest, shortest), feret_min_px=shortest, convex_area_px=area)


def _hull_xy_px(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        raise ValueError("a mask without a pixel has no calipers")
    points = np.vstack([contour[:, 0] for contour in contours])
    return cv2.convexHull(points)[:, 0].astype(np.int64)


def _convex_area_px(hull: NDArray[np.int64], border_points: int) -> int:
    """Lattice points inside or on the hull: Pick's theorem, N = A + B/2 + 1."""
    x, y = hull[:, 0], hull[:, 1]
    twice_area = abs(int(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
    return (twice_area + border_points) // 2 + 1


def _rim_px(border_points: int, perimeter_px: float) -> float:
    """Width of the rim that makes the hull as large as its pixels.

    Steiner: A + P·w + π·w² = N, where N - A = B/2 + 1. Half a pixel for an upright rectangle, a
    few hundredths for a large disc.
    """
    missing = border_points / 2 + 1
    root = math.sqrt(perimeter_px**2 + 4 * math.pi * missing)
    return (root - perimeter_px) / (2 * math.pi)


def _longest_chord_px(hull: NDArray[np.int64]) -> float:
    chords = hull[:, None, :] - hull[None, :, :]
    return math.sqrt(int((chords**2).sum(axis=-1).max()))


def _narrowest_slab_px(
    hull: NDArray[np.int64],
    edges: NDArray[np.int64],
    lengths: NDArray[np.float64],
    steps: NDArray[np.int64],
) -> float:
    """Fewest lattice rows across the hull, times their spacing.

    The narrowest slab lies along a hull edge. Rows along an edge of g lattice steps and length
    L are g/L apart.
    """
    if len(hull) == 1:
        return 1.0
    heights = (edges[:, :1] * hull[:, 1] - edges[:, 1:] * hull[:, 0]) / lengths[:, None]
    spans = heights.max(axis=1) - heights.min(axis=1)
    return float((spans + steps / lengths).min())
