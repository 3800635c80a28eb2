"""The exact truth of a field: instance labels, and what is visible of each particle."""

import math
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

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


LEAST_OVERLAP = 0.1
"""Share of the smaller projection under which two particles touch; from there on they overlap."""


@dataclass(frozen=True, kw_only=True)
class Particle:
    """Truth about one particle; `class_name` is what is visible, `fault` what is in the crystal.

    `label` is that of its instance: particles that overlap share it and are `agglomeration`.
    `diameter_nm` is area-equivalent, of the whole projection, also where the border cuts it.
    `rotation` is row-major 3x3, crystal frame to (x right, y down, z along the beam).
    `fault_edge_on`: most of an edge-on fault lies in the picture. `class_name` and `reflections`
    are of the crystal and its orientation; what a lens and a dose leave of that is
    `seen.visible_reflections`.
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
    fault_edge_on: bool
    overlapping: bool
    touches_border: bool


def describe(
    placed: list[Placed],
) -> tuple[NDArray[np.uint16], NDArray[np.bool_], tuple[Particle, ...]]:
    """Labels and overlap (512, 512) of the picture, and the truth about each particle in it.

    Overlap is where particles of one instance lie over each other.
    """
    outlines = [silhouette(p.positions_nm) for p in placed]
    masks = [_in_picture(mask, corner_px) for mask, corner_px in outlines]
    groups = _overlapping_groups(masks)
    owner = np.zeros((FIELD_PX, FIELD_PX), np.uint16)
    for index in np.argsort([p.middle_nm[2] for p in placed]):
        owner[masks[index]] = groups[index] + 1
    present = [group for group in sorted(set(groups)) if (owner == group + 1).any()]
    numbers = np.zeros(len(placed) + 1, np.uint16)
    for number, group in enumerate(present, start=1):
        numbers[group + 1] = number
    labels = numbers[owner]
    particles = tuple(
        _truth(
            place,
            outlines[index][0],
            label=int(numbers[groups[index] + 1]),
            overlapping=groups.count(groups[index]) > 1,
            touches_border=reaches_border(masks[index]),
        )
        for index, place in enumerate(placed)
        if masks[index].any() and groups[index] in present
    )
    return labels, _overlap(masks, groups), particles


def _overlap(masks: list[NDArray[np.bool_]], groups: list[int]) -> NDArray[np.bool_]:
    """Where two or more masks of one group lie over each other, (512, 512)."""
    overlap = np.zeros((FIELD_PX, FIELD_PX), np.bool_)
    for one, other in combinations(range(len(masks)), 2):
        if groups[one] == groups[other]:
            overlap |= masks[one] & masks[other]
    return overlap


def _overlapping_groups(masks: list[NDArray[np.bool_]]) -> list[int]:
    """For each mask the number of the group of masks that overlap, directly or in a chain."""
    areas = [int(np.count_nonzero(mask)) for mask in masks]
    adjacent = np.zeros((len(masks), len(masks)), np.bool_)
    for i, j in combinations(range(len(masks)), 2):
        shared = int(np.count_nonzero(masks[i] & masks[j]))
        adjacent[i, j] = shared > 0 and shared >= LEAST_OVERLAP * min(areas[i], areas[j])
    _, groups = connected_components(adjacent, directed=False)
    return [int(group) for group in groups]


def _truth(
    place: Placed,
    mask: NDArray[np.bool_],
    label: int,
    overlapping: bool,
    touches_border: bool,
) -> Particle:
    """Truth about one particle with its whole silhouette."""
    specimen, orientation = place.specimen, place.specimen.orientation
    edge_on = specimen.fault_visible and _fault_in_view(place)
    alone = visible_class(orientation.reflections, edge_on)
    area_nm2 = float(np.count_nonzero(mask)) * PIXEL_SIZE_NM**2
    return Particle(
        label=label,
        class_name="agglomeration" if overlapping else alone,
        material=specimen.material.name,
        fault=specimen.fault,
        shape=specimen.shape,
        diameter_nm=2 * math.sqrt(area_nm2 / math.pi),
        zone=orientation.zone,
        tilt_mrad=1e3 * orientation.tilt_rad,
        rotation=tuple(float(v) for v in orientation.rotation.ravel()),
        reflections=orientation.reflections,
        fault_edge_on=edge_on,
        overlapping=overlapping,
        touches_border=touches_border,
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
