"""The exact truth of a field: instance labels, and what is visible of each particle."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.simulation.grid import (
    CELL_NM,
    FIELD_PX,
    MARGIN_NM,
    MARGIN_PX,
    PIXEL_SIZE_NM,
)
from analysis.simulation.placement import ATOM_RADIUS_NM, Placed
from analysis.simulation.visibility import visible_class

CLOSING_RADIUS_NM = 0.24
"""Bridges the tunnels between atom columns, the widest 0.37 nm."""


@dataclass(frozen=True, kw_only=True)
class Particle:
    """Truth about one particle; `class_name` is what is visible, `fault` what is in the crystal.

    `diameter_nm` is area-equivalent, of the whole projection, also where the border cuts it.
    `rotation` is row-major 3x3, crystal frame to (x right, y down, z along the beam).
    """

    label: int
    class_name: str
    material: str
    fault: str
    shape: str
    diameter_nm: float
    zone: str
    tilt_mrad: float
    rotation: tuple[float, ...]
    reflections: int
    overlapping: bool
    touches_border: bool
    cluster: int


def describe(placed: list[Placed]) -> tuple[NDArray[np.uint16], tuple[Particle, ...]]:
    """Labels (512, 512) of the picture and the truth about each particle that shows in it."""
    outlines = [silhouette(p.positions_nm) for p in placed]
    masks = [_in_picture(mask, corner_px) for mask, corner_px in outlines]
    owner = np.zeros((FIELD_PX, FIELD_PX), np.uint16)
    for index in np.argsort([p.middle_nm[2] for p in placed]):
        owner[masks[index]] = index + 1
    _, clusters = cv2.connectedComponents((owner > 0).astype(np.uint8), connectivity=8)
    members = [int(clusters[mask][0]) if mask.any() else 0 for mask in masks]
    labels = np.zeros((FIELD_PX, FIELD_PX), np.uint16)
    particles: list[Particle] = []
    for index, place in enumerate(placed):
        visible = owner == index + 1
        if not visible.any():
            continue
        labels[visible] = len(particles) + 1
        truth = _truth(place, outlines[index][0], members.count(members[index]) > 1)
        particles.append(
            replace(
                truth,
                label=len(particles) + 1,
                touches_border=reaches_border(masks[index]),
                cluster=members[index],
            )
        )
    return labels, tuple(particles)


def _truth(place: Placed, mask: NDArray[np.bool_], overlapping: bool) -> Particle:
    """Truth about one particle with its whole silhouette; label and cluster still open."""
    specimen, orientation = place.specimen, place.specimen.orientation
    seen = specimen.fault_visible and _fault_in_view(place)
    class_name = "agglomeration" if overlapping else visible_class(orientation.reflections, seen)
    area_nm2 = float(np.count_nonzero(mask)) * PIXEL_SIZE_NM**2
    return Particle(
        label=0,
        class_name=class_name,
        material=specimen.material.name,
        fault=specimen.fault,
        shape=specimen.shape,
        diameter_nm=2 * math.sqrt(area_nm2 / math.pi),
        zone=orientation.zone,
        tilt_mrad=1e3 * orientation.tilt_rad,
        rotation=tuple(float(v) for v in orientation.rotation.ravel()),
        reflections=orientation.reflections,
        overlapping=overlapping,
        touches_border=False,
        cluster=0,
    )


def _fault_in_view(place: Placed) -> bool:
    """Whether most of the fault plane lies inside the picture."""
    fault = place.specimen.fault_nm[:, :2] + place.middle_nm[:2]
    inside = ((fault >= MARGIN_NM) & (fault < CELL_NM - MARGIN_NM)).all(axis=1)
    return bool(inside.mean() > 0.6)


def reaches_border(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask (H, W) has a pixel in the first or last row or column."""
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def silhouette(positions_nm: NDArray[np.float64]) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Mask (h, w) of the projected atoms, closed and grown by one atomic radius, and its corner.

    Rows are y. The corner is the (row, column) of the mask's first pixel in the cell. The closing
    bridges the tunnels between atom columns.
    """
    cells = np.floor(positions_nm[:, 1::-1] / PIXEL_SIZE_NM).astype(int)
    pad_px = math.ceil((CLOSING_RADIUS_NM + ATOM_RADIUS_NM) / PIXEL_SIZE_NM) + 1
    row, column = (int(v) for v in cells.min(axis=0) - pad_px)
    canvas = np.zeros(cells.max(axis=0) + pad_px + 1 - (row, column), np.uint8)
    canvas[cells[:, 0] - row, cells[:, 1] - column] = 1
    closed = cv2.morphologyEx(canvas, cv2.MORPH_CLOSE, _disc(CLOSING_RADIUS_NM))
    return np.asarray(cv2.dilate(closed, _disc(ATOM_RADIUS_NM)) > 0), (row, column)


def _in_picture(mask: NDArray[np.bool_], corner_px: tuple[int, int]) -> NDArray[np.bool_]:
    """The part of a mask that lies in the picture, (512, 512)."""
    canvas = np.zeros((FIELD_PX, FIELD_PX), np.bool_)
    row, column = (c - MARGIN_PX for c in corner_px)
    top, left = max(row, 0), max(column, 0)
    shown = mask[top - row :, left - column :][: max(0, FIELD_PX - top), : max(0, FIELD_PX - left)]
    canvas[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return canvas


def _disc(radius_nm: float) -> NDArray[np.uint8]:
    reach = math.ceil(radius_nm / PIXEL_SIZE_NM)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(np.hypot(y, x) * PIXEL_SIZE_NM <= radius_nm, dtype=np.uint8)
