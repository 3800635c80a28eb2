import numpy as np
import pytest
from scipy.spatial import cKDTree

from analysis.simulation.carbon import (
    CLOSEST_NM,
    THINNEST_NM,
    Film,
    FilmPlan,
    draw_film,
    film_atoms_nm,
)

SIDE_NM = 8.0
CARBON_MASS_G = 12.011 / 6.02214e23


def level_film(thickness_nm: float) -> Film:
    return Film(side_nm=SIDE_NM, thickness_nm=thickness_nm)


def test_a_film_has_the_density_of_amorphous_carbon():
    atoms_nm = film_atoms_nm(level_film(4.0), np.random.default_rng(1))
    inner = (atoms_nm[:, 2] > 0.2) & (atoms_nm[:, 2] < 3.8)
    grams_per_cm3 = inner.sum() * CARBON_MASS_G / (SIDE_NM**2 * 3.6 * 1e-21)
    assert grams_per_cm3 == pytest.approx(1.8, abs=0.1)


def test_no_two_atoms_are_closer_than_a_bond_even_across_the_cell():
    atoms_nm = film_atoms_nm(level_film(3.0), np.random.default_rng(2))
    tree = cKDTree(atoms_nm, boxsize=[SIDE_NM, SIDE_NM, 1e3])
    assert len(tree.query_pairs(CLOSEST_NM)) == 0


def test_a_sloping_film_is_thicker_on_one_side():
    film = Film(side_nm=SIDE_NM, thickness_nm=3.0, slope=(0.4, 0.0))
    atoms_nm = film_atoms_nm(film, np.random.default_rng(3))
    left, right = (atoms_nm[:, 0] < 2).sum(), (atoms_nm[:, 0] > 6).sum()
    assert right / left == pytest.approx(4.2 / 1.8, rel=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_every_drawn_film_covers_the_whole_cell(seed: int):
    plan = FilmPlan(thickness_nm=(1.5, 6.0), ramp_fraction=1.0, hole_fraction=0.0)
    film = draw_film(plan, SIDE_NM, np.random.default_rng(seed))
    x, y = np.meshgrid(*[np.linspace(0, SIDE_NM, 30)] * 2)
    height_nm = film.height_nm(x, y)
    assert height_nm.min() >= THINNEST_NM
    assert height_nm.max() < 30


def test_a_hole_has_no_atoms_and_carries_no_particle():
    film = Film(side_nm=SIDE_NM, thickness_nm=3.0, hole=(4.0, 4.0, 2.0))
    atoms_nm = film_atoms_nm(film, np.random.default_rng(4))
    from_middle_nm = np.hypot(atoms_nm[:, 0] - 4, atoms_nm[:, 1] - 4)
    assert from_middle_nm.min() > 1.85
    assert (from_middle_nm < 2.3).any()
    assert not film.carries(4.5, 4.0)
    assert film.carries(0.5, 4.0)


def test_a_lump_of_contamination_stands_on_the_film():
    film = Film(side_nm=SIDE_NM, thickness_nm=2.0, lumps=np.array([[3.0, 5.0, 4.0, 0.8]]))
    heights_nm = film.height_nm(np.array([3.0, 7.5]), np.array([5.0, 0.5]))
    assert heights_nm == pytest.approx([6.0, 2.0], abs=1e-3)
    assert film_atoms_nm(film, np.random.default_rng(5))[:, 2].max() > 5


def test_holes_are_as_frequent_as_planned():
    plan = FilmPlan(hole_fraction=0.5)
    films = [draw_film(plan, SIDE_NM, np.random.default_rng(seed)) for seed in range(200)]
    assert sum(film.hole is not None for film in films) == pytest.approx(100, abs=25)
