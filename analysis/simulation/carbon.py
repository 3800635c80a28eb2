"""Amorphous carbon films: random atoms with a smallest distance, between two faces.

The lower face is z = 0; the upper one may slope and undulate, so that thickness, and with it the
brightness of the picture, varies within a field and darkness alone is no sign of a particle.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

DRAWN_PER_NM3 = 166.25
"""Points drawn per nm³; thinned to 91 atoms per nm³, 1.8 g/cm³, as evaporated carbon."""

CLOSEST_NM = 0.125
CARBON_DISPLACEMENT_NM = 0.006
THINNEST_NM = 0.8


@dataclass(frozen=True, kw_only=True)
class Film:
    """A film over a square of `side_nm`, periodic in x and y.

    `thickness_nm` is the mean. `slope` is the rise of the upper face along x and y, nm per nm,
    `waves` rows of (amplitude nm, cycles along x, cycles along y, phase).
    """

    side_nm: float
    thickness_nm: float
    slope: tuple[float, float]
    waves: NDArray[np.float64]

    def height_nm(
        self, x_nm: NDArray[np.float64], y_nm: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Height of the upper face, at least 0.8 nm."""
        middle = self.side_nm / 2
        height = (
            self.thickness_nm + self.slope[0] * (x_nm - middle) + self.slope[1] * (y_nm - middle)
        )
        for amplitude, u, v, phase in self.waves:
            height = height + amplitude * np.cos(
                2 * np.pi * (u * x_nm + v * y_nm) / self.side_nm + phase
            )
        return np.maximum(height, THINNEST_NM)


def draw_film(
    thickness_nm: tuple[float, float],
    ramp_fraction: float,
    side_nm: float,
    rng: np.random.Generator,
) -> Film:
    """A film of random thickness; a share of them sloped and undulating."""
    mean_nm = rng.uniform(*thickness_nm)
    if rng.random() >= ramp_fraction:
        return Film(side_nm=side_nm, thickness_nm=mean_nm, slope=(0, 0), waves=np.empty((0, 4)))
    steepest = 1.6 * (mean_nm - THINNEST_NM) / side_nm
    slope = steepest * rng.random() * _unit_vector(rng)
    waves = np.column_stack(
        [
            rng.uniform(0, 0.35 * (mean_nm - THINNEST_NM), 3),
            rng.integers(-3, 4, 3),
            rng.integers(-3, 4, 3),
            rng.uniform(0, 2 * np.pi, 3),
        ]
    )
    return Film(side_nm=side_nm, thickness_nm=mean_nm, slope=(slope[0], slope[1]), waves=waves)


def _unit_vector(rng: np.random.Generator) -> NDArray[np.float64]:
    azimuth = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(azimuth), np.sin(azimuth)])


def film_atoms_nm(film: Film, rng: np.random.Generator) -> NDArray[np.float64]:
    """Atoms (N, 3) of the film, none closer than 0.125 nm, periodic in x and y.

    Matérn's second hard-core process: of every pair too close the later atom goes, which leaves
    (1 - exp(-ρv))/v per volume of the ρ drawn, v the sphere of the closest distance.
    """
    grid = np.linspace(0, film.side_nm, 65)
    top_nm = float(film.height_nm(*np.meshgrid(grid, grid)).max()) + 0.05
    volume_nm3 = film.side_nm**2 * top_nm
    drawn = rng.random((int(DRAWN_PER_NM3 * volume_nm3), 3))
    drawn *= [film.side_nm, film.side_nm, top_nm]
    below = drawn[:, 2] <= film.height_nm(drawn[:, 0], drawn[:, 1])
    atoms = drawn[below]
    tree = cKDTree(atoms, boxsize=[film.side_nm, film.side_nm, 1e3])
    pairs = tree.query_pairs(CLOSEST_NM, output_type="ndarray")
    kept = np.ones(len(atoms), dtype=bool)
    kept[pairs.max(axis=1)] = False
    return np.asarray(atoms[kept])
