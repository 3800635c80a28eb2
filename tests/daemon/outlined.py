"""Micrographs that were analysed, with their raw files and masks, without any network."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from analysis.readers import read_micrographs
from analysis.simulation.files import write_mrc, write_tiff
from daemon.stamps import mtime_ns
from schema import ledger, masks, sightings, store
from schema.records import ArrivalRecord, OriginRecord, ResultRecord
from schema.state import StateFolder
from tests.daemon.moments import NOW
from tests.schema.examples import particle, result

SIDE_PX = 96
PIXEL_SIZE_NM = 0.04


def disc(number: int) -> np.ndarray:
    """(96, 96) counts: a dark disc on noise; another image for every number."""
    rng = np.random.default_rng(number)
    return rng.poisson(np.where(labels() > 0, 400, 1000)).astype(np.uint16)


def labels() -> np.ndarray:
    """(96, 96) uint16: that disc is particle 1."""
    y, x = np.indices((SIDE_PX, SIDE_PX))
    return ((y - SIDE_PX / 2) ** 2 + (x - SIDE_PX / 2) ** 2 < 24**2).astype(np.uint16)


def single(path: Path, number: int) -> Path:
    """One micrograph as a calibrated TIFF."""
    write_tiff(path, disc(number), PIXEL_SIZE_NM)
    return path


def series(path: Path, frames: int) -> Path:
    """A series as a calibrated MRC file."""
    stack = np.stack([disc(number) for number in range(frames)])
    write_mrc(path, stack, PIXEL_SIZE_NM)
    return path


def analysed(owner: Engine, state: StateFolder, path: Path) -> tuple[ResultRecord, ...]:
    """Rows and masks of a raw file, as if it had been analysed."""
    status = path.stat()
    arrival = ArrivalRecord(
        path=os.fsencode(path),
        root=os.fsencode(path.parent),
        size_bytes=status.st_size,
        mtime_ns=mtime_ns(status),
        inode=status.st_ino,
    )
    found = tuple(_result(micrograph) for micrograph in read_micrographs(path))
    for each in found:
        leave_masks(state, each, path)
    with owner.begin() as connection:
        (sighting,) = sightings.observe(connection, [arrival], None, NOW)
        ledger.ready(connection, sighting.source_file_id, arrival, NOW)
        ledger.begin(connection, sighting.source_file_id, "boot", 1, NOW)
        store.commit_results(connection, sighting.source_file_id, "a" * 64, found, NOW)
    return found


def names(found: Sequence[ResultRecord]) -> list[str]:
    """What the pictures of these results are called, sorted."""
    return sorted(f"{Path(each.analysis.mask_path).stem}.png" for each in found)


def leave_masks(state: StateFolder, found: ResultRecord, path: Path) -> None:
    """The mask file of a result with one particle."""
    masks.write(
        state.path,
        found.analysis.mask_path,
        labels=labels(),
        probability=None,
        probability_pixel_size_nm=None,
        pixel_size_nm=PIXEL_SIZE_NM,
        record=found,
        origin=OriginRecord(
            path=os.fsencode(path),
            root=os.fsencode(path.parent),
            size_bytes=1,
            mtime_ns=1,
            file_sha256="a" * 64,
        ),
    )


def _result(micrograph) -> ResultRecord:
    source = micrograph.source
    picture = {
        "pixel_sha256": micrograph.pixel_sha256,
        "width_px": SIDE_PX,
        "height_px": SIDE_PX,
        "pixel_size_nm": PIXEL_SIZE_NM,
        "signal_index": source.signal_index,
        "frame_index": source.frame_index,
        "frame_count": source.frame_count,
    }
    shown = particle(1, 1.9, particle_class="stacking_fault")
    return result(particles=(shown,), image_changes=picture)
