"""Exit waves: a plane wave through carbon and particles, by abTEM's multislice.

Infinite projection, slices of 0.25 nm, one thermal configuration (Madsen and Susi 2021). FFT plans
are estimated, not measured, so that a seed gives the same bits every time.
"""

import math
from collections.abc import Mapping
from typing import Any

import abtem
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from analysis.simulation.carbon import CARBON_DISPLACEMENT_NM
from analysis.simulation.grid import CELL_NM, CELL_PX
from analysis.simulation.placement import Placed

SLICE_NM = 0.25


def exit_wave(
    placed: list[Placed],
    carbon_nm: NDArray[np.float64],
    energy_kev: float,
    rng: np.random.Generator,
) -> NDArray[np.complex64]:
    """Exit wave (576, 576) of a plane wave through carbon and particles, normal incidence."""
    symbols: list[str] = ["C"] * len(carbon_nm)
    parts = [carbon_nm + CARBON_DISPLACEMENT_NM * rng.standard_normal(carbon_nm.shape)]
    for place in placed:
        shaken = rng.standard_normal(place.positions_nm.shape)
        parts.append(place.positions_nm + place.specimen.material.displacement_nm * shaken)
        symbols += place.specimen.symbols.tolist()
    positions_nm = np.concatenate(parts)
    inside = ((positions_nm[:, :2] >= 0) & (positions_nm[:, :2] < CELL_NM)).all(axis=1)
    positions_nm, kept = positions_nm[inside], np.array(symbols)[inside]
    positions_nm[:, 2] += 0.1 - positions_nm[:, 2].min()
    depth_nm = SLICE_NM * math.ceil((positions_nm[:, 2].max() + 0.1) / SLICE_NM)
    atoms = Atoms(
        kept.tolist(), positions=10 * positions_nm, cell=10 * np.array([CELL_NM, CELL_NM, depth_nm])
    )
    return multislice(atoms, energy_kev)


def multislice(atoms: Atoms, energy_kev: float) -> NDArray[np.complex64]:
    """Multislice by abTEM on one thread; transposed, so that rows are y."""
    settings: Mapping[str, object] = {
        "device": "cpu",
        "fft": "fftw",
        "fftw.threads": 1,
        "fftw.planning_effort": "FFTW_ESTIMATE",
        "diagnostics.progress_bar": False,
        "dask.lazy": False,
    }
    with abtem.config.set(settings):
        potential = abtem.Potential(
            atoms,
            gpts=CELL_PX,
            slice_thickness=10 * SLICE_NM,
            projection="infinite",
            parametrization="lobato",
        )
        wave: Any = abtem.PlaneWave(energy=1e3 * energy_kev).multislice(potential)
        return np.ascontiguousarray(np.asarray(wave.array).T, dtype=np.complex64)
