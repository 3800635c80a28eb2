"""The picture of one particle: where it lies in it, what its bar measures."""

import numpy as np
import pytest

from daemon.cutout import cutout
from daemon.palette import CLASS_MARKS
from tests.daemon.test_overlay import bar_length_px, disc, has_colour, noise

SIDE_PX = 320


def discs() -> np.ndarray:
    """One in the middle, its neighbour to the right, and one in the corner."""
    labels = np.zeros((600, 600), np.uint16)
    labels[disc((300, 300), 40)] = 1
    labels[disc((300, 385), 40)] = 2
    labels[disc((10, 10), 30)] = 3
    return labels


CLASSES = {1: "stacking_fault", 2: "misoriented", 3: "agglomeration"}


def test_the_particle_lies_in_the_middle_with_a_margin() -> None:
    picture = cutout(noise(), discs(), 1, CLASSES, 0.02)[:SIDE_PX]
    y, x = np.nonzero(has_colour(picture, "stacking_fault"))
    assert (y.mean(), x.mean()) == (pytest.approx(160, abs=3), pytest.approx(160, abs=3))
    assert np.ptp(y) == pytest.approx(SIDE_PX * 81 / 130, abs=4)


def test_a_neighbour_is_outlined_thinner() -> None:
    picture = cutout(noise(), discs(), 1, CLASSES, 0.02)[:SIDE_PX]
    row = picture[SIDE_PX // 2]
    own = np.all(row == CLASS_MARKS["stacking_fault"].colour, axis=-1).sum() / 2  # two rims
    other = np.all(row == CLASS_MARKS["misoriented"].colour, axis=-1).sum()
    assert 0 < other < own


@pytest.mark.parametrize(("row", "column"), [(0, 0), (589, 589), (0, 589)])
def test_a_particle_in_a_corner_is_shown_whole(row: int, column: int) -> None:
    labels = np.zeros((600, 600), np.uint16)
    labels[row : row + 11, column : column + 11] = 1
    picture = cutout(noise(), labels, 1, CLASSES, 0.02)
    assert picture.shape == (SIDE_PX + 56, SIDE_PX, 3)
    y, x = np.nonzero(has_colour(picture[:SIDE_PX], "stacking_fault"))
    shown = 11 * SIDE_PX / 32  # of the smallest window
    assert (np.ptp(y), np.ptp(x)) == (pytest.approx(shown, abs=10), pytest.approx(shown, abs=10))


@pytest.mark.parametrize("pixel_size_nm", [0.01, 0.02, 0.06])
def test_the_bar_is_as_long_as_it_says(pixel_size_nm: float) -> None:
    strip = cutout(noise(), discs(), 1, CLASSES, pixel_size_nm)[SIDE_PX:]
    shown_nm = bar_length_px(strip) * pixel_size_nm * 130 / SIDE_PX
    assert min(abs(shown_nm / length - 1) for length in (0.1, 0.2, 0.5, 1.0, 2.0)) < 0.04
    assert shown_nm <= 130 * pixel_size_nm / 4 * 1.04


def test_without_a_pixel_size_there_is_no_bar() -> None:
    with_bar = bar_length_px(cutout(noise(), discs(), 1, CLASSES, 0.02)[SIDE_PX:])
    assert bar_length_px(cutout(noise(), discs(), 1, CLASSES, None)[SIDE_PX:]) < with_bar / 2


def test_a_particle_that_is_not_there_is_said_so() -> None:
    with pytest.raises(LookupError, match="no particle 9"):
        cutout(noise(), discs(), 9, CLASSES, 0.02)
    with pytest.raises(ValueError, match="image"):
        cutout(noise(500), discs(), 1, CLASSES, 0.02)
