"""A training sample is a micrograph as the pipeline would see it, and its truth beside it."""

import math

import numpy as np
import pytest

from analysis.training import augment
from analysis.training.crops import CHANNELS, CROP_PX, PARTICLE, SEAM, Sample, channels, draw_crop
from analysis.training.samples import Conditions, draw_sample
from tests.analysis.training.fields import RADIUS_PX, disc_field

PLAIN = Conditions(
    pixel_size_nm=(0.0399, 0.0401),
    fine_fraction=0,
    magnification_error=0,
    part_of_field=0,
)


@pytest.mark.parametrize("seed", range(4))
def test_the_truth_keeps_the_area_of_the_particle(seed):
    sample = draw_sample(disc_field(), np.random.default_rng(seed), PLAIN)
    assert (*sample.network_input.shape, CHANNELS) == sample.truth.shape
    assert sample.truth[..., PARTICLE].sum() == pytest.approx(math.pi * RADIUS_PX**2, rel=0.08)


@pytest.mark.parametrize("seed", range(6))
def test_the_particle_is_where_the_lattice_is(seed):
    plain = Conditions(
        **{**PLAIN.__dict__, "thickness": 0, "discs": 0, "contrast": 0, "noise": 0, "blur": 0}
    )
    sample = draw_sample(disc_field(), np.random.default_rng(seed), plain)
    pixels = sample.network_input.astype(np.float32)
    particle = sample.truth[..., PARTICLE]
    assert pixels[particle].std() > pixels[~particle].std()


def test_a_seam_lies_where_two_instances_meet_and_nowhere_else():
    instances = np.zeros((80, 120), np.uint16)
    instances[20:60, 10:50], instances[20:60, 50:90], instances[20:60, 105:115] = 1, 2, 3
    seam = channels(instances)[..., SEAM]
    columns = np.flatnonzero(seam[40])
    assert (columns.min(), columns.max()) == (45, 54)
    assert not seam[:, 70:].any()
    assert not channels((instances == 1).astype(np.uint16))[..., SEAM].any()


def test_background_and_particle_share_all_pixels():
    truth = channels(disc_field().labels)
    assert (truth[..., 0] ^ truth[..., PARTICLE]).all()


def test_one_seed_gives_one_sample():
    first, second = (draw_sample(disc_field(), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.network_input, second.network_input)
    assert np.array_equal(first.truth, second.truth)


def test_a_crop_turns_picture_and_truth_alike():
    marks = np.random.default_rng(1).random((300, 400)) < 0.5
    sample = Sample(
        network_input=marks.astype(np.float16), truth=np.stack([marks] * CHANNELS, axis=-1)
    )
    for seed in range(20):
        pixels, truth = draw_crop(sample, np.random.default_rng(seed))
        assert pixels.shape == (CROP_PX, CROP_PX)
        for channel in range(3):
            assert np.array_equal(pixels > 0.5, truth[..., channel])


def test_a_small_field_is_reflected_out():
    marks = np.random.default_rng(1).random((130, 200)) < 0.5
    sample = Sample(
        network_input=marks.astype(np.float16), truth=np.stack([marks] * CHANNELS, axis=-1)
    )
    pixels, truth = draw_crop(sample, np.random.default_rng(2))
    assert (*pixels.shape, CHANNELS) == truth.shape == (CROP_PX, CROP_PX, CHANNELS)
    assert np.array_equal(pixels > 0.5, truth[..., PARTICLE])


@pytest.mark.parametrize(
    "change",
    [
        augment.uneven_thickness,
        augment.dark_discs,
        augment.uneven_contrast,
        augment.uneven_noise,
        augment.blurred,
        augment.rescaled,
        augment.printed,
    ],
)
def test_no_change_moves_a_particle(change):
    y, x = np.indices((300, 400))
    bright = (np.hypot(y - 120, x - 260) < 40).astype(np.float32)
    before = 100 + 4000 * bright + np.random.default_rng(1).normal(0, 1, bright.shape)
    after = change(before.astype(np.float32), np.random.default_rng(2))
    assert after.shape == before.shape
    assert after.dtype == np.float32
    assert np.isfinite(after).all()
    found = after > (np.percentile(after, 1) + np.percentile(after, 99)) / 2
    centre = np.argwhere(found & (np.hypot(y - 120, x - 260) < 60)).mean(axis=0)
    assert centre == pytest.approx([120, 260], abs=3)
