"""Simulate one field: particles on amorphous carbon, their exit wave and their exact truth.

The wave is computed on a periodic cell of 576² pixels of 0.04 nm; the truth, and every picture made
from the wave, is its central 512². Atoms beyond the cell are left out, so nothing wraps round.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.simulation.carbon import draw_film, film_atoms_nm
from analysis.simulation.grid import CELL_NM, PIXEL_SIZE_NM
from analysis.simulation.multislice import mass_thickness, multislice, specimen_atoms
from analysis.simulation.placement import FieldPlan, populate
from analysis.simulation.truth import Particle, describe

ENERGIES_KEV = (300.0, 200.0, 80.0)
ENERGY_SHARES = (0.6, 0.3, 0.1)


@dataclass(frozen=True, kw_only=True)
class Field:
    """One simulated field.

    `exit_wave`: (576, 576) complex64, vacuum amplitude 1. `mass_thickness`: (576, 576) float16,
    see `multislice.mass_thickness`. `labels`: (512, 512) uint16 instances, 0 is carbon; where
    particles touch, a shared pixel belongs to the one nearer the beam exit. Particles that
    truly overlap share one label; `overlap`: (512, 512), where such particles lie over each other.
    """

    exit_wave: NDArray[np.complex64]
    mass_thickness: NDArray[np.float16]
    labels: NDArray[np.uint16]
    overlap: NDArray[np.bool_]
    particles: tuple[Particle, ...]
    energy_kev: float
    carbon_thickness_nm: float
    seed: tuple[int, int]

    @property
    def pixel_size_nm(self) -> float:
        """Side of a pixel of the wave and of the labels, in nm."""
        return PIXEL_SIZE_NM


def simulate_field(seed: tuple[int, int], plan: FieldPlan | None = None) -> Field:
    """The field of a seed; the same seed and plan give the same field."""
    plan = FieldPlan() if plan is None else plan
    rng = np.random.default_rng(seed)
    energy_kev = float(rng.choice(ENERGIES_KEV, p=ENERGY_SHARES))
    film = draw_film(plan.film, CELL_NM, rng)
    placed = populate(plan, film, rng)
    labels, overlap, particles = describe(placed)
    atoms = specimen_atoms(placed, film_atoms_nm(film, rng), rng)
    return Field(
        exit_wave=multislice(atoms, energy_kev),
        mass_thickness=mass_thickness(atoms),
        labels=labels,
        overlap=overlap,
        particles=particles,
        energy_kev=energy_kev,
        carbon_thickness_nm=film.thickness_nm,
        seed=seed,
    )
