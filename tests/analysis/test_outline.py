"""Outlines and shades of bodies whose geometry is known."""

import math

import numpy as np
import pytest

from analysis.outline import (
    OUTLINE_FEATURE_NAMES,
    SHADE_FEATURE_NAMES,
    outline_features,
    shade_features,
)
from tests.analysis.shapes import disc, ellipse, rectangle

approx = pytest.approx


@pytest.mark.parametrize("radius_px", [6, 20, 90])
def test_a_disc_has_no_dent_and_fills_its_hull(radius_px):
    values = outline_features(disc((200, 200), (99.5, 99.5), radius_px) > 0)
    assert tuple(values) == OUTLINE_FEATURE_NAMES
    assert values["dent_depth"] < 1 / radius_px  # half a pixel of the diameter
    assert values["inscribed_ratio"] == approx(1, abs=0.03 + 1 / radius_px)
    assert values["hull_excess"] == approx(0, abs=1 / radius_px)


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("angle_rad", [0.0, 0.5])
def test_the_inscribed_disc_of_a_rectangle_is_as_wide_as_it(scale, angle_rad):
    body = rectangle((330, 330), (164.5, 164.5), (90 * scale, 30 * scale), angle_rad) > 0
    values = outline_features(body)
    assert values["inscribed_ratio"] == approx(30 / math.sqrt(4 / math.pi * 90 * 30), rel=0.05)
    assert values["hull_excess"] == approx(0, abs=0.03)
    assert values["dent_depth"] < 0.02


def test_two_discs_that_overlap_have_a_dent_between_them():
    """R = 40, centres 60 apart: they meet 26.5 from the axis, so the dent is 13.5 px deep."""
    both = (disc((120, 180), (60, 60), 40) | disc((120, 180), (60, 120), 40)) > 0
    values = outline_features(both)
    diameter_px = 2 * math.sqrt(both.sum() / math.pi)
    assert values["dent_depth"] == approx((40 - math.sqrt(40**2 - 30**2)) / diameter_px, rel=0.1)
    hull_px2 = math.pi * 40**2 + 80 * 60
    assert values["hull_excess"] == approx(hull_px2 / both.sum() - 1, abs=0.02)
    assert values["inscribed_ratio"] == approx(80 / diameter_px, rel=0.03)


def test_a_hole_is_no_dent():
    ring = disc((100, 100), (50, 50), 40) & (disc((100, 100), (50, 50), 20) == 0)
    assert outline_features(ring > 0)["dent_depth"] < 0.03


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 7), (9, 1)])
def test_the_smallest_regions_have_no_dent(shape):
    for values in (
        outline_features(np.ones(shape, np.bool_)),
        outline_features(np.eye(max(shape), dtype=np.bool_)),
    ):
        assert values["dent_depth"] == approx(0, abs=1e-6)
        assert values["hull_excess"] == approx(0, abs=1e-6)
        assert 0 < values["inscribed_ratio"] <= 1


@pytest.mark.parametrize("pixel_size_nm", [0.02, 0.05, 0.1])
def test_a_step_across_a_region_is_the_gap_between_its_parts(pixel_size_nm):
    side = round(16 / pixel_size_nm)
    body = disc((side, side), (side / 2, side / 2), 6 / pixel_size_nm) > 0
    step = np.where(np.arange(side) < side / 2, 0.0, -3.0) * np.ones((side, 1))
    values = shade_features(step.astype(np.float32), body, pixel_size_nm)
    assert tuple(values) == SHADE_FEATURE_NAMES
    assert values["shade_gap"] == approx(3, rel=0.07)  # the step is 0.3 nm wide
    assert values["shade_high"] - values["shade_low"] == approx(3, rel=0.02)
    assert values["shade_std"] == approx(1.5, rel=0.05)
    assert values["shade_with_depth"] == approx(0, abs=0.05)
    assert values["shade_rest"] == approx(values["shade_std"], rel=0.02)


@pytest.mark.parametrize("pixel_size_nm", [0.02, 0.06])
def test_a_body_that_grows_darker_inwards_is_explained_by_its_depth(pixel_size_nm):
    side = round(10 / pixel_size_nm)
    y, x = (np.indices((side, side)) - (side - 1) / 2) * pixel_size_nm
    radius_nm = np.hypot(y, x)
    cone = -np.clip(4 - radius_nm, 0, None)
    values = shade_features(cone.astype(np.float32), radius_nm < 4, pixel_size_nm)
    assert values["shade_with_depth"] < -0.99
    assert values["shade_rest"] < 0.05 * values["shade_std"]
    # Of a cone of height 4 the deviation is 4/√18.
    assert values["shade_std"] == approx(4 / math.sqrt(18), rel=0.05)


def test_even_intensity_has_no_shade():
    body = ellipse((80, 80), (40, 40), (30, 20), 0.3) > 0
    values = shade_features(np.full((80, 80), 2, np.float32), body, 0.04)
    assert values == approx(dict.fromkeys(SHADE_FEATURE_NAMES, 0.0), abs=1e-5)


@pytest.mark.parametrize("pixel_size_nm", [0.01, 0.04, 0.5])
def test_a_single_pixel_has_no_shade(pixel_size_nm):
    mask = np.zeros((9, 9), np.bool_)
    mask[3, 5] = True
    noise = np.random.default_rng(1).normal(size=(9, 9)).astype(np.float32)
    values = shade_features(noise, mask, pixel_size_nm)
    assert values == approx(dict.fromkeys(SHADE_FEATURE_NAMES, 0.0), abs=1e-12)
