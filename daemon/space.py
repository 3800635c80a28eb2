"""Whether our own disk takes what an analysis writes. A full disk is no fault of a micrograph."""

import contextlib
import os
from pathlib import Path

PROBE_BYTES = 2**20


def free_share(folder: Path) -> float:
    """Free part of the file system that holds a folder, from 0 to 1, as seen without privileges."""
    status = os.statvfs(folder)
    return status.f_bavail / status.f_blocks if status.f_blocks else 1.0


def free_bytes(folder: Path) -> int | None:
    """Free bytes of the file system that holds a folder; None where it keeps no count.

    Those that only root may take are among them: more than this is taken by nobody.
    """
    status = os.statvfs(folder)
    return status.f_bfree * status.f_frsize if status.f_blocks else None


def fault(folder: Path) -> str | None:
    """Why nothing can be written into a folder now, None where it can: found by trying.

    Args:
        folder: of ours; a file of 1 MiB is written there and removed.
    """
    probe = folder / f".probe-{os.getpid()}"
    try:
        with probe.open("wb") as stream:
            stream.write(bytes(PROBE_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return error.strerror or str(error)
    finally:
        with contextlib.suppress(OSError):  # nothing is removed from a disk that became read-only
            probe.unlink(missing_ok=True)
    return None
