"""Amorphous carbon films: random atoms with a smallest distance, between two faces.

The lower face is z = 0; the upper one may slope, undulate and carry lumps of contamination, so
that darkness alone is no sign of a particle. A film may end at an edge or have a hole.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float64]

DRAWN_PER_NM3 = 166.25
"""Points drawn per nm³; thinned to 91 atoms per nm³, 1.8 g/cm³, as evaporated carbon."""

CLOSEST_NM = 0.125
LEAF_ATOMS = 8  # of the search tree; with an unbalanced tree two thirds of the usual time
CARBON_DISPLACEMENT_NM = 0.006
THINNEST_NM = 0.8
ROWS_OF_FOUR = (0, 4)


@dataclass(frozen=True, kw_only=True)
class FilmPlan:
    """What films are drawn: mean thickness in nm (log-uniform), and how often what happens."""

    thickness_nm: tuple[float, float] = (1.0, 15.0)
    ramp_fraction: float = 0.4
    contamination_fraction: float = 0.25
    hole_fraction: float = 0.12


@dataclass(frozen=True, kw_only=True)
class Film:
    """A film over a square of `side_nm`, periodic in x and y.

    `thickness_nm` is the mean. `slope` is the rise of the upper face along x and y, nm per nm,
    `waves` rows of (amplitude nm, cycles along x, cycles along y, phase). `lumps`: rows of (x, y,
    height, Gaussian width), nm. `hole`: (x, y, radius) in nm of a disc without carbon, or None;
    a large one is the edge of the film.
    """

    side_nm: float
    thickness_nm: float
    slope: tuple[float, float] = (0.0, 0.0)
    waves: Array = field(default_factory=lambda: np.empty(ROWS_OF_FOUR))
    lumps: Array = field(default_factory=lambda: np.empty(ROWS_OF_FOUR))
    hole: tuple[float, float, float] | None = None

    def height_nm(self, x_nm: Array, y_nm: Array) -> Array:
        """Height of the upper face, at least 0.8 nm; 0 in the hole."""
        middle = self.side_nm / 2
        height = (
            self.thickness_nm + self.slope[0] * (x_nm - middle) + self.slope[1] * (y_nm - middle)
        )
        for amplitude, u, v, phase in self.waves:
            height = height + amplitude * np.cos(
                2 * np.pi * (u * x_nm + v * y_nm) / self.side_nm + phase
            )
        height = np.maximum(height, THINNEST_NM)
        for x, y, lump_nm, width_nm in self.lumps:
            square = (x_nm - x) ** 2 + (y_nm - y) ** 2
            height = height + lump_nm * np.exp(-square / (2 * width_nm**2))
        return np.asarray(np.where(self._in_hole(x_nm, y_nm), 0.0, height))

    def carries(self, x_nm: float, y_nm: float) -> bool:
        """Whether there is carbon at a place for a particle to lie on."""
        return not bool(self._in_hole(np.array(x_nm), np.array(y_nm)))

    def _in_hole(self, x_nm: Array, y_nm: Array) -> NDArray[np.bool_]:
        if self.hole is None:
            return np.zeros(np.shape(x_nm), np.bool_)
        x, y, radius_nm = self.hole
        azimuth = np.arctan2(y_nm - y, x_nm - x)
        rim_nm = radius_nm * (1 + 0.04 * np.cos(3 * azimuth) + 0.02 * np.cos(7 * azimuth + 1))
        return np.asarray(np.hypot(x_nm - x, y_nm - y) < rim_nm)


def draw_film(plan: FilmPlan, side_nm: float, rng: np.random.Generator) -> Film:
    """A film of random thickness; a share of them sloped, with lumps, with a hole or an edge."""
    low, high = np.log(plan.thickness_nm)
    mean_nm = float(np.exp(rng.uniform(low, high)))
    sloped = rng.random() < plan.ramp_fraction
    steepest = 1.6 * max(0.0, mean_nm - THINNEST_NM) / side_nm
    slope = steepest * rng.random() * _unit_vector(rng)
    return Film(
        side_nm=side_nm,
        thickness_nm=mean_nm,
        slope=(slope[0], slope[1]) if sloped else (0.0, 0.0),
        waves=_draw_waves(mean_nm, rng) if sloped else np.empty(ROWS_OF_FOUR),
        lumps=_draw_lumps(plan, side_nm, rng),
        hole=_draw_hole(side_nm, rng) if rng.random() < plan.hole_fraction else None,
    )


def _draw_waves(mean_nm: float, rng: np.random.Generator) -> Array:
    return np.column_stack(
        [
            rng.uniform(0, 0.35 * max(0.0, mean_nm - THINNEST_NM), 3),
            rng.integers(-3, 4, 3),
            rng.integers(-3, 4, 3),
            rng.uniform(0, 2 * np.pi, 3),
        ]
    )


def _draw_lumps(plan: FilmPlan, side_nm: float, rng: np.random.Generator) -> Array:
    count = int(rng.integers(1, 5)) if rng.random() < plan.contamination_fraction else 0
    return np.column_stack(
        [
            rng.uniform(0, side_nm, (count, 2)),
            rng.uniform(0.5, 5.0, count),
            rng.uniform(0.8, 3.5, count),
        ]
    )


def _draw_hole(side_nm: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """A round hole, or so large a one that its rim is the film's edge across the field."""
    if rng.random() < 0.5:
        x, y = rng.uniform(0, side_nm, 2)
        return float(x), float(y), float(rng.uniform(2.5, 8.0))
    radius_nm = float(rng.uniform(40, 120))
    away = (radius_nm + rng.uniform(-0.35, 0.45) * side_nm) * _unit_vector(rng)
    return float(side_nm / 2 + away[0]), float(side_nm / 2 + away[1]), radius_nm


def _unit_vector(rng: np.random.Generator) -> Array:
    azimuth = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(azimuth), np.sin(azimuth)])


def film_atoms_nm(film: Film, rng: np.random.Generator) -> Array:
    """Atoms (N, 3) of the film, none closer than 0.125 nm, periodic in x and y.

    Matérn's second hard-core process: of every pair too close the later atom goes, which leaves
    (1 - exp(-ρv))/v per volume of the ρ drawn, v the sphere of the closest distance.
    """
    grid = np.linspace(0, film.side_nm, 65)
    top_nm = float(film.height_nm(*np.meshgrid(grid, grid)).max()) + 0.05
    volume_nm3 = film.side_nm**2 * top_nm
    drawn = rng.random((int(DRAWN_PER_NM3 * volume_nm3), 3))
    drawn *= [film.side_nm, film.side_nm, top_nm]
    below = drawn[:, 2] < film.height_nm(drawn[:, 0], drawn[:, 1])
    atoms = drawn[below]
    box_nm = [film.side_nm, film.side_nm, 1e3]
    tree = cKDTree(atoms, LEAF_ATOMS, boxsize=box_nm, balanced_tree=False, compact_nodes=False)
    first, second = tree.query_pairs(CLOSEST_NM, output_type="ndarray").T
    kept = np.ones(len(atoms), dtype=bool)
    kept[np.maximum(first, second)] = False
    return np.asarray(atoms[kept])
