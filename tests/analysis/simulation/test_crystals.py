from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers, sampled_from
from scipy.spatial import cKDTree

from analysis.simulation.crystals import (
    CADMIUM_SELENIDE,
    CERIA,
    COBALT_OXIDE,
    GOLD,
    LEAD_SULPHIDE,
    MATERIALS,
    ZINC_BLENDE,
    Material,
    block,
    direction,
    letters,
    plane_normals,
    reciprocal_vectors,
    stack,
)

BOND_A = {
    "Au": 4.0786 / np.sqrt(2),
    "Ag": 4.0853 / np.sqrt(2),
    "Pt": 3.9242 / np.sqrt(2),
    "Pd": 3.8898 / np.sqrt(2),
    "CdSe-wz": np.hypot(4.299 / np.sqrt(3), 0.125 * 7.010),
    "CdSe-zb": 6.052 * np.sqrt(3) / 4,
}
NEIGHBOURS = {"Au": 12, "Ag": 12, "Pt": 12, "Pd": 12, "CdSe-wz": 4, "CdSe-zb": 4}
FAULTS = [(m, f) for m in MATERIALS.values() if m.name in BOND_A for f in ("none", *m.faults)]


@pytest.mark.parametrize(("material", "fault"), FAULTS)
def test_every_bond_across_a_fault_is_a_bond_of_the_bulk(material: Material, fault: str):
    positions_a = block(stack(material, 13, fault), radius_nm=2.2).positions
    inner = (np.hypot(positions_a[:, 0], positions_a[:, 1]) < 14) & (abs(positions_a[:, 2]) < 11)
    tree = cKDTree(positions_a)
    bond_a = BOND_A[material.name]
    near = tree.query_ball_point(positions_a[inner], 1.12 * bond_a)
    assert {len(n) - 1 for n in near} == {NEIGHBOURS[material.name]}
    distances, _ = tree.query(positions_a[inner], NEIGHBOURS[material.name] + 1)
    assert distances[:, 1:] == pytest.approx(bond_a, abs=0.01)


@pytest.mark.parametrize(
    ("material", "fault"),
    [(m, f) for m in (CADMIUM_SELENIDE, ZINC_BLENDE) for f in ("none", *m.faults)],
)
def test_every_bond_of_a_semiconductor_joins_cadmium_to_selenium(material: Material, fault: str):
    atoms = block(stack(material, 13, fault), radius_nm=1.5)
    elements = np.array(atoms.symbols)
    bond_a = BOND_A[material.name]
    pairs = cKDTree(atoms.positions).query_pairs(1.12 * bond_a, output_type="ndarray")
    assert (elements[pairs[:, 0]] != elements[pairs[:, 1]]).all()


@given(sampled_from(FAULTS), integers(2, 40), integers(0, 38))
def test_neighbouring_layers_never_share_a_letter(kind, layers, position):
    material, fault = kind
    if position >= layers - 1:
        position = layers - 2
    row = letters(stack(material, layers, fault, position))
    assert all(a != b for a, b in pairwise(row))


@pytest.mark.parametrize(
    ("material", "fault", "row"),
    [
        (GOLD, "none", "ABCABCABC"),
        (GOLD, "intrinsic", "ABCBCABCA"),  # one layer is missing
        (GOLD, "extrinsic", "ABCBABCABC"),  # one layer too many
        (GOLD, "twin", "ABCBACBAC"),
        (CADMIUM_SELENIDE, "none", "ABABABABA"),
        (CADMIUM_SELENIDE, "I1", "ABACACACA"),
        (CADMIUM_SELENIDE, "I2", "ABACBCBCB"),
        (CADMIUM_SELENIDE, "E", "ABACBABABA"),
    ],
)
def test_faults_are_those_of_the_textbook(material: Material, fault: str, row: str):
    assert letters(stack(material, 9, fault, 2)) == row


@pytest.mark.parametrize(
    ("material", "d_spacings_nm"),
    [
        (GOLD, [0.2355, 0.2039, 0.1442]),
        (CADMIUM_SELENIDE, [0.3723, 0.3505, 0.3288]),
        (CERIA, [0.3124, 0.2706, 0.1913]),
        (COBALT_OXIDE, [0.2858, 0.2437, 0.2334]),
        (LEAD_SULPHIDE, [0.3427, 0.2968, 0.2099]),
    ],
)
def test_the_widest_strong_reflections_have_their_known_spacings(material, d_spacings_nm):
    g, strength = reciprocal_vectors(material, longest_per_nm=8)
    spacings_nm = np.unique(np.round(1 / np.linalg.norm(g[strength > 0.2], axis=1), 4))[::-1]
    assert spacings_nm[:3] == pytest.approx(d_spacings_nm, abs=2e-4)


@pytest.mark.parametrize("family", ["111", "100"])
def test_cubic_facets_come_in_opposite_pairs_of_unit_normals(family: str):
    normals = plane_normals(GOLD, family)
    assert len(normals) == {"111": 8, "100": 6}[family]
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1)
    assert normals.sum(axis=0) == pytest.approx(0, abs=1e-9)


def test_the_stacking_direction_is_a_111_of_gold_and_0001_of_cadmium_selenide():
    assert direction(GOLD, (1, 1, 1)) == pytest.approx([0, 0, 1])
    assert direction(CADMIUM_SELENIDE, (0, 0, 0, 1)) == pytest.approx([0, 0, 1])


def test_a_fault_of_another_material_or_outside_the_crystal_is_refused():
    with pytest.raises(ValueError, match="no fault 'I1'"):
        stack(GOLD, 9, "I1")
    with pytest.raises(ValueError, match="after layer 9"):
        stack(GOLD, 9, "twin", 9)
    with pytest.raises(ValueError, match="is not 0"):
        direction(CADMIUM_SELENIDE, (1, 1, 0, 0))


@pytest.mark.parametrize(
    ("material", "bond_a", "neighbours", "elements"),
    [
        (CERIA, 5.411 * np.sqrt(3) / 4, 8, ("Ce", "O")),
        (COBALT_OXIDE, 1.93, 6, ("Co", "O")),  # 4 and 6: the octahedral sites have 6
        (LEAD_SULPHIDE, 5.936 / 2, 6, ("Pb", "S")),
    ],
)
def test_an_ion_lies_among_ions_of_the_other_kind(material, bond_a, neighbours, elements):
    atoms = block(stack(material, 10), radius_nm=1.6)
    names = np.array(atoms.symbols)
    inner = (np.linalg.norm(atoms.positions, axis=1) < 7) & (names == elements[0])
    tree = cKDTree(atoms.positions)
    near = tree.query_ball_point(atoms.positions[inner], 1.1 * bond_a)
    assert max(len(n) - 1 for n in near) == neighbours
    others = {
        names[j] for i, n in zip(np.flatnonzero(inner), near, strict=True) for j in n if j != i
    }
    assert others == {elements[1]}


def test_a_material_that_is_no_row_of_layers_has_no_faults():
    assert not COBALT_OXIDE.faults
    with pytest.raises(ValueError, match="no fault"):
        stack(COBALT_OXIDE, 9, "twin")
