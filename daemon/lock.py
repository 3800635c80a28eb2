"""One owner of a state folder at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.errors import StateFolderError, StateFolderLost

LOCK_NAME = "lock"
PATIENCE_SECONDS = 0.5


class Lock:
    """A lock that is held. Whoever removes its file lets another process take a lock of its own.

    Args:
        path: of the lock file.
        descriptor: of the file that is locked.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def check(self) -> None:
        """Do nothing while the file that is locked is the one others would try.

        Raises:
            StateFolderLost: it was removed or replaced.
        """
        try:
            there = os.stat(self._path)
        except OSError as error:
            raise StateFolderLost(f"{self._path} is gone: {error.strerror}") from error
        if not os.path.samestat(os.fstat(self._descriptor), there):
            raise StateFolderLost(f"{self._path} is another file than the one that is locked")


@contextmanager
def owned(state_folder: Path) -> Iterator[Lock]:
    """Hold the state folder; the lock goes with the process, however it ends.

    Raises:
        StateFolderError: another process holds it, or this one may not write there.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    path = state_folder / LOCK_NAME
    try:
        descriptor = os.open(path, flags, 0o640)
    except OSError as error:
        raise StateFolderError(f"cannot own {state_folder}: {error.strerror}") from error
    try:
        if not _taken(descriptor, time.monotonic() + PATIENCE_SECONDS):
            raise StateFolderError(
                f"another fringewatch already works with the state folder {state_folder}"
            )
        lock = Lock(path, descriptor)
        lock.check()
        yield lock
    finally:
        os.close(descriptor)


def is_owned(state_folder: Path) -> bool:
    """Whether a process holds the state folder now.

    Raises:
        StateFolderError: this user may not know.
    """
    try:
        descriptor = os.open(state_folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StateFolderError(f"cannot look into {state_folder}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _taken(descriptor: int, deadline: float) -> bool:
    """Whether the lock is ours; somebody who only asks whether it is held has it for an instant."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True
