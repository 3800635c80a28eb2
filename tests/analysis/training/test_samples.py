"""A training sample is a micrograph as the pipeline would see it, and its truth beside it."""

import math

import numpy as np
import pytest

from analysis.training import augment
from analysis.training.crops import (
    CROP_PX,
    PARTICLE,
    SEAM,
    UNKNOWN,
    Sample,
    channels,
    draw_crop,
    marks_of,
)
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
    assert sample.network_input.shape == sample.marks.shape
    assert channels(sample.marks)[..., PARTICLE].sum() == pytest.approx(
        math.pi * RADIUS_PX**2, rel=0.08
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_particle_is_where_the_lattice_is(seed):
    plain = Conditions(
        **{**PLAIN.__dict__, "thickness": 0, "discs": 0, "contrast": 0, "noise": 0, "blur": 0}
    )
    sample = draw_sample(disc_field(), np.random.default_rng(seed), plain)
    pixels = sample.network_input.astype(np.float32)
    particle = channels(sample.marks)[..., PARTICLE] == 1
    assert pixels[particle].std() > pixels[~particle].std()


def test_a_seam_lies_where_two_instances_meet_and_nowhere_else():
    instances = np.zeros((80, 120), np.uint16)
    instances[20:60, 10:50], instances[20:60, 50:90], instances[20:60, 105:115] = 1, 2, 3
    seam = channels(marks_of(instances))[..., SEAM]
    columns = np.flatnonzero(seam[40])
    assert (columns.min(), columns.max()) == (45, 54)
    assert not seam[:, 70:].any()
    assert not channels(marks_of((instances == 1).astype(np.uint16)))[..., SEAM].any()


def test_background_and_particle_share_all_pixels():
    truth = channels(marks_of(disc_field().labels))
    assert (truth[..., 0] + truth[..., PARTICLE] == 1).all()


def test_a_channel_the_truth_says_nothing_of_is_unknown_everywhere():
    instances = np.zeros((40, 60), np.uint16)
    instances[10:30, 10:30], instances[10:30, 30:50] = 1, 2
    known, unknown = (channels(marks_of(instances, unknown=one)) for one in ((), (SEAM,)))
    assert set(np.unique(known[..., SEAM])) == {0, 1}
    assert (unknown[..., SEAM] == UNKNOWN).all()
    assert np.array_equal(unknown[..., :SEAM], known[..., :SEAM])


def test_one_seed_gives_one_sample():
    first, second = (draw_sample(disc_field(), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.network_input, second.network_input)
    assert np.array_equal(first.marks, second.marks)


def checkered(shape):
    """A particle wherever the picture is bright, at random."""
    bright = np.random.default_rng(1).random(shape) < 0.5
    return Sample(network_input=bright.astype(np.float16), marks=marks_of(bright.astype(np.uint16)))


def test_a_crop_turns_picture_and_truth_alike():
    sample = checkered((300, 400))
    for seed in range(20):
        pixels, marks = draw_crop(sample, np.random.default_rng(seed))
        assert pixels.shape == marks.shape == (CROP_PX, CROP_PX)
        assert np.array_equal(pixels > 0.5, channels(marks)[..., PARTICLE] == 1)


def test_a_small_field_is_reflected_out():
    pixels, marks = draw_crop(checkered((130, 200)), np.random.default_rng(2))
    assert pixels.shape == marks.shape == (CROP_PX, CROP_PX)
    assert np.array_equal(pixels > 0.5, channels(marks)[..., PARTICLE] == 1)


@pytest.mark.parametrize(
    "change",
    [
        augment.uneven_thickness,
        augment.dark_discs,
        augment.uneven_contrast,
        augment.uneven_noise,
        augment.blurred,
        augment.flattened,
        augment.annotated,
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
