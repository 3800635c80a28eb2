"""Private copies of arrived files: only these are ever parsed.

A copy cannot change under the parser's hands, and the raw file is opened once, read-only, through
no symbolic link below the folder it was found in.
"""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from daemon import space
from daemon.descent import open_below
from daemon.errors import DaemonCode
from daemon.stamps import mtime_ns
from schema.records import ArrivalRecord, Companion

CHUNK_BYTES = 4 * 2**20
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class ChangedWhileCopied(Exception):
    """The file is not the one that had settled: written to since then, or during the copy."""


class CannotSpool(Exception):
    """This path can never be copied: a pipe, a device, a link, a file beyond the limit."""

    def __init__(self, code: DaemonCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class DoesNotFit(Exception):
    """The disk of the spool has no room for this file now, though it may have for others."""


@dataclass(frozen=True, kw_only=True)
class Spooled:
    """One arrival, copied under its own names.

    `content_sha256` covers the primary file and its companions, names left out. `ends_in_a_hole`:
    the last bytes of one of them were never written, it only has its size already.
    """

    folder: Path
    primary: Path
    file_sha256: str
    content_sha256: str
    ends_in_a_hole: bool = False


@dataclass(frozen=True, kw_only=True)
class _Copied:
    sha256: str
    ends_in_a_hole: bool


def spool_arrival(arrival: ArrivalRecord, folder: Path, limit_bytes: int) -> Spooled:
    """Copy the primary file and its companions into an empty folder, hashing as they pass.

    Raises:
        ChangedWhileCopied: a file is not as it was found, or changed meanwhile.
        CannotSpool: not a regular file, or larger than `limit_bytes`.
        DoesNotFit: it is larger than what is free where the spool lies.
        OSError: the file cannot be read now, or the spool cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    primary = folder / os.fsdecode(os.path.basename(arrival.path))
    copied = [_copy(arrival, arrival.root, primary, limit_bytes)]
    for companion in arrival.companions:
        target = folder / os.fsdecode(os.path.basename(companion.path))
        copied.append(_copy(companion, arrival.root, target, limit_bytes))
    return Spooled(
        folder=folder,
        primary=primary,
        file_sha256=copied[0].sha256,
        content_sha256=_combined([one.sha256 for one in copied]),
        ends_in_a_hole=any(one.ends_in_a_hole for one in copied),
    )


def _combined(hashes: Sequence[str]) -> str:
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _copy(found: ArrivalRecord | Companion, root: bytes, target: Path, limit_bytes: int) -> _Copied:
    descriptor = open_below(root, found.path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as reader:
        before = os.fstat(reader.fileno())
        _check(before, limit_bytes)
        if (before.st_size, mtime_ns(before)) != (found.size_bytes, found.mtime_ns):
            raise ChangedWhileCopied
        _make_sure_it_fits(before.st_size, target.parent)
        ends_in_a_hole = _ends_in_a_hole(reader.fileno(), before.st_size)
        copied, sha256 = _pour(reader, target, before.st_size)
        after = os.fstat(reader.fileno())
    if copied != before.st_size or after.st_size != before.st_size:
        raise ChangedWhileCopied
    if after.st_mtime_ns != before.st_mtime_ns:
        raise ChangedWhileCopied
    return _Copied(sha256=sha256, ends_in_a_hole=ends_in_a_hole)


def _pour(reader: FileIO, target: Path, size_bytes: int) -> tuple[int, str]:
    """Copy no more than a chunk beyond the size: the bytes copied, and their SHA-256."""
    digest = hashlib.sha256()
    copied = 0
    try:
        with target.open("wb") as writer:  # buffered: a full disk is an error, not a short write
            while copied <= size_bytes and (chunk := reader.read(CHUNK_BYTES)):
                digest.update(chunk)
                copied += writer.write(chunk)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise DoesNotFit(f"{_needs(size_bytes)}: {error.strerror}.") from error
        raise
    return copied, digest.hexdigest()


def _ends_in_a_hole(descriptor: int, size_bytes: int) -> bool:
    """Whether the file system holds nothing for the last byte: lseek(2), SEEK_DATA.

    Shares, and file systems that cannot tell, say that all of it is data.
    """
    if size_bytes == 0:
        return False
    try:
        os.lseek(descriptor, size_bytes - 1, os.SEEK_DATA)
    except OSError as error:
        return error.errno == errno.ENXIO
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
    return False


def _make_sure_it_fits(size_bytes: int, folder: Path) -> None:
    free = space.free_bytes(folder)
    if free is not None and size_bytes > free:
        raise DoesNotFit(f"{_needs(size_bytes)}, and {free} bytes are free.")


def _needs(size_bytes: int) -> str:
    return f"The copy of this file needs {size_bytes} bytes on the disk of the state folder"


def _check(status: os.stat_result, limit_bytes: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CannotSpool(DaemonCode.NOT_A_REGULAR_FILE, "This is not a regular file.")
    if status.st_size > limit_bytes:
        raise CannotSpool(
            DaemonCode.FILE_TOO_LARGE,
            f"The file has {status.st_size} bytes, more than the limit of {limit_bytes}.",
        )
