"""The directory walk: the only source of truth about which files there are.

Symbolic links are not followed, names are bytes, and what writers use for unfinished files is
left alone.
"""

import errno
import fnmatch
import logging
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from analysis.readers import grouped
from daemon.config import WatchConfig
from schema.records import ArrivalRecord, Companion

log = logging.getLogger(__name__)

UNFINISHED = ("~*", "*.tmp", "*.part", "*.part[0-9]*", "*.partial", "*.crdownload", "*.filepart")


class RootVanished(Exception):
    """A watched folder is not there, or is another one than at the start (an unmounted share)."""


@dataclass(frozen=True, kw_only=True)
class Root:
    """A watched folder as it was found at the start."""

    config: WatchConfig
    path: bytes
    device: int

    @classmethod
    def of(cls, config: WatchConfig) -> "Root":
        """The folder as it is now.

        Raises:
            OSError: it is not there.
        """
        path = os.fsencode(config.folder.resolve())
        return cls(config=config, path=path, device=os.stat(path).st_dev)


def walk(root: Root) -> list[ArrivalRecord]:
    """Every primary file below a root, with its companions, sorted by path.

    Raises:
        RootVanished: the folder is missing or lies on another device than at the start.
    """
    try:
        present = os.stat(root.path).st_dev == root.device
    except OSError:
        present = False
    if not present:
        raise RootVanished(os.fsdecode(root.path))
    arrivals: list[ArrivalRecord] = []
    folders = [root.path]
    while folders:
        found, below = _survey(root, folders.pop())
        arrivals.extend(found)
        if root.config.recursive:
            folders.extend(below)
    return sorted(arrivals, key=lambda arrival: arrival.path)


def survey(root: Root, folder: bytes) -> list[ArrivalRecord]:
    """The primary files of one folder below a root; empty where the folder is gone."""
    return _survey(root, folder)[0]


def holds(root: Root, folder: bytes) -> bool:
    """Whether a folder is watched through this root."""
    if folder == root.path:
        return True
    return root.config.recursive and folder.startswith(os.path.join(root.path, b""))


def single(path: bytes) -> ArrivalRecord:
    """One file named by hand and its companions; its root is its folder.

    Raises:
        OSError: it is not there.
    """
    folder, name = os.path.split(path)
    files = {name: os.lstat(path)}
    siblings = grouped([os.fsdecode(entry) for entry in os.listdir(folder)])
    companions = [os.fsencode(other) for other in siblings.get(os.fsdecode(name), ())]
    files |= {other: os.lstat(os.path.join(folder, other)) for other in companions}
    return _arrival(folder, name, companions, files, folder)


def _survey(root: Root, folder: bytes) -> tuple[list[ArrivalRecord], list[bytes]]:
    """Arrivals in a folder, and the folders below it."""
    files: dict[bytes, os.stat_result] = {}
    below: list[bytes] = []
    for entry in _entries(folder):
        if _is_unfinished(entry.name, root.config.ignore):
            continue
        if entry.is_dir(follow_symlinks=False):
            below.append(entry.path)
        elif (status := _status(entry)) is not None:
            files[entry.name] = status
    groups = grouped([os.fsdecode(name) for name in files])
    arrivals = [
        _arrival(folder, os.fsencode(name), [os.fsencode(c) for c in companions], files, root.path)
        for name, companions in groups.items()
    ]
    return arrivals, below


def _arrival(
    folder: bytes,
    name: bytes,
    companions: Collection[bytes],
    files: dict[bytes, os.stat_result],
    root: bytes,
) -> ArrivalRecord:
    status = files[name]
    return ArrivalRecord(
        path=os.path.join(folder, name),
        root=root,
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        inode=status.st_ino,
        companions=tuple(
            Companion(
                path=os.path.join(folder, companion),
                size_bytes=files[companion].st_size,
                mtime_ns=files[companion].st_mtime_ns,
            )
            for companion in sorted(companions)
        ),
    )


def _entries(folder: bytes) -> Iterator[os.DirEntry[bytes]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        if error.errno != errno.ENOENT:  # it may have gone since it was listed
            log.warning("cannot list %r: %s", os.fsdecode(folder), error.strerror)


def _status(entry: os.DirEntry[bytes]) -> os.stat_result | None:
    try:
        if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
            return None
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def _is_unfinished(name: bytes, ignore: tuple[str, ...]) -> bool:
    text = os.fsdecode(name)
    if text.startswith("."):
        return True
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in (*UNFINISHED, *ignore))
