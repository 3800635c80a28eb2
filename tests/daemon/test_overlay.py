"""The overlay picture: where its lines lie, what its bar measures."""

from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from daemon.outlines import scale_bar_nm, write_picture
from daemon.overlay import overlay
from daemon.palette import CLASS_MARKS

SIDE_PX = 600
LIGHT = 235  # grey level of bar and text


def disc(
    centre_yx_px: tuple[int, int], radius_px: int, side_px: int = SIDE_PX
) -> NDArray[np.bool_]:
    y, x = np.mgrid[:side_px, :side_px]
    inside: NDArray[np.bool_] = np.hypot(y - centre_yx_px[0], x - centre_yx_px[1]) <= radius_px
    return inside


def noise(side_px: int = SIDE_PX) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(100, 10, (side_px, side_px)).astype(np.float32)


def has_colour(picture: NDArray[np.uint8], name: str | None) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.all(picture == CLASS_MARKS[name].colour, axis=-1)
    return found


def bar_length_px(strip: NDArray[np.uint8]) -> int:
    """The longest run of light pixels on any line of the strip."""
    runs = (len(list(run)) for row in strip for light, run in groupby(row[:, 0] == LIGHT) if light)
    return max(runs)


def test_an_outline_follows_the_rim_of_its_particle() -> None:
    labels = disc((300, 300), 100).astype(np.uint16)
    picture = overlay(noise(), labels, {1: "stacking_fault"}, 0.02)[:SIDE_PX]
    y, x = np.nonzero(has_colour(picture, "stacking_fault"))
    below_letter = y > 240
    distance = np.hypot(y - 300, x - 300)[below_letter]
    assert distance.min() > 94
    assert distance.max() <= 100.5


def test_touching_particles_keep_their_own_colours() -> None:
    labels = np.zeros((SIDE_PX, SIDE_PX), dtype=np.uint16)
    labels[200:400, 100:300] = 1
    labels[200:400, 300:500] = 2
    picture = overlay(noise(), labels, {1: "misoriented", 2: "agglomeration"}, 0.02)
    assert has_colour(picture, "misoriented")[300, 299]
    assert has_colour(picture, "agglomeration")[300, 300]


def test_no_pixel_away_from_a_particle_is_touched() -> None:
    picture = overlay(noise(), disc((300, 300), 50).astype(np.uint16), {1: "background"}, 0.02)
    away = picture[400:SIDE_PX]
    assert np.array_equal(away[..., 0], away[..., 1])
    assert np.array_equal(away[..., 1], away[..., 2])
    assert away.std() > 10


@pytest.mark.parametrize("pixel_size_nm", [0.01, 0.02, 0.06])
def test_the_bar_is_as_long_as_it_says(pixel_size_nm: float) -> None:
    picture = overlay(noise(), np.zeros((SIDE_PX, SIDE_PX), dtype=np.uint16), {}, pixel_size_nm)
    expected_px = scale_bar_nm(SIDE_PX * pixel_size_nm) / pixel_size_nm
    assert bar_length_px(picture[SIDE_PX:]) == pytest.approx(expected_px, abs=1)


def test_a_shrunken_micrograph_keeps_its_scale() -> None:
    image = noise(3072)
    picture = overlay(image, np.zeros(image.shape, dtype=np.uint16), {}, 0.02)
    assert picture.shape[1] == 1024
    ten_nm_px = 10 / 0.06  # the picture has a third of the pixels, each three times as wide
    assert bar_length_px(picture[1024:]) == pytest.approx(ten_nm_px, abs=1)


@given(width_nm=st.floats(0.1, 1e6))
def test_the_bar_takes_a_tenth_to_a_quarter_of_the_width(width_nm: float) -> None:
    assert 0.099 <= scale_bar_nm(width_nm) / width_nm <= 0.25


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    dtype=st.sampled_from(["uint8", "uint16", "int32", "float32", "float64"]),
)
def test_any_shape_and_type_gives_a_picture(height: int, width: int, dtype: str) -> None:
    labels = np.zeros((height, width), dtype=np.uint32)
    labels[: height // 2] = 1
    picture = overlay(np.zeros((height, width), dtype=dtype), labels, {}, None)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3


def test_labels_of_another_shape_are_an_error() -> None:
    with pytest.raises(ValueError, match="labels"):
        overlay(noise(), np.zeros((10, 10), dtype=np.uint16), {}, 0.02)


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.jpg", b"\xff\xd8\xff")])
def test_the_file_is_what_its_suffix_says_and_leaves_nothing_beside_it(
    tmp_path: Path, name: str, magic: bytes
) -> None:
    picture = overlay(noise(), disc((300, 300), 80).astype(np.uint16), {}, 0.02)
    write_picture(tmp_path / name, picture)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes().startswith(magic)
    read_back = cv2.imread(str(tmp_path / name))
    assert read_back is not None
    assert read_back.shape == picture.shape
