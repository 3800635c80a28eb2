"""A file that looks unfinished waits; what it becomes is what is measured."""

import os
from itertools import product
from pathlib import Path

from analysis.readers import ReadLimits, read_micrographs
from tests.acceptance.conftest import Bench
from tests.acceptance.small import write_disc

RETRY = "[1.0, 600.0, 600.0, 600.0, 600.0]"  # tried twice, and then left alone by the clock


def preallocated(path: Path, whole: bytes, written: float) -> None:
    """Full size from the start, the end still zeros: as over a share, or after fallocate."""
    size = round(len(whole) * written)
    path.write_bytes(whole[:size] + bytes(len(whole) - size))


def sparse(path: Path, whole: bytes, written: float) -> None:
    """Full size from the start, the end never written at all."""
    path.write_bytes(whole[: round(len(whole) * written)])
    os.truncate(path, len(whole))


def short(path: Path, whole: bytes, written: float) -> None:
    """As far as it has come."""
    path.write_bytes(whole[: round(len(whole) * written)])


WRITERS = (preallocated, sparse, short)


def test_half_a_file_is_never_done_and_the_whole_one_is(quick: Bench, tmp_path: Path):
    quick.configure(retry=RETRY)
    whole: dict[Path, bytes] = {}
    for number, (write, written) in enumerate(product(WRITERS, (0.3, 0.9, 0.97))):
        path = quick.folder / f"{write.__name__}_{written}.tif"
        whole[path] = write_disc(tmp_path / "whole.tif", number).read_bytes()
        write(path, whole[path], written)
    process = quick.start("--plain")
    waited = "SELECT count(*) FROM source_file WHERE attempts >= 2"
    quick.until(lambda: quick.query(waited) == [(len(whole),)])
    assert set(quick.states().values()) == {"retry"}
    assert quick.query("SELECT count(*) FROM analysis") == [(0,)]
    for path, content in whole.items():
        path.write_bytes(content)
    quick.until(lambda: list(quick.states().values()) == ["done"] * len(whole))
    quick.stop(process)
    quick.assert_clean()
    expected = {os.fsencode(path): pixels_of(path) for path in whole}
    rows = quick.query(
        "SELECT f.path, i.pixel_sha256, i.suspect FROM image i JOIN source_file f "
        "ON f.id = i.source_file_id WHERE f.revision = 1"
    )
    assert sorted(rows) == sorted((path, pixels, None) for path, pixels in expected.items())


def pixels_of(path: Path) -> str:
    (micrograph,) = read_micrographs(path, ReadLimits())
    return micrograph.pixel_sha256


def test_an_image_that_ends_in_zeros_for_good_is_analysed_in_the_end_and_flagged(
    quick: Bench, tmp_path: Path
):
    quick.configure(retry="[0.5, 0.5]")
    whole = write_disc(tmp_path / "whole.tif", 1).read_bytes()
    preallocated(quick.folder / "a.tif", whole, 0.8)
    process = quick.start("--plain")
    quick.until(lambda: quick.states() == {"a.tif": "done"})
    quick.stop(process)
    quick.assert_clean()
    ((suspect, attempts),) = quick.query(
        "SELECT image.suspect, attempts FROM image JOIN source_file f ON f.id = source_file_id"
    )
    assert suspect is not None
    assert attempts == 2
