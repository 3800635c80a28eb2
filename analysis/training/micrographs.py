"""Simulated fields as the pipeline meets them: micrographs with calibration, truth beside them."""

import hashlib
from dataclasses import dataclass

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
from analysis.simulation.fields import Field
from analysis.simulation.optics import (
    actual_exposure,
    draw_exposure,
    draw_optics,
    render,
    truth_labels,
)

CORE_PIXEL_SIZE_NM = (0.02, 0.05)
CORE_DOSE_E_PER_A2 = (200.0, 3000.0)
AGGLOMERATION = "agglomeration"


@dataclass(frozen=True, kw_only=True)
class TruthRegion:
    """What one connected region of the truth is: a particle, or several that touch."""

    label: int
    class_name: str
    diameter_nm: float


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A micrograph and its truth: `clusters` (H, W), one label for each connected region."""

    micrograph: Micrograph
    clusters: NDArray[np.uint16]
    regions: tuple[TruthRegion, ...]


def rendered(field: Field, rng: np.random.Generator, name: str) -> Rendered:
    """The field under core conditions: 0.02-0.05 nm/px, 200-3000 e/Å², any usual lens."""
    pixel_size_nm = float(rng.uniform(*CORE_PIXEL_SIZE_NM))
    optics = draw_optics(rng)
    while True:
        exposure = draw_exposure(rng, pixel_size_nm=pixel_size_nm)
        if CORE_DOSE_E_PER_A2[0] <= exposure.dose_e_per_a2 <= CORE_DOSE_E_PER_A2[1]:
            break
    counts = render(field, optics, exposure, rng)
    labels = truth_labels(field, (counts.shape[0], counts.shape[1]))
    clusters, regions = _clusters(field, labels)
    return Rendered(
        micrograph=calibrated(counts, actual_exposure(exposure).pixel_size_nm, name),
        clusters=clusters,
        regions=regions,
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


def _clusters(
    field: Field, labels: NDArray[np.uint16]
) -> tuple[NDArray[np.uint16], tuple[TruthRegion, ...]]:
    table = np.zeros(int(labels.max(initial=0)) + 1, np.uint16)
    members: dict[int, list[tuple[str, float]]] = {}
    for particle in field.particles:
        if particle.label < len(table):
            table[particle.label] = particle.cluster
        entry = (particle.class_name, particle.diameter_nm)
        members.setdefault(particle.cluster, []).append(entry)
    regions = tuple(
        TruthRegion(
            label=cluster,
            class_name=entries[0][0] if len(entries) == 1 else AGGLOMERATION,
            diameter_nm=float(np.sqrt(sum(diameter**2 for _, diameter in entries))),
        )
        for cluster, entries in sorted(members.items())
    )
    return table[labels], regions
