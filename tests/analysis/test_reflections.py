"""Reflections are found where the lattice has them, whatever the pixel."""

import math

import numpy as np
import pytest

from analysis.reflections import Extent, between_rad, by_direction, find_lattice
from analysis.spectrum import spectrum
from tests.analysis.gratings import disc_of, places_nm, seen, wave, white_noise
from tests.analysis.shapes import ellipse

approx = pytest.approx
DIAMETER_NM = 5.0
FIELD_NM = 8.0


@pytest.mark.parametrize("pixel_size_nm", [0.02, 0.03, 0.05])
@pytest.mark.parametrize(
    ("q_per_nm", "azimuth_rad"), [(2.1, 0.3), (4.25, 1.0), (7.2, 2.5), (3.0, math.pi / 2)]
)
def test_a_lattice_has_its_reflection_at_its_frequency_and_azimuth(
    pixel_size_nm, q_per_nm, azimuth_rad
):
    """A reflection of 5 nm is 0.2 nm⁻¹ wide; its maximum is known to a tenth of that."""
    y, x = places_nm(pixel_size_nm, FIELD_NM)
    picture = 6 * wave(y, x, q_per_nm, azimuth_rad) + white_noise(x.shape, pixel_size_nm, 1)
    strongest = seen(picture, disc_of(y, x, DIAMETER_NM), pixel_size_nm).reflections[0]
    assert math.hypot(*strongest.q_per_nm) == approx(q_per_nm, abs=0.02)
    assert between_rad(strongest.azimuth_rad, azimuth_rad) < 0.01
    assert strongest.q_per_nm[0] >= 0


@pytest.mark.parametrize("pixel_size_nm", [0.02, 0.04])
def test_its_power_is_that_of_the_wave_over_its_area(pixel_size_nm):
    """|F|² of A·cos over a window W is A²/4·|Σ w|²·p²/Σ w²; for a hard disc A²/4·area."""
    y, x = places_nm(pixel_size_nm, FIELD_NM)
    inside = disc_of(y, x, DIAMETER_NM)
    (one,) = seen(8 * wave(y, x, 4.0, 0.5) + white_noise(x.shape, pixel_size_nm, 1), inside,
                  pixel_size_nm).reflections[:1]  # fmt: skip
    area_nm2 = math.pi / 4 * (DIAMETER_NM + 0.5) ** 2
    assert one.power == approx(64 / 4 * area_nm2, rel=0.1)


def test_white_noise_has_a_flat_ring_of_its_own_power():
    y, x = places_nm(0.04, 12.0)
    found = seen(white_noise(x.shape, 0.04, 2), disc_of(y, x, 9.0), 0.04)
    assert found.ring.mean() == approx(1.0, rel=0.05)
    assert np.ptp(found.ring) < 0.5


def test_reflections_do_not_raise_the_ring_they_stand_on():
    y, x = places_nm(0.04, FIELD_NM)
    noise, inside = white_noise(x.shape, 0.04, 3), disc_of(y, x, DIAMETER_NM)
    lattice = sum(wave(y, x, 4.0, angle) for angle in (0.2, 1.2, 2.2))
    bare, crystal = (seen(each, inside, 0.04) for each in (noise, noise + 5 * lattice))
    assert crystal.reflections[0].strength > 80
    # Three reflections of 0.2 nm⁻¹ and their flanks cover a part of the ring they lie on.
    assert (crystal.ring / bare.ring).max() < 1.5


def test_noise_is_seldom_a_reflection_and_never_a_strong_one():
    """Exponential power: of some thousand samples the largest is about ln(thousands) = 9 rings."""
    y, x = places_nm(0.04, FIELD_NM)
    inside = disc_of(y, x, DIAMETER_NM)
    found = [seen(white_noise(x.shape, 0.04, seed), inside, 0.04) for seed in range(30)]
    counts = [len(each.reflections) for each in found]
    assert np.median(counts) <= 1
    assert np.mean(counts) < 1
    assert max(each.candidates[0].strength for each in found) < 20


def test_a_side_lobe_or_the_opposite_reflection_is_no_other_reflection():
    y, x = places_nm(0.04, FIELD_NM)
    lattice = sum(wave(y, x, q, angle) for q, angle in ((4.0, 0.0), (4.0, math.pi / 2)))
    picture = 12 * lattice + white_noise(x.shape, 0.04, 4)
    found = seen(picture, disc_of(y, x, DIAMETER_NM), 0.04)
    # The first side lobe of a disc has 1.7 % of the power: far above the noise here.
    assert 0.01 * found.reflections[0].strength > 5
    near = [one for one in found.reflections if 3 < math.hypot(*one.q_per_nm) < 5]
    assert len(near) == 2
    assert len(by_direction(found.reflections[:2])) == 2


def test_reflections_in_one_direction_count_as_one_direction():
    y, x = places_nm(0.04, FIELD_NM)
    lattice = sum(wave(y, x, q, 0.4) for q in (2.5, 5.0))
    found = seen(5 * lattice + white_noise(x.shape, 0.04, 5), disc_of(y, x, DIAMETER_NM), 0.04)
    assert len(by_direction(found.reflections[:2])) == 1


def test_a_region_without_any_contrast_has_no_candidate():
    y, x = places_nm(0.04, FIELD_NM)
    found = seen(np.zeros_like(x), disc_of(y, x, DIAMETER_NM), 0.04)
    assert found.candidates == ()
    assert found.followed == ()


def test_pixels_too_coarse_for_a_lattice_have_none():
    weight = np.ones((40, 40), np.float32)
    noise = np.random.default_rng(1).normal(0, 1, (40, 40)).astype(np.float32)
    assert find_lattice(spectrum(noise, weight, 0.4), weight) is None
    assert find_lattice(spectrum(noise, weight, 0.3), weight) is not None


@pytest.mark.parametrize("pixel_size_nm", [0.02, 0.05])
def test_the_extent_of_an_ellipse_is_its_axes(pixel_size_nm):
    window = ellipse((400, 400), (200, 200), (2.0 / pixel_size_nm, 1.0 / pixel_size_nm), 0.0)
    extent = Extent.of(window.astype(np.float32), pixel_size_nm)
    assert extent.narrowest_nm == approx(2.0, rel=0.02)
    # (q_y, q_x): 1 nm⁻¹ along x is 4 widths of an ellipse 4 nm long, along y 2 widths.
    assert extent.widths(np.array([[0.0, 1.0], [1.0, 0.0]])) == approx([4.0, 2.0], rel=0.02)
