"""What arrives in row 10: micrographs of many formats, each in the manner of its program.

Every file has pixels of its own, so that none is recognised as a copy of another.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from analysis.simulation.files import write_mrc, write_ncem_emd, write_tiff
from daemon.acquisition import Delivery, Manner, deliver
from tests.acceptance.rest import Known, frames_of
from tests.acceptance.small import PIXEL_SIZE_NM, disc
from tests.analysis.readers.samples import write_dm3, write_emi, write_ser, write_velox

FRAMES = 3
SPACING_A = 0.4132  # cut anywhere, it is another number
UNCALIBRATED_NM = 0.1  # an MRC file of 1 Å a voxel states no pixel size
OTHER_PIXELS = 1_000_000

Write = Callable[[Path, int], None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to arrive; `end` is the state it waits in while the daemon runs."""

    name: str
    manner: Manner
    write: Write
    suffix: str = ".mrc"
    earlier: Write | None = None
    companion: tuple[str, Write] | None = None
    end: str = "done"


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One micrograph on its way, which stalls after `point` steps.

    `known`: what may ever be analysed of it.
    """

    case: Case
    name: str
    point: int
    known: frozenset[Known]
    steps: Iterator[None]

    def go_on(self, steps: int) -> None:
        """So many steps, if there are so many."""
        for _ in range(steps):
            next(self.steps, None)


def _mrc(path: Path, number: int, pixel_size_nm: float = PIXEL_SIZE_NM) -> None:
    write_mrc(path, disc(number), pixel_size_nm)


def _tif(path: Path, number: int, acquired_local: datetime | None = None) -> None:
    write_tiff(path, disc(number), PIXEL_SIZE_NM, acquired_local)


def _emd(path: Path, number: int) -> None:
    write_ncem_emd(path, disc(number), PIXEL_SIZE_NM)


def _dm3(path: Path, number: int) -> None:
    write_dm3(path, disc(number))


def _velox(path: Path, number: int) -> None:
    write_velox(path, {"BM-Ceta": disc(number)})


def _corrupt_velox(path: Path, number: int) -> None:
    """What is left where Velox ended in the middle: its settings break off."""
    _velox(path, number)
    with h5py.File(path, "r+") as file:
        file["Data/Image/BM-Ceta/Metadata"][50:] = 0


def _ser(path: Path, number: int, frames: int = 1, declared: int = 1) -> None:
    images = [disc(number + i * OTHER_PIXELS) for i in range(frames)]
    write_ser(path, np.stack(images), PIXEL_SIZE_NM, declared=declared)


def _emi(path: Path, number: int) -> None:
    write_emi(path, "TEM uP SA Zoom Image", camera=f"BM-Ceta {number}")


def _mdoc(path: Path, number: int) -> None:
    path.write_text(f"Image {number}\nPixelSpacing = {SPACING_A}\nVoltage = 300\n\n[ZValue = 0]\n")


def _other(write: Write) -> Write:
    return lambda path, number: write(path, number + OTHER_PIXELS)


_uncalibrated = partial(_mrc, pixel_size_nm=UNCALIBRATED_NM)
_dated = partial(_tif, acquired_local=datetime(2026, 3, 1, 9, 30))  # noqa: DTZ001  of the microscope
_series = partial(_ser, frames=FRAMES, declared=FRAMES)
_stopped = partial(_ser, frames=FRAMES, declared=FRAMES + 2)

CASES = (
    Case(name="header_last", manner=Manner.HEADER_LAST, write=_mrc),
    Case(name="slow", manner=Manner.IN_ORDER, write=_dm3, suffix=".dm3"),
    Case(name="reopened", manner=Manner.REOPENED, write=_tif, suffix=".tif"),
    Case(name="preallocated", manner=Manner.PREALLOCATED, write=_mrc),
    Case(name="rsync", manner=Manner.RENAMED, write=_tif, suffix=".tif"),
    Case(name="rsync_inplace", manner=Manner.OVERWRITTEN, write=_emd, suffix=".emd"),
    Case(name="rsync_over", manner=Manner.OVERWRITTEN, write=_mrc, earlier=_other(_mrc)),
    Case(name="robocopy", manner=Manner.ROBOCOPY, write=_ser, suffix="_1.ser"),
    Case(name="robocopy_over", manner=Manner.ROBOCOPY, write=_mrc, earlier=_other(_mrc)),
    Case(name="moved_in", manner=Manner.MOVED_IN, write=_mrc, companion=(".mrc.mdoc", _mdoc)),
    Case(name="resaved", manner=Manner.SAVED_AGAIN, write=_dated, suffix=".tif", earlier=_tif),
    Case(name="reused", manner=Manner.SAVED_AGAIN, write=_mrc, earlier=_other(_mrc)),
    Case(
        name="emi_late",
        manner=Manner.COMPANION_LATE,
        write=_ser,
        suffix="_1.ser",
        companion=(".emi", _emi),
    ),
    Case(
        name="mdoc_late",
        manner=Manner.COMPANION_LATE,
        write=_uncalibrated,
        companion=(".mrc.mdoc", _mdoc),
    ),
    Case(name="mdoc_absent", manner=Manner.IN_ORDER, write=_uncalibrated),
    Case(name="series", manner=Manner.FRAME_BY_FRAME, write=_series, suffix="_1.ser"),
    Case(
        name="stopped", manner=Manner.FRAME_BY_FRAME, write=_stopped, suffix="_1.ser", end="retry"
    ),
    Case(name="velox", manner=Manner.HELD_OPEN, write=_velox, suffix=".emd"),
    Case(
        name="corrupt_velox",
        manner=Manner.IN_ORDER,
        write=_corrupt_velox,
        suffix=".emd",
        end="retry",
    ),
)


def arrivals(folder: Path, scratch: Path, points: int, seed: int) -> list[Arrival]:
    """Every case, stalled at each of so many points on its way into the folder.

    Args:
        folder: the watched one.
        scratch: an empty one, to encode and read what is to come.
        points: at least 2.
        seed: of the pixels.
    """
    return [
        _arrival(case, point, points, folder, scratch, number=100 * (20 * seed + index) + point)
        for index, case in enumerate(CASES)
        for point in range(1, points + 1)
    ]


def _arrival(
    case: Case, point: int, points: int, folder: Path, scratch: Path, number: int
) -> Arrival:
    stem = f"{case.name}_at{point:02d}"
    path = scratch / f"{stem}{case.suffix}"
    known: set[Known] = set()
    earlier = companion = None
    if case.earlier is not None:
        case.earlier(path, number)
        earlier, known = path.read_bytes(), known | frames_of(path)
    case.write(path, number)
    known |= frames_of(path)
    if case.companion is not None:
        suffix, write = case.companion
        beside = path.with_name(stem + suffix)
        write(beside, number)
        companion = (beside.name, beside.read_bytes())
        known |= frames_of(path)
    content = path.read_bytes()
    delivery = Delivery(name=path.name, content=content, companion=companion, earlier=earlier)
    steps = deliver(case.manner, folder, delivery, points)
    return Arrival(case=case, name=path.name, point=point, known=frozenset(known), steps=steps)
