"""What the simulated microscope writes is read back with the same pixels and pixel size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.micrograph import CalibrationSource, ImagingMode
from analysis.readers import read_micrographs
from analysis.simulation.files import write_mrc, write_ncem_emd, write_tiff

PIXEL_SIZE_NM = 0.0213
WRITERS = {"a.tif": write_tiff, "a.mrc": write_mrc, "a.emd": write_ncem_emd}


def counts(shape: tuple[int, ...], dtype: str, seed: int = 0) -> NDArray[np.generic]:
    """Seeded electron counts that differ from row to row and column to column."""
    return np.random.default_rng(seed).integers(1, 127, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_written_micrograph_reads_back_as_it_was(tmp_path: Path, name: str, dtype: str) -> None:
    image = counts((96, 128), dtype)
    writer: Callable[..., None] = WRITERS[name]
    writer(tmp_path / name, image, PIXEL_SIZE_NM)
    (micrograph,) = read_micrographs(tmp_path / name)
    assert np.array_equal(micrograph.image, image)
    assert micrograph.image.dtype == dtype
    assert micrograph.calibration.pixel_size_nm == pytest.approx(PIXEL_SIZE_NM, rel=1e-5)
    assert micrograph.calibration.source is CalibrationSource.FILE
    assert micrograph.acquisition.imaging_mode is ImagingMode.UNKNOWN
    assert micrograph.source.frame_index is None
    assert micrograph.suspect is None
