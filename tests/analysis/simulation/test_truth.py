from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes

from analysis.simulation.crystals import CADMIUM_SELENIDE, block, stack
from analysis.simulation.grid import CELL_NM, FIELD_PX, MARGIN_NM, PIXEL_SIZE_NM
from analysis.simulation.particles import ParticlePlan, Specimen, build
from analysis.simulation.placement import ATOM_RADIUS_NM, Placed
from analysis.simulation.truth import describe, silhouette

MIDDLE_NM = CELL_NM / 2


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    plan = ParticlePlan(material="Au", intention="stacking_fault", diameter_nm=4.0)
    return build(plan, np.random.default_rng(4))


def placed(specimen: Specimen, x_nm: float, y_nm: float, z_nm: float = 5.0) -> Placed:
    return Placed(specimen=specimen, middle_nm=np.array([x_nm, y_nm, z_nm]))


@pytest.mark.parametrize("radius_nm", [1.0, 2.5, 4.5])
def test_a_disc_of_atoms_grows_by_one_atomic_radius(radius_nm: float):
    y, x = np.mgrid[-radius_nm:radius_nm:0.1, -radius_nm:radius_nm:0.1]
    inside = np.hypot(x, y) <= radius_nm
    atoms_nm = np.stack([x[inside], y[inside], 0 * x[inside]], axis=1) + MIDDLE_NM
    mask, _ = silhouette(atoms_nm)
    diameter_nm = 2 * np.sqrt(mask.sum() / np.pi) * PIXEL_SIZE_NM
    assert diameter_nm == pytest.approx(2 * (radius_nm + ATOM_RADIUS_NM), abs=2 * PIXEL_SIZE_NM)


def test_a_lattice_seen_along_its_tunnels_has_no_holes():
    # Wurtzite along [0001]: hexagonal tunnels 0.5 nm wide from atom to atom.
    atoms_nm = block(stack(CADMIUM_SELENIDE, 6), radius_nm=2.0).positions / 10
    mask, _ = silhouette(atoms_nm + MIDDLE_NM)
    assert (binary_fill_holes(mask) == mask).all()


def test_x_runs_along_columns_and_y_along_rows(specimen: Specimen):
    labels, _, _ = describe([placed(specimen, MIDDLE_NM + 5, MIDDLE_NM - 3)])
    y, x = np.nonzero(labels)
    assert x.mean() * PIXEL_SIZE_NM == pytest.approx(MIDDLE_NM + 5 - MARGIN_NM, abs=0.2)
    assert y.mean() * PIXEL_SIZE_NM == pytest.approx(MIDDLE_NM - 3 - MARGIN_NM, abs=0.2)


def test_particles_apart_keep_their_own_class_and_label(specimen: Specimen):
    labels, overlap, (left, right) = describe([placed(specimen, 6, 11), placed(specimen, 16, 11)])
    assert (left.class_name, right.class_name) == ("stacking_fault", "stacking_fault")
    assert labels[:, : FIELD_PX // 2].max() == left.label
    assert set(np.unique(labels)) == {0, left.label, right.label}
    assert not overlap.any()


def test_particles_that_overlap_are_one_agglomeration(specimen):
    lower, upper = placed(specimen, 10, 11, 3.0), placed(specimen, 12, 11, 9.0)
    labels, overlap, (first, second) = describe([upper, lower])
    assert first.class_name == second.class_name == "agglomeration"
    assert first.overlapping
    assert first.label == second.label
    above, below = (describe([one])[0] > 0 for one in (upper, lower))
    assert ((labels == first.label) == (above | below)).all()
    assert (overlap == (above & below)).all()


def test_particles_that_merely_touch_stay_two_and_the_upper_one_owns_what_they_share(specimen):
    lower = placed(specimen, 10, 11, 3.0)
    upper = next(
        placed(specimen, 10 + step_nm, 11, 9.0)
        for step_nm in np.arange(6, 0, -0.04)
        if (describe([placed(specimen, 10 + step_nm, 11)])[0] > 0)[describe([lower])[0] > 0].any()
    )
    labels, overlap, (first, second) = describe([lower, upper])
    assert first.label != second.label
    assert first.class_name == second.class_name == "stacking_fault"
    assert ((labels == second.label) == (describe([upper])[0] > 0)).all()
    assert not overlap.any()


def test_an_overlap_outside_the_picture_is_none(specimen: Specimen):
    edge_nm = MARGIN_NM + 1.0
    seen, hidden = placed(specimen, edge_nm, 11, 3.0), placed(specimen, edge_nm - 4.0, 11, 9.0)
    _, _, particles = describe([seen, hidden])
    assert [p.overlapping for p in particles] == [False]


def test_a_particle_cut_by_the_border_keeps_its_diameter_and_says_so(specimen: Specimen):
    _, _, (whole,) = describe([placed(specimen, MIDDLE_NM, MIDDLE_NM)])
    labels, _, (cut,) = describe([placed(specimen, MARGIN_NM + 0.3, MIDDLE_NM)])
    assert (cut.touches_border, whole.touches_border) == (True, False)
    assert cut.diameter_nm == pytest.approx(whole.diameter_nm, abs=0.08)
    area_nm2 = np.count_nonzero(labels) * PIXEL_SIZE_NM**2
    assert area_nm2 < 0.8 * np.pi * whole.diameter_nm**2 / 4


def test_a_particle_out_of_the_picture_is_not_listed(specimen: Specimen):
    labels, _, particles = describe(
        [placed(specimen, -4.0, MIDDLE_NM), placed(specimen, 30.0, 30.0)]
    )
    assert particles == ()
    assert not labels.any()


def test_a_fault_that_the_border_cuts_off_is_not_seen(specimen: Specimen):
    reach_nm = np.abs(specimen.fault_nm[:, 0]).max()
    shifted = replace(specimen, fault_nm=specimen.fault_nm - [reach_nm + 1.0, 0, 0])
    _, _, (particle,) = describe([placed(shifted, MARGIN_NM + 0.5, MIDDLE_NM)])
    assert particle.class_name == "no_stacking_fault"
