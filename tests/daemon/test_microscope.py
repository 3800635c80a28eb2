"""The simulated microscope: how its files come to be. The pictures themselves are noise here."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.errors import UnreadableYet
from analysis.readers import read_micrographs
from daemon.acquisition import Manner
from daemon.microscope import (
    CORRUPT_NAME,
    PIXEL_SIZE_NM,
    encoded,
    exposures,
    write_session,
)


def noise(seed: int) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(90, 110, (64, 64), dtype=np.uint16)


class Watched:
    """A folder, and what stood in it at every pause of the microscope."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.looks: list[dict[str, int]] = []

    def pause(self, seconds: float) -> None:
        assert seconds > 0
        self.looks.append({path.name: path.stat().st_size for path in self.folder.iterdir()})

    def sizes(self, name: str) -> list[int]:
        return [look[name] for look in self.looks if name in look]


@pytest.fixture
def session(tmp_path: Path) -> Watched:
    """Twelve exposures, written."""
    watched = Watched(tmp_path)
    write_session(tmp_path, exposures(12, seed=1), noise, watched.pause)
    return watched


def test_every_micrograph_is_whole_and_calibrated_in_the_end(session: Watched) -> None:
    for exposure in exposures(12, seed=1):
        (micrograph,) = read_micrographs(session.folder / exposure.name)
        assert micrograph.calibration.pixel_size_nm == pytest.approx(PIXEL_SIZE_NM, rel=1e-6)
        assert np.array_equal(micrograph.image, noise(exposure.seed))


def test_a_demonstration_shows_three_formats_and_nine_manners() -> None:
    planned = exposures(12, seed=1)
    assert {os.path.splitext(exposure.name)[1] for exposure in planned} == {".tif", ".mrc", ".emd"}
    assert [exposure.is_cut_short for exposure in planned].count(True) == 1
    assert len({exposure.manner for exposure in planned}) == 9


def test_a_slow_file_grows_in_place(session: Watched) -> None:
    slow = next(e.name for e in exposures(12, seed=1) if e.manner is Manner.IN_ORDER)
    sizes = session.sizes(slow)
    assert sizes[0] < sizes[1] < sizes[2]


def test_the_file_cut_short_is_unreadable_until_it_is_completed(tmp_path: Path) -> None:
    cut = next(e for e in exposures(12, seed=1) if e.is_cut_short)
    found: list[type[Exception]] = []

    def read(seconds: float) -> None:
        with pytest.raises(UnreadableYet):
            list(read_micrographs(tmp_path / cut.name))
        found.append(UnreadableYet)

    write_session(tmp_path, (cut,), noise, read)
    assert len(found) == 2
    assert len(list(read_micrographs(tmp_path / cut.name))) == 1


def test_the_corrupt_file_stays_unreadable(session: Watched) -> None:
    with pytest.raises(UnreadableYet):
        list(read_micrographs(session.folder / CORRUPT_NAME))


def test_an_unknown_suffix_has_no_writer() -> None:
    with pytest.raises(ValueError, match="writer"):
        encoded("a.xyz", noise(1))
