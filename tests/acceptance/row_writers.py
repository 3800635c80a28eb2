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

from daemon.config import WatchConfig
from daemon.walk import Root, walk
from schema.serial import companions_from_json
from tests.acceptance.arrivals import CASES, Arrival, arrivals
from tests.acceptance.conftest import STUB, Bench, bench_in

# Tried twice, a file waits until it changes: no stall is long enough to use the ladder up.
RETRY = "[0.5, 900.0, 900.0, 900.0, 900.0]"
STALL_SECONDS = 2.0  # three times what a file without events must rest
VERDICTS = {"done", "retry", "refused", "quarantined"}
SECONDS_PER_FILE = 15.0  # a tenth of one where the machine is free

LEDGER = (
    "SELECT path, revision, state, size_bytes, mtime_ns, companions FROM source_file "
    "WHERE state <> 'superseded' AND present = 1"
)
EVERY_IMAGE = (
    "SELECT path, pixel_sha256, image.pixel_size_nm, image.suspect FROM image "
    "JOIN source_file ON source_file.id = source_file_id"
)
RESULTS = (
    "SELECT path, state, signal_index, frame_index, pixel_sha256, pixel_size_nm, natural_key, "
    "particle_count, suspect FROM current_micrograph"
)
NUMBERS = {"particle_id", "micrograph_id", "field_of_view_id"}


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
        seconds = 60 + SECONDS_PER_FILE * len(on_their_way)
        process = bench.start("--plain")
        for arrival in on_their_way:
            arrival.go_on(1)
        _stall(bench, seconds)
        for arrival in on_their_way:
            arrival.go_on(arrival.point - 1)
        _stall(bench, seconds)
        _nothing_partial(bench, on_their_way)
        for arrival in on_their_way:
            arrival.go_on(points)
        _rest(bench, seconds)
        ends = {arrival.name: arrival.case.end for arrival in on_their_way}
        assert bench.states() == ends
        bench.stop(process)
        _nothing_partial(bench, on_their_way)
        _work_off(bench)
        found = results(bench.state)
        images = bench.query(EVERY_IMAGE)
    with bench_in(folder / "finished", program) as finished:
        shutil.copytree(bench.folder, finished.folder, dirs_exist_ok=True)
        _work_off(finished)
        assert found == results(finished.state)
    return (
        f"{len(CASES)} writers at {points} points: {len(on_their_way)} files, "
        f"{len(found[0])} results as of the finished files, 0 of {len(images)} images partial"
    )


def _work_off(bench: Bench) -> None:
    """What waits is taken as it is, or given up."""
    done = bench.run("watch", "--once", "--plain", timeout=900)
    assert done.returncode == 0, done.stderr
    bench.assert_clean()


def _stall(bench: Bench, seconds: float) -> None:
    """Nobody goes on until the daemon has done with the files as they are what it ever will."""
    _rest(bench, seconds, overwritten="settling")
    until = time.monotonic() + STALL_SECONDS
    bench.until(lambda: time.monotonic() > until, seconds)
    _rest(bench, seconds, overwritten="settling")


def _rest(bench: Bench, seconds: float, overwritten: str = "done") -> None:
    """Until the ledger knows every file as it stands there now, and has tried it.

    `overwritten`: also the state of a file that has a result and is being written again.
    """
    root = Root.of(WatchConfig(folder=bench.folder))
    there = {
        arrival.path: (arrival.size_bytes, arrival.mtime_ns, set(arrival.companions))
        for arrival in walk(root).arrivals
    }

    def is_at_rest() -> bool:
        rows = bench.query(LEDGER)
        known = {
            path: (size, at, set(companions_from_json(beside)))
            for path, _, _, size, at, beside in rows
        }
        return known == there and all(
            state in VERDICTS or (revision > 1 and state == overwritten)
            for _, revision, state, *_ in rows
        )

    bench.until(is_at_rest, seconds)


def _nothing_partial(bench: Bench, on_their_way: list[Arrival]) -> None:
    """No image that was ever stored holds other pixels than a finished file, or another size."""
    known = {os.fsencode(arrival.name): arrival.known for arrival in on_their_way}
    for path, pixels, pixel_size_nm, suspect in bench.query(EVERY_IMAGE):
        name = os.path.basename(path)
        assert (pixels, pixel_size_nm) in known[name], f"{name!r} was analysed half-written"
        assert suspect is None, f"{name!r}: {suspect}"


Rows = list[tuple[Any, ...]]


def results(state: Path) -> tuple[Rows, Rows]:
    """Every current micrograph and every particle, by the name of its file."""
    with closing(sqlite3.connect(f"file:{state / 'fringewatch.sqlite'}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        particles = [dict(row) for row in db.execute("SELECT * FROM current_particle")]
        micrographs = [dict(row) for row in db.execute(RESULTS)]
    return _by_name(micrographs), _by_name(particles)


def _by_name(rows: list[dict[str, Any]]) -> Rows:
    kept = [
        tuple(
            os.path.basename(value) if key == "path" else value
            for key, value in row.items()
            if key not in NUMBERS
        )
        for row in rows
    ]
    return sorted(kept, key=repr)
