import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from schema.border import weights

calipers = arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 500))
sides = st.floats(1, 500)


@given(calipers, sides, sides)
def test_a_particle_stands_for_one_to_four_and_for_more_the_larger_it_is(
    caliper_nm, height_nm, width_nm
):
    found = weights(np.sort(caliper_nm), height_nm, width_nm)
    assert found.min() >= 1
    assert found.max() <= 4
    assert np.all(np.diff(found) >= 0)


@given(st.floats(0, 0.5), sides, sides)
def test_the_centre_of_a_whole_disc_lies_in_the_frame_less_its_radius(share, height_nm, width_nm):
    diameter_nm = share * min(height_nm, width_nm)
    room_nm2 = (height_nm - diameter_nm) * (width_nm - diameter_nm)
    found = weights(np.array([diameter_nm]), height_nm, width_nm)
    assert found == pytest.approx([height_nm * width_nm / room_nm2])


def test_each_particle_has_the_field_it_lies_in():
    height_nm, width_nm = np.array([80.0, 160.0]), np.array([100.0, 40.0])
    assert weights(np.array([20.0, 20.0]), height_nm, width_nm) == pytest.approx([5 / 3, 16 / 7])


def test_whole_ellipses_weighted_have_the_size_of_all_that_were_thrown():
    # Diameters 5 to 30 nm, evenly: 17.5 nm on average; all fit a frame of 80 × 100 nm.
    rng = np.random.default_rng(0)
    diameter_nm, aspect = rng.uniform(5, 30, 60_000), rng.uniform(1, 1.6, 60_000)
    long_nm, short_nm = diameter_nm * np.sqrt(aspect), diameter_nm / np.sqrt(aspect)
    turn = rng.uniform(0, math.pi, 60_000)
    half_y = np.hypot(long_nm * np.sin(turn), short_nm * np.cos(turn)) / 2
    half_x = np.hypot(long_nm * np.cos(turn), short_nm * np.sin(turn)) / 2
    # The specimen reaches 40 nm beyond the frame, further than half of any particle.
    y, x = rng.uniform(-40, 120, 60_000), rng.uniform(-40, 140, 60_000)
    whole = (y >= half_y) & (y <= 80 - half_y) & (x >= half_x) & (x <= 100 - half_x)
    size_nm, caliper_nm = diameter_nm[whole], ((long_nm + short_nm) / 2)[whole]

    counted = weights(caliper_nm, 80.0, 100.0)
    weighted_nm = np.average(size_nm, weights=counted)
    error_nm = np.sqrt(np.sum((counted * (size_nm - weighted_nm)) ** 2)) / counted.sum()
    assert abs(weighted_nm - 17.5) < 3 * error_nm
    assert size_nm.mean() < 17.5 - 8 * error_nm
    # Their number is that of the centres in the frame, a share 80·100 / (160·180) of all.
    due = 60_000 * 80 * 100 / (160 * 180)
    number_error = np.sqrt(np.sum(counted**2))
    assert abs(counted.sum() - due) < 3 * number_error
    assert whole.sum() < due - 8 * number_error
