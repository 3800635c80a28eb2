import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import integers

from analysis.metrics import (
    balanced_accuracy,
    confusion,
    dice,
    match_instances,
    per_class_recall,
    precision,
    recall,
)
from tests.analysis.shapes import rectangle

approx = pytest.approx
MASKS = arrays(np.uint8, (4, 5), elements=integers(0, 1))
LABELS = arrays(np.uint16, (5, 6), elements=integers(0, 4))


def square(x: int) -> np.ndarray:
    """100 pixels of 20 rows and columns, shifted to the right by x."""
    mask = np.zeros((20, 40), np.uint16)
    mask[5:15, x : x + 10] = 1
    return mask


@pytest.mark.parametrize("shift", range(12))
def test_shifted_squares_agree_by_their_common_part(shift):
    common = max(0, 10 - shift) / 10
    truth, predicted = square(5), square(5 + shift)
    assert dice(truth, predicted) == approx(common)
    assert precision(truth, predicted) == approx(common)
    assert recall(truth, predicted) == approx(common)


def test_too_much_costs_precision_and_too_little_costs_recall():
    small, large = rectangle((40, 40), (20, 20), (10, 10)), rectangle((40, 40), (20, 20), (20, 20))
    ratio = small.sum() / large.sum()
    assert (precision(small, large), recall(small, large)) == (approx(ratio), 1)
    assert (precision(large, small), recall(large, small)) == (1, approx(ratio))


def test_empty_against_empty_is_perfect_and_against_something_is_nothing():
    empty, full = np.zeros((3, 3)), np.ones((3, 3))
    for score in (dice, precision, recall):
        assert score(empty, empty) == 1
        assert score(empty, full) == 0
        assert score(full, empty) == 0


@given(truth=MASKS, predicted=MASKS)
def test_dice_is_the_harmonic_mean_of_precision_and_recall(truth, predicted):
    p, r = precision(truth, predicted), recall(truth, predicted)
    assert dice(truth, predicted) == approx(2 * p * r / (p + r) if p + r else 0)
    assert dice(truth, predicted) == dice(predicted, truth)


def test_labels_count_as_particle_whatever_their_number():
    assert dice(square(5) * 7, square(5)) == 1


def test_a_particle_is_found_from_half_overlap_on():
    # Common 2/3: union 4/3, IoU exactly 0.5.
    truth = np.zeros((4, 12), np.uint16)
    predicted = truth.copy()
    truth[:, 0:9] = 1
    predicted[:, 3:12] = 1
    assert match_instances(truth, predicted).pairs == ((1, 1),)
    predicted[0, 3] = 0
    missed = match_instances(truth, predicted)
    assert (missed.pairs, missed.missed, missed.invented) == ((), (1,), (1,))


def test_each_particle_is_matched_once_under_its_own_number():
    truth, predicted = np.zeros((2, 30, 30), np.uint16)
    truth[2:10, 2:10], truth[15:25, 15:25], truth[0:3, 20:23] = 4, 9, 2
    predicted[2:10, 3:10], predicted[15:25, 15:24], predicted[27:29, 0:5] = 3, 1, 8
    matching = match_instances(truth, predicted)
    assert set(matching.pairs) == {(4, 3), (9, 1)}
    assert dict(zip(matching.pairs, matching.ious, strict=True)) == {
        (4, 3): approx(56 / 64),
        (9, 1): approx(90 / 100),
    }
    assert (matching.missed, matching.invented) == ((2,), (8,))
    assert (matching.recall, matching.precision) == (approx(2 / 3), approx(2 / 3))


def test_a_divided_particle_is_found_once():
    truth = np.zeros((10, 10), np.uint16)
    truth[:, :] = 1
    predicted = truth.copy()
    predicted[:, 6:] = 2
    matching = match_instances(truth, predicted)
    assert (matching.pairs, matching.invented) == (((1, 1),), (2,))
    assert (matching.recall, matching.precision) == (1, 0.5)


def test_a_low_threshold_matches_the_most_particles():
    """Truth 1 shares most with predicted 1 (IoU 0.67), which is all that truth 2 has (0.2)."""
    truth = np.array([[1] * 10 + [2] * 2], np.uint16)
    predicted = np.array([[2] * 2 + [1] * 10], np.uint16)
    matching = match_instances(truth, predicted, iou=0.1)
    assert set(matching.pairs) == {(1, 2), (2, 1)}


@given(labels=LABELS, other=LABELS)
def test_every_particle_is_matched_or_left_over(labels, other):
    same = match_instances(labels, labels)
    assert all(a == b for a, b in same.pairs)
    assert (same.missed, same.invented, same.recall, same.precision) == ((), (), 1, 1)
    matching = match_instances(labels, other, iou=0.1)
    matched = {a for a, _ in matching.pairs}
    assert matched | set(matching.missed) == set(np.unique(labels)) - {0}
    assert not matched & set(matching.missed)
    assert len({b for _, b in matching.pairs}) == len(matching.pairs)


def test_nothing_to_find_and_nothing_found_is_perfect():
    empty = np.zeros((5, 5), np.uint16)
    full = np.ones((5, 5), np.uint16)
    assert match_instances(empty, empty).recall == match_instances(empty, empty).precision == 1
    assert match_instances(full, empty).recall == match_instances(full, empty).precision == 0
    assert match_instances(empty, full).recall == match_instances(empty, full).precision == 0


def test_confusion_has_the_truth_in_rows():
    matrix = confusion(np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 0, 2]), 4)
    assert matrix.tolist() == [[2, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]


def test_balanced_accuracy_gives_a_rare_class_its_full_weight():
    matrix = np.array([[98, 0, 0], [2, 0, 0], [0, 0, 0]])
    assert balanced_accuracy(matrix) == 0.5
    found = per_class_recall(matrix)
    assert found[:2].tolist() == [1, 0]
    assert math.isnan(found[2])
    assert math.isnan(balanced_accuracy(np.zeros((3, 3), np.int64)))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="truth"):
        dice(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="truth"):
        match_instances(np.zeros((2, 2), np.uint16), np.zeros((2, 3), np.uint16))
    with pytest.raises(ValueError, match="intersection"):
        match_instances(np.zeros((2, 2), np.uint16), np.zeros((2, 2), np.uint16), iou=0)
    with pytest.raises(ValueError, match="classes from"):
        confusion(np.array([0, 5]), np.array([0, 1]), 5)
    with pytest.raises(ValueError, match="truth"):
        confusion(np.array([0, 1]), np.array([0]), 5)
