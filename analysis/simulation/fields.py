"""Simulate one field: particles on amorphous carbon, their exit wave and their exact truth.

The wave is computed on a periodic cell of 576² pixels of 0.04 nm; the truth, and every picture made
from the wave, is its central 512². Atoms beyond the cell are left out, so nothing wraps round.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.simulation.carbon import draw_film, film_atoms_nm
from analysis.simulation.grid import CELL_NM, PIXEL_SIZE_NM
from analysis.simulation.multislice import exit_wave
from analysis.simulation.placement import FieldPlan, populate
from analysis.simulation.truth import Particle, describe


@dataclass(frozen=True, kw_only=True)
class Field:
    """One simulated field.

    `exit_wave`: (576, 576) complex64, vacuum amplitude 1. `labels`: (512, 512) uint16, 0 is carbon;
    where particles overlap, the one nearer the beam exit.
    """

    exit_wave: NDArray[np.complex64]
    labels: NDArray[np.uint16]
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
    energy_kev = 300.0 if rng.random() < 0.8 else 200.0
    film = draw_film(plan.carbon_nm, plan.ramp_fraction, CELL_NM, rng)
    placed = populate(plan, film, rng)
    labels, particles = describe(placed)
    wave = exit_wave(placed, film_atoms_nm(film, rng), energy_kev, rng)
    return Field(
        exit_wave=wave,
        labels=labels,
        particles=particles,
        energy_kev=energy_kev,
        carbon_thickness_nm=film.thickness_nm,
        seed=seed,
    )
