"""Row 10: every writer, stalled wherever it can be, gives one result, and the right one.

All files are on their way side by side, each stalled at a point of its own, so that one run of the
daemon meets all of them.
"""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from tests.acceptance.arrivals import CASES, arrivals
from tests.acceptance.conftest import STUB, Bench, bench_in
from tests.acceptance.rest import EVERY_IMAGE, SECONDS_PER_FILE, assert_only_known, at_rest

# Tried twice, a file waits until it changes: no stall is long enough to use the ladder up.
RETRY = "[0.5, 900.0, 900.0, 900.0, 900.0]"
STALL_SECONDS = 2.0  # three times what a file without events must rest

RESULTS = (
    "SELECT path, frame_index, pixel_sha256, signal_index, state, pixel_size_nm, natural_key, "
    "particle_count, suspect FROM current_micrograph",
    "SELECT m.path, m.frame_index, m.pixel_sha256, p.* FROM current_particle p "
    "JOIN current_micrograph m USING (micrograph_id)",
)
NUMBERS = {"particle_id", "analysis_id", "micrograph_id", "field_of_view_id"}
# Sums over small images in single precision depend on where in memory they lie.
RTOL, ATOL = 1e-3, 1e-5


def every_writer_gives_one_result(
    folder: Path, *, points: int, seed: int = 0, program: str = STUB
) -> str:
    """Row 10 of the acceptance tests.

    Args:
        folder: an empty one to work in.
        points: at how many points each writer is stalled.
        seed: of the pixels.
        program: what is run; `daemon` is the real model.
    """
    with bench_in(folder / "live", program) as bench:
        bench.configure(retry=RETRY)
        (scratch := folder / "scratch").mkdir()
        on_their_way = arrivals(bench.folder, scratch, points, seed)
        known = {arrival.name: arrival.known for arrival in on_their_way}
        seconds = 60 + SECONDS_PER_FILE * len(on_their_way)
        process = bench.start("--plain")
        for arrival in on_their_way:
            arrival.go_on(1)
        _stall(bench, seconds)
        for arrival in on_their_way:
            arrival.go_on(arrival.point - 1)
        _stall(bench, seconds)
        assert_only_known(bench, known)
        for arrival in on_their_way:
            arrival.go_on(points)
        ends = {arrival.name: arrival.case.end for arrival in on_their_way}
        at_rest(bench, seconds)
        bench.until(lambda: bench.states() == ends, seconds)
        bench.stop(process)
        assert_only_known(bench, known)
        _work_off(bench)
        found = results(bench.state)
        images = bench.query(EVERY_IMAGE)
    with bench_in(folder / "finished", program) as finished:
        shutil.copytree(bench.folder, finished.folder, dirs_exist_ok=True)
        _work_off(finished)
        assert_same(found, results(finished.state))
    return (
        f"{len(CASES)} writers at {points} points: {len(on_their_way)} files, "
        f"{len(found)} rows as of the finished files, 0 of {len(images)} images partial"
    )


def _work_off(bench: Bench) -> None:
    """What waits is taken as it is, or given up."""
    done = bench.run("watch", "--once", "--plain", timeout=900)
    assert done.returncode == 0, done.stderr
    bench.assert_clean()


def _stall(bench: Bench, seconds: float) -> None:
    """Nobody goes on until the daemon has done with the files as they are what it ever will."""
    at_rest(bench, seconds, overwritten="settling")
    until = time.monotonic() + STALL_SECONDS
    bench.until(lambda: time.monotonic() > until, seconds)
    at_rest(bench, seconds, overwritten="settling")


Rows = list[tuple[tuple[Any, ...], list[float]]]
"""What must be equal, and measured values."""


def results(state: Path) -> Rows:
    """Every current micrograph and every particle, by the name of its file and its frame."""
    with closing(sqlite3.connect(f"file:{state / 'fringewatch.sqlite'}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for question in RESULTS for row in db.execute(question)]
    return sorted(map(_split, rows), key=repr)


def _split(row: dict[str, Any]) -> tuple[tuple[Any, ...], list[float]]:
    path = os.path.basename(row.pop("path"))
    kept = [value for name, value in row.items() if name not in NUMBERS]
    exact = tuple(value for value in kept if not isinstance(value, float))
    return (path, *exact), [value for value in kept if isinstance(value, float)]


def assert_same(found: Rows, expected: Rows) -> None:
    """The same rows, measured values but for the last digits of single precision."""
    only_one = {exact for exact, _ in found} ^ {exact for exact, _ in expected}
    assert not only_one, f"in one of the two alone: {sorted(only_one, key=repr)}"
    assert len(found) == len(expected)
    for (about, values), (_, of_finished) in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, of_finished, RTOL, ATOL, err_msg=str(about))
