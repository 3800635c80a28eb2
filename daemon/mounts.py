"""On what kind of file system a folder lies.

Servers of network shares send no events to inotify, and SQLite is not safe on them.
"""

import os
import re
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class Mount:
    """Where the file system that holds a folder is mounted, its type, and what was mounted there.

    `file_system` is as the kernel names it, `source` a device or a share.
    """

    point: Path
    file_system: str
    source: str


def mount_of(folder: Path, mount_table: str | None = None) -> Mount:
    """What holds a folder. Nothing is asked of the folder itself, whose server may be away.

    Args:
        folder: absolute, without symbolic links; it need not be there.
        mount_table: text of /proc/self/mountinfo (see proc(5)); read where not given.
    """
    table = os.fsdecode(MOUNT_TABLE.read_bytes()) if mount_table is None else mount_table
    # As text: it is asked many times a second, and a Path for each point would be half the work.
    below, longest = f"{folder}/", 0
    found = Mount(point=Path("/"), file_system="unknown", source="")
    for line in table.split("\n"):
        fields, _, rest = line.partition(" - ")
        if not rest:
            continue
        point = _unescaped(fields.split(" ")[4])
        # A later mount hides an earlier one at the same place, as a share does its autofs.
        if len(point) >= longest and below.startswith(f"{point.rstrip('/')}/"):
            kind, source = rest.split(" ")[:2]
            found = Mount(point=Path(point), file_system=kind, source=_unescaped(source))
            longest = len(point)
    return found


def file_system_type(folder: Path, mount_table: str | None = None) -> str:
    """Type of the file system that holds a folder, as the kernel names it (`ext4`, `cifs`).

    Args:
        folder: an existing folder.
        mount_table: as for `mount_of`.
    """
    return mount_of(folder.resolve(), mount_table).file_system


def is_network(file_system: str) -> bool:
    """Whether files there can change without the local kernel hearing of it."""
    return file_system in NETWORK_FILE_SYSTEMS or file_system.startswith("fuse")


def _unescaped(field: str) -> str:
    if "\\" not in field:
        return field
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
