"""What of a particle can be seen in one picture: the reflections that rise above carbon and noise.

A label is what is visible. Where the Ewald sphere cuts the crystal's reflections is known; whether
lens, pixel and dose carry them is measured: the power of each expected reflection in the noise-free
picture, against that of the carbon around and of the noise this exposure will add.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from analysis.simulation.camera import Exposure, drifted
from analysis.simulation.optics import wavelength_nm
from analysis.simulation.truth import Particle
from analysis.simulation.visibility import directions, excited_reflections
from analysis.spectrum import bin_centres_per_nm, radial_power

LEAST_POWER_RATIO = 12.0
"""Of a reflection over carbon and noise; a single random peak reaches it once in 160,000."""

CARBON_GAP_NM = 0.6
SOFT_EDGE_NM = 0.15
SMALLEST_CARBON_NM2 = 10.0


class Seeing:
    """The picture of a field and the power of everything in it that is no crystal.

    Args:
        picture: (h, w) float32 without noise, 1 behind vacuum.
        labels: (h, w) integer instances, 0 is carbon.
        exposure: of the same pixel size.
        energy_kev: of the beam.
    """

    def __init__(
        self,
        picture: NDArray[np.float32],
        labels: NDArray[np.uint16],
        exposure: Exposure,
        energy_kev: float,
    ) -> None:
        self._picture = drifted(picture, exposure)
        self._labels = labels
        self._exposure = exposure
        self._wavelength_nm = wavelength_nm(energy_kev)
        self._centres_per_nm = bin_centres_per_nm(exposure.pixel_size_nm)
        self._carbon = self._carbon_power()

    def directions_seen(self, particle: Particle) -> int:
        """Number of non-parallel directions among the reflections of a particle that are seen.

        Args:
            particle: alone under its label; of overlapping ones nothing can be said apart.
        """
        rotation = np.array(particle.rotation).reshape(3, 3)
        expected = excited_reflections(
            particle.material, particle.diameter_nm, rotation, self._wavelength_nm
        )
        nyquist_per_nm = 0.5 / self._exposure.pixel_size_nm
        reachable = expected[np.hypot(*expected.T) < 0.95 * nyquist_per_nm]
        if not len(reachable):
            return 0
        box, weight = self._window(particle.label)
        if not weight.any():
            return 0
        power = self._power(box, weight, reachable, 0.5 / particle.diameter_nm)
        floor = self._floor(np.hypot(*reachable.T))
        return directions(reachable[power >= LEAST_POWER_RATIO * floor])

    def _carbon_power(self) -> NDArray[np.float64]:
        """Radial power of the carbon, nm²; zero where there is hardly any."""
        gap_px = CARBON_GAP_NM / self._exposure.pixel_size_nm
        distance_px = ndimage.distance_transform_edt(self._labels == 0)
        weight = np.clip((distance_px - gap_px) / gap_px, 0, 1).astype(np.float32)
        area_nm2 = float(weight.sum()) * self._exposure.pixel_size_nm**2
        if area_nm2 < SMALLEST_CARBON_NM2:
            return np.zeros_like(self._centres_per_nm)
        return radial_power(self._picture, weight, self._exposure.pixel_size_nm)

    def _floor(self, q_per_nm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Power of carbon and noise at these frequencies, seen through the detector, in nm²."""
        exposure = self._exposure
        shot, readout = (v * exposure.pixel_size_nm**2 for v in exposure.relative_noise())
        nyquist_per_nm = 0.5 / exposure.pixel_size_nm
        mtf = 1 / (1 + (1 / exposure.mtf_at_nyquist - 1) * (q_per_nm / nyquist_per_nm) ** 2)
        carbon = np.interp(q_per_nm, self._centres_per_nm, self._carbon)
        return carbon + (shot / mtf**2 if exposure.counting else shot) + readout / mtf**2

    def _window(self, label: int) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
        """The box of an instance and a weight (h, w) that falls to 0 at its outline."""
        rows, columns = np.nonzero(self._labels == label)
        if not rows.size:
            return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), np.float32)
        box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        inside = np.pad(self._labels[box] == label, 1)
        depth_px = ndimage.distance_transform_edt(inside)[1:-1, 1:-1]
        soft_px = max(1.0, SOFT_EDGE_NM / self._exposure.pixel_size_nm)
        return box, np.clip(depth_px / soft_px, 0, 1).astype(np.float32)

    def _power(
        self,
        box: tuple[slice, slice],
        weight: NDArray[np.float32],
        reflections: NDArray[np.float64],
        reach_per_nm: float,
    ) -> NDArray[np.float64]:
        """Largest power (N,) within a little of each reflection (N, 2), nm², as `radial_power`."""
        crop = self._picture[box].astype(np.float64)
        reduced = weight * (crop - np.average(crop, weights=weight))
        area = float(np.square(weight, dtype=np.float64).sum())
        y_nm, x_nm = (self._exposure.pixel_size_nm * np.arange(n) for n in crop.shape)
        around = reach_per_nm * np.array([-1.0, 0.0, 1.0])
        strongest = np.empty(len(reflections))
        for index, (gx, gy) in enumerate(reflections):
            rows = np.exp(-2j * math.pi * np.outer(gy + around, y_nm))
            columns = np.exp(-2j * math.pi * np.outer(x_nm, gx + around))
            strongest[index] = np.max(np.abs(rows @ reduced @ columns) ** 2)
        return strongest * self._exposure.pixel_size_nm**2 / area
