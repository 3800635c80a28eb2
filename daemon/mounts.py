"""On what kind of file system a folder lies.

Servers of network shares send no events to inotify, and SQLite is not safe on them.
"""

import os
import re
from pathlib import Path

NETWORK_FILE_SYSTEMS = frozenset(
    {
        *("cifs", "smb3", "smbfs", "nfs", "nfs4", "9p", "afs", "coda", "ncpfs"),
        *("ceph", "lustre", "gpfs", "beegfs", "orangefs"),  # a facility's shared disks
        *("virtiofs", "vboxsf"),  # folders of the host of a virtual machine
    }
)
MOUNT_TABLE = Path("/proc/self/mountinfo")

_ESCAPE = re.compile(r"\\([0-7]{3})")


def file_system_type(folder: Path, mount_table: str | None = None) -> str:
    """Type of the file system that holds a folder, as the kernel names it (`ext4`, `cifs`).

    Args:
        folder: an existing folder.
        mount_table: text of /proc/self/mountinfo (see proc(5)); read where not given.
    """
    table = os.fsdecode(MOUNT_TABLE.read_bytes()) if mount_table is None else mount_table
    resolved = folder.resolve()
    depth, found = -1, "unknown"
    for line in table.split("\n"):
        fields, _, rest = line.partition(" - ")
        if not rest:
            continue
        mount_point = Path(_unescaped(fields.split(" ")[4]))
        # A later mount hides an earlier one at the same place, as a share does its autofs.
        if resolved.is_relative_to(mount_point) and len(mount_point.parts) >= depth:
            depth, found = len(mount_point.parts), rest.split(" ")[0]
    return found


def is_network(file_system: str) -> bool:
    """Whether files there can change without the local kernel hearing of it."""
    return file_system in NETWORK_FILE_SYSTEMS or file_system.startswith("fuse")


def _unescaped(field: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
