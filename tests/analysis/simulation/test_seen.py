"""A reflection counts where the picture carries it above carbon and noise."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.simulation.camera import Exposure
from analysis.simulation.crystals import GOLD, direction
from analysis.simulation.grid import FIELD_PX
from analysis.simulation.particles import along_beam
from analysis.simulation.seen import Seeing
from analysis.simulation.visibility import WAVELENGTH_300_KV_NM, excited_reflections
from tests.analysis.training.fields import CENTRE_PX, RADIUS_PX, disc_field

PIXEL_SIZE_NM = 0.04
DIAMETER_NM = 2 * RADIUS_PX * PIXEL_SIZE_NM
ON_110 = along_beam(direction(GOLD, (-1, 1, 0)), 0, np.random.default_rng(3))
Y_NM, X_NM = PIXEL_SIZE_NM * np.indices((FIELD_PX, FIELD_PX))
PARTICLE = replace(
    disc_field().particles[0],
    rotation=tuple(float(v) for v in ON_110.ravel()),
    diameter_nm=DIAMETER_NM,
)
LABELS = disc_field().labels
WELL_LIT = Exposure(dose_e_per_a2=2000, counting=True, mtf_at_nyquist=0.8)


def picture(contrasts, carbon=0.02):
    """Fringes of gold on <110>, one contrast for each set of planes, on speckled carbon."""
    rng = np.random.default_rng(4)
    level = 1 + carbon * rng.standard_normal((FIELD_PX, FIELD_PX))
    planes = excited_reflections("Au", DIAMETER_NM, ON_110, WAVELENGTH_300_KV_NM)
    half = planes[(planes[:, 0] > 0)]
    order = half[np.argsort(np.hypot(*half.T))]
    for (gx, gy), contrast in zip(order, contrasts, strict=False):
        level += (LABELS > 0) * contrast * np.cos(2 * np.pi * (gx * X_NM + gy * Y_NM))
    return level.astype(np.float32)


def seen(contrasts, exposure=WELL_LIT, **particle):
    seeing = Seeing(picture(contrasts), LABELS, exposure, 300.0)
    return seeing.directions_seen(replace(PARTICLE, **particle))


@pytest.mark.parametrize(
    ("contrasts", "directions"),
    [((), 0), ((0.2,), 1), ((0.2, 0.2), 2), ((0.2, 0.2, 0.2), 3), ((0.2, 0.002), 1)],
)
def test_planes_count_where_they_are_in_the_picture(contrasts, directions):
    assert seen(contrasts) == directions


def test_planes_that_the_crystal_does_not_have_there_are_not_counted():
    turned = along_beam(direction(GOLD, (6, 4, 1)), 0, np.random.default_rng(5))
    assert seen((0.3, 0.3), rotation=tuple(turned.ravel())) == 0


def test_a_dose_too_low_hides_what_a_higher_one_shows():
    assert seen((0.03, 0.03)) == 2
    assert seen((0.03, 0.03), replace(WELL_LIT, dose_e_per_a2=20.0)) == 0


def test_a_drift_across_the_planes_hides_them():
    moved = [
        seen((0.05,) * 3, replace(WELL_LIT, drift_nm=0.24, drift_angle_rad=angle))
        for angle in np.linspace(0, np.pi, 6)
    ]
    assert min(moved) < 3


def test_a_detector_that_blurs_before_it_counts_hides_fine_planes():
    blurred = replace(WELL_LIT, mtf_at_nyquist=0.02, dose_e_per_a2=60.0)
    assert seen((0.05, 0.05), blurred) < seen((0.05, 0.05), replace(blurred, mtf_at_nyquist=1.0))


def test_planes_finer_than_two_pixels_are_never_seen():
    coarse = replace(WELL_LIT, pixel_size_nm=0.16)
    small = np.ascontiguousarray(picture((0.3,) * 4)[::4, ::4])
    seeing = Seeing(small, np.ascontiguousarray(LABELS[::4, ::4]), coarse, 300.0)
    assert seeing.directions_seen(PARTICLE) == 0


def test_a_particle_that_is_not_in_the_picture_shows_nothing():
    assert seen((0.3, 0.3), label=7) == 0
    assert CENTRE_PX[0] < FIELD_PX
