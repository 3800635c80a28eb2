"""Colours and signs that anybody can tell apart."""

import numpy as np

from daemon.palette import CLASS_MARKS, STATE_MARKS
from schema.records import CLASS_NAMES, FileState


def test_every_class_and_state_has_its_mark() -> None:
    assert set(CLASS_MARKS) == {*CLASS_NAMES, None}
    assert set(STATE_MARKS) == set(FileState)


def test_no_two_classes_share_a_letter() -> None:
    signs = [mark.sign for mark in CLASS_MARKS.values()]
    assert len(set(signs)) == len(signs)


def test_classes_differ_in_grey_or_hue_for_a_red_blind_eye() -> None:
    # Viénot, Brettel, Mollon (1999): a light axis and a yellow-blue axis are what is left.
    seen = [
        (0.11238 * red + 0.88762 * green, 0.00401 * red - 0.00401 * green + blue)
        for red, green, blue in (mark.colour for mark in CLASS_MARKS.values())
    ]
    distances = [np.hypot(a[0] - b[0], a[1] - b[1]) for a in seen for b in seen if a is not b]
    assert min(distances) > 20
