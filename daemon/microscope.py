"""A simulated microscope, whose micrographs reach the folder the way real ones do.

Some are written in place, slowly, with pauses; some under another name and renamed when they are
whole; one is cut short and completed later; one more is corrupt and stays so.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.simulation.files import write_mrc, write_ncem_emd, write_tiff

PIXEL_SIZE_NM = 0.02
SHAPE_PX = (1024, 1024)
CORRUPT_NAME = "simulated_corrupt.tif"
SEED = 20210225

_NICENESS = 5  # the daemon comes first
_PIECES = 5
_PIECE_SECONDS = 0.4
_CUT_SECONDS = 6.0  # long enough for a watcher to find the cut file settled, and too short
_CUT_INDEX = 3
_FIRST_HALF = 0.5

Pause = Callable[[float], None]
Camera = Callable[[int], NDArray[np.generic]]
"""Seed to counts, (H, W)."""


class Manner(StrEnum):
    """How a file comes to be."""

    SLOW = "in place, with pauses"
    RENAMED = "under another name, then renamed"
    AT_ONCE = "in place, at once"
    CUT_SHORT = "cut short, completed later"


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """One micrograph to come."""

    name: str
    manner: Manner
    seed: int


def exposures(micrographs: int, seed: int) -> tuple[Exposure, ...]:
    """What will be written: the three formats in turn, each in every manner."""
    suffixes = (".tif", ".mrc", ".emd")
    manners = (Manner.SLOW, Manner.RENAMED, Manner.AT_ONCE)
    return tuple(
        Exposure(
            name=f"simulated_{index + 1:04d}{suffixes[index % 3]}",
            manner=Manner.CUT_SHORT if index == _CUT_INDEX else manners[(index + index // 3) % 3],
            seed=seed + index,
        )
        for index in range(micrographs)
    )


def microscope_process(folder: Path, micrographs: int, said: Path, seed: int = SEED) -> None:
    """Simulate the micrographs of a session into a folder; for a process of its own.

    It needs the extra `simulate`; one micrograph takes about 3 s of one core.

    Args:
        folder: it exists.
        micrographs: how many, without the corrupt one.
        said: takes what the simulator prints, so that the terminal stays the daemon's.
        seed: of the first micrograph.
    """
    with said.open("wb", buffering=0) as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    from analysis.simulation.microscope import simulated_micrograph

    os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: whoever started it ends it
    write_session(
        folder,
        exposures(micrographs, seed),
        camera=lambda seed: simulated_micrograph(seed, SHAPE_PX, PIXEL_SIZE_NM)[0],
        pause=time.sleep,
    )


def write_session(
    folder: Path, planned: tuple[Exposure, ...], camera: Camera, pause: Pause
) -> None:
    """Write every exposure in its manner, a corrupt file in between, the missing half at the end.

    Args:
        folder: it exists.
        planned: in the order they are taken.
        camera: gives the counts for a seed.
        pause: called with seconds wherever a real microscope would take its time.
    """
    completions = []
    for index, exposure in enumerate(planned):
        content = encoded(exposure.name, camera(exposure.seed))
        path = folder / exposure.name
        if exposure.manner is Manner.CUT_SHORT:
            half = round(_FIRST_HALF * len(content))
            path.write_bytes(content[:half])
            completions.append((path, content[half:]))
        else:
            _write(path, content, exposure.manner, pause)
        if index == len(planned) // 2:
            (folder / CORRUPT_NAME).write_bytes(corrupt_tiff(exposure.seed))
    pause(_CUT_SECONDS)
    for path, rest in completions:
        with path.open("ab") as file:
            file.write(rest)


def encoded(name: str, counts: NDArray[np.generic]) -> bytes:
    """The bytes of a calibrated micrograph in the format of its suffix."""
    with tempfile.TemporaryDirectory(prefix="fringewatch-microscope-") as folder:
        path = Path(folder) / name
        match path.suffix:
            case ".tif":
                write_tiff(path, counts, PIXEL_SIZE_NM)
            case ".mrc":
                write_mrc(path, counts, PIXEL_SIZE_NM)
            case ".emd":
                write_ncem_emd(path, counts, PIXEL_SIZE_NM)
            case suffix:
                raise ValueError(f"no writer for {suffix!r}")
        return path.read_bytes()


def corrupt_tiff(seed: int) -> bytes:
    """The first bytes of a TIFF, then noise."""
    return b"II*\0" + np.random.default_rng(seed).bytes(100_000)


def _write(path: Path, content: bytes, manner: Manner, pause: Pause) -> None:
    if manner is Manner.RENAMED:
        partial = path.with_name(f".{path.name}.part")
        _write_pieces(partial, content, pause)
        partial.rename(path)
    elif manner is Manner.SLOW:
        _write_pieces(path, content, pause)
    else:
        path.write_bytes(content)


def _write_pieces(path: Path, content: bytes, pause: Pause) -> None:
    size = -(-len(content) // _PIECES)
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(content), size):
            file.write(content[start : start + size])
            pause(_PIECE_SECONDS)
