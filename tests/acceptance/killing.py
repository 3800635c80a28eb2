"""Rows 1 and 3: a daemon that is killed with -9 again and again, while files arrive or in recovery.

Half of the kills end the daemon alone, whose children die with it, and half the whole group.
"""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.clean import assert_all_done, assert_no_row_without_file
from tests.acceptance.conftest import Bench, bench_in
from tests.acceptance.small import write_disc

BARE = "tests.acceptance.bare"
FINISH_SECONDS = 600.0
SHORTER, LONGER = 0.85, 1.2  # the next runs, after one with and one without a result


def killed_while_files_arrive(
    folder: Path, *, kills: int, files: int, program: str = BARE, seed: int = 0
) -> str:
    """Row 1: so many kills at random moments, spread over the arrival of so many micrographs.

    The moments lie between the start of the daemon and about one and a half times what it takes to
    its first result, so that starts, recoveries and analyses are all hit, also where the machine
    becomes busier meanwhile.
    """
    rng = random.Random(seed)
    with bench_in(folder, program) as bench:
        arrived = in_hand = productive = results = 0
        last = 0.0
        for kill in range(kills):
            process = bench.start("--plain")
            for number in range(arrived, (kill + 1) * files // kills):
                write_disc(bench.folder / f"{number:05d}.tif", number)
                arrived += 1
            if kill == 0:
                last = 1.5 * _seconds_until(bench, lambda: "done" in bench.states().values())
            else:
                _wait(process, rng.uniform(0.1, last))
            _kill(process, rng)
            in_hand += "processing" in bench.states().values()
            before, results = results, assert_no_row_without_file(bench.state)
            productive += results > before
            last *= SHORTER if results > before else LONGER
        results = _finished(bench)
    return (
        f"{kills} kills, {productive} of them after new results, {in_hand} with a file in hand; "
        f"{results} files, {results} rows"
    )


def killed_in_recovery(
    folder: Path, *, kills: int, program: str = BARE, seed: int = 0, files_per_kill: int = 1
) -> str:
    """Row 3: a kill with a file in hand, and a second one during the start that recovers from it.

    The second one comes at a random moment before the recovered daemon would have a result.
    """
    rng = random.Random(seed)
    with bench_in(folder, program) as bench:
        arrived, interrupted, recovery = 0, 0, 0.0
        for _ in range(kills):
            process = bench.start("--plain")
            for number in range(arrived, arrived + files_per_kill):
                write_disc(bench.folder / f"{number:05d}.tif", number)
            arrived += files_per_kill
            began = _seconds_until(bench, lambda: "processing" in bench.states().values())
            recovery = max(recovery, began)
            _kill(process, rng)
            interrupted += "processing" in bench.states().values()
            process = bench.start("--plain")
            _wait(process, rng.uniform(0.0, recovery))
            _kill(process, rng)
            assert_no_row_without_file(bench.state)
        results = _finished(bench)
    return f"{kills} pairs of kills, {interrupted} left a file in hand; {results} rows"


def _kill(process: "subprocess.Popen[str]", rng: random.Random) -> None:
    assert process.poll() is None, f"ended by itself with {process.returncode}"
    whole_group = rng.random() < 0.5
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
    process.wait()


def _wait(process: "subprocess.Popen[str]", seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)


def _seconds_until(bench: Bench, fact: Callable[[], bool]) -> float:
    began = time.monotonic()
    bench.until(fact)
    return time.monotonic() - began


def _finished(bench: Bench) -> int:
    """What is left is worked off; the number of results."""
    ended = bench.run("watch", "--once", "--plain", timeout=FINISH_SECONDS)
    assert ended.returncode == 0, ended.stderr
    return assert_all_done(bench.state, bench.folder)
