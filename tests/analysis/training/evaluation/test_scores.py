"""A score counts the pixels and particles that geometry says."""

import json
import math

import numpy as np
from pytest import approx

from analysis.training.evaluation.scores import as_json, from_json, grown_mask, score
from tests.analysis.training.evaluation.made import PIXEL_NM, case, found, squares

SIDE = 40
DIAMETER_NM = 2 * SIDE / math.sqrt(math.pi) * PIXEL_NM


def test_a_shifted_square_shares_what_it_covers():
    truth, seen = squares((50, 50, SIDE)), squares((50, 60, SIDE))
    result = score("key", case(truth), found(seen))
    assert (result.pixels.overlap, result.pixels.true, result.pixels.found) == (1200, 1600, 1600)
    (pair,) = result.particles
    assert pair.iou == approx(1200 / 2000)
    assert (pair.true_nm, pair.found_nm) == (approx(DIAMETER_NM, abs=1e-3),) * 2
    assert not pair.at_border


def test_what_has_no_partner_stands_alone():
    truth, seen = (
        squares((10, 10, SIDE), (100, 100, SIDE)),
        squares((10, 10, SIDE), (150, 10, SIDE)),
    )
    result = score("key", case(truth), found(seen))
    assert [(each.true_nm is None, each.found_nm is None) for each in result.particles] == [
        (False, False),
        (False, True),
        (True, False),
    ]


def test_a_particle_is_at_the_border_if_either_is_cut():
    cut, whole = squares((0, 50, SIDE)), squares((1, 50, SIDE))
    for truth, seen in ((cut, whole), (whole, cut)):
        (pair,) = score("key", case(truth), found(seen)).particles
        assert pair.at_border


def shown(truth, classes, *boxes):
    """What each of these regions shows."""
    labels = squares(*boxes)
    answer = found(labels, dict.fromkeys(range(1, len(boxes) + 1), "misoriented"))
    particles = score("key", case(truth, classes), answer).particles
    return [each.shown_class for each in particles if each.found_nm is not None]


def test_a_region_shows_the_class_of_what_it_matches():
    truth = squares((50, 50, SIDE))
    assert shown(truth, {1: "stacking_fault"}, (50, 55, SIDE)) == ["stacking_fault"]


def test_a_region_on_bare_carbon_shows_background():
    truth = squares((50, 50, SIDE))
    classes = {1: "stacking_fault"}
    assert shown(truth, classes, (150, 150, SIDE)) == ["background"]
    assert shown(truth, classes, (50, 88, SIDE)) == ["background"]  # 5 % of it on the particle
    assert shown(truth, classes, (50, 87, SIDE)) == [None]


def test_a_region_over_two_particles_shows_an_agglomeration():
    """Whatever the two are apart, and whichever of them it matches."""
    truth = squares((50, 50, 60), (50, 110, 20))
    classes = {1: "stacking_fault", 2: "misoriented"}
    assert shown(truth, classes, (50, 50, 80)) == ["agglomeration"]
    assert shown(truth, classes, (50, 50, 62)) == ["stacking_fault"]  # a tenth of the other


def test_specks_of_a_noisy_threshold_are_not_kept():
    """A 4x4 square at 0.05 nm/px is 0.23 nm across."""
    result = score("key", case(squares()), found(squares((10, 10, 4), (50, 50, SIDE))))
    assert len(result.particles) == 1
    assert result.pixels.found == 16 + SIDE**2


def test_the_margin_grows_the_found_mask_alone():
    """A square outlined 0.2 nm further out becomes right by a margin of 0.2 nm, corners aside."""
    grown_px = round(0.2 / PIXEL_NM)
    truth = squares((50, 50, SIDE))
    outlined = squares((50 - grown_px, 50 - grown_px, SIDE + 2 * grown_px))
    result = score("key", case(outlined), found(truth), margin_nm=0.2)
    assert result.pixels.dice == approx(2 * 1600 / (1600 + 48**2))
    assert result.with_margin.dice > 0.99
    assert result.pixels.found == 1600


def test_a_mask_grows_by_a_disc():
    one = squares((100, 100, 1))
    assert grown_mask(one, 10).sum() == approx(math.pi * 10**2, rel=0.03)
    assert not grown_mask(np.zeros((5, 6), np.uint16), 3).any()


def test_probabilities_are_counted_inside_and_outside():
    truth = squares((50, 50, SIDE))
    probability = np.where(truth > 0, 255, 0).astype(np.uint8)
    probability[50:60, 50:90] = 128
    inside, outside = score("key", case(truth), found(truth, probability=probability)).histogram
    assert (inside[-1], inside[10], sum(inside)) == (1200, 400, 1600)
    assert outside[0] == sum(outside) == truth.size - 1600


def test_a_score_comes_back_from_json_as_it_was():
    truth = squares((50, 50, SIDE), (120, 120, SIDE))
    probability = (255 * (truth > 0)).astype(np.uint8)
    result = score(
        "key",
        case(truth, {1: "misoriented"}),
        found(truth, {1: "stacking_fault"}, probability),
        margin_nm=0.2,
    )
    again = from_json(json.loads(json.dumps(as_json(result))))
    assert again == result
    assert (again.particles[0].true_class, again.particles[0].found_class) == (
        "misoriented",
        "stacking_fault",
    )
