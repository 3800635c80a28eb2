"""Curves over the threshold, shares of pixels, and the best of several scales."""

import numpy as np
from pytest import approx

from analysis.metrics import PixelCounts
from analysis.training.evaluation.results import (
    best_of_scales,
    bias_by_defocus,
    bias_by_size,
    pixel_shares,
    real_summary,
    threshold_curve,
)
from analysis.training.evaluation.scores import PROBABILITY_BINS
from tests.analysis.training.evaluation.made import particle, score


def histogram(inside, outside):
    rows = np.zeros((2, PROBABILITY_BINS), int)
    for row, values in zip(rows, (inside, outside), strict=True):
        for number, count in values.items():
            row[number] = count
    return tuple(map(int, rows[0])), tuple(map(int, rows[1]))


def test_precision_and_recall_follow_the_threshold():
    """100 particle pixels, half of them at 0.5 and half at 1; 50 of the carbon at 0.5."""
    scores = [score(histogram=histogram({10: 50, 19: 50}, {0: 850, 10: 50}))]
    curve = {each.threshold: each for each in threshold_curve(scores)}
    assert (curve[0.5].precision, curve[0.5].recall) == (approx(100 / 150), 1)
    assert (curve[0.55].precision, curve[0.55].recall) == (1, approx(0.5))
    assert threshold_curve([score()]) == ()


def test_pixel_shares_add_up_over_micrographs():
    shares = pixel_shares([score(overlap=80, true=100, seen=90, size=1000)] * 2)
    assert shares.particle_found == approx(0.8)
    assert shares.background_kept == approx(1 - 10 / 900)


def test_bias_is_told_by_size_and_by_defocus():
    under = score(particle(3, 3.3), particle(7, 7), defocus_nm=-60.0)
    over = score(particle(3, 2.7), defocus_nm=60.0)
    by_size = bias_by_size([under, over])
    assert by_size["2-4 nm"].particles == 2
    assert by_size["6-9 nm"].relative.value == 0
    below, near, above = bias_by_defocus([under, over]).values()
    assert (below.particles, near.particles, above.particles) == (2, 0, 1)
    assert above.relative.value == approx(-0.1)


def patch(name, overlap, true=100, seen=100, margin=None):
    with_margin = PixelCounts(overlap=margin or overlap, true=true, found=seen)
    return score(
        overlap=overlap, true=true, seen=seen, name=name, set_name="real", with_margin=with_margin
    )


def test_real_patches_are_averaged_where_there_is_something_to_find():
    found = real_summary(
        [patch("a", 80, margin=90), patch("b", 60), patch("c", 0, true=0, seen=20)]
    )
    assert (found.dice, found.dice_with_margin) == (approx(0.7), approx(0.75))
    assert found.false_area == approx(0.02)
    assert real_summary([]) is None


def test_the_best_scale_is_chosen_for_each_patch():
    fine = real_summary([patch("a", 80), patch("b", 0, true=0, seen=50)])
    coarse = real_summary([patch("a", 60), patch("b", 0, true=0, seen=10)])
    best = best_of_scales([fine, coarse])
    assert (best.dice, best.false_area) == (approx(0.8), approx(0.01))
