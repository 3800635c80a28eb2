import numpy as np
import pytest
from scipy.spatial import cKDTree

from analysis.simulation.crystals import GOLD, MATERIALS, direction
from analysis.simulation.particles import ParticlePlan, along_beam, build, zones_of
from analysis.simulation.shapes import draw_shape, spherocylinder
from analysis.simulation.visibility import (
    edge_on_tolerance_rad,
    fault_edge_on,
    row_tilt_rad,
    transferred_reflections,
    visible_class,
)

ZONES = {name: zones_of(material)[1] for name, material in MATERIALS.items()}
EDGE_ON = {name: zones_of(material)[0] for name, material in MATERIALS.items()}
FAULTING = [name for name, material in MATERIALS.items() if material.faults]
CLASSES = ("stacking_fault", "no_stacking_fault", "misoriented")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize(("material", "zone"), [(m, z) for m in ZONES for z in ZONES[m]])
@pytest.mark.parametrize("diameter_nm", [2.5, 9.0])
def test_on_a_low_index_zone_two_sets_of_planes_are_seen(material, zone, diameter_nm, rng):
    rotation = along_beam(direction(MATERIALS[material], ZONES[material][zone]), 0, rng)
    assert transferred_reflections(material, diameter_nm, rotation) >= 2


def test_gold_far_from_every_zone_shows_no_second_set_of_planes(rng):
    # [6 4 1] has no reflection in the zone wider than 0.12 nm, and no neighbour within a degree.
    rotation = along_beam(direction(GOLD, (6, 4, 1)), 0, rng)
    assert transferred_reflections("Au", 9.0, rotation) < 2


@pytest.mark.parametrize("material", FAULTING)
def test_a_fault_shows_along_the_rows_of_its_plane_and_nowhere_else(material, rng):
    zones = ZONES[material]
    for zone, indices in zones.items():
        axis = direction(MATERIALS[material], indices)
        seen = fault_edge_on(material, 5.0, along_beam(axis, 0, rng))
        assert seen == (zone == EDGE_ON[material])


def test_a_fault_blurs_with_tilt_and_sooner_in_a_thicker_particle(rng):
    row = np.array([1.0, 0.0, 0.0])
    rotation = along_beam(row, 0.03, rng)
    assert row_tilt_rad(rotation) == pytest.approx(0.03, abs=1e-6)
    assert fault_edge_on("Au", 3.0, rotation)
    assert not fault_edge_on("Au", 9.0, rotation)
    assert edge_on_tolerance_rad("Au", 9.0) < edge_on_tolerance_rad("Au", 3.0)


@pytest.mark.parametrize("material", FAULTING)
@pytest.mark.parametrize("intention", CLASSES)
def test_a_particle_of_5_nm_looks_as_intended(material, intention, rng):
    plan = ParticlePlan(material=material, intention=intention, diameter_nm=5.0)
    for _ in range(5):
        specimen = build(plan, rng)
        assert visible_class(specimen.orientation.reflections, specimen.fault_visible) == intention
        assert (specimen.fault == "none") <= (intention != "stacking_fault")


def test_a_particle_has_about_the_diameter_asked_for(rng):
    for intention in CLASSES:
        specimens = [
            build(ParticlePlan(material="Au", intention=intention, diameter_nm=6.0), rng)
            for _ in range(6)
        ]
        volumes_nm3 = [len(s.symbols) * 0.40786**3 / 4 for s in specimens if s.shape != "rod"]
        assert (6 * np.mean(volumes_nm3) / np.pi) ** (1 / 3) == pytest.approx(6.0, rel=0.2)


def test_a_material_without_faults_shows_none_whatever_is_asked(rng):
    plan = ParticlePlan(material="Co3O4", intention="stacking_fault", diameter_nm=5.0)
    specimen = build(plan, rng)
    assert specimen.fault == "none"
    assert specimen.orientation.reflections >= 2


def test_rods_are_longer_than_thick_and_cubes_have_square_faces(rng):
    inside = spherocylinder(np.array([0.0, 0.0, 1.0]), 5.0, 1.5)
    points = rng.uniform(-6, 6, (200_000, 3))
    extent = np.ptp(points[inside(points)], axis=0)
    assert extent == pytest.approx([3.0, 3.0, 10.0], abs=0.25)
    cube = next(s for s in iter(lambda: draw_shape(GOLD, 3.0, rng), None) if s.name == "cube")
    along = points[cube.inside(points)] @ direction(GOLD, (1, 0, 0))
    assert np.ptp(along) == pytest.approx(np.sqrt(np.pi) * 3.0, rel=0.17)


def test_turning_a_particle_keeps_its_bonds(rng):
    plan = ParticlePlan(material="CdSe-wz", intention="stacking_fault", diameter_nm=4.0)
    specimen = build(plan, rng)
    nearest_nm, _ = cKDTree(specimen.positions_nm).query(specimen.positions_nm, 2)
    assert nearest_nm[:, 1].min() == pytest.approx(0.263, abs=0.001)
    assert np.linalg.det(specimen.orientation.rotation) == pytest.approx(1)


def test_layers_seen_along_a_row_project_to_lines_and_the_fault_plane_is_one_of_them(rng):
    plan = ParticlePlan(material="Au", intention="stacking_fault", diameter_nm=4.0)
    specimen = build(plan, rng)
    normal = specimen.orientation.rotation[:, 2]
    heights_nm = specimen.fault_nm @ normal
    assert np.ptp(heights_nm) <= 2.1 * GOLD.layer_nm
    assert abs(normal[2]) < np.sin(edge_on_tolerance_rad("Au", 4.0)) + 1e-9
