"""From a file in a folder to its rows: the real daemon, real files, the model where it counts."""

import json
import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from analysis.simulation.files import write_mrc, write_ncem_emd, write_tiff
from tests.acceptance.conftest import Bench, Counts
from tests.acceptance.processes import children_of, worker_of

pytestmark = pytest.mark.acceptance

Fill = Callable[[int], list[Path]]


def alike(row: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Equal to four digits: sums in single precision depend on threads, and fits add to that."""
    return all(
        math.isclose(a, b, rel_tol=1e-4) if isinstance(a, float) else a == b
        for a, b in zip(row, other, strict=True)
    )


def test_once_brings_every_format_to_rows_and_masks(bench: Bench, counts: tuple[Counts, ...]):
    write_tiff(bench.folder / "a.tif", counts[0], 0.04)
    write_mrc(bench.folder / "b.mrc", counts[1], 0.04)
    write_ncem_emd(bench.folder / "c.emd", counts[2], 0.04)
    result = bench.run("watch", "--once")
    assert result.returncode == 0, result.stderr
    assert bench.states() == {"a.tif": "done", "b.mrc": "done", "c.emd": "done"}
    rows = bench.query(
        "SELECT pixel_size_nm, in_domain, particle_count, mask_path FROM current_micrograph"
    )
    assert [round(row[0], 4) for row in rows] == [0.04, 0.04, 0.04]
    for _, in_domain, particle_count, mask_path in rows:
        assert in_domain == 1
        with h5py.File(bench.state / mask_path) as file:
            assert file["/entry/masks/labels"][...].max() == particle_count
    bench.assert_clean()


def test_raw_files_stay_as_they_were(quick: Bench, fill: Fill):
    paths = fill(2)
    before = [(sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in paths]
    quick.folder.chmod(0o555)
    try:
        assert quick.run("watch", "--once").returncode == 0
    finally:
        quick.folder.chmod(0o755)
    after = [(sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in paths]
    assert after == before
    assert sorted(os.listdir(quick.folder)) == [path.name for path in paths]


def test_files_written_while_it_watches_are_found_once(quick: Bench, counts: tuple[Counts, ...]):
    daemon = quick.start()
    slow, whole = quick.folder / "slow.tif", quick.folder / ".whole.tif.tmp"
    quick.until((quick.state / "fringewatch.sqlite").exists)
    write_tiff(whole, counts[0], 0.04)
    content = whole.read_bytes()
    with slow.open("wb") as stream:
        for start in range(0, len(content), 100_000):
            stream.write(content[start : start + 100_000])
            stream.flush()
            time.sleep(0.05)
    write_tiff(whole, counts[1], 0.04)
    whole.rename(quick.folder / "renamed.tif")
    quick.until(lambda: quick.states() == {"slow.tif": "done", "renamed.tif": "done"})
    quick.stop(daemon)
    assert daemon.returncode == 0
    assert quick.query("SELECT count(*) FROM source_file") == [(2,)]
    quick.assert_clean()


def test_a_killed_daemon_takes_every_file_up_again_once(bench: Bench, fill: Fill):
    fill(5)
    daemon = bench.start()
    bench.until(lambda: list(bench.states().values()).count("done") == 2)
    bench.until(lambda: "processing" in bench.states().values())
    daemon.kill()
    daemon.wait()
    bench.until(lambda: not children_of(daemon.pid))
    result = bench.run("watch", "--once")
    assert result.returncode == 0, result.stderr
    assert set(bench.states().values()) == {"done"}
    assert bench.query("SELECT count(*), count(DISTINCT natural_key) FROM analysis") == [(5, 5)]
    bench.assert_clean()


def test_a_killed_worker_costs_one_attempt_and_no_file(quick: Bench, fill: Fill):
    daemon = quick.start()
    quick.until(lambda: "watching" in quick.log.read_text())
    worker = worker_of(daemon)
    assert worker is not None
    os.kill(worker, signal.SIGSTOP)  # so that it is killed with a file in its hands
    fill(4)
    quick.until(lambda: any(quick.state.glob("spool/*/.frame-*.npy")))
    time.sleep(2.0)  # it was read; now it is handed over, to one who cannot take it
    os.kill(worker, signal.SIGKILL)
    quick.until(lambda: list(quick.states().values()).count("done") == 4)
    output = quick.stop(daemon)
    assert daemon.returncode == 0
    assert "SIGKILL" in output
    assert quick.query("SELECT count(*) FROM analysis") == [(4,)]
    quick.assert_clean()


def test_sigterm_ends_within_thirty_seconds_and_loses_nothing(bench: Bench, fill: Fill):
    fill(6)
    daemon = bench.start()
    bench.until(lambda: "processing" in bench.states().values())
    started = time.monotonic()
    bench.stop(daemon)
    assert time.monotonic() - started < 30
    assert daemon.returncode == 0
    assert "processing" not in bench.states().values()
    assert bench.run("watch", "--once").returncode == 0
    assert set(bench.states().values()) == {"done"}
    bench.assert_clean()


def test_bad_files_get_a_code_and_a_sentence_and_the_stream_goes_on(
    quick: Bench, counts: tuple[Counts, ...]
):
    write_tiff(quick.folder / "good.tif", counts[0], 0.04)
    content = (quick.folder / "good.tif").read_bytes()
    (quick.folder / "truncated.tif").write_bytes(content[: len(content) // 2])
    (quick.folder / "empty.dm4").write_bytes(b"")
    (quick.folder / "text.dm4").write_text("this is no micrograph\n" * 100)
    (quick.folder / "notes.txt").write_text("aligned at 10:30\n")
    (quick.folder / "archive.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    write_tiff(quick.folder / "constant.tif", np.full((256, 256), 7, np.uint16), 0.04)
    write_tiff(quick.folder / "nan.tif", np.full((256, 256), np.nan, np.float32), 0.04)
    result = quick.run("watch", "--once")
    assert result.returncode == 0, result.stderr
    assert quick.states() == {
        "good.tif": "done",
        "truncated.tif": "quarantined",
        "empty.dm4": "quarantined",
        "text.dm4": "quarantined",
        "notes.txt": "refused",
        "archive.zip": "refused",
        "constant.tif": "quarantined",
        "nan.tif": "quarantined",
    }
    rows = quick.query("SELECT path, error_code, error_message FROM source_file")
    codes = {os.path.basename(os.fsdecode(path)): code for path, code, _ in rows}
    assert codes["empty.dm4"] == "empty_file"
    assert codes["notes.txt"] == "unknown_suffix"
    assert codes["archive.zip"] == "archive"
    assert codes["constant.tif"] == "constant"
    assert codes["nan.tif"] == "not_finite"
    assert all(message.endswith(".") for _, code, message in rows if code)


def test_a_truncated_file_is_done_once_it_is_complete(quick: Bench, counts: tuple[Counts, ...]):
    whole = quick.folder.parent / "whole.tif"
    write_tiff(whole, counts[0], 0.04)
    content = whole.read_bytes()
    quick.configure(retry="[1.0, 60.0, 60.0]")
    daemon = quick.start()
    late = quick.folder / "late.tif"
    late.write_bytes(content[: len(content) // 3])
    quick.until(lambda: quick.states() == {"late.tif": "retry"})
    late.write_bytes(content)
    quick.until(lambda: quick.states() == {"late.tif": "done"})
    quick.stop(daemon)
    assert quick.query("SELECT attempts, revision FROM source_file") == [(0, 1)]
    quick.assert_clean()


def test_without_a_pixel_size_nothing_is_said_in_nm(quick: Bench, counts: tuple[Counts, ...]):
    import tifffile

    tifffile.imwrite(quick.folder / "bare.tif", counts[0])
    assert quick.run("watch", "--once").returncode == 0
    ((source, assumed, count),) = quick.query(
        "SELECT pixel_size_source, scale_assumed, particle_count FROM current_micrograph"
    )
    assert (source, assumed) == ("unknown", 1)
    columns = "equivalent_diameter_nm, area_nm2, feret_max_nm, perimeter_nm, class, fourier_mean"
    rows = quick.query(f"SELECT {columns} FROM current_particle")
    assert len(rows) == count
    assert all(set(row) == {None} for row in rows)
    summary = json.loads(quick.run("summary", "--json").stdout)
    assert summary["particles"] == 0


def test_a_pixel_size_said_by_hand_is_used_and_recorded(quick: Bench, counts: tuple[Counts, ...]):
    import tifffile

    bare = quick.folder / "bare.tif"
    tifffile.imwrite(bare, counts[0])
    result = quick.run("analyse", bare, "--pixel-size-nm", "0.04")
    assert result.returncode == 0, result.stderr
    assert quick.query("SELECT pixel_size_nm, pixel_size_source FROM current_micrograph") == [
        (0.04, "config")
    ]


def test_by_hand_and_live_give_the_same_rows(quick: Bench, fill: Fill, tmp_path: Path):
    (path,) = fill(1)
    assert quick.run("watch", "--once").returncode == 0
    other = replace(quick, state=tmp_path / "other", config=tmp_path / "other.toml")
    other.configure()
    result = other.run("analyse", path)
    assert result.returncode == 0, result.stderr
    sql = "SELECT * FROM current_particle ORDER BY label"
    rows, others = quick.query(sql), other.query(sql)
    assert len(rows) == len(others) > 0
    assert all(map(alike, rows, others))
    keys = "SELECT natural_key FROM analysis"
    assert quick.query(keys) == other.query(keys)


def test_an_overwritten_file_supersedes_its_results(quick: Bench, counts: tuple[Counts, ...]):
    path = quick.folder / "reused.tif"
    write_tiff(path, counts[0], 0.04)
    assert quick.run("watch", "--once").returncode == 0
    before = quick.query("SELECT count(*) FROM current_particle")
    write_tiff(path, counts[1], 0.04)
    assert quick.run("watch", "--once").returncode == 0
    states = quick.query("SELECT revision, state FROM source_file ORDER BY revision")
    assert states == [(1, "superseded"), (2, "done")]
    ((shown, analyses),) = quick.query(
        "SELECT count(DISTINCT analysis_id), (SELECT count(*) FROM analysis) FROM current_particle"
    )
    assert (shown, analyses) == (1, 2)
    assert before != [(0,)]


def test_copies_of_one_picture_count_once(quick: Bench, counts: tuple[Counts, ...]):
    write_tiff(quick.folder / "one.tif", counts[0], 0.04)
    assert quick.run("watch", "--once").returncode == 0
    particles = quick.query("SELECT count(*) FROM current_particle")
    before = json.loads(quick.run("summary", "--json").stdout)
    (quick.folder / "copy.tif").write_bytes((quick.folder / "one.tif").read_bytes())
    assert quick.run("watch", "--once").returncode == 0
    assert set(quick.states().values()) == {"done"}
    assert quick.query("SELECT count(*) FROM current_particle") == particles
    assert quick.query("SELECT count(*) FROM analysis") == [(1,)]
    # The same picture in another format, whose pixel size differs in the seventh digit.
    write_mrc(quick.folder / "same.mrc", counts[0], 0.04)
    assert quick.run("watch", "--once").returncode == 0
    after = json.loads(quick.run("summary", "--json").stdout)
    assert (after["particles"], after["micrographs"]) == (before["particles"], 1)
    assert after["excluded"]["identical_pixels"] > 0


def test_a_session_and_a_file_by_hand_reach_the_running_daemon(
    quick: Bench, counts: tuple[Counts, ...], tmp_path: Path
):
    daemon = quick.start()
    write_tiff(quick.folder / "before.tif", counts[2], 0.04)
    quick.until(lambda: quick.states().get("before.tif") == "done")
    started = quick.run("session", "start", "monday", "--sample", "Au-7", "--run", "R12")
    assert started.returncode == 0, started.stderr
    elsewhere = tmp_path / "elsewhere.tif"
    write_tiff(elsewhere, counts[0], 0.04)
    result = quick.run("analyse", elsewhere, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)[0]["state"] == "done"
    assert quick.run("session", "end").returncode == 0
    write_tiff(quick.folder / "after.tif", counts[1], 0.04)
    quick.until(lambda: quick.states().get("after.tif") == "done")
    quick.stop(daemon)
    rows = dict(quick.query("SELECT path, sample FROM current_micrograph"))
    assert rows[os.fsencode(elsewhere)] == "Au-7"
    assert rows[os.fsencode(quick.folder / "after.tif")] is None
    summary = json.loads(quick.run("summary", "--json", "--run", "R12").stdout)
    assert summary["micrographs"] == 1


def test_a_second_daemon_leaves_at_once(quick: Bench):
    daemon = quick.start()
    quick.until((quick.state / "requests").exists)
    second = quick.run("watch")
    assert second.returncode == 78
    assert "already" in second.stderr
    quick.stop(daemon)


def test_the_export_has_a_row_for_each_particle(quick: Bench, fill: Fill):
    import csv

    fill(2)
    assert quick.run("watch", "--once").returncode == 0
    target = quick.state.parent / "particles.csv"
    assert quick.run("export", target).returncode == 0
    with target.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(len(rows),)] == quick.query("SELECT count(*) FROM current_particle")
    assert len(rows) > 0
    assert float(rows[0]["equivalent_diameter_nm"]) > 0
