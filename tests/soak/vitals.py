"""What the processes of a daemon take: memory, open files, threads."""

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.processes import children_of

DAEMON = "daemon"


@dataclass(frozen=True)
class Vitals:
    """Of one process; `rss_bytes` is what of its memory lies in RAM."""

    rss_bytes: int
    descriptors: int
    threads: int


def vitals(process: "subprocess.Popen[str]") -> dict[str, Vitals]:
    """Of the daemon and of its children, by name; those that end just now are left out."""
    found: dict[str, Vitals] = {}
    for pid in (process.pid, *children_of(process.pid)):
        place = Path(f"/proc/{pid}")
        with contextlib.suppress(OSError, KeyError):
            lines = (line.split(":", 1) for line in (place / "status").read_text().splitlines())
            status = {name: value.strip() for name, value in lines}
            name = DAEMON if pid == process.pid else status["Name"]
            found[name] = Vitals(
                rss_bytes=1024 * int(status["VmRSS"].split()[0]),
                descriptors=len(list((place / "fd").iterdir())),
                threads=int(status["Threads"]),
            )
    return found
