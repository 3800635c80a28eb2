"""Whether the daemon has done what it will with what lies in the folder, and from which pixels."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from analysis.errors import UnreadableYet
from analysis.readers import read_micrographs
from daemon.config import WatchConfig
from daemon.roots import Root
from daemon.walk import walk
from schema.serial import companions_from_json
from tests.acceptance.conftest import Bench

SECONDS_PER_FILE = 15.0  # a tenth of one where the machine is free
VERDICTS = {"done", "retry", "refused", "quarantined"}
LEDGER = (
    "SELECT path, revision, state, size_bytes, mtime_ns, companions FROM source_file "
    "WHERE state <> 'superseded' AND present = 1"
)
EVERY_IMAGE = (
    "SELECT path, pixel_sha256, image.pixel_size_nm, image.suspect FROM image "
    "JOIN source_file ON source_file.id = source_file_id"
)

Known = tuple[str, float | None]
"""Pixel hash and pixel size in nm of a frame."""


def frames_of(path: Path) -> set[Known]:
    """What is read of a file now; nothing where it is damaged."""
    try:
        return {(m.pixel_sha256, m.calibration.pixel_size_nm) for m in read_micrographs(path)}
    except UnreadableYet:
        return set()


def at_rest(bench: Bench, seconds: float, overwritten: str = "done") -> None:
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


def assert_only_known(bench: Bench, known: Mapping[str, Collection[Known]]) -> None:
    """No image that was ever stored holds other pixels than these, or has another pixel size."""
    for path, pixels, pixel_size_nm, suspect in bench.query(EVERY_IMAGE):
        name = os.path.basename(os.fsdecode(path))
        assert (pixels, pixel_size_nm) in known[name], f"{name} was analysed half-written"
        assert suspect is None, f"{name}: {suspect}"
