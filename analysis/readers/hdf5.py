"""HDF5 input opened so that nothing outside the file is ever followed.

By default h5py follows an external link and returns another file's bytes, so every link, external
storage and virtual dataset is looked for before any pixel is read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from analysis.errors import ErrorCode, UnreadableYet

# More objects than any microscope writes; a file of millions would keep the walk busy for minutes.
MOST_OBJECTS = 100_000
MOST_LEVELS = 64  # each costs the library the whole way down: 2000 levels took 25 s


@contextmanager
def open_guarded(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading, after every object was found to lie inside it.

    Raises:
        UnreadableYet: a link leads outside, or there are more objects, or levels of them, than
            any microscope writes.
    """
    with h5py.File(path, "r", locking=False) as file:
        _refuse_links(file)
        yield file


def _refuse_links(file: h5py.File) -> None:
    seen: set[int] = set()
    groups: list[tuple[int, h5py.Group]] = [(0, file)]
    while groups:
        level, group = groups.pop()
        if level > MOST_LEVELS:
            raise UnreadableYet(
                ErrorCode.TOO_LARGE, f"The file nests its groups more than {MOST_LEVELS} deep."
            )
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise _leads_outside(f"the link {group.name.rstrip('/')}/{name}")
            if not isinstance(link, h5py.HardLink):
                continue
            member = group[name]
            address = h5py.h5o.get_info(member.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MOST_OBJECTS:
                raise UnreadableYet(
                    ErrorCode.TOO_LARGE, f"The file holds more than {MOST_OBJECTS} objects."
                )
            if isinstance(member, h5py.Group):
                groups.append((level + 1, member))
            elif isinstance(member, h5py.Dataset) and (member.external or member.is_virtual):
                raise _leads_outside(f"the dataset {member.name}")


def _leads_outside(what: str) -> UnreadableYet:
    return UnreadableYet(
        ErrorCode.LINKS_OUTSIDE, f"The HDF5 file leads to other files ({what}); it is not read."
    )


def missing_chunks(dataset: h5py.Dataset) -> str | None:
    """Why pixels of a chunked dataset may be missing, or None where every chunk was written."""
    if dataset.chunks is None:
        return None
    grid = [-(-side // chunk) for side, chunk in zip(dataset.shape, dataset.chunks, strict=True)]
    expected = int(np.prod(grid))
    written = int(dataset.id.get_num_chunks())
    if written >= expected:
        return None
    return f"{expected - written} of {expected} blocks of the image were never written"


def text(value: object) -> str:
    """Text of an attribute or a scalar, as str whatever its HDF5 type."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    if isinstance(value, bytes | np.bytes_):
        return bytes(value).decode("utf-8", errors="replace")
    return str(value)


def number(value: object) -> float | None:
    """Finite number of an attribute, or None."""
    try:
        found = float(np.asarray(value).ravel()[0])
    except (TypeError, ValueError, IndexError):
        return None
    return found if np.isfinite(found) else None


class FrameReader:
    """Opens the file anew for each frame, so that nothing stays open between two frames."""

    def __init__(self, path: Path, name: str, frame_axis: int | None) -> None:
        self._path, self._name, self._frame_axis = path, name, frame_axis

    def __call__(self, i: int) -> NDArray[np.generic]:
        """Frame i as stored, (H, W)."""
        with h5py.File(self._path, "r", locking=False) as file:
            dataset = file[self._name]
            if self._frame_axis is None:
                return np.asarray(dataset[()])
            where: list[int | slice] = [slice(None)] * dataset.ndim
            where[self._frame_axis] = i
            return np.asarray(dataset[tuple(where)])
