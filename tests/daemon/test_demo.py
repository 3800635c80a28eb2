"""The stage of the demonstration: what it may delete, when it is over."""

from pathlib import Path

import pytest

from daemon import config, demo
from daemon.errors import DaemonError, Misused
from schema.records import LedgerCounts


def test_the_stage_is_set_in_a_new_folder(tmp_path: Path) -> None:
    stage = demo.prepared(tmp_path / "a" / "demo")
    chosen = config.load(stage.config)
    assert chosen.watch[0].folder == stage.microscope
    assert chosen.state.folder == stage.state
    assert stage.microscope.is_dir()


def test_a_second_demonstration_starts_afresh(tmp_path: Path) -> None:
    first = demo.prepared(tmp_path)
    (first.microscope / "old.tif").touch()
    first.state.mkdir()
    (first.state / "fringewatch.sqlite").touch()
    second = demo.prepared(tmp_path)
    assert list(second.microscope.iterdir()) == []
    assert not second.state.exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    thesis = tmp_path / "microscope"
    thesis.mkdir()
    (thesis / "irreplaceable.dm4").touch()
    with pytest.raises(Misused, match="not empty"):
        demo.prepared(tmp_path)
    assert (thesis / "irreplaceable.dm4").exists()
    assert not (tmp_path / demo.MARKER).exists()


def test_what_somebody_put_beside_an_old_demonstration_stays(tmp_path: Path) -> None:
    demo.prepared(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    demo.prepared(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_link_in_the_old_demonstration_is_not_followed(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "irreplaceable.dm4").touch()
    stage = demo.prepared(tmp_path / "demo")
    stage.microscope.rmdir()
    stage.microscope.symlink_to(raw)
    demo.prepared(tmp_path / "demo")
    assert (raw / "irreplaceable.dm4").exists()


def test_a_file_in_the_way_is_a_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "demo").touch()
    with pytest.raises(Misused, match="cannot use"):
        demo.prepared(tmp_path / "demo")


def test_without_the_simulator_the_demonstration_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_SIMULATOR", ("no_such_simulator",))
    with pytest.raises(DaemonError, match=r"fringewatch\[simulate\]"):
        demo.run_demo(tmp_path / "demo", 12)
    assert not (tmp_path / "demo").exists()


def test_the_demonstration_is_over_when_all_but_the_corrupt_file_is_done() -> None:
    over = LedgerCounts(seen=13, done=12, retry=1)
    assert demo.is_worked_off(over, 12)
    assert demo.is_worked_off(LedgerCounts(seen=13, done=12, quarantined=1), 12)
    assert not demo.is_worked_off(LedgerCounts(seen=13, done=11, retry=2), 12)
    assert not demo.is_worked_off(LedgerCounts(seen=13, done=12, pending=1), 12)
    assert not demo.is_worked_off(LedgerCounts(seen=12, done=12), 12)
