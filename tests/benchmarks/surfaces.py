"""Seconds and memory of everything that asks the database, over 10,000 to 1,000,000 particles.

`make bench` runs it. Every command is a process of its own, started as a user would; the least of
several turns counts, since other work on the machine only ever adds. The databases are made first
(a quarter of an hour) and kept in `scratch/bench`.
"""

import argparse
import functools
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from daemon.clock import SYSTEM_CLOCK
from daemon.layout import rows
from daemon.onlooker import Eyes
from daemon.reading import open_for_reading
from tests.benchmarks.crowd import PARTICLES_PER_FIELD, crowd

FIELDS = (100, 1_000, 10_000)
TURNS = 3
BYTES_PER_MB = 1e6
KIB = 1024
COMMANDS = {
    "status": ("status", "--json"),
    "summary": ("summary", "--json"),
    "summary, one run": ("summary", "--json", "--run", "R0"),
    "summary --correlations": ("summary", "--json", "--correlations"),
    "compare --by run": ("compare", "--json", "--by", "run"),
    "query faults_by_run": ("query", "faults_by_run", "--json"),
    "query faults_by_size": ("query", "faults_by_size", "--json"),
    "query sizes_by_run": ("query", "sizes_by_run", "--json"),
    "query exclusions": ("query", "exclusions", "--json"),
    "query to_review": ("query", "to_review", "--json"),
    "report": ("report", "report.html", "--no-gallery"),
    "export, CSV": ("export", "particles.csv"),
    "export, Parquet": ("export", "particles.parquet"),
}

say = functools.partial(print, flush=True)  # a benchmark talks to whoever started it


def main(words: Sequence[str] | None = None) -> None:
    """A line for each command: seconds and peak of memory for each size."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.surfaces")
    parser.add_argument("--folder", type=Path, default=Path("scratch/bench"))
    parser.add_argument("--fields", type=int, nargs="+", default=FIELDS)
    parser.add_argument("--turns", type=int, default=TURNS)
    chosen = parser.parse_args(words)
    places = [crowd(chosen.folder, fields, _told) for fields in chosen.fields]
    say(f"{os.cpu_count()} cores, {platform.platform()}; least of {chosen.turns} turns: s, MB\n")
    sizes = [f"{PARTICLES_PER_FIELD * fields:,}" for fields in chosen.fields]
    say(f"{'particles':24}" + "".join(f"{size:>16}" for size in sizes))
    for name, command in COMMANDS.items():
        found = [_least(_run(place, command) for _ in range(chosen.turns)) for place in places]
        say(f"{name:24}" + "".join(f"{seconds:9.2f}{mb:7.0f}" for seconds, mb in found))
    for name, seconds in _looking(places).items():
        say(f"{name:24}" + "".join(f"{each:9.3f}       " for each in seconds))


def _told(done: int, of: int) -> None:
    if done % 1000 == 0:
        say(f"made {done} of {of} fields of view")


def _least(turns: Iterable[tuple[float, float]]) -> tuple[float, float]:
    return min(turns)


def _run(place: Path, command: tuple[str, ...]) -> tuple[float, float]:
    """Seconds from the start to the end, and the peak of memory in MB."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "daemon", *command, "--state", str(place.absolute())],
            stdout=subprocess.DEVNULL,
            cwd=written,
        )
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, used.ru_maxrss * KIB / BYTES_PER_MB


def _looking(places: Sequence[Path]) -> dict[str, list[float]]:
    """One refresh of the live view while its figures are known, and making those figures."""
    found: dict[str, list[float]] = {"live, a refresh": [], "live, its figures": []}
    for place in places:
        state, engine = open_for_reading(place)
        eyes = Eyes(engine, state, SYSTEM_CLOCK)
        eyes.look(None)
        began = time.perf_counter()
        eyes.reckoner.turn()
        found["live, its figures"].append(time.perf_counter() - began)
        found["live, a refresh"].append(min(_refresh(eyes) for _ in range(5)))
        engine.dispose()
    return found


def _refresh(eyes: Eyes) -> float:
    began = time.perf_counter()
    rows(eyes.look(None), 120, 40)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
