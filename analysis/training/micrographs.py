"""Simulated fields as the pipeline meets them: micrographs with calibration, truth beside them.

The class of a region is what is visible in this very micrograph: on axis means that at least two
non-collinear reflections rise above carbon and noise, see `simulation.seen`.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.micrograph import (
    Acquisition,
    Calibration,
    CalibrationSource,
    ImagingMode,
    Micrograph,
    Source,
)
from analysis.simulation.camera import Exposure, draw_exposure, expose
from analysis.simulation.fields import Field
from analysis.simulation.optics import Optics, draw_optics, intensity
from analysis.simulation.rendering import actual_exposure, truth_labels
from analysis.simulation.seen import Seeing
from analysis.simulation.truth import Particle, reaches_border
from analysis.simulation.visibility import visible_class

AGGLOMERATION = "agglomeration"


@dataclass(frozen=True, kw_only=True)
class RenderConditions:
    """Ranges that pixel size and dose are drawn from; where `defocus_nm` is None, any usual one."""

    pixel_size_nm: tuple[float, float] = (0.02, 0.05)
    dose_e_per_a2: tuple[float, float] = (200.0, 3000.0)
    defocus_nm: tuple[float, float] | None = None


CORE = RenderConditions()


@dataclass(frozen=True, kw_only=True)
class TruthRegion:
    """One instance of the truth: a particle, or several that overlap (agglomeration).

    `class_name` is what is visible in this micrograph, `reflections_seen` the number of
    non-parallel directions (0 for an agglomeration); `diameter_nm` is area-equivalent, of the
    part in the picture; `material`, `fault` and `tilt_mrad` are those of its first particle.
    """

    label: int
    class_name: str
    diameter_nm: float
    material: str
    fault: str
    tilt_mrad: float
    touches_border: bool
    reflections_seen: int


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A micrograph and its truth: `labels` (H, W) uint16 instances, 0 is carbon."""

    micrograph: Micrograph
    labels: NDArray[np.uint16]
    regions: tuple[TruthRegion, ...]
    optics: Optics
    exposure: Exposure


def rendered(
    field: Field, rng: np.random.Generator, name: str, conditions: RenderConditions = CORE
) -> Rendered:
    """The field through a lens and a camera drawn from the conditions."""
    optics = draw_optics(rng)
    if conditions.defocus_nm is not None:
        optics = replace(optics, defocus_nm=float(rng.uniform(*conditions.defocus_nm)))
    low, high = np.log(conditions.dose_e_per_a2)
    exposure = actual_exposure(
        replace(
            draw_exposure(rng, pixel_size_nm=float(rng.uniform(*conditions.pixel_size_nm))),
            dose_e_per_a2=float(np.exp(rng.uniform(low, high))),
        )
    )
    picture = intensity(field, optics, exposure.pixel_size_nm)
    labels = truth_labels(field, (picture.shape[0], picture.shape[1]))
    seeing = Seeing(picture, labels, exposure, field.energy_kev)
    return Rendered(
        micrograph=calibrated(expose(picture, exposure, rng), exposure.pixel_size_nm, name),
        labels=labels,
        regions=_regions(field, labels, seeing, exposure.pixel_size_nm),
        optics=optics,
        exposure=exposure,
    )


def calibrated(image: NDArray[np.generic], pixel_size_nm: float, name: str) -> Micrograph:
    """An array as a TEM micrograph of known pixel size."""
    return Micrograph(
        image=image,
        source=Source(file_name=name),
        calibration=Calibration(pixel_size_nm=pixel_size_nm, source=CalibrationSource.FILE),
        acquisition=Acquisition(imaging_mode=ImagingMode.TEM),
        pixel_sha256=hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest(),
    )


def _regions(
    field: Field, labels: NDArray[np.uint16], seeing: Seeing, pixel_size_nm: float
) -> tuple[TruthRegion, ...]:
    members: dict[int, list[Particle]] = {}
    for particle in field.particles:
        members.setdefault(particle.label, []).append(particle)
    areas_px = np.bincount(labels.ravel(), minlength=max(members, default=0) + 1)
    return tuple(
        _region(group, labels == label, seeing, int(areas_px[label]) * pixel_size_nm**2)
        for label, group in sorted(members.items())
        if areas_px[label]
    )


def _region(
    group: list[Particle], mask: NDArray[np.bool_], seeing: Seeing, area_nm2: float
) -> TruthRegion:
    first = group[0]
    seen = 0 if first.overlapping else seeing.directions_seen(first)
    return TruthRegion(
        label=first.label,
        class_name=AGGLOMERATION if first.overlapping else visible_class(seen, first.fault_edge_on),
        diameter_nm=float(2 * np.sqrt(area_nm2 / np.pi)),
        material=first.material,
        fault=first.fault,
        tilt_mrad=first.tilt_mrad,
        touches_border=reaches_border(mask),
        reflections_seen=seen,
    )
