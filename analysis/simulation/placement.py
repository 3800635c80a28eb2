"""Lay particles on a film: apart from each other, or across one another where they are meant to.

All particles of a field lie on one face of the film and are of one material, as of one synthesis.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from analysis.simulation.carbon import Film
from analysis.simulation.grid import CELL_NM, MARGIN_NM
from analysis.simulation.particles import ParticlePlan, Specimen, build

ATOM_RADIUS_NM = 0.14
CONTACT_NM = 0.28
"""Atoms of two particles come no nearer than this."""

INTENTIONS = ("stacking_fault", "no_stacking_fault", "misoriented", "agglomeration")


@dataclass(frozen=True, kw_only=True)
class FieldPlan:
    """What fields are made of.

    `particles` bounds the number of particles of a field that is not empty. `shares` weighs what
    each particle is meant to show; agglomeration places it over its neighbour.
    """

    particles: tuple[int, int] = (1, 8)
    empty_fraction: float = 0.15
    diameters_nm: tuple[float, float] = (2.0, 10.0)
    typical_diameter_nm: float = 4.8
    shares: tuple[float, float, float, float] = (0.25, 0.30, 0.30, 0.15)
    cadmium_selenide_fraction: float = 0.5
    carbon_nm: tuple[float, float] = (1.5, 6.0)
    ramp_fraction: float = 0.35


BALANCED_PLAN = FieldPlan(
    particles=(3, 5), empty_fraction=0.0, typical_diameter_nm=4.5, shares=(0.25, 0.25, 0.27, 0.23)
)
"""Few particles, classes about equal as regions: an overlap makes one region of two particles."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A specimen at its place in the cell: middle x, y and z in nm."""

    specimen: Specimen
    middle_nm: NDArray[np.float64]

    @property
    def positions_nm(self) -> NDArray[np.float64]:
        """Atoms (N, 3) in the cell."""
        return self.specimen.positions_nm + self.middle_nm


def populate(plan: FieldPlan, film: Film, rng: np.random.Generator) -> list[Placed]:
    """Particles in place: apart from each other, except those meant to overlap."""
    if rng.random() < plan.empty_fraction:
        return []
    material = "CdSe" if rng.random() < plan.cadmium_selenide_fraction else "Au"
    shares = np.array(plan.shares) / sum(plan.shares)
    below = rng.random() < 0.5
    placed: list[Placed] = []
    for _ in range(rng.integers(plan.particles[0], plan.particles[1] + 1)):
        intention = str(rng.choice(INTENTIONS, p=shares))
        specimen = _draw_specimen(plan, material, intention, rng)
        if intention == "agglomeration" and not placed:
            placed += _place_apart(specimen, placed, film, below, rng)
            specimen = _draw_specimen(plan, material, intention, rng)
        if intention == "agglomeration" and placed:
            placed.append(_place_over(specimen, placed, film, below, rng))
        else:
            placed += _place_apart(specimen, placed, film, below, rng)
    return placed


def _draw_specimen(
    plan: FieldPlan, material: str, intention: str, rng: np.random.Generator
) -> Specimen:
    """A particle of a log-normal diameter; one that overlaps may itself be anything."""
    smallest, largest = plan.diameters_nm
    diameter_nm = plan.typical_diameter_nm * math.exp(0.38 * rng.standard_normal())
    if intention == "agglomeration":
        diameter_nm = min(diameter_nm, 5.5)
        intention = str(rng.choice(INTENTIONS[:3]))
    if intention == "stacking_fault":
        smallest = max(smallest, 2.5)
    diameter_nm = float(np.clip(diameter_nm, smallest, largest))
    wanted = ParticlePlan(material=material, intention=intention, diameter_nm=diameter_nm)
    return build(wanted, rng)


def _place_apart(
    specimen: Specimen,
    placed: list[Placed],
    film: Film,
    below: bool,
    rng: np.random.Generator,
) -> list[Placed]:
    """The specimen at a free place, as a list of one; an empty list where none was found."""
    for _ in range(40):
        middle = _free_middle_nm(specimen, rng)
        gap_nm = rng.choice([0.45, 1.0])
        free = all(
            np.hypot(*(middle - other.middle_nm[:2]))
            > specimen.radius_nm + other.specimen.radius_nm + 2 * ATOM_RADIUS_NM + gap_nm
            for other in placed
        )
        if free:
            return [rest_on(specimen, middle, film, below)]
    return []


def _free_middle_nm(specimen: Specimen, rng: np.random.Generator) -> NDArray[np.float64]:
    """A middle inside the picture: four of five particles whole, the others anywhere."""
    inset_nm = specimen.radius_nm + 0.2 if rng.random() < 0.8 else 0.0
    low = MARGIN_NM + min(inset_nm, 0.45 * (CELL_NM - 2 * MARGIN_NM))
    return rng.uniform(low, CELL_NM - low, 2)


def _place_over(
    specimen: Specimen,
    placed: list[Placed],
    film: Film,
    below: bool,
    rng: np.random.Generator,
) -> Placed:
    """The specimen across its neighbour's rim, lifted until no atoms collide."""
    other = placed[int(rng.integers(len(placed)))]
    reach_nm = specimen.radius_nm + other.specimen.radius_nm
    azimuth = rng.uniform(0, 2 * np.pi)
    step_nm = rng.uniform(0.35, 0.95) * reach_nm
    middle = other.middle_nm[:2] + step_nm * np.array([np.cos(azimuth), np.sin(azimuth)])
    middle = np.clip(middle, MARGIN_NM, CELL_NM - MARGIN_NM)
    resting = rest_on(specimen, middle, film, below)
    taken = cKDTree(np.concatenate([p.positions_nm for p in placed]))
    direction = -1.0 if below else 1.0
    for lift_nm in np.arange(0, 25, 0.1):
        candidate = Placed(
            specimen=specimen,
            middle_nm=resting.middle_nm + np.array([0.0, 0.0, direction * lift_nm]),
        )
        distance_nm, _ = taken.query(candidate.positions_nm, distance_upper_bound=CONTACT_NM)
        if not np.isfinite(distance_nm).any():
            return candidate
    return resting


def rest_on(specimen: Specimen, middle: NDArray[np.float64], film: Film, below: bool) -> Placed:
    """The specimen lying on the exit face of the carbon film, or under its entrance face."""
    positions = specimen.positions_nm
    gap_nm = 0.2
    if below:
        z_nm = -gap_nm - positions[:, 2].max()
    else:
        heights = film.height_nm(positions[:, 0] + middle[0], positions[:, 1] + middle[1])
        z_nm = gap_nm + float(np.max(heights - positions[:, 2]))
    return Placed(specimen=specimen, middle_nm=np.append(middle, z_nm))
