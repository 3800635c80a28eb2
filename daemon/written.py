"""Files that commands write for people: they appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon.errors import DaemonError


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """The path to write; on leaving without an exception it becomes `target`.

    Raises:
        DaemonError: the file cannot be written.
    """
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield unfinished
        unfinished.replace(target)
    except OSError as error:
        raise DaemonError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it was renamed, or never made
            unfinished.unlink()
