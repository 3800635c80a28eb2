"""The demonstration as somebody sees it who has just installed the program."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

MICROGRAPHS = 4


@pytest.mark.acceptance
@pytest.mark.skipif(
    importlib.util.find_spec("abtem") is None, reason="the extra `simulate` is not installed"
)
def test_the_demonstration_ends_by_itself_with_figures_and_pictures(tmp_path: Path) -> None:
    fringewatch = [sys.executable, "-c", "from daemon.cli import main; main()"]
    done = subprocess.run(
        [*fringewatch, "demo", "--folder", tmp_path / "demo", "--micrographs", str(MICROGRAPHS)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"in {MICROGRAPHS} micrographs" in done.stdout
    assert "simulated_corrupt.tif cannot be read" in done.stdout
    assert "simulated_0004.tif" in done.stderr  # the log tells of the file cut short
    assert "Traceback" not in done.stderr
    state = tmp_path / "demo" / "state"
    assert (state / "fringewatch.sqlite").is_file()
    assert len(list((state / "masks").rglob("*.h5"))) == MICROGRAPHS
    overlays = list((tmp_path / "demo" / "overlays").glob("*.png"))
    assert len(overlays) == MICROGRAPHS
    assert all(cv2.imread(str(path)) is not None for path in overlays)
