"""What the file system says of a file, in numbers the ledger can hold.

SQLite's integers end at 2**63 - 1. A share may number its files beyond that, and a clock gone
wrong may date them beyond the year 2262, where nanoseconds do: such numbers are wrapped, so that a
change still shows.
"""

import os


def mtime_ns(status: os.stat_result) -> int:
    """Modification time in ns since 1970, wrapped into 64 bits with sign."""
    return _wrapped(status.st_mtime_ns)


def ctime_ns(status: os.stat_result) -> int:
    """Time of the last change of the file or of its rights in ns since 1970, wrapped likewise."""
    return _wrapped(status.st_ctime_ns)


def inode(status: os.stat_result) -> int:
    """Number of the file on its file system, wrapped into 64 bits with sign."""
    return _wrapped(status.st_ino)


def _wrapped(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63
