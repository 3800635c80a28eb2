"""The processes of a daemon, as the kernel knows them."""

import contextlib
import subprocess
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Those of all its threads."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for path in found for word in path.read_text().split()]


def worker_of(process: subprocess.Popen[str]) -> int | None:
    """The child that holds the network."""
    for pid in children_of(process.pid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "fw-worker":
                return pid
    return None
