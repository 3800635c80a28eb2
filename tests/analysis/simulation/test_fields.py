from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.simulation.carbon import FilmPlan
from analysis.simulation.crystals import GOLD
from analysis.simulation.dataset import field_path, field_paths, load_field, save_field, simulate
from analysis.simulation.fields import Field, simulate_field
from analysis.simulation.grid import CELL_NM, CELL_PX, FIELD_PX
from analysis.simulation.microscope import simulated_micrograph
from analysis.simulation.multislice import mass_thickness, multislice, specimen_atoms
from analysis.simulation.optics import Optics, intensity
from analysis.simulation.particles import ParticlePlan, build
from analysis.simulation.placement import FieldPlan, Placed
from analysis.simulation.recipes import RECIPES
from analysis.simulation.truth import describe

THIN = FieldPlan(
    particles=(1, 2),
    empty_fraction=0.0,
    diameters_nm=(2.0, 3.0),
    materials=("Au", "CdSe-wz"),
    film=FilmPlan(thickness_nm=(1.0, 1.2), contamination_fraction=0.0, hole_fraction=0.0),
)
"""Few slices: quick."""


@pytest.fixture(scope="module")
def field() -> Field:
    return simulate_field((3, 1), THIN)


def test_a_field_has_its_wave_its_labels_and_its_particles(field: Field):
    assert field.exit_wave.shape == (CELL_PX, CELL_PX)
    assert field.exit_wave.dtype == np.complex64
    assert field.labels.shape == (FIELD_PX, FIELD_PX)
    assert set(np.unique(field.labels)) == {0, *(p.label for p in field.particles)}


def test_no_electron_is_made_and_few_are_lost(field: Field):
    # Only what scatters beyond the band limit of the grid, 8.3 nm⁻¹, is lost.
    assert 0.95 < np.mean(np.abs(field.exit_wave) ** 2) <= 1.0 + 1e-5


def test_the_same_seed_gives_the_same_field_and_another_another(field: Field):
    again, other = simulate_field((3, 1), THIN), simulate_field((3, 2), THIN)
    assert (again.exit_wave == field.exit_wave).all()
    assert again.particles == field.particles
    assert (other.exit_wave != field.exit_wave).any()


def test_particles_differ_from_carbon_where_the_labels_say(field: Field):
    picture = intensity(field, Optics(defocus_nm=-30))
    inside, outside = picture[field.labels > 0], picture[field.labels == 0]
    assert inside.std() > 1.5 * outside.std()


def test_gold_on_110_shows_its_111_planes_at_right_angles_to_the_stacking():
    rng = np.random.default_rng(8)
    plan = ParticlePlan(material="Au", intention="stacking_fault", diameter_nm=5.0)
    specimen = build(plan, rng)
    place = Placed(specimen=specimen, middle_nm=np.array([CELL_NM / 2, CELL_NM / 2, 0.0]))
    atoms = specimen_atoms([place], np.empty((0, 3)), rng)
    labels, overlap, particles = describe([place])
    field = Field(
        exit_wave=multislice(atoms, 300.0),
        mass_thickness=mass_thickness(atoms),
        labels=labels,
        overlap=overlap,
        particles=particles,
        energy_kev=300.0,
        carbon_thickness_nm=0.0,
        seed=(8, 0),
    )
    power = np.abs(np.fft.fft2(intensity(field, Optics(defocus_nm=-8)) - 1)) ** 2
    q = np.fft.fftfreq(FIELD_PX, 0.04)
    qx, qy = np.meshgrid(q, q)
    normal = specimen.orientation.rotation[:2, 2]
    along = qx * normal[0] + qy * normal[1]
    across = qx * normal[1] - qy * normal[0]
    streak = (np.abs(across) < 0.15) & (along > 2.5) & (along < 5.5)
    d_spacing_nm = 1 / along[streak][power[streak].argmax()]
    assert d_spacing_nm == pytest.approx(GOLD.layer_nm, rel=0.03)


def test_an_interrupted_folder_is_completed_and_keeps_what_it_holds(tmp_path: Path, field: Field):
    heard: list[tuple[int, int]] = []
    simulate(tmp_path, 0, seed=3, plan=THIN)
    crossed = np.zeros((FIELD_PX, FIELD_PX), np.bool_)
    crossed[7, 3:9] = True
    field = replace(field, overlap=crossed)
    save_field(field_path(tmp_path, 1), field)
    written_ns = field_path(tmp_path, 1).stat().st_mtime_ns
    simulate(tmp_path, 2, seed=3, processes=1, plan=THIN, progress=lambda *n: heard.append(n))
    assert heard == [(2, 2)]
    assert field_path(tmp_path, 1).stat().st_mtime_ns == written_ns
    made, kept = (load_field(path) for path in field_paths(tmp_path))
    for stored, expected in ((made, simulate_field((3, 0), THIN)), (kept, field)):
        assert (stored.exit_wave == expected.exit_wave).all()
        assert (stored.mass_thickness == expected.mass_thickness).all()
        assert (stored.labels == expected.labels).all()
        assert (stored.overlap == expected.overlap).all()
        assert stored.particles == expected.particles
        assert stored.seed == expected.seed


def test_a_folder_of_another_seed_is_not_mixed_up(tmp_path: Path):
    simulate(tmp_path, 0, seed=3, processes=1, plan=THIN)
    with pytest.raises(ValueError, match="another seed or plan"):
        simulate(tmp_path, 1, seed=4, processes=1, plan=THIN)


def test_a_simulated_micrograph_fits_its_truth():
    counts, truth = simulated_micrograph(5, (600, 800), 0.025, plan=THIN)
    assert counts.shape == truth.labels.shape == (600, 800)
    assert counts.dtype == np.uint16
    assert {p.label for p in truth.particles} == set(np.unique(truth.labels)) - {0}
    electrons = truth.exposure.dose_e_per_a2 * (10 * truth.exposure.pixel_size_nm) ** 2
    expected = electrons * truth.exposure.counts_per_electron
    assert counts.mean() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("shape_px", "pixel_size_nm", "complaint"),
    [
        ((1100, 1100), 0.02, "a field has 1024"),
        ((64, 64), 1.0, "not between"),
        ((0, 9), 0.02, "a f"),
    ],
)
def test_a_frame_that_the_field_does_not_fill_is_refused(
    shape_px: tuple[int, int], pixel_size_nm: float, complaint: str
):
    with pytest.raises(ValueError, match=complaint):
        simulated_micrograph(1, shape_px, pixel_size_nm)


def test_gold_stops_more_electrons_than_carbon(field: Field):
    scattering = field.mass_thickness[32:-32, 32:-32].astype(float)
    assert scattering[field.labels > 0].mean() > 5 * scattering[field.labels == 0].mean()
    atoms_per_nm3, exponent = 4 / 0.40786**3, 1.3
    expected = atoms_per_nm3 * 79**exponent / 1000
    assert expected == pytest.approx(17, rel=0.05)  # what the docstring says of 1 nm of gold


def test_absorption_darkens_particles_and_leaves_vacuum(field: Field):
    clear, dark = (intensity(field, Optics(absorption=a)) for a in (0.0, 0.004))
    inside = field.labels > 0
    assert dark[inside].mean() < 0.97 * clear[inside].mean()
    assert (dark <= clear + 1e-6).all()


def test_every_recipe_has_its_own_seed():
    assert len({recipe.seed for recipe in RECIPES.values()}) == len(RECIPES)
    assert not set(RECIPES["unseen"].plan.materials) & set(RECIPES["train"].plan.materials)
