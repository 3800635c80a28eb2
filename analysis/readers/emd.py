"""Signals of an HDF5 file: EMD of Velox, EMD of the NCEM kind, or one plain image.

Every link is checked before anything is read.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py

from analysis.errors import ErrorCode
from analysis.micrograph import Acquisition
from analysis.readers import ncem, velox
from analysis.readers.hdf5 import open_guarded
from analysis.readers.limits import ReadLimits
from analysis.readers.signal import Signal, not_an_image


def read_signals(path: Path, companions: tuple[Path, ...], limits: ReadLimits) -> Iterator[Signal]:
    """The signals of the file, by the layout it has.

    Raises:
        UnreadableYet: a link leads outside the file.
    """
    del companions, limits
    with open_guarded(path) as file:
        if ncem.is_ncem(file):
            yield from ncem.read_signals(path, file)
        elif velox.is_velox(file):
            yield from velox.read_signals(path, file)
        else:
            yield from _only_image(path, file)


def _only_image(path: Path, file: h5py.File) -> Iterator[Signal]:
    """The one table of numbers that can be an image, where there is exactly one."""
    images: list[h5py.Dataset] = []

    def look(_: str, member: object) -> None:
        if isinstance(member, h5py.Dataset) and member.ndim == ncem.IMAGE_DIMENSIONS:
            images.append(member)

    file.visititems(look)
    if len(images) == 1:
        yield ncem.signal_of(path, images[0], Acquisition())
        return
    yield not_an_image(
        "",
        ErrorCode.NO_IMAGE,
        f"The HDF5 file holds {len(images)} two-dimensional arrays "
        "and does not say which one is the image.",
    )
