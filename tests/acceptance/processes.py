"""The processes of a daemon, as the kernel knows them."""

import contextlib
import subprocess
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Those of all its threads, of which some may end meanwhile."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.extend(map(int, path.read_text().split()))
    return found


def named(pid: int, name: str) -> list[int]:
    """Its children of this name."""
    found = []
    for child in children_of(pid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().strip() == name:
                found.append(child)
    return found


def worker_of(process: subprocess.Popen[str]) -> int | None:
    """The child that holds the network."""
    return next(iter(named(process.pid, "fw-worker")), None)
