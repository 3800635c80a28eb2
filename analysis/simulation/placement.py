"""Lay particles on a film: apart from each other, side by side, or one across the other.

All particles of a field lie on one face of the film; most fields are of one material, as of one
synthesis.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from analysis.simulation.carbon import Film, FilmPlan
from analysis.simulation.crystals import MATERIALS
from analysis.simulation.grid import CELL_NM, MARGIN_NM
from analysis.simulation.particles import ParticlePlan, Specimen, build

ATOM_RADIUS_NM = 0.14
CONTACT_NM = 0.28
"""Atoms of two particles come no nearer than this."""

INTENTIONS = ("stacking_fault", "no_stacking_fault", "misoriented", "agglomeration")
TRAINED_MATERIALS = ("Au", "Ag", "Pt", "CdSe-wz", "CdSe-zb", "CeO2", "Co3O4")


@dataclass(frozen=True, kw_only=True)
class FieldPlan:
    """What fields are made of.

    `particles` bounds the number of particles of a field that is not empty. `shares` weighs what
    each particle is meant to show; agglomeration places it over its neighbour. `touching` is the
    share of the others that is pushed against a neighbour. Each field draws one of `materials`,
    each particle of a `mixed_fraction` of the fields its own.
    """

    particles: tuple[int, int] = (1, 8)
    empty_fraction: float = 0.12
    diameters_nm: tuple[float, float] = (1.5, 15.0)
    typical_diameter_nm: float = 4.8
    diameter_spread: float = 0.42
    shares: tuple[float, float, float, float] = (0.24, 0.28, 0.33, 0.15)
    touching: float = 0.18
    materials: tuple[str, ...] = TRAINED_MATERIALS
    mixed_fraction: float = 0.08
    film: FilmPlan = field(default_factory=FilmPlan)


BALANCED_PLAN = FieldPlan(
    particles=(3, 5),
    empty_fraction=0.0,
    diameters_nm=(2.0, 13.0),
    typical_diameter_nm=4.8,
    shares=(0.32, 0.20, 0.22, 0.26),
    touching=0.12,
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
    """Particles in place: apart from each other, except those meant to touch or to overlap."""
    if rng.random() < plan.empty_fraction:
        return []
    material = str(rng.choice(plan.materials))
    mixed = rng.random() < plan.mixed_fraction
    shares = np.array(plan.shares) / sum(plan.shares)
    below = rng.random() < 0.5
    placed: list[Placed] = []
    for _ in range(rng.integers(plan.particles[0], plan.particles[1] + 1)):
        material = str(rng.choice(plan.materials)) if mixed else material
        intention = str(rng.choice(INTENTIONS, p=shares))
        specimen = _draw_specimen(plan, material, intention, rng)
        if intention == "agglomeration" and not placed:
            placed += _place_apart(specimen, placed, film, below, rng)
            specimen = _draw_specimen(plan, material, intention, rng)
        if intention == "agglomeration" and placed:
            placed.append(_place_over(specimen, placed, film, below, rng))
        elif placed and rng.random() < plan.touching:
            placed += _place_beside(specimen, placed, film, below, rng)
        else:
            placed += _place_apart(specimen, placed, film, below, rng)
    return placed


def _draw_specimen(
    plan: FieldPlan, material: str, intention: str, rng: np.random.Generator
) -> Specimen:
    """A particle of a log-normal diameter; one that overlaps may itself be anything."""
    smallest, largest = plan.diameters_nm
    diameter_nm = plan.typical_diameter_nm * math.exp(plan.diameter_spread * rng.standard_normal())
    if intention == "agglomeration":
        diameter_nm = min(diameter_nm, 7.0)
        intention = str(rng.choice(INTENTIONS[:3]))
    if intention == "stacking_fault":
        smallest = max(smallest, 2.5 * MATERIALS[material].row_nm / MATERIALS["Au"].row_nm)
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
        free = film.carries(middle[0], middle[1]) and all(
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
    step_nm = rng.uniform(0.25, 0.85) * reach_nm
    middle = other.middle_nm[:2] + step_nm * _azimuth(rng)
    middle = np.clip(middle, MARGIN_NM, CELL_NM - MARGIN_NM)
    resting = rest_on(specimen, middle, film, below)
    taken = cKDTree(np.concatenate([p.positions_nm for p in placed]))
    direction = -1.0 if below else 1.0
    for lift_nm in np.arange(0, 25, 0.1):
        candidate = Placed(
            specimen=specimen,
            middle_nm=resting.middle_nm + np.array([0.0, 0.0, direction * lift_nm]),
        )
        if not _collides(candidate, taken):
            return candidate
    return resting


def _place_beside(
    specimen: Specimen,
    placed: list[Placed],
    film: Film,
    below: bool,
    rng: np.random.Generator,
) -> list[Placed]:
    """The specimen pushed along the film against a neighbour; an empty list where none fits."""
    other = placed[int(rng.integers(len(placed)))]
    taken = cKDTree(np.concatenate([p.positions_nm for p in placed]))
    reach_nm = specimen.radius_nm + other.specimen.radius_nm
    for _ in range(8):
        direction, nearest = _azimuth(rng), None
        for step_nm in np.arange(reach_nm + 0.4, 0.3 * reach_nm, -0.08):
            middle = other.middle_nm[:2] + step_nm * direction
            inside = ((middle > MARGIN_NM) & (middle < CELL_NM - MARGIN_NM)).all()
            if not inside or not film.carries(middle[0], middle[1]):
                break
            candidate = rest_on(specimen, middle, film, below)
            if _collides(candidate, taken):
                break
            nearest = candidate
        else:
            nearest = None  # slid all the way over it: never came to touch
        if nearest is not None:
            return [nearest]
    return []


def _azimuth(rng: np.random.Generator) -> NDArray[np.float64]:
    azimuth = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(azimuth), np.sin(azimuth)])


def _collides(candidate: Placed, taken: cKDTree) -> bool:
    distance_nm, _ = taken.query(candidate.positions_nm, distance_upper_bound=CONTACT_NM)
    return bool(np.isfinite(distance_nm).any())


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
