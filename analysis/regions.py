"""Turn a probability map into labelled particles, and measure each of them in pixels.

`label_particles` decides which pixels are one particle, `measure` gives one `Region` for each.
Nothing is dropped: a region too small to trust is measured and named by `exclusion`. No upper
size limit, no convex hulls in place of regions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import perimeter_crofton
from skimage.segmentation import watershed

from analysis.calipers import calipers

ASSUMED_PIXEL_SIZE_NM = 0.04  # where a micrograph states none; the pixel size of the network
SEAM_THRESHOLD = 0.3
SMALLEST_CORE_NM = 1.0  # diameter of what a seam may cut off; less is a speck of the rim
LEAST_CORES = 2
KERNEL_RADIUS_PX = 16.0  # opening 4096²: kernel 0.22 s here, distance transforms 0.31 s always

Labels = NDArray[np.uint16] | NDArray[np.uint32]


class RegionFlag(StrEnum):
    """Why a region stays outside statistics; stored, never renamed."""

    BELOW_SIZE_LIMIT = "below_size_limit"


@dataclass(frozen=True, kw_only=True)
class Region:
    """One labelled particle, in pixels of the micrograph.

    `bbox`: (y0, x0, y1, x1), half-open. `feret_max_px`, `feret_min_px`: longest and shortest
    caliper including the extent of a pixel, see `calipers`. `perimeter_px`: Crofton's formula in
    four directions. `circularity`: 4πA/P²; right on average for a disc, so a small one may
    exceed 1. `solidity`: pixels of the region by pixels inside its hull. `eccentricity`,
    `orientation_rad`: of the ellipse with the same second moments; the orientation of the major
    axis is in (−π/2, π/2] from +x, counter-clockwise as displayed with row 0 at the top.
    """

    label: int
    bbox: tuple[int, int, int, int]
    centroid_y_px: float
    centroid_x_px: float
    area_px: int
    equivalent_diameter_px: float
    feret_max_px: float
    feret_min_px: float
    perimeter_px: float
    aspect_ratio: float
    circularity: float
    solidity: float
    eccentricity: float
    orientation_rad: float
    touches_border: bool
    mean_probability: float


def equivalent_diameter_nm(area_px: int, pixel_size_nm: float) -> float:
    """Diameter of the disc with the same projected area, in nm.

    d = 2·√(A/π)·p, the area-equivalent diameter (ISO 9276-6).

    Args:
        area_px: projected area, in pixels.
        pixel_size_nm: side of a square pixel, in nm.

    Raises:
        ValueError: the pixel size is not positive and finite.
    """
    if not 0 < pixel_size_nm < math.inf:
        raise ValueError(f"pixel size {pixel_size_nm!r} nm")
    return 2 * math.sqrt(area_px / math.pi) * pixel_size_nm


def size_limit_nm(min_diameter_nm: float, reliable_diameter_nm: float) -> float:
    """Smallest equivalent diameter that counts, in nm: asked for, and reliable for the model."""
    return max(min_diameter_nm, reliable_diameter_nm)


def exclusion(region: Region, pixel_size_nm: float | None, limit_nm: float) -> RegionFlag | None:
    """Why the region stays outside statistics, or None.

    A diameter equal to the limit counts. Without a pixel size nothing can be said of one region:
    the whole micrograph is outside statistics.
    """
    if pixel_size_nm is None:
        return None
    if equivalent_diameter_nm(region.area_px, pixel_size_nm) < limit_nm:
        return RegionFlag.BELOW_SIZE_LIMIT
    return None


def resize_probability(
    probability: NDArray[np.float32], shape_px: tuple[int, int]
) -> NDArray[np.float32]:
    """Probability at the pixels of the micrograph, (H, W) float32 in [0, 1].

    Both grids cover the same field, edge to edge. Bilinear between pixel centres where the
    micrograph is finer than the network, area means where it is coarser.

    Args:
        probability: (h, w) float32 in [0, 1], on the network's grid.
        shape_px: (H, W) of the micrograph.
    """
    if probability.shape == shape_px:
        return probability
    height, width = shape_px
    finer = height >= probability.shape[0] and width >= probability.shape[1]
    method = cv2.INTER_LINEAR if finer else cv2.INTER_AREA
    resized = cv2.resize(probability, (width, height), interpolation=method)
    return resized.astype(np.float32, copy=False)


def label_particles(
    probability: NDArray[np.float32],
    shape_px: tuple[int, int],
    threshold: float,
    pixel_size_nm: float | None,
    opening_radius_nm: float,
    closing_radius_nm: float,
    seam: NDArray[np.float32] | None = None,
) -> Labels:
    """Instance labels at the pixels of the micrograph, (H, W) uint16, or uint32 above 65535.

    Pixels at or above the threshold, opened (specks and bridges go), then closed (holes go), by
    discs; then 8-connected components, parted along the seams between touching particles and
    numbered 1, 2, ...; 0 is background. A particle cut by the edge of the micrograph keeps its
    pixels there.

    Args:
        probability: (h, w) float32 in [0, 1], on any grid that covers the field.
        shape_px: (H, W) of the micrograph.
        threshold: least probability of a particle, in (0, 1].
        pixel_size_nm: of the micrograph; where None, `ASSUMED_PIXEL_SIZE_NM` scales the discs.
        opening_radius_nm: 0 opens nothing.
        closing_radius_nm: 0 closes nothing.
        seam: (h, w) float32 in [0, 1], that two particles touch here; None parts nothing.
    """
    pixel_nm = ASSUMED_PIXEL_SIZE_NM if pixel_size_nm is None else pixel_size_nm
    native = resize_probability(probability, shape_px)
    mask = (native >= threshold).astype(np.uint8)
    mask = opened(mask, opening_radius_nm / pixel_nm)
    mask = closed(mask, closing_radius_nm / pixel_nm)
    count, connected = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_32S)
    labels = np.asarray(connected, np.int32)
    if seam is not None and (seam >= SEAM_THRESHOLD).any():
        least_core_px = math.pi / 4 * (SMALLEST_CORE_NM / pixel_nm) ** 2
        count += _split(labels, resize_probability(seam, shape_px), least_core_px)
    if count - 1 <= np.iinfo(np.uint16).max:
        return labels.astype(np.uint16)
    return labels.astype(np.uint32)


def _split(labels: NDArray[np.int32], seam: NDArray[np.float32], least_core_px: float) -> int:
    """Part touching particles along their seams, in place; how many labels were added.

    Where the seams cut a region into two or more cores, each core takes what the watershed of the
    seam probability gives it; the first keeps the label. A core is at least `least_core_px`.
    """
    crossed = np.unique(labels[(labels > 0) & (seam >= SEAM_THRESHOLD)])
    boxes = ndimage.find_objects(labels)
    highest = first_new = len(boxes)
    for label in crossed:
        box = boxes[label - 1]
        inside = labels[box] == label
        cores = (inside & (seam[box] < SEAM_THRESHOLD)).astype(np.uint8)
        count, parts, statistics, _ = cv2.connectedComponentsWithStats(cores, connectivity=4)
        large = [n for n in range(1, count) if statistics[n, cv2.CC_STAT_AREA] >= least_core_px]
        if len(large) < LEAST_CORES:
            continue
        number = np.zeros(count, np.int32)
        number[large] = [label, *range(highest + 1, highest + len(large))]
        highest += len(large) - 1
        parted = watershed(seam[box], number[parts], mask=inside)  # type: ignore[no-untyped-call]
        labels[box][inside] = parted[inside]
    return highest - first_new


def opened(mask: NDArray[np.uint8], radius_px: float) -> NDArray[np.uint8]:
    """Union of all discs of this radius that fit into the mask, (H, W) uint8 of 0 and 1."""
    return _dilated(_eroded(mask, radius_px), radius_px)


def closed(mask: NDArray[np.uint8], radius_px: float) -> NDArray[np.uint8]:
    """What no disc of this radius reaches from outside the mask, (H, W) uint8 of 0 and 1.

    The disc reaches in from beyond the edge of the micrograph too.
    """
    rim = math.ceil(radius_px) + 1
    framed = np.pad(mask, rim)
    return _eroded(_dilated(framed, radius_px), radius_px)[rim:-rim, rim:-rim]


def _eroded(mask: NDArray[np.uint8], radius_px: float) -> NDArray[np.uint8]:
    if radius_px < 1:
        return mask
    if radius_px <= KERNEL_RADIUS_PX:
        return cv2.erode(mask, _disc(radius_px)).astype(np.uint8, copy=False)
    far = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > radius_px
    return far.astype(np.uint8)


def _dilated(mask: NDArray[np.uint8], radius_px: float) -> NDArray[np.uint8]:
    if 1 <= radius_px <= KERNEL_RADIUS_PX:
        return cv2.dilate(mask, _disc(radius_px)).astype(np.uint8, copy=False)
    return 1 - _eroded(1 - mask, radius_px)


def _disc(radius_px: float) -> NDArray[np.uint8]:
    reach = math.floor(radius_px)
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    return (np.hypot(y, x) <= radius_px).astype(np.uint8)


def measure(labels: Labels, probability_native: NDArray[np.float32]) -> tuple[Region, ...]:
    """One `Region` for each label, in the order of labels; an empty answer where there is none.

    Args:
        labels: (H, W) integer, 0 is background.
        probability_native: (H, W) float32 in [0, 1], at the pixels of the micrograph.

    Raises:
        ValueError: the two arrays differ in shape.
    """
    if labels.shape != probability_native.shape:
        raise ValueError(f"labels {labels.shape}, probability {probability_native.shape}")
    return tuple(
        _region(label, labels, probability_native, box)
        for label, box in enumerate(_boxes(labels), start=1)
        if box is not None
    )


def _boxes(labels: Labels) -> Sequence[tuple[slice, slice] | None]:
    boxes: list[tuple[slice, slice] | None] = ndimage.find_objects(labels)
    return boxes


def _region(
    label: int,
    labels: Labels,
    probability: NDArray[np.float32],
    box: tuple[slice, slice],
) -> Region:
    mask = (labels[box] == label).astype(np.uint8)
    moments = cv2.moments(mask, binaryImage=True)
    area = int(moments["m00"])
    outline = calipers(mask)
    perimeter = float(perimeter_crofton(mask, directions=4))  # type: ignore[no-untyped-call]
    eccentricity, orientation = _ellipse(moments)
    y0, x0, y1, x1 = box[0].start, box[1].start, box[0].stop, box[1].stop
    return Region(
        label=label,
        bbox=(y0, x0, y1, x1),
        centroid_y_px=y0 + moments["m01"] / area,
        centroid_x_px=x0 + moments["m10"] / area,
        area_px=area,
        equivalent_diameter_px=equivalent_diameter_nm(area, 1.0),
        feret_max_px=outline.feret_max_px,
        feret_min_px=outline.feret_min_px,
        perimeter_px=perimeter,
        aspect_ratio=outline.feret_max_px / outline.feret_min_px,
        circularity=4 * math.pi * area / perimeter**2,
        solidity=area / outline.convex_area_px,
        eccentricity=eccentricity,
        orientation_rad=orientation,
        touches_border=min(y0, x0) == 0 or y1 == labels.shape[0] or x1 == labels.shape[1],
        mean_probability=float(cv2.mean(probability[box], mask)[0]),
    )


def _ellipse(moments: dict[str, float]) -> tuple[float, float]:
    """Eccentricity, and orientation in rad, of the ellipse with these second moments.

    1/12 is the second moment of a pixel about its own centre: a rectangle of pixels has that of
    the rectangle.
    """
    area = moments["m00"]
    xx = moments["mu20"] / area + 1 / 12
    yy = moments["mu02"] / area + 1 / 12
    xy = 0.0 - moments["mu11"] / area  # y grows upwards here, rows grow downwards
    if abs(xy) < 1e-9 * (xx + yy):
        xy = 0.0  # rounding would turn an upright particle to −π/2
    half_spread = math.hypot((xx - yy) / 2, xy)
    major = (xx + yy) / 2 + half_spread
    minor = (xx + yy) / 2 - half_spread
    return math.sqrt(max(0.0, 1 - minor / major)), math.atan2(2 * xy, xx - yy) / 2
