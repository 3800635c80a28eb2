"""Spikes go, fringes stay, the background becomes flat."""

import numpy as np
import pytest

from analysis.preprocess import despike, median_filtered, normalised, prepare, resample

PERIOD_PX = 3.0
SIDE_PX = 512


def _fringes(amplitude: float, noise: float = 0.0) -> np.ndarray:
    x = np.arange(SIDE_PX)[None, :] + np.zeros((SIDE_PX, 1))
    rng = np.random.default_rng(1)
    return 1000 + amplitude * np.cos(2 * np.pi * x / PERIOD_PX) + rng.normal(0, noise, x.shape)


def _contrast(image: np.ndarray) -> float:
    """Amplitude of the three-pixel fringe."""
    x = np.arange(SIDE_PX)
    return 2 * abs(((image - image.mean()) * np.exp(-2j * np.pi * x / PERIOD_PX)).mean())


@pytest.mark.parametrize("noise", [0.0, 15.0, 60.0])
def test_a_three_pixel_fringe_keeps_its_contrast_where_the_plain_median_takes_most(noise):
    fringes = _fringes(40, noise)
    assert _contrast(despike(fringes)) == pytest.approx(_contrast(fringes), rel=0.02)
    assert _contrast(median_filtered(fringes)) < 0.5 * _contrast(fringes)


def test_x_ray_spikes_go_and_every_other_pixel_stays():
    rng = np.random.default_rng(2)
    clean = rng.poisson(100, (SIDE_PX, SIDE_PX)).astype(np.float32)
    hit = rng.random(clean.shape) < 1e-4
    spiked = clean + 5000 * hit
    spiked[40, 100:102] += 3000  # charge shared by two pixels
    result = despike(spiked)
    hit[40, 100:102] = True
    assert np.abs(result - clean)[hit].max() < 60  # six times the shot noise
    assert np.array_equal(result[~hit], clean[~hit])


def test_dead_pixels_go_as_well():
    rng = np.random.default_rng(3)
    counts = rng.poisson(1000, (64, 64)).astype(np.uint16)
    counts[20, 30] = 0
    assert despike(counts)[20, 30] > 800


def test_a_thickness_ramp_becomes_flat():
    rng = np.random.default_rng(4)
    ramp = np.linspace(500, 1500, 1024)[None, :] + rng.normal(0, 30, (1024, 1024))
    flat = normalised(ramp.astype(np.float32))
    inner = flat[:, 200:-200]
    assert abs(inner[:, :100].mean() - inner[:, -100:].mean()) < 0.2
    assert inner.std() == pytest.approx(1, abs=0.15)


def test_in_a_small_field_a_dark_particle_at_the_edge_is_no_slope():
    noise = np.random.default_rng(4).normal(1000, 30, (280, 280))
    noise[:, 200:] -= 60
    flat = normalised(noise.astype(np.float32))
    assert flat[:, 100:180].mean() - flat[:, 220:].mean() > 1.2


def test_gain_and_offset_of_the_camera_do_not_matter():
    image = np.random.default_rng(5).poisson(200, (256, 256))
    once = prepare(image, 0.02, 0.04, "default").network_input
    other = prepare(7 * image + 1000, 0.02, 0.04, "default").network_input
    assert np.abs(once - other).max() < 1e-3


def test_the_network_sees_its_own_pixel_size():
    image = np.random.default_rng(6).poisson(200, (400, 600)).astype(np.uint16)
    prepared = prepare(image, 0.02, 0.04, "default")
    assert prepared.network_input.shape == (200, 300)
    assert prepared.network_pixel_size_nm == 0.04
    assert prepared.native.shape == image.shape


def test_a_fringe_keeps_its_spacing_in_nm_when_resampled():
    x = np.arange(SIDE_PX)[None, :] + np.zeros((SIDE_PX, 1))
    fringes = np.cos(2 * np.pi * x * 0.025 / 0.2354).astype(np.float32)  # Au 111
    resampled = resample(fringes, 0.025, 0.04)
    spectrum = np.abs(np.fft.rfft(resampled[5], 16 * resampled.shape[1]))
    per_nm = np.fft.rfftfreq(16 * resampled.shape[1], 0.04)
    assert 1 / per_nm[spectrum.argmax()] == pytest.approx(0.2354, rel=0.01)


def test_without_a_pixel_size_nothing_is_resampled():
    image = np.random.default_rng(7).poisson(200, (100, 90))
    prepared = prepare(image, None, 0.04, "default")
    assert prepared.network_input.shape == (100, 90)
    assert prepared.network_pixel_size_nm is None


def test_the_published_recipe_is_the_median_over_the_maximum():
    image = np.random.default_rng(8).poisson(200, (64, 64)).astype(np.uint16)
    prepared = prepare(image, None, None, "published")
    assert prepared.network_input.max() == 1
    assert np.array_equal(prepared.native, median_filtered(image))


def test_a_constant_image_is_an_empty_answer_not_an_error():
    prepared = prepare(np.full((64, 64), 9, np.uint8), 0.04, 0.04, "default")
    assert np.array_equal(prepared.network_input, np.zeros((64, 64)))


@pytest.mark.parametrize("pixel_size_nm", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_pixel_size_is_an_error(pixel_size_nm):
    with pytest.raises(ValueError, match="pixel size"):
        prepare(np.ones((8, 8)), pixel_size_nm, 0.04, "default")
