"""Plain arrays from an .npz, checked before anything is allocated for them.

NumPy believes the header of a member: one that declares more than it holds is refused here, and so
is one that holds anything but numbers.
"""

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What zipfile and NumPy raise on a file that is not one of ours.
DAMAGE = (
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
SUFFIX = ".npy"


def read_arrays(path: Path, most_bytes: int) -> dict[str, NDArray[Any]]:
    """Every array of the file by its name; numbers only.

    Args:
        path: an .npz.
        most_bytes: of all arrays together, unpacked.

    Raises:
        ValueError: the file is no .npz of numbers, is damaged, or unpacks to more.
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            if unpacked > most_bytes:
                raise ValueError(f"{unpacked} bytes of arrays, at most {most_bytes} are read")
            return {
                entry.filename.removesuffix(SUFFIX): _array(archive, entry) for entry in entries
            }
    except DAMAGE as error:
        raise ValueError(f"no file of arrays: {error}") from error


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    if dtype.kind not in "biuf":
        raise ValueError(f"{entry.filename} holds {dtype}, which is no number")
    if math.prod(shape) * dtype.itemsize > entry.file_size:
        raise ValueError(f"{entry.filename} declares more numbers than it holds")
    with archive.open(entry) as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
