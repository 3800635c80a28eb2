"""The class report counts what it should, and nothing whose truth is unknown."""

import pytest
from pytest import approx

from analysis.forest import CLASS_NAMES
from analysis.training.evaluation.classes import accuracy_gain, class_report
from tests.analysis.training.evaluation.made import particle, score

FAULT, NONE, MISORIENTED, AGGLOMERATION, BACKGROUND = CLASS_NAMES


def told(true, seen, **more):
    return particle(5, 5, shown_class=true, found_class=seen, **more)


def test_the_confusion_has_the_truth_in_rows():
    report = class_report([score(told(FAULT, FAULT), told(FAULT, NONE)), score(told(NONE, NONE))])
    assert report.confusion[0][:2] == (1, 1)
    assert report.confusion[1][:2] == (0, 1)
    assert report.balanced_accuracy.value == approx(0.75)
    assert report.recalls[0].value == 0.5
    assert (report.particles, report.fields) == (3, 2)


def test_what_shows_no_class_or_was_given_none_is_not_judged():
    invented = particle(None, 4, shown_class=BACKGROUND, found_class=FAULT)
    part = particle(None, 4, found_class=FAULT)  # of a particle: nobody knows
    missed, untold = particle(5, true_class=FAULT), particle(5, 5, shown_class=FAULT)
    report = class_report([score(told(NONE, NONE), invented, part, missed, untold)])
    assert report.confusion[4][0] == 1
    assert report.particles == 2
    assert class_report([score(missed, untold)]) is None


def test_twins_and_tilts_are_counted_apart():
    report = class_report(
        [
            score(
                told(FAULT, FAULT, fault="twin", tilt_deg=1.0),
                told(FAULT, NONE, fault="intrinsic", tilt_deg=1.0),
                told(MISORIENTED, MISORIENTED, fault="twin", tilt_deg=4.0),
                told(MISORIENTED, NONE, tilt_deg=6.9),
                told(MISORIENTED, NONE, tilt_deg=7.1),
            )
        ]
    )
    assert (report.twins.particles, report.twins.right.value) == (1, 1)
    assert (report.other_faults.particles, report.other_faults.right.value) == (1, 0)
    assert (report.tilted.particles, report.tilted.right.value) == (2, 0.5)


def test_a_forest_surer_than_right_is_not_calibrated():
    """Always 0.9 sure, right half the time: an error of 0.4."""
    report = class_report([score(*[told(NONE, NONE)] * 50, *[told(NONE, FAULT)] * 50)])
    assert report.calibration_error == approx(0.4)


def test_a_gain_is_between_the_same_fields():
    """Both forests fail on the same hard fields: the difference is known better than either."""
    names = [FAULT, NONE, FAULT, NONE] * 10
    hard = [number % 3 == 0 for number in range(40)]
    better = [
        score(told(name, MISORIENTED if bad else name), key=f"core/{number}")
        for number, (name, bad) in enumerate(zip(names, hard, strict=True))
    ]
    worse = [
        score(told(name, MISORIENTED if bad or number == 1 else name), key=f"core/{number}")
        for number, (name, bad) in enumerate(zip(names, hard, strict=True))
    ]
    gain = accuracy_gain(better, worse)
    alone = class_report(better).balanced_accuracy
    assert gain.value == approx(1 / 20 / 2)
    assert gain.high - gain.low < 0.6 * (alone.high - alone.low)
    with pytest.raises(ValueError, match="different fields"):
        accuracy_gain(better, worse[:-1])
