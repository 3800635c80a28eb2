"""Micrograph files as microscopes write them: TIFF, MRC and EMD of the NCEM kind.

The writers of the simulated microscope; they need neither abTEM nor ASE.
"""

from datetime import datetime
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import tifffile
from numpy.typing import NDArray

EMD_VERSION = (0, 2)
A_PER_NM = 10.0


def write_tiff(
    path: Path,
    counts: NDArray[np.generic],
    pixel_size_nm: float,
    acquired_local: datetime | None = None,
) -> None:
    """Write a TIFF calibrated as ImageJ does it: pixels a nm, and `unit=nm`.

    Args:
        path: the file; it is replaced.
        counts: (H, W) or (frames, H, W); uint8, uint16 or float32.
        pixel_size_nm: side of a square pixel, in nm.
        acquired_local: the clock of the microscope.
    """
    tifffile.imwrite(
        path,
        counts,
        imagej=True,
        resolution=(1 / pixel_size_nm, 1 / pixel_size_nm),
        metadata={"unit": "nm"},
        datetime=acquired_local,
        software="fringewatch simulated microscope",
    )


def write_mrc(path: Path, counts: NDArray[np.generic], pixel_size_nm: float) -> None:
    """Write an MRC file, its rows from the bottom up and its cell in Å.

    Args:
        path: the file; it is replaced.
        counts: (H, W) or (frames, H, W); int8, int16, uint16 or float32 (modes 0, 1, 6, 2).
        pixel_size_nm: side of a square pixel, in nm.
    """
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(np.ascontiguousarray(np.flip(counts, axis=-2)))
        file.voxel_size = pixel_size_nm * A_PER_NM


def write_ncem_emd(
    path: Path, counts: NDArray[np.generic], pixel_size_nm: float, unit: str = "n_m"
) -> None:
    """Write an EMD file of the NCEM kind: `data` and one `dimN` an axis.

    Args:
        path: the file; it is replaced.
        counts: (H, W), any real type.
        pixel_size_nm: side of a square pixel, in nm.
        unit: how the unit is written; nm whatever it says.
    """
    with h5py.File(path, "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = EMD_VERSION
        group = file.create_group("data/simulated")
        group.attrs["emd_group_type"] = 1
        group.create_dataset("data", data=counts)
        for i, (name, side_px) in enumerate(zip("YX", counts.shape, strict=True), start=1):
            axis = group.create_dataset(f"dim{i}", data=np.arange(side_px) * pixel_size_nm)
            axis.attrs["name"], axis.attrs["units"] = np.bytes_(name), np.bytes_(unit)
