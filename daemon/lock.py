"""One owner of a state folder at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.errors import StateFolderError

LOCK_NAME = "lock"


@contextmanager
def owned(state_folder: Path) -> Iterator[None]:
    """Hold the state folder; the lock goes with the process, however it ends.

    Raises:
        StateFolderError: another process holds it.
    """
    descriptor = os.open(state_folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateFolderError(
                f"another fringewatch already works with the state folder {state_folder}"
            ) from error
        yield
    finally:
        os.close(descriptor)


def is_owned(state_folder: Path) -> bool:
    """Whether a process holds the state folder now."""
    try:
        descriptor = os.open(state_folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
