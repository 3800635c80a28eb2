"""From a settled file to a committed row, beside the published pipeline on the same micrograph.

`make bench` runs it. Both work in one process, in turns, on the same file; the median of the turns
counts. What the published network makes of a micrograph is replaced by the crystals that were
drawn, so that the steps behind it have as many regions to work on. Peaks of memory are of processes
in which one of them worked alone.
"""

import argparse
import functools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from sqlalchemy import Engine

from analysis import features, pipeline
from analysis.bundle import Bundle, default_folder, load
from analysis.pipeline import AnalysisSettings
from analysis.readers import read_micrographs
from analysis.simulation.files import write_mrc, write_tiff
from daemon import record
from daemon.parser import ParsedFrame
from daemon.spool import spool_arrival
from schema import ledger, migrate, sightings, store
from schema import masks as mask_files
from schema.engine import writer
from schema.records import ArrivalRecord, OriginRecord
from schema.state import StateFolder, prepare
from tests.benchmarks.paper import PaperPipeline
from tests.benchmarks.scenes import Scene, scene

SEED = 20210225
TURNS = 3
MB, KIB = 1e6, 1024
LARGEST_FILE = 2**34
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

Seconds = dict[str, float]
say = functools.partial(print, flush=True)  # a benchmark talks to whoever started it


@dataclass(frozen=True, kw_only=True)
class Case:
    """One micrograph: side in pixels, crystals, pixel size in nm, and the suffix of its file."""

    side_px: int
    particles: int
    pixel_size_nm: float = 0.02
    suffix: str = ".tif"

    @property
    def name(self) -> str:
        """In words."""
        return (
            f"{self.side_px}², {self.particles} particles, {self.pixel_size_nm:g} nm/px, "
            f"{self.suffix[1:].upper()}"
        )


CASES = (
    Case(side_px=4096, particles=102),
    Case(side_px=4096, particles=102, pixel_size_nm=0.025),
    Case(side_px=4096, particles=102, suffix=".mrc"),
    Case(side_px=512, particles=1),
    Case(side_px=1024, particles=6),
    Case(side_px=2048, particles=25),
    Case(side_px=8192, particles=408),
    Case(side_px=4096, particles=1),
    Case(side_px=4096, particles=2000),
)


class Stopwatch:
    """Seconds of each stage of the last turn."""

    def __init__(self) -> None:
        self.seconds: Seconds = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts what happens inside to a stage."""
        began = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - began

    def counting(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, counted to a stage."""

        def counted(*values: Any, **named: Any) -> Any:
            with self.stage(name):
                return call(*values, **named)

        return counted


class Ours:
    """The work of the daemon on one file, without the processes it is spread over."""

    def __init__(self, folder: Path) -> None:
        self._state: StateFolder = prepare(folder / "state")
        migrate.upgrade(self._state.database, NOW)
        self._engine: Engine = writer(self._state.database)
        self._bundle: Bundle = load(default_folder(), "cpu")
        self._settings = AnalysisSettings()
        self._number = 0

    def turn(self, path: Path, watch: Stopwatch) -> int:
        """From the settled file to the committed row; how many regions it has.

        The file counts as another one each time, and its result as one that is not yet known.
        """
        self._number += 1
        arrival = _arrival(path, self._number)
        with self._engine.begin() as connection:
            (sighting,) = sightings.observe(connection, [arrival], None, NOW)
            ledger.ready(connection, sighting.source_file_id, arrival, NOW)
            ledger.begin(connection, sighting.source_file_id, "boot", 1, NOW)
        spool = self._state.spool / str(self._number)
        with _watched(self._bundle, watch), watch.stage("whole"):
            with watch.stage("copy and hash"):
                spooled = spool_arrival(_arrival(path), spool, LARGEST_FILE)
            with watch.stage("read"):
                (found,) = read_micrographs(spooled.primary)
            with watch.stage("hand over"):
                pixels = spool / ".frame.npy"
                np.save(pixels, found.image, allow_pickle=False)
                frame = ParsedFrame(
                    source=found.source,
                    calibration=found.calibration,
                    acquisition=found.acquisition,
                    pixel_sha256=f"{self._number:064x}",
                    suspect=found.suspect,
                    pixels=pixels,
                )
            origin = OriginRecord(
                path=arrival.path,
                root=arrival.root,
                size_bytes=arrival.size_bytes,
                mtime_ns=arrival.mtime_ns,
                file_sha256=spooled.file_sha256,
            )
            result = record.analyse_and_store(
                frame.micrograph(),
                self._bundle,
                self._settings,
                state_folder=self._state.path,
                origin=origin,
                force=False,
                analysed_at_utc=NOW,
            )
            with watch.stage("commit"), self._engine.begin() as connection:
                store.commit_results(
                    connection, sighting.source_file_id, spooled.file_sha256, [result], NOW
                )
        pixels.unlink()
        spooled.primary.unlink()
        return len(result.particles)


class Theirs:
    """The published pipeline on one file."""

    def __init__(self) -> None:
        self._pipeline = PaperPipeline()

    def turn(self, path: Path, drawn: Scene, watch: Stopwatch) -> int:
        """From the file to the classes of its regions; how many it has."""
        with watch.stage("whole"):
            with watch.stage("read"):
                (found,) = read_micrographs(path)
            with watch.stage("median"):
                image = self._pipeline.filtered(found.image)
            with watch.stage("network"):
                self._pipeline.segmented(image)
            with watch.stage("morphology"):
                boxes = self._pipeline.regions(drawn.is_crystal)
            with watch.stage("features"):
                rows = [self._pipeline.features(image, box) for box in boxes]
            with watch.stage("forest"):
                self._pipeline.sorted_into_classes(rows)
        return len(boxes)


@contextmanager
def _watched(bundle: Bundle, watch: Stopwatch) -> Iterator[None]:
    """Count what the pipeline calls to its stages."""
    with ExitStack() as stack:
        for place, name, stage in (
            (pipeline, "prepare", "preprocess"),
            (bundle.segmenter, "probabilities", "network"),
            (pipeline, "label_particles", "label"),
            (pipeline, "measure", "measure"),
            (features, "background_statistics", "features"),
            (features, "region_features", "features"),
            (bundle.forest, "probabilities", "forest"),
            (mask_files, "write", "masks"),
        ):
            counted = watch.counting(stage, getattr(place, name))
            stack.enter_context(mock.patch.object(place, name, counted))
        yield


def _arrival(path: Path, number: int | None = None) -> ArrivalRecord:
    """The file as a walk found it; with a number, as one of another name."""
    status = path.stat()
    name = path if number is None else path.with_name(f"{number}{path.suffix}")
    return ArrivalRecord(
        path=os.fsencode(name),
        root=os.fsencode(path.parent),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        inode=status.st_ino if number is None else number,
    )


def main(words: list[str] | None = None) -> None:
    """The tables, one row for each case as it is finished."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pipeline")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--only", type=int, nargs="+", help="numbers of cases, from 0")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    chosen = parser.parse_args(words)
    if chosen.child:
        asked = json.loads(chosen.child)
        say(json.dumps(measure(Case(**asked["case"]), asked["turns"], asked["who"])))
        return
    say(f"{os.cpu_count()} cores, {platform.machine()}, {platform.platform()}\n")
    for case in [CASES[n] for n in chosen.only] if chosen.only else CASES:
        both, *alone = (_in_child(case, chosen.turns, who) for who in ("both", "ours", "theirs"))
        _tell(case, both, [each["peak_mb"] for each in alone])


def _in_child(case: Case, turns: int, who: str) -> dict[str, Any]:
    asked = json.dumps({"case": vars(case), "turns": turns if who == "both" else 1, "who": who})
    ran = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.pipeline", "--child", asked],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def measure(case: Case, turns: int, who: str) -> dict[str, Any]:
    """Seconds of each turn by stages, regions, and the peak of memory in MB, of this process."""
    drawn = scene(case.side_px, case.particles, case.pixel_size_nm, SEED)
    laps: dict[str, list[Seconds]] = {"ours": [], "theirs": []}
    regions = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"micrograph{case.suffix}"
        write = write_mrc if case.suffix == ".mrc" else write_tiff
        write(path, drawn.counts, case.pixel_size_nm)
        ours = Ours(Path(folder)) if who in ("both", "ours") else None
        theirs = Theirs() if who in ("both", "theirs") else None
        for turn in range(turns + 1):  # the first of each is a rehearsal
            for name, call in (
                ("ours", ours and (lambda watch: ours.turn(path, watch))),
                ("theirs", theirs and (lambda watch: theirs.turn(path, drawn, watch))),
            ):
                if call is None:
                    continue
                watch = Stopwatch()
                regions[name] = call(watch)
                if turn:
                    laps[name].append(dict(watch.seconds))
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**laps, "regions": regions, "peak_mb": peak_kib * KIB / MB}


def _tell(case: Case, both: Mapping[str, Any], peaks_mb: list[float]) -> None:
    say(f"\n{case.name}")
    whole = {}
    for name, peak_mb in zip(("ours", "theirs"), peaks_mb, strict=True):
        laps = both[name]
        stages = {
            stage: statistics.median(lap.get(stage, 0.0) for lap in laps) for stage in laps[0]
        }
        whole[name] = stages.pop("whole")
        rest = whole[name] - sum(stages.values())
        listed = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in stages.items())
        say(
            f"  {name:7} {whole[name]:6.2f} s, {both['regions'][name]} regions, peak "
            f"{peak_mb:.0f} MB: {listed}, rest {rest:.2f}"
        )
    say(f"  published / fringewatch: {whole['theirs'] / whole['ours']:.1f}")


if __name__ == "__main__":
    main()
