"""A simulated field without a simulation: one disc of lattice on an even background."""

import numpy as np

from analysis.simulation.fields import Field, Particle
from analysis.simulation.grid import CELL_PX, FIELD_PX, MARGIN_PX

CENTRE_PX = (200, 300)
RADIUS_PX = 60


def disc_field(class_name: str = "no_stacking_fault", material: str = "Au") -> Field:
    """A 4.8 nm disc with 0.24 nm fringes, at row 200 and column 300."""
    y, x = np.indices((CELL_PX, CELL_PX)) - MARGIN_PX
    disc = np.hypot(y - CENTRE_PX[0], x - CENTRE_PX[1]) < RADIUS_PX
    wave = np.exp(0.4j * disc * (1 + np.cos(2 * np.pi * x / 6)))
    inner = slice(MARGIN_PX, MARGIN_PX + FIELD_PX)
    particle = Particle(
        label=1,
        class_name=class_name,
        material=material,
        fault="none",
        shape="sphere",
        diameter_nm=2 * RADIUS_PX * 0.04,
        zone="<110>",
        tilt_mrad=0.0,
        rotation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        reflections=2,
        fault_edge_on=False,
        overlapping=False,
        touches_border=False,
    )
    return Field(
        exit_wave=wave.astype(np.complex64),
        mass_thickness=np.zeros((CELL_PX, CELL_PX), np.float16),
        labels=disc[inner, inner].astype(np.uint16),
        overlap=np.zeros((FIELD_PX, FIELD_PX), np.bool_),
        particles=(particle,),
        energy_kev=300.0,
        carbon_thickness_nm=2.0,
        seed=(0, 0),
    )
