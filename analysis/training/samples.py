"""One training sample: a simulated field seen through new optics, at a new dose.

The micrograph goes through the same `preprocess.prepare` as at the microscope, as a whole, before
a crop is cut; so normalisation is the one that will be met.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.preprocess import prepare
from analysis.simulation.camera import draw_exposure, expose
from analysis.simulation.fields import Field
from analysis.simulation.optics import draw_optics, intensity
from analysis.simulation.rendering import truth_labels, truth_overlap
from analysis.training import augment
from analysis.training.crops import (
    MODEL_PIXEL_SIZE_NM,
    SMALLEST_FIELD_PX,
    Sample,
    marks_of,
    mask_on_grid,
    on_grid,
    part_window,
)


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How often each thing happens to a training micrograph, and the range of its pixels."""

    pixel_size_nm: tuple[float, float] = (0.018, 0.085)
    fine_fraction: float = 0.3  # below 0.036 nm/px: four times the pixels to render
    dose_e_per_a2: tuple[float, float] = (40.0, 5000.0)
    magnification_error: float = 0.1  # also stands in for lattices never simulated
    thickness: float = 0.5
    discs: float = 0.25
    disc_edge_px: tuple[float, float] = (4.0, 20.0)
    contrast: float = 0.35
    noise: float = 0.3
    blur: float = 0.3
    flatten: float = 0.12
    rescale: float = 0.25
    print_fraction: float = 0.35
    enlarged_print: float = 0.5  # printed before it is rescaled, so that JPEG blocks grow
    annotation: float = 0.06
    part_of_field: float = 0.5


USUAL = Conditions()


def draw_sample(field: Field, rng: np.random.Generator, conditions: Conditions = USUAL) -> Sample:
    """A new micrograph of the field, prepared, with its truth."""
    pixel_size_nm = _pixel_size_nm(rng, conditions)
    noise_free = intensity(field, draw_optics(rng), pixel_size_nm)
    shape_px = noise_free.shape[0], noise_free.shape[1]
    labels, overlap = truth_labels(field, shape_px), truth_overlap(field, shape_px)
    if rng.random() < conditions.part_of_field:
        part = _part(shape_px, pixel_size_nm, rng)
        noise_free, labels, overlap = noise_free[part], labels[part], overlap[part]
    counts = _recorded(noise_free, pixel_size_nm, rng, conditions)
    stated_nm = pixel_size_nm * np.exp(
        rng.uniform(-conditions.magnification_error, conditions.magnification_error)
    )
    prepared = prepare(counts, float(stated_nm), MODEL_PIXEL_SIZE_NM, "default").network_input
    grid = prepared.shape[0], prepared.shape[1]
    marks = marks_of(on_grid(labels, grid), mask_on_grid(overlap, grid))
    return Sample(network_input=prepared.astype(np.float16), marks=marks)


def _pixel_size_nm(rng: np.random.Generator, conditions: Conditions) -> float:
    low, high = conditions.pixel_size_nm
    middle = 0.036
    fine = rng.random() < conditions.fine_fraction
    return float(rng.uniform(low, middle) if fine else rng.uniform(middle, high))


def _part(
    shape_px: tuple[int, int], pixel_size_nm: float, rng: np.random.Generator
) -> tuple[slice, slice]:
    """A rectangle of the field, as small as a patch of a figure."""
    smallest = round(SMALLEST_FIELD_PX * MODEL_PIXEL_SIZE_NM / pixel_size_nm)
    return part_window(shape_px, smallest, rng)


def _recorded(
    noise_free: NDArray[np.float32],
    pixel_size_nm: float,
    rng: np.random.Generator,
    conditions: Conditions,
) -> NDArray[np.float32]:
    """What the camera and the way to the reader make of the intensity."""
    specimen = noise_free
    if rng.random() < conditions.thickness:
        specimen = augment.uneven_thickness(specimen, rng)
    if rng.random() < conditions.discs:
        specimen = augment.dark_discs(specimen, rng, conditions.disc_edge_px)
    if rng.random() < conditions.contrast:
        specimen = augment.uneven_contrast(specimen, rng)
    specimen = np.clip(specimen, 0, None)
    low, high = np.log(conditions.dose_e_per_a2)
    dose = float(np.exp(rng.uniform(low, high)))
    exposure = replace(draw_exposure(rng, pixel_size_nm=pixel_size_nm), dose_e_per_a2=dose)
    counts = expose(specimen, exposure, rng).astype(np.float32)
    figure = [
        (conditions.rescale, augment.rescaled),
        (conditions.print_fraction, augment.printed),
    ]
    if rng.random() < conditions.enlarged_print:
        figure.reverse()
    for share, change in (
        (conditions.noise, augment.uneven_noise),
        (conditions.blur, augment.blurred),
        (conditions.flatten, augment.flattened),
        *figure,
        (conditions.annotation, augment.annotated),
    ):
        if rng.random() < share:
            counts = change(counts, rng)
    return counts
