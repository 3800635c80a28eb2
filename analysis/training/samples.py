"""One training sample: a simulated field seen through new optics, at a new dose.

The micrograph goes through the same `preprocess.prepare` as at the microscope, as a whole, before
a crop is cut; so normalisation is the one that will be met.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.preprocess import prepare
from analysis.simulation.fields import Field
from analysis.simulation.optics import draw_exposure, draw_optics, expose, intensity
from analysis.training import augment

MODEL_PIXEL_SIZE_NM = 0.04
CROP_PX = 256
SMALLEST_FIELD_PX = 128  # 5 nm: patches cut from figures are that small


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A prepared field and its truth on the same grid.

    `network_input`: (h, w) float16; `particle`: (h, w) bool.
    """

    network_input: NDArray[np.float16]
    particle: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How often each thing happens to a training micrograph, and the range of its pixels."""

    pixel_size_nm: tuple[float, float] = (0.022, 0.062)
    fine_fraction: float = 0.15  # below 0.036 nm/px: four times the pixels to render
    magnification_error: float = 0.18  # also stands in for lattices never simulated
    thickness: float = 0.6
    discs: float = 0.25
    disc_edge_px: tuple[float, float] = (4.0, 20.0)
    contrast: float = 0.4
    noise: float = 0.35
    blur: float = 0.3
    rescale: float = 0.25
    print_fraction: float = 0.4
    enlarged_print: float = 0.5  # printed before it is rescaled, so that JPEG blocks grow
    part_of_field: float = 0.5


USUAL = Conditions()


def draw_sample(field: Field, rng: np.random.Generator, conditions: Conditions = USUAL) -> Sample:
    """A new micrograph of the field, prepared, with its truth."""
    pixel_size_nm = _pixel_size_nm(rng, conditions)
    noise_free = intensity(field, draw_optics(rng), pixel_size_nm)
    particle = _truth(field, (noise_free.shape[0], noise_free.shape[1]))
    if rng.random() < conditions.part_of_field:
        noise_free, particle = _part(noise_free, particle, pixel_size_nm, rng)
    counts = _recorded(noise_free, pixel_size_nm, rng, conditions)
    stated_nm = pixel_size_nm * np.exp(
        rng.uniform(-conditions.magnification_error, conditions.magnification_error)
    )
    prepared = prepare(counts, float(stated_nm), MODEL_PIXEL_SIZE_NM, "default").network_input
    rows, columns = prepared.shape
    mask = cv2.resize(particle.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return Sample(network_input=prepared.astype(np.float16), particle=mask > 0.5)


def draw_crop(
    sample: Sample, rng: np.random.Generator, crop_px: int = CROP_PX
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A square of the sample, turned and mirrored at random; small fields are reflected out."""
    network_input, particle = _at_least(sample, crop_px)
    top = int(rng.integers(0, network_input.shape[0] - crop_px + 1))
    left = int(rng.integers(0, network_input.shape[1] - crop_px + 1))
    window = (slice(top, top + crop_px), slice(left, left + crop_px))
    turns, mirrored = int(rng.integers(0, 4)), bool(rng.integers(0, 2))
    crops = [np.rot90(whole[window], turns) for whole in (network_input, particle)]
    pixels, truth = (np.fliplr(crop) if mirrored else crop for crop in crops)
    return pixels.astype(np.float32), truth.astype(np.bool_)


def _pixel_size_nm(rng: np.random.Generator, conditions: Conditions) -> float:
    low, high = conditions.pixel_size_nm
    middle = 0.036
    fine = rng.random() < conditions.fine_fraction
    return float(rng.uniform(low, middle) if fine else rng.uniform(middle, high))


def _truth(field: Field, shape: tuple[int, int]) -> NDArray[np.float32]:
    mask = (field.labels > 0).astype(np.float32)
    return np.asarray(
        cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32
    )


def _part(
    noise_free: NDArray[np.float32],
    particle: NDArray[np.float32],
    pixel_size_nm: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A rectangle of the field, as small as a patch of a figure."""
    smallest = round(SMALLEST_FIELD_PX * MODEL_PIXEL_SIZE_NM / pixel_size_nm)
    window = []
    for side in noise_free.shape:
        length = int(rng.integers(min(smallest, side), side + 1))
        start = int(rng.integers(0, side - length + 1))
        window.append(slice(start, start + length))
    return noise_free[window[0], window[1]], particle[window[0], window[1]]


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
    exposure = draw_exposure(rng, pixel_size_nm=pixel_size_nm)
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
        *figure,
    ):
        if rng.random() < share:
            counts = change(counts, rng)
    return counts


def _at_least(sample: Sample, side_px: int) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    missing = [(0, max(0, side_px - side)) for side in sample.network_input.shape]
    if not any(after for _, after in missing):
        return sample.network_input, sample.particle
    return (
        np.pad(sample.network_input, missing, mode="symmetric"),
        np.pad(sample.particle, missing, mode="symmetric"),
    )
