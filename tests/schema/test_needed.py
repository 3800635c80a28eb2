import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.distribution import NOTHING, Estimate
from schema.needed import Needed, needed

HALF = Estimate(value=0.5, low=0.375, high=0.625)  # ± 0.125, exact in binary


def test_half_the_width_takes_four_times_the_particles():
    found = needed(HALF, 100, 0.0625, relative=False, per_minute=None)
    assert found == Needed(within=0.0625, reached=0.125, particles=300)


def test_the_width_wanted_is_a_share_of_the_figure_or_a_difference():
    # ± 0.125 of 0.5 is a quarter of it: four times as wide as a sixteenth, twice as an eighth.
    share = needed(HALF, 100, 0.0625, relative=True, per_minute=None)
    assert (share.reached, share.particles) == (0.25, 1500)
    ten_times = Estimate(value=5.0, low=3.75, high=6.25)
    assert needed(ten_times, 100, 0.0625, relative=True, per_minute=None) == share


def test_enough_is_enough():
    found = needed(HALF, 100, 0.125, relative=False, per_minute=10)
    assert (found.particles, found.minutes) == (0, 0)
    assert needed(HALF, 100, 0.2, relative=False, per_minute=10).particles == 0


def test_the_longer_side_of_an_interval_is_the_one_to_narrow():
    for low, high in ((0.375, 0.53125), (0.46875, 0.625)):
        lopsided = Estimate(value=0.5, low=low, high=high)
        assert needed(lopsided, 100, 0.0625, relative=False, per_minute=None).particles == 300


@given(st.floats(0.1, 100), st.floats(1e-3, 0.5), st.integers(1, 10_000), st.floats(1e-3, 0.5))
def test_with_so_many_more_the_interval_is_as_wanted_and_with_one_less_it_is_not(
    value, half, count, within
):
    estimate = Estimate(value=value, low=value * (1 - half), high=value * (1 + half))
    found = needed(estimate, count, within, relative=True, per_minute=None)
    assert found.reached == pytest.approx(half)
    assert found.reached * math.sqrt(count / (count + found.particles)) <= within * (1 + 1e-9)
    if found.particles:
        one_less = count + found.particles - 1
        assert found.reached * math.sqrt(count / one_less) > within * (1 - 1e-9)


def test_minutes_follow_from_the_rate():
    def minutes(per_minute):
        return needed(HALF, 100, 0.0625, relative=False, per_minute=per_minute).minutes

    assert minutes(20.0) == 15
    assert minutes(None) is None
    assert minutes(0.0) is None


@pytest.mark.parametrize("estimate", [NOTHING, Estimate(value=0.5)])
def test_without_an_interval_nothing_can_be_said(estimate):
    found = needed(estimate, 100, 0.05, relative=False, per_minute=20.0)
    assert found == Needed(within=0.05, reason="no interval yet")


def test_a_share_of_zero_is_no_aim():
    found = needed(Estimate(value=0.0, low=0.0, high=0.1), 10, 0.02, relative=True, per_minute=None)
    assert found.particles is None
    assert found.reason == "no share of zero"
