"""A simulated microscope, whose micrographs reach the folder in the manners of real ones.

One is cut short and completed at the end; one more is corrupt and stays so.
"""

import os
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.simulation.files import write_mrc, write_ncem_emd, write_tiff
from daemon.acquisition import Delivery, Manner, deliver

PIXEL_SIZE_NM = 0.02
SHAPE_PX = (1024, 1024)
CORRUPT_NAME = "simulated_corrupt.tif"
SEED = 20210225

_NICENESS = 5  # the daemon comes first
_PAUSES = 4
_PAUSE_SECONDS = 0.4
_CUT_SECONDS = 6.0  # long enough for a watcher to find the cut file settled, and too short
_CUT_INDEX = 3
_SUFFIXES = (".tif", ".mrc", ".emd")
_MANNERS = (
    Manner.IN_ORDER,
    Manner.RENAMED,
    Manner.HEADER_LAST,
    Manner.REOPENED,  # the one that is cut short
    Manner.PREALLOCATED,
    Manner.HELD_OPEN,
    Manner.OVERWRITTEN,
    Manner.ROBOCOPY,
    Manner.SAVED_AGAIN,
)

Pause = Callable[[float], None]
Camera = Callable[[int], NDArray[np.generic]]
"""Seed to counts, (H, W)."""


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """One micrograph to come; one that is cut short is completed when all others are there."""

    name: str
    manner: Manner
    seed: int
    is_cut_short: bool = False


def exposures(micrographs: int, seed: int) -> tuple[Exposure, ...]:
    """What will be written: formats and manners in turn."""
    return tuple(
        Exposure(
            name=f"simulated_{index + 1:04d}{_SUFFIXES[index % len(_SUFFIXES)]}",
            manner=_MANNERS[index % len(_MANNERS)],
            seed=seed + index,
            is_cut_short=index == _CUT_INDEX,
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
    """Write every exposure in its manner, a corrupt file in between, what is missing at the end.

    Args:
        folder: it exists.
        planned: in the order they are taken.
        camera: gives the counts for a seed.
        pause: called with seconds wherever a real microscope would take its time.
    """
    unfinished = []
    for index, exposure in enumerate(planned):
        content = encoded(exposure.name, camera(exposure.seed))
        delivery = Delivery(name=exposure.name, content=content)
        steps = deliver(exposure.manner, folder, delivery, _PAUSES)
        for _ in steps:
            pause(_PAUSE_SECONDS)
            if exposure.is_cut_short:
                unfinished.append(steps)
                break
        if index == len(planned) // 2:
            (folder / CORRUPT_NAME).write_bytes(corrupt_tiff(exposure.seed))
    pause(_CUT_SECONDS)
    for steps in unfinished:
        deque(steps, maxlen=0)


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
