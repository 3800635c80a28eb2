"""A database that is gone comes back from the mask files, row for row."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from analysis.simulation.files import write_mrc
from tests.acceptance.conftest import Bench
from tests.acceptance.small import PIXEL_SIZE_NM, disc, write_disc
from tests.acceptance.tables import QUERIES, all_rows

COPY = "copy.tif"
RESTORED = ("session", "bundle", "pipeline", "image", "analysis", "analysis_summary", "particle")


@pytest.fixture(scope="module")
def worked_once(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """After a session with single images, a series, a copy, and a file that was written twice."""
    place = tmp_path_factory.mktemp("worked")
    bench = Bench(
        folder=place / "acquisition",
        state=place / "state",
        config=place / "fringewatch.toml",
        program="tests.acceptance.stub",
    )
    bench.folder.mkdir()
    bench.configure()
    bench.run("session", "start", "morning", "--sample", "Au on carbon")
    for number in range(4):
        write_disc(bench.folder / f"{number}.tif", number)
    write_mrc(bench.folder / "series.mrc", np.stack([disc(7), disc(8)]), PIXEL_SIZE_NM)
    assert bench.run("watch", "--once", "--plain").returncode == 0
    bench.run("session", "end")
    write_disc(bench.folder / "0.tif", 100)
    shutil.copy(bench.folder / "1.tif", bench.folder / COPY)
    assert bench.run("watch", "--once", "--plain").returncode == 0
    assert set(bench.states().values()) == {"done"}
    return bench


@pytest.fixture
def worked(worked_once: Bench, quick: Bench) -> Bench:
    """A state folder of one's own that has worked over these files."""
    shutil.copytree(worked_once.state, quick.state)
    quick.folder = worked_once.folder
    quick.configure()
    return quick


def take_away(bench: Bench) -> None:
    assert bench.run("status").returncode == 0
    (bench.state / "fringewatch.sqlite").unlink()
    assert bench.run("watch", "--once", "--plain").returncode == 78


def test_every_row_of_every_result_comes_back(worked: Bench):
    before = all_rows(worked.state)
    assert all(before.values()), {name: len(rows) for name, rows in before.items()}
    for table in ("source_file", "image"):  # no mask file knows of the copy
        before[table] = [row for row in before[table] if COPY not in repr(row)]
    take_away(worked)
    rebuilt = worked.run("rebuild", "--json")
    assert rebuilt.returncode == 0, rebuilt.stderr
    said = json.loads(rebuilt.stdout)
    assert (said["results"], said["sessions"], said["left_out"]) == (7, 1, [])
    after = all_rows(worked.state)
    for table in RESTORED:
        assert after[table] == before[table], table
    assert [row[:2] for row in after["source_file"]] == [row[:2] for row in before["source_file"]]
    worked.assert_clean()


def test_after_a_rebuild_the_next_walk_has_nothing_to_analyse(worked: Bench):
    before = all_rows(worked.state)
    take_away(worked)
    assert worked.run("rebuild").returncode == 0
    again = worked.run("watch", "--once", "--plain")
    assert again.returncode == 0
    after = all_rows(worked.state)
    for table in QUERIES:
        assert after[table] == before[table], table
    worked.assert_clean()


def test_a_damaged_mask_file_is_named_and_its_micrograph_analysed_anew(worked: Bench):
    before = all_rows(worked.state)
    (damaged,) = (worked.state / "masks").rglob("2*.h5")
    damaged.write_bytes(damaged.read_bytes()[:5000])
    take_away(worked)
    rebuilt = worked.run("rebuild")
    assert rebuilt.returncode == 1
    assert damaged.name in rebuilt.stdout
    assert worked.run("watch", "--once", "--plain").returncode == 0
    after = all_rows(worked.state)
    assert len(after["particle"]) == len(before["particle"])
    assert after["image"] == before["image"]
    worked.assert_clean()


@pytest.mark.parametrize("frame", [0, 1])
def test_a_frame_whose_masks_are_missing_comes_back_with_the_next_attempt(
    worked: Bench, frame: int
):
    """As after a kill in the middle of a series, and the loss of the database."""
    before = all_rows(worked.state)
    ((missing,),) = worked.query(
        "SELECT mask_path FROM current_micrograph WHERE frame_index = ?", frame
    )
    (worked.state / missing).unlink()
    take_away(worked)
    assert worked.run("rebuild").returncode == 0
    assert worked.states()["series.mrc"] == "ready"
    assert worked.run("watch", "--once", "--plain").returncode == 0
    after = all_rows(worked.state)
    assert after["image"] == before["image"]
    assert len(after["particle"]) == len(before["particle"])
    assert worked.states()["series.mrc"] == "done"
    worked.assert_clean()


def test_a_damaged_database_is_put_aside_and_not_thrown_away(worked: Bench):
    before = all_rows(worked.state)
    database = worked.state / "fringewatch.sqlite"
    damage = b"no database any more" * 1000
    database.write_bytes(damage)
    assert worked.run("rebuild").returncode == 0
    (aside,) = worked.state.glob("fringewatch.sqlite.replaced-*")
    assert aside.read_bytes() == damage
    assert all_rows(worked.state)["particle"] == before["particle"]


def test_a_running_daemon_keeps_its_database(worked: Bench):
    process = worked.start("--plain")
    worked.until(lambda: "watching" in worked.log.read_text())
    refused = worked.run("rebuild")
    assert refused.returncode == 78
    assert "another fringewatch" in refused.stderr
    worked.stop(process)
    worked.assert_clean()


def test_a_folder_without_results_gives_an_empty_database(quick: Bench, tmp_path: Path):
    quick.state.mkdir()
    assert quick.run("rebuild").returncode == 0
    assert quick.run("status").returncode == 0
