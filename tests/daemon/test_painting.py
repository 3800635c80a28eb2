"""Pictures drawn in the shadow of the daemon, a turn at a time on a clock moved by hand."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon import space
from daemon.clock import Clock
from daemon.config import LimitsConfig
from daemon.easel import FolderFailed
from daemon.painting import HOLD_SECONDS, LOOK_SECONDS, Painting
from schema import ledger
from schema.state import StateFolder
from tests.daemon.moments import NOW, wait_until
from tests.daemon.outlined import analysed, names, series, single


class Hands:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.clock = Clock(
            utc=lambda: NOW + timedelta(seconds=self.seconds), monotonic=lambda: self.seconds
        )


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def overlays(tmp_path: Path) -> Path:
    path = tmp_path / "overlays"
    path.mkdir()
    return path


@pytest.fixture
def make(state: StateFolder, overlays: Path, hands: Hands) -> Iterator[Callable[[], Painting]]:
    made: list[Painting] = []

    def painting(**limits: float) -> Painting:
        roomy = {"min_free_fraction": 0.0} | limits
        made.append(Painting(state, overlays, LimitsConfig(**roomy), hands.clock))
        return made[-1]

    yield painting
    for each in made:
        each.stop()
        each._easel.rest()


def turns(painting: Painting) -> int:
    """How many files it worked on until there was nothing to do."""
    count = 0
    while painting.turn():
        count += 1
    return count


def in_folder(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_every_result_has_its_picture_the_newest_first(make, owner, state, folder, overlays):
    old = analysed(owner, state, series(folder / "a.mrc", 2))
    new = analysed(owner, state, single(folder / "b.tif", 7))
    painting = make()
    assert painting.turn()
    assert in_folder(overlays) == names(new)
    assert turns(painting) == 1
    assert in_folder(overlays) == sorted(names(old) + names(new))


def test_what_is_there_is_not_drawn_again_after_a_restart(
    make, owner, state, folder, overlays, monkeypatch
):
    analysed(owner, state, single(folder / "a.tif", 1))
    assert turns(make()) == 1
    analysed(owner, state, single(folder / "b.tif", 2))
    again = make()
    worked = []
    monkeypatch.setattr(
        again._easel, "draw", lambda arrival, results: worked.append(arrival.path) or ()
    )
    assert turns(again) == 1
    assert [os.path.basename(path) for path in worked] == [b"b.tif"]


def test_a_result_made_meanwhile_is_noticed_at_the_next_look(
    make, owner, state, folder, overlays, hands
):
    painting = make()
    assert not painting.turn()
    found = analysed(owner, state, single(folder / "a.tif", 1))
    assert not painting.turn()
    hands.seconds += LOOK_SECONDS
    assert painting.turn()
    assert in_folder(overlays) == names(found)


def test_a_file_that_is_away_is_tried_again_and_holds_up_no_other(
    make, owner, state, folder, overlays, hands
):
    away = single(folder / "z.tif", 1)
    found = analysed(owner, state, single(folder / "a.tif", 2))
    late = analysed(owner, state, away)
    content, status = away.read_bytes(), away.stat()
    away.unlink()
    painting = make()
    assert turns(painting) == 2
    assert in_folder(overlays) == names(found)
    away.write_bytes(content)
    os.utime(away, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert turns(painting) == 0
    hands.seconds += 60
    assert turns(painting) == 1
    assert in_folder(overlays) == sorted(names(found) + names(late))


def test_a_file_known_to_be_gone_is_not_asked_for(make, owner, state, folder, caplog):
    analysed(owner, state, single(folder / "a.tif", 1))
    (folder / "a.tif").unlink()
    with owner.begin() as connection:
        ledger.set_present(connection, [1], False)
    assert turns(make()) == 0
    assert caplog.text == ""


def test_what_cannot_be_drawn_is_a_line_of_the_log_and_not_tried_again(
    make, owner, state, folder, overlays, hands, caplog
):
    (found,) = analysed(owner, state, single(folder / "a.tif", 1))
    (state.path / found.analysis.mask_path).write_bytes(b"no HDF5")
    painting = make()
    assert turns(painting) == 1
    assert "no overlay of a.tif" in caplog.text
    hands.seconds += 1e6
    assert turns(painting) == 0


def test_a_fault_inside_fringewatch_costs_one_picture(
    make, owner, state, folder, overlays, caplog, monkeypatch
):
    found = analysed(owner, state, single(folder / "a.tif", 1))
    analysed(owner, state, single(folder / "b.tif", 2))
    painting = make()
    draw = painting._easel.draw

    def fails_once(arrival, results):
        if os.path.basename(arrival.path) == b"b.tif":
            raise RuntimeError("a bug")
        return draw(arrival, results)

    monkeypatch.setattr(painting._easel, "draw", fails_once)
    assert turns(painting) == 2
    assert "inside fringewatch" in caplog.text
    assert in_folder(overlays) == names(found)


def test_a_folder_that_is_gone_is_a_warning_until_it_is_back(
    make, owner, state, folder, overlays, hands, monkeypatch
):
    found = analysed(owner, state, single(folder / "a.tif", 1))
    painting = make()
    overlays.rmdir()
    with pytest.raises(FolderFailed):
        painting.turn()
    painting._hold("No such file or directory")
    (warning,) = painting.warnings()
    assert f"no overlay can be written into {overlays}" in warning
    assert not painting.turn()
    hands.seconds += HOLD_SECONDS
    assert not painting.turn()  # still gone
    assert painting.warnings() == (warning,)
    overlays.mkdir()
    hands.seconds += HOLD_SECONDS
    assert painting.turn()
    assert painting.warnings() == ()
    assert in_folder(overlays) == names(found)


def test_nothing_is_copied_while_the_disk_of_the_state_folder_is_full(
    make, owner, state, folder, overlays, monkeypatch
):
    analysed(owner, state, single(folder / "a.tif", 1))
    painting = make(min_free_fraction=0.05)
    free = [0.04]
    monkeypatch.setattr(space, "free_share", lambda _: free[0])
    assert turns(painting) == 0
    free[0] = 0.06
    assert turns(painting) == 1


def test_the_child_is_gone_once_there_is_nothing_to_do_for_a_while(
    make, owner, state, folder, hands
):
    analysed(owner, state, single(folder / "a.tif", 1))
    painting = make()
    turns(painting)
    hands.seconds += 30
    turns(painting)
    assert painting._easel._child.is_alive
    hands.seconds += 60
    turns(painting)
    assert not painting._easel._child.is_alive


def test_in_its_thread_it_gives_way_and_says_when_it_is_through(
    state, owner, folder, overlays, monkeypatch
):
    monkeypatch.setattr("daemon.painting.LOOK_SECONDS", 0.05)
    found = analysed(owner, state, single(folder / "a.tif", 1))
    clock = Clock(utc=lambda: NOW, monotonic=time.monotonic)
    painting = Painting(state, overlays, LimitsConfig(min_free_fraction=0.0), clock)
    painting.start()
    try:
        wait_until(painting.is_through, 60.0)
        assert in_folder(overlays) == names(found)
        child = painting._easel._child.pid
        assert os.getpriority(os.PRIO_PROCESS, painting._thread.native_id or 0) >= 10
        assert os.getpriority(os.PRIO_PROCESS, child or 0) >= 10
        assert os.getpriority(os.PRIO_PROCESS, 0) < 10
    finally:
        painting.stop()
    assert not painting._easel._child.is_alive


def test_a_folder_that_fails_keeps_nobody_who_waits_for_the_end(
    state, owner, folder, overlays, monkeypatch
):
    monkeypatch.setattr("daemon.painting.LOOK_SECONDS", 0.05)
    analysed(owner, state, single(folder / "a.tif", 1))
    shutil.rmtree(overlays)
    clock = Clock(utc=lambda: NOW, monotonic=time.monotonic)
    painting = Painting(state, overlays, LimitsConfig(min_free_fraction=0.0), clock)
    painting.start()
    try:
        wait_until(painting.is_through)
        assert "No such file" in painting.warnings()[0]
    finally:
        painting.stop()


def test_a_database_that_cannot_be_read_ends_nothing(
    state: StateFolder, owner: Engine, overlays: Path, monkeypatch, caplog
):
    monkeypatch.setattr("daemon.painting.LOOK_SECONDS", 0.05)
    owner.dispose()
    state.database.write_bytes(b"no database" * 1000)
    clock = Clock(utc=lambda: NOW, monotonic=time.monotonic)
    painting = Painting(state, overlays, LimitsConfig(min_free_fraction=0.0), clock)
    painting.start()
    try:
        wait_until(lambda: "cannot read the database" in caplog.text)
        assert painting._thread.is_alive()
    finally:
        painting.stop()
