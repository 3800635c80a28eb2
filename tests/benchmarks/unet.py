"""Seconds and memory of the default network against the published one, on one micrograph of 4096².

`make bench` runs it. Every measurement is a process of its own, so that its peak of memory is its
own too; the two networks take turns, and the least of all passes counts, since other work on the
machine only ever adds. The published network sees its native pixels, the default one the same
micrograph as it is resampled at 0.02 and at 0.025 nm/px. Weights do not change the time: those of
the published network are random.
"""

import functools
import json
import os
import platform
import resource
import subprocess
import sys
import time

import numpy as np

from analysis import unet
from analysis.bundle import default_folder, load
from analysis.preprocess import prepare
from analysis.segment import Segmenter

SIDE_PX = 4096
PASSES, TURNS = 3, 2
PUBLISHED_FILTERS = 4
SEED = 1
KIB_PER_MB = 1e6 / 1024


say = functools.partial(print, flush=True)  # a benchmark talks to whoever started it


def main() -> None:
    """Take turns, then one line each: seconds, share of the published network's time, peak."""
    wanted = ("published", "default@0.02", "default@0.025")
    found = {name: [_in_child(name) for _ in range(TURNS)] for name in wanted}
    say(f"one micrograph, {SIDE_PX}x{SIDE_PX} uint16; {os.cpu_count()} cores, {_processor()};")
    say(f"least of {PASSES * TURNS} warm passes; peak of the whole process, libraries included\n")
    say(f"{'network':16}{'prepare s':>11}{'network s':>11}{'of published':>14}{'peak MB':>9}")
    reference = min(turn["network"] for turn in found["published"])
    for name, turns in found.items():
        seconds = min(turn["network"] for turn in turns)
        prepared = min(turn["prepare"] for turn in turns)
        peak = max(turn["peak_mb"] for turn in turns)
        row = f"{name:16}{prepared:11.2f}{seconds:11.2f}{seconds / reference:14.2f}{peak:9.0f}"
        say(row)


def _in_child(name: str) -> dict[str, float]:
    ran = subprocess.run(
        [sys.executable, __file__, name],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    measured: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return measured


def measure(name: str) -> dict[str, float]:
    """Least seconds to prepare and to segment, and the peak of memory in MB, of this process."""
    rng = np.random.default_rng(SEED)
    counts = rng.poisson(400, (SIDE_PX, SIDE_PX)).astype(np.uint16)
    if name == "published":
        network = unet.build("published", PUBLISHED_FILTERS)
        segmenter = Segmenter("published", PUBLISHED_FILTERS, network.get_weights())
        sizes_nm, recipe = (None, None), "published"
    else:
        bundle = load(default_folder())
        segmenter, recipe = bundle.segmenter, "default"
        sizes_nm = (float(name.partition("@")[2]), bundle.manifest.model_pixel_size_nm)
    prepared, segmented = [], []
    for _ in range(PASSES + 1):
        started = time.perf_counter()
        network_input = prepare(counts, *sizes_nm, recipe).network_input
        ready = time.perf_counter()
        segmenter.probabilities(network_input)
        prepared.append(ready - started)
        segmented.append(time.perf_counter() - ready)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "prepare": min(prepared[1:]),
        "network": min(segmented[1:]),
        "peak_mb": peak_kib / KIB_PER_MB,
    }


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as stream:
        named = [line for line in stream if line.startswith("model name")]
    return named[0].partition(":")[2].strip() if named else platform.machine()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        say(json.dumps(measure(sys.argv[1])))
    else:
        main()
