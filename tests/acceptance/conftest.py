"""The real command in a process of its own, on real files."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.simulation.files import write_tiff
from analysis.simulation.microscope import simulated_micrograph
from tests.acceptance.clean import assert_clean

Counts = NDArray[np.uint16]
NOT_YET = ("unable to open", "no such table", "locked")  # it is being made
STUB = "tests.acceptance.stub"
PATIENCE_SECONDS = 300.0  # until a fact that must come true is given up, on a busy machine

# Short waits, so that a test waits for the daemon and not for the clock.
CONFIG = """
[state]
folder = "{state}"
[[watch]]
folder = "{folder}"
[intake]
quiet_seconds = 0.2
quiet_seconds_without_events = 0.6
walk_seconds = 2.0
retry_seconds = {retry}
{intake}
[log]
format = "text"
{extra}
"""


@pytest.fixture(scope="session")
def counts() -> tuple[Counts, ...]:
    """Three simulated micrographs, (512, 512) at 0.04 nm/px, with particles on each."""
    return tuple(
        simulated_micrograph(seed, shape_px=(512, 512), pixel_size_nm=0.04)[0]
        for seed in (11, 12, 13)
    )


@dataclass
class Bench:
    """A watched folder, a state folder, and the command that works on them.

    `wrapper`: what the command is started by, which replaces itself by it.
    """

    folder: Path
    state: Path
    config: Path
    program: str = "daemon"
    wrapper: tuple[str, ...] = ()
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        """What the daemon said."""
        return self.config.with_suffix(".log")

    def configure(
        self, retry: str = "[0.5, 0.5, 0.5, 0.5, 0.5]", intake: str = "", extra: str = ""
    ) -> None:
        """Write the configuration."""
        text = CONFIG.format(
            state=self.state, folder=self.folder, retry=retry, intake=intake, extra=extra
        )
        self.config.write_text(text)

    def command(self, *words: str | Path) -> list[str]:
        """The command line of fringewatch with this configuration."""
        words = ("-m", self.program, *words, "--config", self.config)
        return [*self.wrapper, sys.executable, *map(str, words)]

    def start(self, *words: str | Path, **environment: str) -> subprocess.Popen[str]:
        """Start `fringewatch watch`, in the background."""
        with self.log.open("a") as log:
            process = subprocess.Popen(
                self.command("watch", *words),
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                env=os.environ | environment,
                start_new_session=True,  # a test may end the whole group
            )
        self.processes.append(process)
        return process

    def run(
        self, *words: str | Path, timeout: float = PATIENCE_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=timeout, check=False
        )

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the database, read as any reader would; none where it is not there yet."""
        path = self.state / "fringewatch.sqlite"
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return database.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if not any(words in str(error) for words in NOT_YET):
                raise
        return []

    def states(self) -> dict[str, str]:
        """File name → ledger state, of the newest revision."""
        rows = self.query("SELECT path, state FROM source_file WHERE state <> 'superseded'")
        return {os.path.basename(os.fsdecode(path)): state for path, state in rows}

    def until(self, fact: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for a fact about the world; fail where it does not come true."""
        deadline = time.monotonic() + seconds
        while not fact():
            if time.monotonic() > deadline:
                raise AssertionError(f"not true after {seconds} s; states {self.states()}")
            time.sleep(0.05)

    def stop(self, process: subprocess.Popen[str]) -> str:
        """SIGTERM; the output of the daemon."""
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        return self.log.read_text()

    def assert_clean(self) -> int:
        """See `clean`; the number of results."""
        return assert_clean(self.state)

    def end(self) -> None:
        """Kill whatever still runs; its children die with it."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


@contextlib.contextmanager
def bench_in(place: Path, program: str = "tests.acceptance.bare") -> Iterator[Bench]:
    """A fresh bench in an empty folder, for a row that is no test of pytest's."""
    folder = place / "acquisition"
    folder.mkdir(parents=True)
    bench = Bench(
        folder=folder, state=place / "state", config=place / "fringewatch.toml", program=program
    )
    bench.configure()
    try:
        yield bench
    finally:
        bench.end()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A fresh bench; whatever still runs at the end is killed."""
    with bench_in(tmp_path, "daemon") as bench:
        yield bench


@pytest.fixture
def quick(bench: Bench) -> Bench:
    """The same with a threshold in place of the network: see `stub`."""
    bench.program = STUB
    return bench


@pytest.fixture
def fill(bench: Bench, counts: tuple[Counts, ...]) -> Callable[[int], list[Path]]:
    """Put that many different calibrated TIFFs into the watched folder."""

    def write(number: int) -> list[Path]:
        paths = []
        for index in range(number):
            pixels = np.roll(counts[index % len(counts)], 7 * index, axis=1)
            path = bench.folder / f"20260301_Au_{index:04d}.tif"
            write_tiff(path, pixels, 0.04)
            paths.append(path)
        return paths

    return write
