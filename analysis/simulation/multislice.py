"""Exit waves: a plane wave through carbon and particles, by abTEM's multislice.

Infinite projection, slices of 0.25 nm, one thermal configuration (Madsen and Susi 2021). FFT plans
are estimated, not measured, so that a seed gives the same bits every time.
"""

import math
from collections.abc import Mapping
from typing import Any

import abtem
import cv2
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from analysis.simulation.carbon import CARBON_DISPLACEMENT_NM
from analysis.simulation.grid import CELL_NM, CELL_PX, PIXEL_SIZE_NM
from analysis.simulation.placement import Placed

SLICE_NM = 0.25
SCATTERING_EXPONENT = 1.3
SCATTERING_BLUR_NM = 0.15


def specimen_atoms(
    placed: list[Placed], carbon_nm: NDArray[np.float64], rng: np.random.Generator
) -> Atoms:
    """All atoms inside the cell, each at a thermal displacement; positions in Å."""
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
    return Atoms(
        kept.tolist(), positions=10 * positions_nm, cell=10 * np.array([CELL_NM, CELL_NM, depth_nm])
    )


def mass_thickness(atoms: Atoms) -> NDArray[np.float16]:
    """Projected scattering power (576, 576), Σ Z^1.3 per nm² in thousands; rows are y.

    What elastic multislice on a finite band leaves out, scattering beyond the band and loss of
    energy, darkens in proportion to it: 17 for 1 nm of gold, 0.9 for 1 nm of carbon.
    """
    power = atoms.numbers**SCATTERING_EXPONENT / 1000
    cells = np.floor(atoms.positions[:, 1::-1] / 10 / PIXEL_SIZE_NM).astype(int)
    flat = np.bincount(cells[:, 0] * CELL_PX + cells[:, 1], power, CELL_PX**2)
    projected = (flat.reshape(CELL_PX, CELL_PX) / PIXEL_SIZE_NM**2).astype(np.float32)
    smooth = cv2.GaussianBlur(projected, (0, 0), SCATTERING_BLUR_NM / PIXEL_SIZE_NM)
    return np.asarray(smooth, np.float16)


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
