"""Files opened step by step from a watched folder, so that no link on the way is ever followed.

A path says what lay there when it was listed. By the time it is opened, any folder of it may have
been exchanged for a symbolic link that leads out of the watched folder.
"""

import errno
import os

LONGEST_PATH = 4096  # with its end; what has a longer one no program can open by it


def open_below(root: bytes, path: bytes, flags: int) -> int:
    """Descriptor of what lies at `path`, a folder or file below `root` or `root` itself.

    Only the way to the root may lead through links: that is its owner's own doing.

    Raises:
        ValueError: the path does not lie below the root.
        OSError: it is not there, or a link stands in its place or on the way.
    """
    steps = _steps(root, path)
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for step in steps[:-1]:
            below = _open_in(folder, step, os.O_PATH | os.O_DIRECTORY)
            os.close(folder)
            folder = below
        return _open_in(folder, steps[-1], flags)
    finally:
        os.close(folder)


def _open_in(folder: int, name: bytes, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)


def _steps(root: bytes, path: bytes) -> list[bytes]:
    if len(path) >= LONGEST_PATH:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    if path == root:
        return [b"."]
    top = os.path.join(root, b"")
    steps = path.removeprefix(top).split(b"/")
    if not path.startswith(top) or not {b"", b".", b".."}.isdisjoint(steps):
        raise ValueError(f"{os.fsdecode(path)!r} does not lie below {os.fsdecode(root)!r}")
    return steps
