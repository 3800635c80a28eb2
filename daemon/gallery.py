"""Overlay pictures of the micrographs of a state folder, one PNG for each analysed frame."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from analysis.errors import AnalysisError
from analysis.micrograph import Micrograph
from analysis.readers import read_micrographs
from daemon.overlay import write_overlay
from schema import masks
from schema.errors import MaskFileError
from schema.queries import MicrographRow

log = logging.getLogger(__name__)


def write_gallery(
    state_folder: Path, micrographs: Sequence[MicrographRow], folder: Path
) -> list[Path]:
    """Write the overlays of these micrographs into a folder; the files that were written.

    A micrograph whose raw file is gone or changed has none, and a log line says so.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for row in micrographs:
        if not row.segmented or row.mask_path is None:
            continue
        mask = state_folder / row.mask_path
        path = folder / f"{mask.stem}.png"
        try:
            _write_one(mask, _frame(row), path)
        except (AnalysisError, MaskFileError, FileNotFoundError, LookupError) as error:
            log.warning("no overlay of %s: %s", os.fsdecode(row.path), error)
            continue
        written.append(path)
    return written


def _write_one(mask: Path, micrograph: Micrograph, path: Path) -> None:
    record = masks.read_record(mask)
    labels = masks.read_labels(mask)
    if labels is None or micrograph.pixel_sha256 != record.image.pixel_sha256:
        raise LookupError("the raw file no longer holds this image")
    classes = {particle.label: particle.particle_class for particle in record.particles}
    write_overlay(path, micrograph.image, labels, classes, record.image.pixel_size_nm)


def _frame(row: MicrographRow) -> Micrograph:
    """The one image of the raw file that the row is about."""
    for micrograph in read_micrographs(Path(os.fsdecode(row.path))):
        source = micrograph.source
        if (source.signal_index, source.frame_index) == (row.signal_index, row.frame_index):
            return micrograph
    raise LookupError("the raw file no longer holds this image")
