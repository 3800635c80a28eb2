"""Signals of an EMD file of the NCEM kind: groups with `data` and one `dimN` an axis.

The first dimension is the slowest one, so `data` is (rows, columns), or (frames, rows, columns).
"""

from collections.abc import Iterator
from pathlib import Path

import h5py

from analysis.errors import ErrorCode
from analysis.micrograph import Acquisition, CalibrationSource
from analysis.readers.hdf5 import FrameReader, missing_chunks, number, text
from analysis.readers.signal import (
    UNCALIBRATED,
    PixelSize,
    Signal,
    not_an_image,
    obstacle_of_axes,
    pixel_size_of,
)

IMAGE_DIMENSIONS = 2
SERIES_DIMENSIONS = 3
DATASET_NAMES = ("data", "realslice", "array")


def is_ncem(file: h5py.File) -> bool:
    """Whether any group is marked as an EMD data group."""
    return bool(_data_groups(file))


def read_signals(path: Path, file: h5py.File) -> Iterator[Signal]:
    """One signal for each marked group, in order of their names."""
    acquisition = _acquisition(file)
    for group in _data_groups(file):
        yield signal_of(path, _dataset_of(group), acquisition, title=str(group.name).split("/")[-1])


def signal_of(
    path: Path, dataset: h5py.Dataset, acquisition: Acquisition, title: str = ""
) -> Signal:
    """The signal of one dataset, its axes taken from the `dimN` beside it."""
    if dataset.dtype.kind == "c":
        return not_an_image(title, ErrorCode.COMPLEX_VALUED, "The file holds complex numbers.")
    if dataset.dtype.kind not in "uif":
        return not_an_image(title, ErrorCode.NO_IMAGE, "The file holds a table, not an image.")
    if dataset.ndim not in (IMAGE_DIMENSIONS, SERIES_DIMENSIONS):
        return not_an_image(
            title,
            ErrorCode.NOT_TWO_DIMENSIONAL,
            f"The file holds data of {dataset.ndim} dimension(s), not an image.",
        )
    axes = _axes_beside(dataset)[-IMAGE_DIMENSIONS:]
    y_axis, x_axis = axes if len(axes) == IMAGE_DIMENSIONS else ((0.0, None), (0.0, None))
    is_series = dataset.ndim == SERIES_DIMENSIONS
    height_px, width_px = dataset.shape[-IMAGE_DIMENSIONS:]
    return Signal(
        title=title,
        shape_px=(height_px, width_px),
        frame_count=dataset.shape[0] if is_series else 1,
        is_series=is_series,
        dtype=dataset.dtype,
        read_frame=FrameReader(path, str(dataset.name), 0 if is_series else None),
        pixel_size=_pixel_size(y_axis, x_axis),
        acquisition=acquisition,
        obstacle=obstacle_of_axes(y_axis[1], x_axis[1]),
        suspect=missing_chunks(dataset) or _unwritten_axis(dataset),
    )


def _unwritten_axis(dataset: h5py.Dataset) -> str | None:
    """Why the pixel size may be missing: an axis beside the image ends before it goes on."""
    for positions in _positions_beside(dataset):
        if positions.ndim == 1 and positions.size > 1 and positions[-1] == positions[-2]:
            return f"the positions along {str(positions.name).rpartition('/')[2]} break off"
    return None


def _pixel_size(y: tuple[float, str | None], x: tuple[float, str | None]) -> PixelSize:
    if y[1] is None or x[1] is None:
        return UNCALIBRATED
    return pixel_size_of(y, x, CalibrationSource.FILE)


def _data_groups(file: h5py.File) -> list[h5py.Group]:
    found: list[h5py.Group] = []

    def look(_: str, member: object) -> None:
        if isinstance(member, h5py.Group) and "emd_group_type" in member.attrs:
            found.append(member)

    file.visititems(look)
    return [group for group in found if _dataset_of(group) is not None]


def _dataset_of(group: h5py.Group) -> h5py.Dataset | None:
    for name in DATASET_NAMES:
        member = group.get(name)
        if isinstance(member, h5py.Dataset):
            return member
    return None


def _axes_beside(dataset: h5py.Dataset) -> list[tuple[float, str | None]]:
    """Step and unit of each axis, slowest first; empty where an axis is missing."""
    return [_axis(positions) for positions in _positions_beside(dataset)]


def _positions_beside(dataset: h5py.Dataset) -> list[h5py.Dataset]:
    """The positions along each axis, slowest first; empty where an axis is missing."""
    group = dataset.parent
    first = 0 if "dim0" in group else 1
    found = [group.get(f"dim{first + i}") for i in range(dataset.ndim)]
    return found if all(isinstance(member, h5py.Dataset) for member in found) else []


def _axis(positions: h5py.Dataset) -> tuple[float, str | None]:
    unit = text(positions.attrs["units"]) if "units" in positions.attrs else None
    if (
        positions.ndim != 1
        or positions.size < IMAGE_DIMENSIONS
        or positions.dtype.kind not in "uif"
    ):
        return 0.0, unit
    first, last = float(positions[0]), float(positions[-1])
    return (last - first) / (positions.size - 1), unit


def _acquisition(file: h5py.File) -> Acquisition:
    microscope = file.get("microscope")
    if not isinstance(microscope, h5py.Group):
        return Acquisition()
    stated = microscope.attrs
    volts = number(stated.get("high tension"))
    return Acquisition(
        high_tension_kv=volts / 1e3 if volts else None,
        magnification=number(stated.get("magnification")),
        exposure_s=number(stated.get("exposure time")),
        instrument=text(stated["name"]) if "name" in stated else None,
    )
