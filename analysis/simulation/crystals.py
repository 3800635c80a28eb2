"""Build crystals: sequences of close-packed layers with legal planar faults, or plain bulk.

A crystal is a row of steps, +1 or -1, that leads from layer to layer through the letters A, B, C;
neighbouring letters then always differ, so that every bond across a fault is a bond of the bulk.
All + is fcc, alternating + - is 2H wurtzite. Three operations make every fault used here:

==================  =============  =============
operation           fcc            wurtzite 2H
==================  =============  =============
negate all after    twin           I1
negate one          intrinsic      I2
split one in two    extrinsic      E
==================  =============  =============

The crystal frame: x along a close-packed row, z along the stacking, lengths in nm. Hirth and
Lothe, *Theory of Dislocations*, chapter 10, names the faults.

A structure that is no such sequence (spinel, rock salt) is repeated from the unit cell that ASE
makes of its space group, in the same frame and without faults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from types import MappingProxyType

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.spacegroup import crystal as spacegroup_crystal
from numpy.typing import NDArray

Vectors = NDArray[np.float64]

CLOSE_PACKED_OFFSET = np.array([0.5, 0.5 / np.sqrt(3)])
"""In-plane step from a layer to the next letter, in units of the close-packed distance."""

CUBIC_FRAME = np.array([[-1, 1, 0], [-1, -1, 2], [1, 1, 1]]) / np.sqrt([[2], [6], [3]])
"""Rows: the x, y, z axes of the crystal frame in cubic coordinates, for an fcc crystal."""


@dataclass(frozen=True, kw_only=True)
class UnitCell:
    """A cubic cell of side `side_nm`: `sites` of one atom each, `space_group` makes the others."""

    side_nm: float
    space_group: int
    sites: tuple[tuple[str, tuple[float, float, float]], ...]


@dataclass(frozen=True, kw_only=True)
class Material:
    """A crystal of close-packed layers, or, where `cell` is given, a repeated cubic cell.

    `row_nm` is the distance of neighbours in a layer, `layer_nm` of the layers. `basis` holds
    the element and the height above its layer, in units of `layer_nm`, of the atoms that sit on
    one layer site. `period` steps make one unit cell. `displacement_nm` is the root mean square
    thermal displacement along one axis at room temperature. With a `cell`, `row_nm` and
    `layer_nm` are the shortest period and the (111) spacing of its face-centred lattice.
    """

    name: str
    row_nm: float
    layer_nm: float
    basis: tuple[tuple[str, float], ...]
    period: tuple[int, ...]
    cubic: bool
    faults: Mapping[str, str]
    displacement_nm: float
    cell: UnitCell | None = None


FCC_FAULTS: Mapping[str, str] = MappingProxyType(
    {"twin": "negate_after", "intrinsic": "negate_one", "extrinsic": "split_one"}
)
WURTZITE_FAULTS: Mapping[str, str] = MappingProxyType(
    {"I1": "negate_after", "I2": "negate_one", "E": "split_one"}
)
NO_FAULTS: Mapping[str, str] = MappingProxyType({})


def _face_centred(
    name: str,
    side_nm: float,
    basis: tuple[tuple[str, float], ...],
    faults: Mapping[str, str],
    displacement_nm: float,
    cell: UnitCell | None = None,
) -> Material:
    """A cubic material: each lattice site carries the basis, strung along [111]."""
    return Material(
        name=name,
        row_nm=side_nm / np.sqrt(2),
        layer_nm=side_nm / np.sqrt(3),
        basis=basis,
        period=(1, 1, 1),
        cubic=True,
        faults=faults,
        displacement_nm=displacement_nm,
        cell=cell,
    )


GOLD = _face_centred("Au", 0.40786, (("Au", 0.0),), FCC_FAULTS, 0.0085)
SILVER = _face_centred("Ag", 0.40853, (("Ag", 0.0),), FCC_FAULTS, 0.0095)
PLATINUM = _face_centred("Pt", 0.39242, (("Pt", 0.0),), FCC_FAULTS, 0.0065)
PALLADIUM = _face_centred("Pd", 0.38898, (("Pd", 0.0),), FCC_FAULTS, 0.0075)
CADMIUM_SELENIDE = Material(
    name="CdSe-wz",
    row_nm=0.4299,
    layer_nm=0.7010 / 2,
    basis=(("Se", 0.0), ("Cd", 0.75)),
    period=(1, -1),
    cubic=False,
    faults=WURTZITE_FAULTS,
    displacement_nm=0.0120,
)
ZINC_BLENDE = _face_centred("CdSe-zb", 0.6052, (("Se", 0.0), ("Cd", 0.75)), FCC_FAULTS, 0.0120)
CERIA = _face_centred(
    "CeO2",
    0.5411,
    (("Ce", 0.0), ("O", 0.75), ("O", -0.75)),
    NO_FAULTS,  # a twin on the Ce plane would bring O within 0.16 nm of O
    0.0060,
)
COBALT_OXIDE = _face_centred(
    "Co3O4",
    0.8084,
    (),
    NO_FAULTS,
    0.0060,
    UnitCell(
        side_nm=0.8084,
        space_group=227,
        sites=(
            ("Co", (0.125, 0.125, 0.125)),
            ("Co", (0.5, 0.5, 0.5)),
            ("O", (0.2631, 0.2631, 0.2631)),
        ),
    ),
)
LEAD_SULPHIDE = _face_centred(
    "PbS",
    0.5936,
    (),
    NO_FAULTS,
    0.0130,
    UnitCell(
        side_nm=0.5936, space_group=225, sites=(("Pb", (0.0, 0.0, 0.0)), ("S", (0.5, 0.5, 0.5)))
    ),
)
MATERIALS: Mapping[str, Material] = MappingProxyType(
    {
        material.name: material
        for material in (
            GOLD,
            SILVER,
            PLATINUM,
            PALLADIUM,
            CADMIUM_SELENIDE,
            ZINC_BLENDE,
            CERIA,
            COBALT_OXIDE,
            LEAD_SULPHIDE,
        )
    }
)


@dataclass(frozen=True, kw_only=True)
class LayeredCrystal:
    """A stacking of a material, with at most one planar fault.

    `steps` are the signs from layer to layer. `fault_height_nm` is the height of the faulted
    layer pair above the first layer, None without a fault.
    """

    material: Material
    steps: tuple[int, ...]
    fault: str = "none"
    fault_height_nm: float | None = None

    @property
    def layers(self) -> int:
        """Number of close-packed layers."""
        return len(self.steps) + 1


def stack(
    material: Material, layers: int, fault: str = "none", fault_layer: int | None = None
) -> LayeredCrystal:
    """Stacking of at least `layers` layers with one fault after layer `fault_layer`.

    Raises:
        ValueError: the material has no such fault, or the fault lies outside.
    """
    perfect = tuple(material.period[i % len(material.period)] for i in range(layers - 1))
    if fault == "none":
        return LayeredCrystal(material=material, steps=perfect)
    if fault not in material.faults:
        raise ValueError(f"{material.name} has no fault {fault!r}")
    position = layers // 2 if fault_layer is None else fault_layer
    if not 0 <= position < len(perfect):
        raise ValueError(f"fault after layer {position} of {layers}")
    steps, middle = _insert(perfect, position, material.faults[fault])
    return LayeredCrystal(
        material=material, steps=steps, fault=fault, fault_height_nm=middle * material.layer_nm
    )


def _insert(steps: tuple[int, ...], i: int, operation: str) -> tuple[tuple[int, ...], float]:
    """Steps with the fault, and its middle in layers above the first."""
    if operation == "negate_after":
        return steps[:i] + tuple(-s for s in steps[i:]), float(i)
    if operation == "negate_one":
        return (*steps[:i], -steps[i], *steps[i + 1 :]), i + 0.5
    return (*steps[:i], -steps[i], -steps[i], *steps[i + 1 :]), i + 1.0


def letters(crystal: LayeredCrystal) -> str:
    """The layer letters, e.g. 'ABCABABC'; they are never equal side by side."""
    return "".join("ABC"[i % 3] for i in np.concatenate([[0], np.cumsum(crystal.steps)]))


def block(crystal: LayeredCrystal, radius_nm: float) -> Atoms:
    """All atoms of the stacking within `radius_nm` of its axis; positions in Å, as ASE has them.

    The middle of the stacking is the origin of z; x = y = 0 lies on a site of the first layer.
    """
    material = crystal.material
    if material.cell is not None:
        half_height_nm = 0.5 * crystal.layers * material.layer_nm
        return _repeated(material.cell, radius_nm, half_height_nm)
    reach = int(np.ceil(2 * radius_nm / material.row_nm / np.sqrt(3))) + 2
    i, j = (grid.ravel() for grid in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    sites = material.row_nm * np.stack([i + 0.5 * j, np.sqrt(0.75) * j], axis=1)
    numbers = np.concatenate([[0], np.cumsum(crystal.steps)]) % 3
    middle_nm = 0.5 * (crystal.layers - 1) * material.layer_nm
    positions, symbols = [], []
    for layer, letter in enumerate(numbers):
        shifted = sites + letter * material.row_nm * CLOSE_PACKED_OFFSET
        kept = shifted[np.hypot(*shifted.T) <= radius_nm]
        for element, height in material.basis:
            z_nm = (layer + height) * material.layer_nm - middle_nm
            positions.append(np.column_stack([kept, np.full(len(kept), z_nm)]))
            symbols += [element] * len(kept)
    return Atoms(symbols, positions=10 * np.concatenate(positions))


def _repeated(cell: UnitCell, radius_nm: float, half_height_nm: float) -> Atoms:
    """A cylinder of the repeated cell, its axis along [111], turned into the crystal frame."""
    unit = _unit_cell(cell)
    count = int(np.ceil(np.hypot(radius_nm, half_height_nm) / cell.side_nm)) + 1
    corners = np.array(list(product(range(-count, count), repeat=3)))
    fractional = (corners[:, None, :] + unit.get_scaled_positions()[None, :, :]).reshape(-1, 3)
    positions_nm = cell.side_nm * fractional @ CUBIC_FRAME.T
    symbols = np.tile(np.array(unit.get_chemical_symbols()), len(corners))
    inside = np.hypot(positions_nm[:, 0], positions_nm[:, 1]) <= radius_nm
    inside &= np.abs(positions_nm[:, 2]) <= half_height_nm
    return Atoms(symbols[inside].tolist(), positions=10 * positions_nm[inside])


@lru_cache(maxsize=4)
def _unit_cell(cell: UnitCell) -> Atoms:
    return spacegroup_crystal(
        [element for element, _ in cell.sites],
        basis=[place for _, place in cell.sites],
        spacegroup=cell.space_group,
        setting=2 if cell.space_group == 227 else 1,  # the origin at the centre of symmetry
        cellpar=[10 * cell.side_nm] * 3 + [90, 90, 90],
    )


def direction(material: Material, indices: Sequence[int]) -> Vectors:
    """Unit vector of a direction [uvw] (cubic) or [uvtw] (hexagonal) in the crystal frame."""
    if material.cubic:
        vector = CUBIC_FRAME @ np.asarray(indices, dtype=float)
    else:
        u, v, t, w = indices
        if u + v + t:
            raise ValueError(f"four-index direction {tuple(indices)}: u + v + t is not 0")
        angles = np.deg2rad([0, 120, 240])
        basal = material.row_nm * np.stack([np.cos(angles), np.sin(angles)])
        vector = np.append(basal @ [u, v, t], w * 2 * material.layer_nm)
    return np.asarray(vector / np.linalg.norm(vector))


def plane_normals(material: Material, family: str) -> Vectors:
    """Unit normals (N, 3) of a family of facets, in the crystal frame.

    Families: '111' and '100' of fcc; 'basal', 'prism' and 'pyramid' of wurtzite.
    """
    if family == "111":
        return np.array([direction(material, s) for s in product((1, -1), repeat=3)])
    if family == "100":
        axes = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
        return np.array([s * direction(material, axis) for axis in axes for s in (1, -1)])
    if family == "basal":
        return np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    azimuth = np.deg2rad(np.arange(30, 390, 60))
    prism = np.column_stack([np.cos(azimuth), np.sin(azimuth), np.zeros(6)])
    if family == "prism":
        return prism
    slope = 2 * material.layer_nm / (material.row_nm * np.sqrt(0.75))
    up, down = (prism * slope + [0, 0, sign] for sign in (1, -1))
    pyramids = np.concatenate([up, down])
    return np.asarray(pyramids / np.linalg.norm(pyramids, axis=1, keepdims=True))


def reciprocal_vectors(material: Material, longest_per_nm: float) -> tuple[Vectors, Vectors]:
    """Reflections (N, 3) in nm⁻¹, crystal frame, and their strength |F| over the strongest.

    Kinematical, with the atomic number as scattering factor and a Gaussian fall-off of the
    width of a medium-heavy atom (0.04 nm²), enough to tell strong from absent.
    """
    cell, sites = _cell_and_sites(material)
    inverse = np.linalg.inv(cell).T
    reach = np.ceil(longest_per_nm * np.linalg.norm(cell, axis=1)).astype(int)
    hkl = np.array(list(product(*(range(-n, n + 1) for n in reach))))
    g = hkl @ inverse
    length = np.linalg.norm(g, axis=1)
    g = g[(length > 0) & (length <= longest_per_nm)]
    phase = np.exp(2j * np.pi * g @ sites[:, :3].T)
    strength = np.abs(phase @ sites[:, 3]) * np.exp(-0.04 * np.sum(g**2, axis=1) / 4)
    return g, strength / strength.max()


def _cell_and_sites(material: Material) -> tuple[Vectors, Vectors]:
    """Unit cell (3, 3) in nm, rows are vectors; its atoms: x, y, z in nm and the atomic number."""
    if material.cell is not None:
        unit = _unit_cell(material.cell)
        cell = material.cell.side_nm * CUBIC_FRAME.T
        return cell, np.column_stack([unit.get_scaled_positions() @ cell, unit.numbers])
    cell = np.array(
        [
            [material.row_nm, 0, 0],
            [0.5 * material.row_nm, np.sqrt(0.75) * material.row_nm, 0],
            [0, 0, len(material.period) * material.layer_nm],
        ]
    )
    return cell, _one_site_per_layer(material)


def _one_site_per_layer(material: Material) -> Vectors:
    """Basis of the unit cell: x, y, z in nm and the atomic number."""
    rows, letter = [], 0
    for layer, step in enumerate(material.period):
        x, y = letter * material.row_nm * CLOSE_PACKED_OFFSET
        for element, height in material.basis:
            rows.append([x, y, (layer + height) * material.layer_nm, atomic_numbers[element]])
        letter += step
    return np.array(rows, dtype=float)
