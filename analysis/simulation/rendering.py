"""Micrographs of a field: lens and camera together, and the truth on the same grid."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.simulation.camera import Exposure, expose
from analysis.simulation.fields import Field
from analysis.simulation.grid import CELL_NM, FIELD_PX, PIXEL_SIZE_NM
from analysis.simulation.optics import (
    COARSER_NM,
    Optics,
    cell_side_px,
    intensity,
    picture_side_px,
)


def render(
    field: Field, optics: Optics, exposure: Exposure, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Counts (h, w) of the field seen through this lens by this camera."""
    picture = intensity(field, optics, exposure.pixel_size_nm)
    return expose(picture, actual_exposure(exposure), rng)


def actual_exposure(exposure: Exposure) -> Exposure:
    """The exposure with the pixel size the picture really has.

    A field has a whole number of pixels, which moves a drawn pixel size by less than 0.2 %.
    """
    if exposure.pixel_size_nm > COARSER_NM:
        side_px = picture_side_px(exposure.pixel_size_nm)
        return replace(exposure, pixel_size_nm=FIELD_PX * PIXEL_SIZE_NM / side_px)
    return replace(exposure, pixel_size_nm=CELL_NM / cell_side_px(exposure.pixel_size_nm))


def truth_labels(field: Field, shape_px: tuple[int, int]) -> NDArray[np.uint16]:
    """The labels on the grid of a picture of the whole field, nearest neighbour."""
    return _nearest(field.labels, shape_px)


def truth_overlap(field: Field, shape_px: tuple[int, int]) -> NDArray[np.bool_]:
    """Where particles of one instance overlap, on the grid of a picture of the whole field."""
    return _nearest(field.overlap.astype(np.uint16), shape_px) > 0


def _nearest(truth: NDArray[np.uint16], shape_px: tuple[int, int]) -> NDArray[np.uint16]:
    size = (shape_px[1], shape_px[0])
    return np.asarray(cv2.resize(truth, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint16)
