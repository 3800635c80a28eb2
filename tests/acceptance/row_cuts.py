"""Row 11: a file that was cut anywhere waits, and the whole one is analysed.

As it looks while it is copied: short, or of its full size with zeros where nothing was written.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from analysis.simulation.files import write_mrc, write_ncem_emd, write_tiff
from tests.acceptance.conftest import STUB, bench_in
from tests.acceptance.rest import (
    SECONDS_PER_FILE,
    Known,
    assert_only_known,
    at_rest,
    frames_of,
)
from tests.acceptance.small import PIXEL_SIZE_NM, disc
from tests.analysis.readers.samples import write_emi, write_ser

RETRY = "[0.5, 900.0, 900.0, 900.0, 900.0]"
CURRENT = (
    "SELECT path, pixel_sha256, image.pixel_size_nm FROM image "
    "JOIN source_file ON source_file.id = source_file_id WHERE state <> 'superseded'"
)
FIRST_CUT, LAST_CUT = 0.02, 0.98


def _zlib(path: Path, number: int) -> None:
    tifffile.imwrite(path, disc(number), compression="zlib", rowsperstrip=16)


def _ser(path: Path, number: int) -> None:
    write_ser(path, disc(number)[np.newaxis], PIXEL_SIZE_NM)
    write_emi(path.with_name(path.name.replace("_1.ser", ".emi")), "TEM uP SA Zoom Image")


WRITTEN: Mapping[str, Callable[[Path, int], None]] = {
    "raw.tif": lambda path, number: write_tiff(path, disc(number), PIXEL_SIZE_NM),
    "zlib.tif": _zlib,
    "stack.mrc": lambda path, number: write_mrc(path, disc(number), PIXEL_SIZE_NM),
    "tia_1.ser": _ser,
    "ncem.emd": lambda path, number: write_ncem_emd(path, disc(number), PIXEL_SIZE_NM),
}
REAL = (
    "rsciio__test_loading_image_saved_with_DM.tif",
    "ncem__temp.mrc",
    "rsciio__128x128-TEM_search_1.ser",
    "ncem__Camera_Ceta_Imaging_Micro.emd",
    "particlespy__JEOL_HAADF_Image.dm4",
)


@dataclass(frozen=True, kw_only=True)
class CutFile:
    """A file of which only the first `kept` bytes have come."""

    path: Path
    content: bytes
    kept: int
    zero_tail: bool
    whole: frozenset[Known]

    def begin(self) -> None:
        """Write what has come."""
        tail = bytes(len(self.content) - self.kept) if self.zero_tail else b""
        self.path.write_bytes(self.content[: self.kept] + tail)

    def complete(self) -> None:
        """Write what is missing, in its place."""
        with self.path.open("r+b") as file:
            file.seek(self.kept)
            file.write(self.content[self.kept :])

    def loses_nothing(self) -> bool:
        """Whether the image can be read as it will be: what is missing says nothing about it."""
        return frames_of(self.path) == self.whole


def every_cut_waits(
    folder: Path, *, cuts: int, real: Path | None = None, seed: int = 0, program: str = STUB
) -> str:
    """Row 11 of the acceptance tests.

    Args:
        folder: an empty one to work in.
        cuts: how many, from 2 to 98 % of the file, each short and with a tail of zeros.
        real: the folder of real files, cut as well as those made here; None where there is none.
        seed: of the pixels.
        program: what is run; `daemon` is the real model.
    """
    with bench_in(folder / "live", program) as bench:
        bench.configure(retry=RETRY)
        (scratch := folder / "scratch").mkdir()
        files = list(_written(scratch, bench.folder, cuts, seed))
        files += [] if real is None else list(_real(real, scratch, bench.folder, cuts))
        for file in files:
            file.begin()
        intact = {file.path.name for file in files if file.loses_nothing()}
        known = {file.path.name: file.whole for file in files}
        seconds = 60 + SECONDS_PER_FILE * len(files)
        process = bench.start("--plain")
        at_rest(bench, seconds)
        assert_only_known(bench, known)
        done = {name for name, state in bench.states().items() if state == "done"}
        assert done <= intact, f"done: {done - intact}"
        for file in files:
            file.complete()
        whole = dict.fromkeys(known, "done")
        at_rest(bench, seconds)
        bench.until(lambda: bench.states() == whole, seconds)
        bench.stop(process)
        bench.assert_clean()
        assert_only_known(bench, known)
        current = bench.query(CURRENT)
    found: dict[str, set[Known]] = {name: set() for name in known}
    for path, *frame in current:
        found[os.path.basename(os.fsdecode(path))].add(tuple(frame))
    assert found == known
    return (
        f"{len(files)} cuts of {len(files) // (2 * cuts)} formats: "
        f"{len(known) - len(done)} waited, {len(done)} had lost no pixel, 0 wrong; "
        "all done when whole"
    )


def _written(scratch: Path, folder: Path, cuts: int, seed: int) -> Iterator[CutFile]:
    number = 1_000_000 * seed
    for name, write in WRITTEN.items():
        for prefix, fraction, zero_tail in _places(cuts):
            number += 1
            path = scratch / f"{prefix}_{name}"
            write(path, number)
            yield _cut(path, folder, fraction, zero_tail)


def _real(real: Path, scratch: Path, folder: Path, cuts: int) -> Iterator[CutFile]:
    for name in REAL:
        for prefix, fraction, zero_tail in _places(cuts):
            for beside in (name, name.replace("_1.ser", ".emi")):
                shutil.copyfile(real / beside, scratch / f"{prefix}_{beside}")
            yield _cut(scratch / f"{prefix}_{name}", folder, fraction, zero_tail)


def _places(cuts: int) -> Iterator[tuple[str, float, bool]]:
    """A prefix of its own for each file, the share of it that has come, whether zeros follow."""
    for index, fraction in enumerate(np.linspace(FIRST_CUT, LAST_CUT, cuts)):
        yield f"short{index:02d}", float(fraction), False
        yield f"zeros{index:02d}", float(fraction), True


def _cut(whole: Path, folder: Path, fraction: float, zero_tail: bool) -> CutFile:
    """The file as it will come into the folder; its settings, if any, are there already."""
    settings = whole.with_name(whole.name.replace("_1.ser", ".emi"))
    if settings != whole:
        shutil.copyfile(settings, folder / settings.name)
    content = whole.read_bytes()
    return CutFile(
        path=folder / whole.name,
        content=content,
        kept=int(len(content) * fraction),
        zero_tail=zero_tail,
        whole=frozenset(frames_of(whole)),
    )
