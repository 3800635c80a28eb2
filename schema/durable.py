"""Files that are there whole or not at all, also after a power loss.

Written beside their final place under a hidden name, synced, checked, renamed, and the folder
synced: a reader never meets half a file.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_MODE = 0o640
FOLDER_MODE = 0o750

_MARK = ".unfinished-"


@contextmanager
def replacing(final: Path, verify: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """The path to write; on leaving without an exception it becomes `final`.

    Args:
        final: in a folder that exists; replaced if it is there.
        verify: reads the synced file again and raises if it is not what was written.
    """
    unfinished = final.with_name(f"{_MARK}{os.getpid()}-{uuid.uuid4().hex}{final.suffix}")
    try:
        yield unfinished
        _sync_file(unfinished)
        if verify is not None:
            verify(unfinished)
        unfinished.replace(final)
        sync_folder(final.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, durably; those made are open to owner and group only."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    sync_folder(folder.parent)


def remove_unfinished(folder: Path, *, below: bool = True) -> int:
    """How many files of interrupted writers were removed, in this folder and those below it."""
    leftovers = list(folder.rglob(f"{_MARK}*") if below else folder.glob(f"{_MARK}*"))
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    return len(leftovers)


def make_durable(path: Path) -> None:
    """Make a file that is there stay there: its content, its name and its folder's name."""
    _sync_file(path)
    sync_folder(path.parent)
    sync_folder(path.parent.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fchmod(descriptor, FILE_MODE)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
