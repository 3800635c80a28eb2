"""Row 9: every part of the daemon fails, by an exception or by its death; no file is lost."""

import itertools
import os
import subprocess
import time
from pathlib import Path

from tests.acceptance.clean import assert_all_done
from tests.acceptance.conftest import Bench, bench_in
from tests.acceptance.processes import children_of
from tests.acceptance.saboteur import DEATH, EXCEPTION, PLACE, PROCESSES, THREADS, WRITER, order
from tests.acceptance.small import write_disc

WATCHDOG_SECONDS = 60.0  # of service/fringewatch.service
RESTART_SECONDS = 5.0
NO_WALK_SECONDS = 3600.0  # so that a walk by the clock cannot hide what events missed
REVIVED = "the file event observer had died and is started again"
LOST = "file events were lost"


def parts_fail(folder: Path, *, times: int, restart_seconds: float = RESTART_SECONDS) -> str:
    """Row 9: each part, each way, so many times, with a file arriving each time.

    Args:
        folder: to work in.
        times: for each of six parts and two ways.
        restart_seconds: until the part is there again; the exit of the daemon has the time of the
            service manager's watchdog.
    """
    slowest: dict[str, float] = {}
    with bench_in(folder, "tests.acceptance.saboteur") as bench:
        _walk_never(bench)
        harm = folder / "harm"
        harm.mkdir()
        process = _started(bench, harm)
        rounds = itertools.product(range(times), (*THREADS, *PROCESSES, WRITER), (EXCEPTION, DEATH))
        for number, (_, part, kind) in enumerate(rounds):
            seconds, process = _one(bench, process, harm, part, kind, number)
            slowest[part] = max(slowest.get(part, 0.0), seconds)
        bench.stop(process)
        assert process.returncode == 0
        results = assert_all_done(bench.state, bench.folder)
    late = {part: s for part, s in slowest.items() if part != WRITER and s > restart_seconds}
    assert not late, f"not there again within {restart_seconds} s: {late}"
    assert slowest[WRITER] <= WATCHDOG_SECONDS
    figures = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in slowest.items())
    return f"{results} failures, {results} files done; slowest return: {figures}"


def _one(
    bench: Bench,
    process: "subprocess.Popen[str]",
    harm: Path,
    part: str,
    kind: str,
    number: int,
) -> tuple[float, "subprocess.Popen[str]"]:
    """Seconds until a part that failed was there again, or the daemon gone; the daemon then."""
    log_before = bench.log.read_text()
    children = set(children_of(process.pid))
    order(harm, part, kind)
    write_disc(bench.folder / f"{number:03d}_{part}_{kind}.tif", number)
    bench.until(lambda: not (harm / part).exists())
    began = time.monotonic()
    if part == WRITER:
        assert process.wait(WATCHDOG_SECONDS) not in (0, None)
    elif part in PROCESSES and kind == DEATH:
        bench.until(lambda: bool(set(children_of(process.pid)) - children))
    elif part in THREADS:
        word = LOST if (part, kind) == ("handler", EXCEPTION) else REVIVED
        bench.until(lambda: bench.log.read_text().count(word) > log_before.count(word))
    seconds = time.monotonic() - began
    if part == WRITER:
        process = _started(bench, harm)
    bench.until(lambda: list(bench.states().values()) == ["done"] * (number + 1))
    assert process.poll() is None
    return seconds, process


def _started(bench: Bench, harm: Path) -> "subprocess.Popen[str]":
    before = bench.log.read_text().count("watching") if bench.log.exists() else 0
    # What is told to fail removes the order, which it may in the folder for temporary files.
    process = bench.start("--plain", **{PLACE: os.fspath(harm), "TMPDIR": os.fspath(harm)})
    bench.until(lambda: bench.log.read_text().count("watching") > before)
    return process


def _walk_never(bench: Bench) -> None:
    text = bench.config.read_text()
    text = text.replace("walk_seconds = 2.0", f"walk_seconds = {NO_WALK_SECONDS}")
    bench.config.write_text(text)
