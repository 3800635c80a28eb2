"""A micrograph as it was analysed, from its pixels and from masks that may have changed since."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from analysis.readers import read_micrographs
from daemon.gallery import NoPicture, outlined
from schema.state import StateFolder
from tests.daemon.outlined import PIXEL_SIZE_NM, analysed, disc, labels, series, single


def test_pixels_and_particles_are_those_of_the_analysis(
    owner: Engine, state: StateFolder, folder: Path
):
    path = series(folder / "a.mrc", 2)
    _, found = analysed(owner, state, path)
    _, micrograph = read_micrographs(path)
    second = outlined(micrograph, state.path / found.analysis.mask_path)
    assert np.array_equal(second.image, disc(1))
    assert np.array_equal(second.labels, labels())
    assert second.classes == {1: "stacking_fault"}
    assert second.pixel_size_nm == PIXEL_SIZE_NM


def test_other_pixels_than_those_that_were_analysed_have_no_picture(
    owner: Engine, state: StateFolder, folder: Path
):
    (found,) = analysed(owner, state, single(folder / "a.tif", 1))
    (other,) = read_micrographs(single(folder / "b.tif", 2))
    with pytest.raises(NoPicture, match="no longer holds this image"):
        outlined(other, state.path / found.analysis.mask_path)


def test_masks_that_are_gone_show_nothing(owner: Engine, state: StateFolder, folder: Path):
    path = single(folder / "a.tif", 1)
    (found,) = analysed(owner, state, path)
    mask = state.path / found.analysis.mask_path
    mask.unlink()
    (micrograph,) = read_micrographs(path)
    with pytest.raises(NoPicture, match="damaged or no mask file"):
        outlined(micrograph, mask)
