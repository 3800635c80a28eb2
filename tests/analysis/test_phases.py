"""The phase of a lattice runs through a whole crystal and steps at a fault."""

import math

import numpy as np
import pytest

from analysis.phases import PHASE_FEATURE_NAMES, grid_points, phase_features
from tests.analysis.gratings import disc_of, places_nm, seen, wave, white_noise

approx = pytest.approx
SIZE_NM = 0.04
Y, X = places_nm(SIZE_NM, 8.0)
DISC = disc_of(Y, X, 5.0)
THIRD = 2 * math.pi / 3
ANGLE_RAD = 0.3
ACROSS = X * math.cos(ANGLE_RAD) + Y * math.sin(ANGLE_RAD)


def lattice(phase_rad=0.0, rotation_rad: float = 0.0, amplitude: float = 5.0) -> np.ndarray:
    return amplitude * sum(
        wave(Y, X, 4.0, ANGLE_RAD + rotation_rad + n * math.pi / 3, phase_rad) for n in (0, 1)
    )


def median(picture: np.ndarray, name: str, mask: np.ndarray = DISC) -> float:
    """Over seven draws of the noise."""
    found = []
    for seed in range(7):
        values = phase_features(
            seen(picture + white_noise(X.shape, SIZE_NM, seed), mask, SIZE_NM), mask
        )
        assert tuple(values) == PHASE_FEATURE_NAMES
        found.append(values[name])
    return float(np.median(found))


def test_a_whole_crystal_gains_nothing_by_a_split():
    assert median(lattice(), "split_gain") < 1
    assert median(lattice(), "split_misfit") < 2
    assert median(lattice(), "domain_asymmetry") < 0.3
    assert median(lattice(), "phase_step_mean_rad") < 0.15


@pytest.mark.parametrize("place_nm", [-0.8, 0.0, 0.6])
@pytest.mark.parametrize("step_rad", [THIRD, -THIRD])
def test_a_stacking_fault_is_a_step_by_a_third_of_a_turn(place_nm, step_rad):
    """A partial vector R = 1/6⟨112⟩ has g·R = ±1/3: the phase steps by ±2π/3 along a line.

    The split of the reflection takes up to half a radian of the step.
    """
    faulted = lattice(np.where(place_nm < ACROSS, step_rad, 0.0))
    assert median(faulted, "split_step_rad") == approx(THIRD, abs=0.7)
    assert median(faulted, "split_phase") == approx(3 / 4, abs=0.2)
    assert median(faulted, "split_gain") > 20
    assert median(faulted, "split_contrast") > 2


def test_half_a_turn_is_a_step_of_pi():
    faulted = lattice(np.where(ACROSS > 0.2, math.pi, 0.0))
    assert median(faulted, "split_step_rad") == approx(math.pi, abs=0.3)
    assert median(faulted, "split_phase") == approx(1, abs=0.2)


def test_a_fault_is_a_fault_at_any_pixel_size():
    gains = []
    for size_nm in (0.02, 0.05):
        y, x = places_nm(size_nm, 8.0)
        mask = disc_of(y, x, 5.0)
        whole, faulted = (6 * wave(y, x, 4.0, 0.0, np.where(x > 0.1, at, 0.0)) for at in (0, THIRD))
        noise = white_noise(x.shape, size_nm, 1)
        gains.append(
            [
                phase_features(seen(picture + noise, mask, size_nm), mask)["split_gain"]
                for picture in (whole, faulted)
            ]
        )
    for whole_gain, faulted_gain in gains:
        assert whole_gain < 5
        assert faulted_gain > 20


def test_two_crystals_side_by_side_lie_on_two_sides_of_a_line():
    two = np.where(X > 0, lattice(), lattice(rotation_rad=0.4))
    assert median(two, "domain_asymmetry") > 0.6
    assert median(two, "split_misfit") > 3
    assert median(two, "reflection_cover") < 0.6


def test_a_crystal_over_half_of_the_region_covers_half_of_it():
    half = np.where(X > 0, lattice(amplitude=15.0), 0.0)
    assert median(lattice(amplitude=15.0), "reflection_cover") > 0.9
    # The mask round a reflection smears 0.8 nm over the edge.
    assert median(half, "reflection_cover") == approx(0.5, abs=0.2)
    assert median(half, "amplitude_spread") > 2 * median(
        lattice(amplitude=15.0), "amplitude_spread"
    )


def test_noise_has_no_phase_that_runs_through():
    assert median(0 * X, "lattice_cover") < 0.3
    assert median(0 * X, "phase_step_98_rad") > 3 * median(lattice(), "phase_step_98_rad")


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(np.hypot(Y, X) < 0.05, id="a few pixels"),
        pytest.param(np.abs(Y - X) < 0.02, id="a thread of one pixel"),
        pytest.param(np.indices(X.shape).sum(axis=0) % 2 == 0, id="a chequerboard"),
    ],
)
def test_where_nothing_can_be_said_is_zero_or_finite(mask):
    found = seen(lattice() + white_noise(X.shape, SIZE_NM, 1), mask, SIZE_NM)
    values = phase_features(found, mask)
    assert all(math.isfinite(value) for value in values.values())
    if np.count_nonzero(mask) < 300:
        assert values == dict.fromkeys(PHASE_FEATURE_NAMES, 0.0)


def test_a_region_without_contrast_is_zero():
    assert phase_features(seen(0 * X, DISC, SIZE_NM), DISC) == dict.fromkeys(
        PHASE_FEATURE_NAMES, 0.0
    )


def test_the_grid_lies_in_the_middle_of_the_region():
    mask = np.zeros((100, 80), np.bool_)
    mask[20:61, 10:41] = True
    points = grid_points(mask, 0.04, 0.3)
    assert points.inside.all()
    assert points.y_nm.mean() == approx(40 * 0.04)
    assert points.x_nm.mean() == approx(25 * 0.04)
    assert np.diff(points.x_nm) == approx(0.3)
    assert len(points.y_nm) == 1 + math.floor(40 * 0.04 / 0.3)
