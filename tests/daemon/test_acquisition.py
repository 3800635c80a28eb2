"""What each manner of acquisition leaves in the folder, step by step and in the end."""

import fcntl
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.readers import read_micrographs
from daemon.acquisition import FEWEST_PAUSES, Delivery, Manner, deliver
from tests.analysis.readers.samples import counts, write_ser

CONTENT = bytes(range(1, 251)) * 16
EARLIER = bytes(reversed(CONTENT + CONTENT))
NAME = "a.mrc"
LATER_BESIDES = (Manner.COMPANION_LATE, Manner.HELD_OPEN)  # these pause at a whole file too


@pytest.fixture
def series(tmp_path: Path) -> bytes:
    """Three frames of five that were planned."""
    path = tmp_path / "series.ser"
    write_ser(path, counts(3, 40, 40), declared=5)
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "watched"
    path.mkdir()
    return path


def delivery_for(manner: Manner, series: bytes) -> Delivery:
    if manner is Manner.FRAME_BY_FRAME:
        return Delivery(name=NAME, content=series)
    over = (Manner.OVERWRITTEN, Manner.ROBOCOPY, Manner.SAVED_AGAIN)
    plain = Delivery(name=NAME, content=CONTENT, earlier=EARLIER if manner in over else None)
    beside = (Manner.COMPANION_LATE, Manner.MOVED_IN)
    return replace(plain, companion=("a.mdoc", b"[T = b]")) if manner in beside else plain


def contents(folder: Path) -> list[bytes]:
    """What lies in files that the walk would look at."""
    return [path.read_bytes() for path in sorted(folder.rglob("[!.]*")) if path.is_file()]


@pytest.mark.parametrize("pauses", [FEWEST_PAUSES, 5, 20])
@pytest.mark.parametrize("manner", Manner)
def test_every_manner_pauses_so_often_and_leaves_the_file_whole(
    folder: Path, series: bytes, manner: Manner, pauses: int
):
    delivery = delivery_for(manner, series)
    assert sum(1 for _ in deliver(manner, folder, delivery, pauses)) == pauses
    beside = [] if delivery.companion is None else [delivery.companion[1]]
    assert sorted(contents(folder)) == sorted([delivery.content, *beside])
    assert [path.name for path in folder.rglob(".*")] == []


@pytest.mark.parametrize("manner", sorted(set(Manner) - set(LATER_BESIDES)))
def test_what_is_seen_at_a_pause_is_never_the_whole_file(
    folder: Path, series: bytes, manner: Manner
):
    delivery = delivery_for(manner, series)
    for _ in deliver(manner, folder, delivery, 20):
        assert delivery.content not in contents(folder)


@pytest.mark.parametrize("manner", [Manner.RENAMED, Manner.MOVED_IN])
def test_what_comes_whole_is_not_seen_before(folder: Path, series: bytes, manner: Manner):
    for _ in deliver(manner, folder, delivery_for(manner, series), 5):
        assert contents(folder) == []


def test_a_folder_that_is_not_moved_in_leaves_nothing_behind(tmp_path: Path, folder: Path):
    before = set(tmp_path.iterdir())
    steps = deliver(Manner.MOVED_IN, folder, Delivery(name=NAME, content=CONTENT), 5)
    next(steps)
    steps.close()
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("manner", [Manner.PREALLOCATED, Manner.ROBOCOPY])
def test_a_file_of_full_size_is_filled_from_the_start(folder: Path, manner: Manner):
    for _ in deliver(manner, folder, Delivery(name=NAME, content=CONTENT), 5):
        (found,) = contents(folder)
        written = len(found.rstrip(b"\0"))
        assert len(found) == len(CONTENT)
        assert found[:written] == CONTENT[:written]


@pytest.mark.parametrize("manner", [Manner.HEADER_LAST, Manner.HELD_OPEN])
def test_a_head_that_comes_last_is_empty_until_then(folder: Path, manner: Manner):
    seen = [
        contents(folder)[0]
        for _ in deliver(manner, folder, Delivery(name=NAME, content=CONTENT), 5)
    ]
    without = bytes(1024) + CONTENT[1024:]
    assert without in seen
    assert all(found == CONTENT or found == without[: len(found)] for found in seen)


def test_a_file_held_open_is_whole_and_locked(folder: Path):
    steps = deliver(Manner.HELD_OPEN, folder, Delivery(name=NAME, content=CONTENT), 5)
    for _ in range(5):
        next(steps)
    with (folder / NAME).open("rb") as file:
        assert file.read() == CONTENT
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        deque(steps, maxlen=0)
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_a_file_overwritten_in_place_has_something_of_both_half_way(folder: Path):
    delivery = Delivery(name=NAME, content=CONTENT, earlier=EARLIER)
    steps = deliver(Manner.OVERWRITTEN, folder, delivery, 2)
    next(steps)
    assert contents(folder) == [EARLIER]
    next(steps)
    half = len(CONTENT) // 2
    assert contents(folder) == [CONTENT[:half] + EARLIER[half:]]


def test_the_head_of_a_series_counts_the_frames_that_are_there(folder: Path, tmp_path: Path):
    frames = counts(4, 40, 40)
    write_ser(tmp_path / "whole.ser", frames)
    content = (tmp_path / "whole.ser").read_bytes()
    valid = []
    for _ in deliver(Manner.FRAME_BY_FRAME, folder, Delivery(name="a.ser", content=content), 20):
        (found,) = contents(folder)
        valid.append(found[18])
        assert len(found) >= valid[-1] * frames[0].nbytes
        if valid[-1]:
            assert len(list(read_micrographs(folder / "a.ser"))) == valid[-1]
    assert valid == sorted(valid)
    assert set(valid) == {0, 1, 2, 3}
    assert len(list(read_micrographs(folder / "a.ser"))) == len(frames)


def test_what_a_manner_knows_nothing_of_is_refused(folder: Path):
    companion = Delivery(name=NAME, content=CONTENT, companion=("a.mdoc", b""))
    earlier = Delivery(name=NAME, content=CONTENT, earlier=EARLIER)
    for refused in (companion, earlier):
        with pytest.raises(ValueError, match="comes"):
            deliver(Manner.RENAMED, folder, refused, 5)
    with pytest.raises(ValueError, match="pauses"):
        deliver(Manner.RENAMED, folder, Delivery(name=NAME, content=CONTENT), 1)
    assert contents(folder) == []
