"""A terminal kept for one writer, whatever libraries and child processes write to stderr.

TensorFlow, CUDA and crashing children write to file descriptor 2 past Python, into the middle of
a picture. While the terminal is ours such lines are heard one by one instead.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import UnsupportedOperation

from rich.console import Console

STDERR = 2


@contextmanager
def sole_writer(console: Console, hear: Callable[[str], None]) -> Iterator[None]:
    """While it lasts nobody but this console writes on the terminal behind stderr.

    A console that writes elsewhere is left as it is. Children started meanwhile keep writing to
    `hear` until this process ends.

    Args:
        console: writes to stderr.
        hear: called with each line of everybody else, on a thread of its own.
    """
    if not _is_stderr(console):
        yield
        return
    saved = os.dup(STDERR)
    reading, writing = os.pipe()
    os.dup2(writing, STDERR)
    os.close(writing)
    threading.Thread(target=_listen, args=(reading, hear), name="stderr", daemon=True).start()
    with os.fdopen(saved, "w", encoding=console.encoding, errors="replace") as terminal:
        given, console.file = console.file, terminal
        try:
            yield
        finally:
            console.file = given
            os.dup2(saved, STDERR)


def _is_stderr(console: Console) -> bool:
    try:
        return console.file.fileno() == STDERR
    except UnsupportedOperation:  # a console that writes to memory
        return False


def _listen(reading: int, hear: Callable[[str], None]) -> None:
    with os.fdopen(reading, encoding="utf-8", errors="backslashreplace") as lines:
        for line in lines:
            if line.strip():
                hear(line.rstrip())
