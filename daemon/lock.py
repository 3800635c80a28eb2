"""One owner of a state folder at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.errors import StateFolderError

LOCK_NAME = "lock"
PATIENCE_SECONDS = 0.5


@contextmanager
def owned(state_folder: Path) -> Iterator[None]:
    """Hold the state folder; the lock goes with the process, however it ends.

    Raises:
        StateFolderError: another process holds it, or this one may not write there.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        descriptor = os.open(state_folder / LOCK_NAME, flags, 0o640)
    except OSError as error:
        raise StateFolderError(f"cannot own {state_folder}: {error.strerror}") from error
    try:
        if not _taken(descriptor, time.monotonic() + PATIENCE_SECONDS):
            raise StateFolderError(
                f"another fringewatch already works with the state folder {state_folder}"
            )
        yield
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
