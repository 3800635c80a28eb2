"""On what kind of file system a folder lies.

Servers of network shares send no events to inotify, and SQLite is not safe on them.
"""

from pathlib import Path

NETWORK_FILE_SYSTEMS = frozenset({"cifs", "smb3", "smbfs", "nfs", "nfs4", "9p", "afs", "ncpfs"})
MOUNT_TABLE = Path("/proc/self/mountinfo")


def file_system_type(folder: Path, mount_table: str | None = None) -> str:
    """Type of the file system that holds a folder, as the kernel names it (`ext4`, `cifs`).

    Args:
        folder: an existing folder.
        mount_table: text of /proc/self/mountinfo (see proc(5)); read where not given.
    """
    table = MOUNT_TABLE.read_text(encoding="utf-8") if mount_table is None else mount_table
    resolved = folder.resolve()
    best = (-1, "unknown")
    for line in table.splitlines():
        fields, _, rest = line.partition(" - ")
        mount_point = Path(_unescaped(fields.split()[4]))
        if resolved.is_relative_to(mount_point):  # a later mount hides an earlier one
            best = max(best, (len(mount_point.parts), rest.split()[0]), key=lambda item: item[0])
    return best[1]


def is_network(file_system: str) -> bool:
    """Whether files there can change without the local kernel hearing of it."""
    return file_system in NETWORK_FILE_SYSTEMS or file_system.startswith("fuse")


def _unescaped(field: str) -> str:
    return field.encode("latin-1", "surrogateescape").decode("unicode_escape")
