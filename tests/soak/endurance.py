"""Row 6: day and night, a file every five seconds, and a stop every hour."""

import statistics
import subprocess
import time
from pathlib import Path

from tests.acceptance.clean import assert_all_done
from tests.acceptance.conftest import Bench, bench_in
from tests.acceptance.small import write_disc
from tests.soak.vitals import DAEMON, Vitals, vitals

FILE_SECONDS = 5.0
LOOK_SECONDS = 30.0
WARM_UP = 1 / 3  # of the time between two stops: caches fill
LARGEST_LOG_BYTES = 256 * 2**20
LARGEST_SLOPE_MB_PER_H = 1.0
MEANINGFUL_HOURS = 1.0  # a shorter run is all warm-up: its slope is told, not judged
READY = "watching"
Look = tuple[float, dict[str, Vitals]]


def endured(folder: Path, *, hours: float, stop_every_hours: float = 1.0) -> str:
    """Row 6: for so many hours; what grows is told per process.

    Args:
        folder: to work in.
        hours: in all.
        stop_every_hours: SIGTERM, and a start anew.
    """
    slopes: dict[str, list[float]] = {}
    largest_log, stops, number = 0, 0, 0
    until = time.monotonic() + 3600 * hours
    with bench_in(folder) as bench:
        while (left := until - time.monotonic()) > FILE_SECONDS:
            process = _started(bench)
            seconds = min(left, 3600 * stop_every_hours)
            looks, number = _watched(bench, process, seconds, number)
            _assert_constant(looks)
            if not slopes or seconds >= 3600 * MEANINGFUL_HOURS:  # the last part may be short
                for name in looks[-1][1]:
                    slopes.setdefault(name, []).append(_slope_mb_per_h(looks, name))
            largest_log = max(largest_log, bench.state.joinpath(_LOG).stat().st_size)
            bench.stop(process)
            assert process.returncode == 0
            stops += 1
        ended = bench.run("watch", "--once", "--plain")
        assert ended.returncode == 0, ended.stderr
        results = assert_all_done(bench.state, bench.folder)
    assert largest_log < LARGEST_LOG_BYTES, f"a log of {largest_log} bytes"
    typical = {name: statistics.median(found) for name, found in slopes.items()}
    if min(hours, stop_every_hours) >= MEANINGFUL_HOURS:
        assert max(typical.values()) < LARGEST_SLOPE_MB_PER_H, f"memory grows: {typical}"
    words = ", ".join(f"{name} {slope:+.2f}" for name, slope in sorted(typical.items()))
    return (
        f"{hours:.2f} h, {results} files, {stops} stops; RSS in MB/h: {words}; open files and "
        f"threads constant; log at most {largest_log / 1e6:.1f} MB"
    )


_LOG = "fringewatch.sqlite-wal"


def _started(bench: Bench) -> "subprocess.Popen[str]":
    """A daemon whose children are all there."""
    before = bench.log.read_text().count(READY) if bench.log.exists() else 0
    process = bench.start("--plain")
    bench.until(lambda: bench.log.read_text().count(READY) > before)
    return process


def _watched(
    bench: Bench, process: "subprocess.Popen[str]", seconds: float, number: int
) -> tuple[list[Look], int]:
    """Files arrive, and the processes are looked at once the last file is done."""
    looks: list[Look] = []
    began = time.monotonic()
    pause = min(LOOK_SECONDS, seconds / 10)
    next_look = began + pause
    while (now := time.monotonic()) - began < seconds or not looks:
        write_disc(bench.folder / f"{number:06d}.tif", number)
        number += 1
        if now >= next_look:
            bench.until(lambda: set(bench.states().values()) == {"done"})
            looks.append((time.monotonic() - began, vitals(process)))
            next_look = time.monotonic() + pause
        time.sleep(max(0.0, FILE_SECONDS - (time.monotonic() - now)))
    return looks, number


def _warm(looks: list[Look]) -> list[Look]:
    return [look for look in looks if look[0] >= WARM_UP * looks[-1][0]] or looks


def _assert_constant(looks: list[Look]) -> None:
    """No file stays open, no thread stays behind: the first warm look against the last."""
    warm = _warm(looks)
    for name in (DAEMON, "fw-worker", "fw-parser"):
        first, last = warm[0][1][name], warm[-1][1][name]
        # A look may meet a connection that a commit has just opened.
        assert last.descriptors <= first.descriptors + 2, f"{name}: {first}, then {last}"
        assert last.threads <= first.threads + 1, f"{name}: {first}, then {last}"


def _slope_mb_per_h(looks: list[Look], name: str) -> float:
    """Of the memory of one process, by least squares over the warm part."""
    warm = [(seconds, found[name]) for seconds, found in _warm(looks) if name in found]
    if len(warm) < 2:
        return 0.0
    hours = [seconds / 3600 for seconds, _ in warm]
    return statistics.linear_regression(hours, [v.rss_bytes / 1e6 for _, v in warm]).slope
