"""The disk of the state folder fills up: micrographs wait, none is blamed, none is lost.

One that alone is larger than the disk waits alone.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from analysis.simulation.files import write_tiff
from tests.acceptance.conftest import Bench
from tests.acceptance.small import PIXEL_SIZE_NM, disc, write_disc

RESUMED_SECONDS = 60.0


@pytest.fixture
def small_disk(quick: Bench) -> Iterator[Path]:
    """The state folder on a file system of 6 MB of its own."""
    quick.state.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(quick.state)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root only")
    yield quick.state
    for process in quick.processes:
        process.kill()
        process.wait()
    subprocess.run(["umount", quick.state], check=True)


def fill(disk: Path, leave_bytes: int) -> Path:
    """A file that leaves so much room."""
    path = disk / "somebody_elses"
    with path.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(4096))
    size = path.stat().st_size
    os.truncate(path, max(0, size - leave_bytes))
    return path


@pytest.mark.parametrize("leave_bytes", [250_000, 0])
def test_what_comes_while_the_disk_is_full_is_done_once_there_is_room(
    quick: Bench, small_disk: Path, leave_bytes: int
):
    write_disc(quick.folder / "before.tif", 1)
    process = quick.start("--plain")
    quick.until(lambda: quick.states() == {"before.tif": "done"})
    filler = fill(small_disk, leave_bytes)
    for number in range(3):
        write_disc(quick.folder / f"while_{number}.tif", 10 + number)
    words = ("of the disk of the state folder is free", "cannot be written")
    quick.until(lambda: any(word in quick.log.read_text() for word in words))
    assert process.poll() is None
    assert "quarantined" not in quick.states().values()
    filler.unlink()
    write_disc(quick.folder / "after.tif", 20)
    quick.until(lambda: list(quick.states().values()) == ["done"] * 5, seconds=RESUMED_SECONDS + 10)
    quick.stop(process)
    quick.assert_clean()
    assert quick.query("SELECT max(attempts), max(child_deaths) FROM source_file") == [(0, 0)]


def test_a_micrograph_larger_than_the_disk_holds_up_no_other(quick: Bench, small_disk: Path):
    write_tiff(quick.folder / "a_large.tif", np.tile(disc(1), (20, 20)), PIXEL_SIZE_NM)
    for number in range(3):
        write_disc(quick.folder / f"small_{number}.tif", 10 + number)
    process = quick.start("--plain")
    small = {f"small_{number}.tif": "done" for number in range(3)}
    quick.until(lambda: quick.states() == small | {"a_large.tif": "retry"})
    ((code, message),) = quick.query(
        "SELECT error_code, error_message FROM source_file WHERE state = 'retry'"
    )
    assert code == "does_not_fit"
    assert f"needs {(quick.folder / 'a_large.tif').stat().st_size} bytes" in message
    subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
    quick.until(lambda: quick.states() == small | {"a_large.tif": "done"})
    quick.stop(process)
    quick.assert_clean()
