"""Particles cut from layered crystals and turned until they show what they are meant to show.

The beam runs along +z of the field; the field's x points right and y down in the picture.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from analysis.simulation.crystals import MATERIALS, Material, Vectors, block, direction, stack
from analysis.simulation.shapes import draw_shape
from analysis.simulation.visibility import (
    edge_on_tolerance_rad,
    fault_edge_on,
    row_tilt_rad,
    transferred_reflections,
    visible_class,
)

CUBIC_ZONES: dict[str, tuple[int, ...]] = {
    "<110>": (-1, 1, 0),
    "<100>": (1, 0, 0),
    "<112>": (-1, -1, 2),
    "<111>": (1, 1, 1),
}
HEXAGONAL_ZONES: dict[str, tuple[int, ...]] = {
    "<11-20>": (1, 1, -2, 0),
    "<1-100>": (1, -1, 0, 0),
    "[0001]": (0, 0, 0, 1),
}
"""Low-index zones; in most of them at least two non-collinear strong reflections."""

OFF_AXIS_RAD = (np.deg2rad(2), np.deg2rad(7))
"""Tilts near a zone that are neither on axis nor random."""

OFF_AXIS_SHARE = 0.3
CHANCE_FAULT = 0.25
"""Share of particles with a fault among those not meant to show one."""


@dataclass(frozen=True, kw_only=True)
class ParticlePlan:
    """What to build: `intention` is stacking_fault, no_stacking_fault or misoriented.

    A material without faults cannot show one; it is then built like no_stacking_fault.
    """

    material: str
    intention: str
    diameter_nm: float


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """How a crystal lies to the beam, and what that shows of it.

    `rotation` (3, 3) takes the crystal frame to the field. `faulted`: the crystal has a fault;
    `fault_visible`: and it is edge-on. `honest` is False where a fault is tilted too far to be
    seen and too little to be hidden.
    """

    zone: str
    tilt_rad: float
    rotation: Vectors
    reflections: int
    faulted: bool
    fault_visible: bool
    honest: bool

    def shows(self, intention: str) -> bool:
        """Whether an unobstructed particle in this orientation is of the class intended."""
        return self.honest and visible_class(self.reflections, self.fault_visible) == intention


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """One particle, turned but not yet placed; its middle is the origin, lengths in nm.

    `positions_nm`: (N, 3) x, y, z. `fault_nm`: (M, 3) atoms of the two layers at the fault, empty
    without one.
    """

    material: Material
    shape: str
    fault: str
    orientation: Orientation
    symbols: NDArray[np.str_]
    positions_nm: Vectors
    fault_nm: Vectors

    @property
    def radius_nm(self) -> float:
        """Radius of the smallest disc about the origin that holds all projected atoms."""
        return float(np.hypot(self.positions_nm[:, 0], self.positions_nm[:, 1]).max())

    @property
    def fault_visible(self) -> bool:
        """Whether the particle contains an edge-on fault."""
        return self.orientation.fault_visible and len(self.fault_nm) > 0


def build(plan: ParticlePlan, rng: np.random.Generator, attempts: int = 60) -> Specimen:
    """A particle that looks as intended; after `attempts` draws whatever came last.

    Small particles have broad reflections: a misoriented one of 2 nm may not be found.
    """
    if plan.intention == "stacking_fault" and not MATERIALS[plan.material].faults:
        plan = replace(plan, intention="no_stacking_fault")
    orientation = draw_orientation(plan, rng)
    for _ in range(attempts - 1):
        if orientation.shows(plan.intention):
            break
        orientation = draw_orientation(plan, rng)
    return _cut(plan, orientation, rng)


def draw_orientation(plan: ParticlePlan, rng: np.random.Generator) -> Orientation:
    """An orientation fit for the intention, not yet sure to show it."""
    zone, rotation, tilt_rad = _turn(plan, rng)
    reflections = transferred_reflections(plan.material, plan.diameter_nm, rotation)
    wanted = plan.intention == "stacking_fault"
    faultless = not MATERIALS[plan.material].faults
    faulted = not faultless and (wanted or rng.random() < CHANCE_FAULT)
    hidden = row_tilt_rad(rotation) >= 3 * edge_on_tolerance_rad(plan.material, plan.diameter_nm)
    return Orientation(
        zone=zone,
        tilt_rad=tilt_rad,
        rotation=rotation,
        reflections=reflections,
        faulted=faulted,
        fault_visible=faulted and fault_edge_on(plan.material, plan.diameter_nm, rotation),
        honest=wanted or hidden or not faulted,
    )


def zones_of(material: Material) -> tuple[str, dict[str, tuple[int, ...]]]:
    """The zone that shows faults edge-on, and all low-index zones of the material."""
    if material.cubic:
        return "<110>", CUBIC_ZONES
    return "<11-20>", HEXAGONAL_ZONES


def _turn(plan: ParticlePlan, rng: np.random.Generator) -> tuple[str, Vectors, float]:
    """Zone, rotation and tilt: anything where misoriented, else near a zone axis."""
    material = MATERIALS[plan.material]
    zone, zones = zones_of(material)
    off_axis = rng.random() < OFF_AXIS_SHARE
    if plan.intention == "misoriented" and not off_axis:
        return "random", Rotation.random(random_state=rng).as_matrix(), 0.0
    if plan.intention != "stacking_fault" and rng.random() < 0.55:
        zone = str(rng.choice(sorted(zones)))
    tilt_rad = edge_on_tolerance_rad(plan.material, plan.diameter_nm) * rng.random()
    if plan.intention != "stacking_fault" and off_axis:
        tilt_rad = rng.uniform(*OFF_AXIS_RAD)
    axis = direction(material, zones[zone])
    return zone, along_beam(axis, tilt_rad, rng), tilt_rad


def along_beam(axis: Vectors, tilt_rad: float, rng: np.random.Generator) -> Vectors:
    """Rotation that turns `axis` to `tilt_rad` from the beam, at a random azimuth."""
    aligned, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [axis])
    spin = Rotation.from_rotvec([0, 0, rng.uniform(0, 2 * np.pi)])
    azimuth = rng.uniform(0, 2 * np.pi)
    tilt = Rotation.from_rotvec(tilt_rad * np.array([np.cos(azimuth), np.sin(azimuth), 0.0]))
    return np.asarray((tilt * spin * aligned).as_matrix())


def _cut(plan: ParticlePlan, orientation: Orientation, rng: np.random.Generator) -> Specimen:
    """Cut a shape out of the crystal, its middle at random within a cell, then turn it."""
    material = MATERIALS[plan.material]
    shape = draw_shape(material, plan.diameter_nm / 2, rng)
    layers = int(np.ceil(2 * shape.reach_nm / material.layer_nm)) + 4
    offset = round(rng.uniform(-0.25, 0.25) * plan.diameter_nm / material.layer_nm)
    fault = str(rng.choice(sorted(material.faults))) if orientation.faulted else "none"
    crystal = stack(material, layers, fault, layers // 2 + offset if orientation.faulted else None)
    atoms = block(crystal, shape.reach_nm + material.row_nm)
    shift_nm = rng.uniform(-0.5, 0.5, 3) * [material.row_nm, material.row_nm, material.layer_nm]
    shifted_nm = atoms.positions / 10 + shift_nm
    kept = shape.inside(shifted_nm)
    crystal_nm = shifted_nm[kept]
    fault_nm = np.empty((0, 3))
    if crystal.fault_height_nm is not None:
        height_nm = crystal.fault_height_nm - 0.5 * (crystal.layers - 1) * material.layer_nm
        near = np.abs(crystal_nm[:, 2] - shift_nm[2] - height_nm) < material.layer_nm
        fault_nm = crystal_nm[near] @ orientation.rotation.T
    return Specimen(
        material=material,
        shape=shape.name,
        fault=fault,
        orientation=orientation,
        symbols=np.array(atoms.symbols)[kept],
        positions_nm=crystal_nm @ orientation.rotation.T,
        fault_nm=fault_nm,
    )
