"""Row 22: what was listed is exchanged for a symbolic link, again and again, while it is copied."""

import os
import threading
from collections import Counter
from pathlib import Path

from daemon.config import WatchConfig
from daemon.roots import Root
from daemon.spool import CannotSpool, ChangedWhileCopied, spool_arrival
from daemon.walk import walk

LIMIT_BYTES = 10**6
MOST_TIMES = 50  # a scheduler may favour one of the two threads for long
MTIME_NS = 1_700_000_000_000_000_000
INSIDE, OUTSIDE = b"of the microscope", b"of somebody else."  # of one size, to look alike


def swap_race(folder: Path, *, swaps: int, seed: int = 0) -> str:
    """The row: file and folder swapped for links to what looks alike; neither is ever read.

    Raises:
        AssertionError: content or names from outside came in, or the race was never met.
    """
    del seed  # the scheduler rolls the dice
    found = Counter(_raced(folder / "file", Path("day/a.dm4"), swaps))
    found += _raced(folder / "folder", Path("day"), swaps)
    return f"{swaps} copies or more each while a file and its folder were swapped: {dict(found)}"


def _raced(place: Path, swapped: Path, copies: int) -> Counter[str]:
    """How the copies ended, while this path below the root was swapped.

    So many of them, and more until enough of them met it as it was and swapped.
    """
    found: Counter[str] = Counter()
    root, outside = _laid_out(place)
    (arrival,) = walk(root).arrivals
    with _Swapper(place / "root" / swapped, place / "kept", outside / swapped.relative_to("day")):
        while found.total() < copies or not _is_met(found, copies):
            assert found.total() < MOST_TIMES * copies, f"the race was not met: {found}"
            try:
                spooled = spool_arrival(arrival, place / "spool", LIMIT_BYTES)
            except (OSError, CannotSpool, ChangedWhileCopied):
                found["kept out"] += 1
            else:
                assert spooled.primary.read_bytes() == INSIDE, f"{swapped}: read from outside"
                found["read"] += 1
            names = {os.path.basename(one.path) for one in walk(root).arrivals}
            assert names <= {b"a.dm4"}, f"{swapped}: {names} listed"
    return found


def _is_met(found: Counter[str], copies: int) -> bool:
    return min(found["read"], found["kept out"]) > copies / 100


def _laid_out(place: Path) -> tuple[Root, Path]:
    """A watched folder with one file a folder down, and a folder outside that looks the same."""
    outside = place / "outside"
    for folder, content in ((place / "root" / "day", INSIDE), (outside, OUTSIDE)):
        folder.mkdir(parents=True)
        (folder / "a.dm4").write_bytes(content)
        os.utime(folder / "a.dm4", ns=(MTIME_NS, MTIME_NS))
    (outside / "other.dm4").write_bytes(OUTSIDE)
    return Root.of(WatchConfig(folder=place / "root")), outside


class _Swapper:
    """Puts a link to the target in the path's place again and again, while the block lasts."""

    def __init__(self, path: Path, kept: Path, target: Path) -> None:
        self._path, self._kept, self._target = path, kept, target
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._swap)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _swap(self) -> None:
        while not self._ended.is_set():
            self._path.rename(self._kept)
            self._path.symlink_to(self._target)
            self._path.unlink()
            self._kept.rename(self._path)
