"""Pictures beside the work: one for each result, and never at the cost of one."""

import os
import signal
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import cv2
import pytest

from tests.acceptance.conftest import Bench
from tests.acceptance.processes import named
from tests.acceptance.small import write_disc

pytestmark = pytest.mark.acceptance

Fill = Callable[[int], list[Path]]


@pytest.fixture
def overlays(quick: Bench) -> Path:
    """Where the pictures go; configured for the quick bench."""
    folder = quick.state.parent / "overlays"
    quick.configure(extra=f'[overlays]\nfolder = "{folder}"')
    return folder


def wanted(bench: Bench) -> set[str]:
    """What the pictures of all results are called."""
    rows = bench.query("SELECT mask_path FROM current_micrograph WHERE segmented")
    return {f"{Path(path).stem}.png" for (path,) in rows}


def there(folder: Path) -> set[str]:
    """Whole pictures: what is tried or begun there has a hidden name."""
    return {path.name for path in folder.glob("[!.]*.png")} if folder.is_dir() else set()


def test_the_real_model_s_results_have_pictures_and_raw_files_stay_as_they_were(
    bench: Bench, fill: Fill
):
    paths = fill(2)
    before = [sha256(path.read_bytes()).hexdigest() for path in paths]
    overlays = bench.state.parent / "overlays"
    result = bench.run("watch", "--once", "--plain", "--overlays", overlays)
    assert result.returncode == 0, result.stderr
    assert there(overlays) == wanted(bench)
    assert len(there(overlays)) == 2
    for name in there(overlays):
        picture = cv2.imread(str(overlays / name))
        assert picture.shape[1] == 512
        assert picture.shape[0] > 512
    assert [sha256(path.read_bytes()).hexdigest() for path in paths] == before
    assert "0 overlays drawn" in bench.run("overlays", overlays).stdout
    bench.assert_clean()


def test_pictures_follow_the_results_and_what_is_missing_is_made_up_for_after_a_kill(
    quick: Bench, overlays: Path
):
    process = quick.start("--plain")
    for number in range(3):
        write_disc(quick.folder / f"{number}.tif", number)
    quick.until(lambda: len(there(overlays)) == 3 and there(overlays) == wanted(quick))
    (painter,) = named(process.pid, "fw-painter")
    os.kill(painter, signal.SIGSTOP)  # from here on nothing is drawn
    for number in range(3, 6):
        write_disc(quick.folder / f"{number}.tif", number)
    quick.until(lambda: list(quick.states().values()).count("done") == 6)
    assert len(there(overlays)) == 3
    process.kill()
    process.wait()
    first = next(iter(there(overlays)))
    (overlays / first).unlink()
    process = quick.start("--plain")
    quick.until(lambda: len(there(overlays)) == 6)
    quick.stop(process)
    assert there(overlays) == wanted(quick)
    quick.assert_clean()


def test_a_killed_painter_costs_no_file_and_no_picture(quick: Bench, overlays: Path):
    process = quick.start("--plain")
    write_disc(quick.folder / "a.tif", 1)
    quick.until(lambda: len(there(overlays)) == 1)
    (painter,) = named(process.pid, "fw-painter")
    os.kill(painter, signal.SIGSTOP)
    write_disc(quick.folder / "b.tif", 2)
    quick.until(lambda: any(quick.state.glob("spool/pictures/*/b.tif")))
    os.kill(painter, signal.SIGKILL)
    write_disc(quick.folder / "c.tif", 3)
    quick.until(lambda: list(quick.states().values()) == ["done"] * 3)
    quick.until(lambda: len(there(overlays)) == 3)
    assert process.poll() is None
    quick.stop(process)
    assert quick.query("SELECT max(child_deaths) FROM source_file") == [(0,)]
    quick.assert_clean()


def test_a_folder_that_cannot_be_written_is_a_warning_and_no_failure(quick: Bench, overlays: Path):
    overlays.write_text("a file in its place")
    process = quick.start("--plain")
    write_disc(quick.folder / "a.tif", 1)
    quick.until(lambda: quick.states() == {"a.tif": "done"})
    notices = quick.state / "notices"
    quick.until(lambda: notices.exists() and "no overlay can be" in notices.read_text())
    quick.stop(process)
    assert process.returncode == 0
    overlays.unlink()
    assert quick.run("watch", "--once", "--plain").returncode == 0
    assert there(overlays) == wanted(quick)
