"""Row 5: many files of very different sizes, as fast as the disk takes them."""

import shutil
import statistics
import subprocess
import threading
import time
from datetime import datetime
from pathlib import Path

import numpy as np

from analysis.simulation.files import write_tiff
from tests.acceptance.clean import assert_all_done
from tests.acceptance.conftest import Bench, bench_in
from tests.acceptance.killing import BARE
from tests.soak.vitals import DAEMON, Vitals, vitals

SIDES_PX = (1024, 2048, 4096, 8062)  # of uint16: 2, 8, 34 and 130 MB
SHARES = (0.30, 0.38, 0.24, 0.08)
PIXEL_SIZE_NM = 0.04
QUIET_SECONDS = 0.2  # of the bench's configuration
LATE_SECONDS = 2.0
ROOM = 1.5  # times what is written: masks, spool
NOISE = 200


def burst(
    folder: Path,
    *,
    files: int,
    rss_cap_bytes: int,
    patience_seconds: float,
    program: str = BARE,
) -> str:
    """Row 5: written at once; all done, within the memory, with no file left open.

    Args:
        folder: with room for all of it.
        files: of four sizes from 2 to 130 MB; 500 of them are 11 GB.
        rss_cap_bytes: for all processes of the daemon together.
        patience_seconds: until everything must be analysed.
        program: what is run; `daemon` is the real model.
    """
    sides = np.random.default_rng(0).choice(SIDES_PX, size=files, p=SHARES)
    total = int((2 * sides.astype(np.int64) ** 2).sum())
    assert shutil.disk_usage(folder).free > ROOM * total, f"no room for {total / 1e9:.1f} GB"
    with bench_in(folder, program) as bench:
        process = bench.start("--plain")
        bench.until(lambda: "watching" in bench.log.read_text())
        write_one(bench.folder / "first.tif", 1024, files)
        bench.until(lambda: bench.states() == {"first.tif": "done"})
        watch = _Watch(process)
        began = time.monotonic()
        written = {}
        for number, side in enumerate(sides):
            path = bench.folder / f"{number:05d}.tif"
            write_one(path, int(side), number)
            written[path.name] = time.time()
        rate = total / 1e6 / (time.monotonic() - began)
        bench.until(
            lambda: list(bench.states().values()) == ["done"] * (files + 1), patience_seconds
        )
        watch.stop()
        late = _late_seconds(bench, written)
        bench.stop(process)
        results = assert_all_done(bench.state, bench.folder)
    assert watch.most_rss_bytes <= rss_cap_bytes, f"RSS {watch.most_rss_bytes / 1e6:.0f} MB"
    assert watch.last[DAEMON].descriptors <= watch.first[DAEMON].descriptors
    assert late <= QUIET_SECONDS + LATE_SECONDS, f"queued {late:.1f} s after they were written"
    return (
        f"{results} files, {total / 1e9:.1f} GB at {rate:.0f} MB/s; RSS of all processes at most "
        f"{watch.most_rss_bytes / 1e6:.0f} MB; queued {late:.2f} s after the last byte (p95)"
    )


def write_one(path: Path, side_px: int, number: int) -> None:
    """Noise with a disc, of its own pixels for each number; renamed into place when whole."""
    pixels = _BASES.get(side_px)
    if pixels is None:
        rng = np.random.default_rng(side_px)
        pixels = rng.integers(1000 - NOISE, 1000 + NOISE, (side_px, side_px), dtype=np.uint16)
        y, x = np.ogrid[:side_px, :side_px]
        pixels[(y - side_px / 2) ** 2 + (x - side_px / 2) ** 2 < (side_px / 8) ** 2] -= 500
        _BASES[side_px] = pixels
    pixels[0, :2] = divmod(number, 2**15)
    write_tiff(path, pixels, PIXEL_SIZE_NM)


_BASES: dict[int, np.ndarray] = {}  # made once: the disk is to be the slow part


class _Watch:
    """Looks at the processes twice a second, beside the writer."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.first = self.last = vitals(process)
        self.most_rss_bytes = 0
        self._process = process
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more looks; the last one counts."""
        self._stopping.set()
        self._thread.join()
        self.last = vitals(self._process)

    def _run(self) -> None:
        while not self._stopping.wait(0.5):
            found: dict[str, Vitals] = vitals(self._process)
            self.most_rss_bytes = max(
                self.most_rss_bytes, sum(one.rss_bytes for one in found.values())
            )


def _late_seconds(bench: Bench, written: dict[str, float]) -> float:
    """95 % of the files were queued so soon after their last byte."""
    rows = bench.query("SELECT path, settled_at_utc FROM source_file")
    settled = {Path(path.decode()).name: datetime.fromisoformat(at) for path, at in rows}
    late = [settled[name].timestamp() - moment for name, moment in written.items()]
    return statistics.quantiles(late, n=20)[-1] if len(late) > 1 else late[0]
