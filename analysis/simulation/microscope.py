"""A simulated microscope: one call, one micrograph, its exact truth.

For demonstrations and tests, where a whole data set would be too much.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.simulation.camera import Conditions, Exposure, draw_exposure
from analysis.simulation.carbon import FilmPlan
from analysis.simulation.fields import simulate_field
from analysis.simulation.optics import Optics, draw_optics, picture_side_px
from analysis.simulation.placement import FieldPlan
from analysis.simulation.rendering import actual_exposure, render, truth_labels
from analysis.simulation.truth import Particle, reaches_border

DEMONSTRATION_PLAN = FieldPlan(
    particles=(3, 6),
    empty_fraction=0.0,
    diameters_nm=(2.0, 10.0),
    materials=("Au", "CdSe-wz"),
    mixed_fraction=0.0,
    film=FilmPlan(
        thickness_nm=(1.5, 6.0), ramp_fraction=0.2, contamination_fraction=0.0, hole_fraction=0.0
    ),
)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a simulated micrograph shows; `labels`: (H, W) uint16, 0 is carbon.

    Particles that the frame leaves out are not listed; `touches_border` is about this frame.
    """

    labels: NDArray[np.uint16]
    particles: tuple[Particle, ...]
    optics: Optics
    exposure: Exposure
    energy_kev: float


def simulated_micrograph(
    seed: int,
    shape_px: tuple[int, int] = (1024, 1024),
    pixel_size_nm: float = 0.02,
    conditions: Conditions = "good_day",
    plan: FieldPlan = DEMONSTRATION_PLAN,
) -> tuple[NDArray[np.uint16], Truth]:
    """Counts (H, W) uint16 of one micrograph, and its truth; about 3 s on one core.

    Args:
        seed: the same seed gives the same micrograph.
        shape_px: height and width; the middle of a field 20.48 nm wide.
        pixel_size_nm: 0.01 to 0.1 nm.
        conditions: the range the optics and the exposure are drawn from.
        plan: what lies on the film.

    Raises:
        ValueError: the frame is wider than the field, or the pixel size is out of range.
    """
    if not 0.01 <= pixel_size_nm <= 0.1:
        raise ValueError(f"pixel size {pixel_size_nm!r} nm is not between 0.01 and 0.1 nm")
    side_px = picture_side_px(pixel_size_nm)
    if not 1 <= min(shape_px) <= max(shape_px) <= side_px:
        raise ValueError(f"{shape_px} pixels: a field has {side_px}² of {pixel_size_nm} nm")
    field = simulate_field((seed, 0), plan)
    rng = np.random.default_rng((seed, 1))
    optics = draw_optics(rng, conditions)
    exposure = actual_exposure(draw_exposure(rng, conditions, pixel_size_nm))
    counts = render(field, optics, exposure, rng)
    rows, columns = (slice((side_px - n) // 2, (side_px - n) // 2 + n) for n in shape_px)
    shown = np.ascontiguousarray(truth_labels(field, (side_px, side_px))[rows, columns])
    truth = Truth(
        labels=shown,
        particles=_shown_particles(field.particles, shown),
        optics=optics,
        exposure=exposure,
        energy_kev=field.energy_kev,
    )
    return np.ascontiguousarray(counts[rows, columns]), truth


def _shown_particles(
    particles: tuple[Particle, ...], labels: NDArray[np.uint16]
) -> tuple[Particle, ...]:
    """The particles with a pixel in the frame; what the frame cuts touches the border."""
    present = set(np.unique(labels).tolist())
    return tuple(
        replace(p, touches_border=reaches_border(labels == p.label))
        for p in particles
        if p.label in present
    )
