"""The directory walk: the only source of truth about which files there are.

Symbolic links are not followed, names are bytes, and what writers use for unfinished files is
left alone.
"""

import contextlib
import errno
import fnmatch
import logging
import os
import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from analysis.readers import field_of_view_stem, grouped
from daemon.descent import open_below
from daemon.names import printable
from daemon.roots import Root, look
from daemon.stamps import ctime_ns, inode, mtime_ns
from schema.records import ArrivalRecord, Companion

log = logging.getLogger(__name__)

# In any case of letters: many microscopes run Windows.
UNFINISHED = ("~*", "*.tmp", "*.part", "*.part[0-9]*", "*.partial", "*.crdownload", "*.filepart")

FEW_NAMES = 50
BEAT_ENTRIES = 100

_UNFINISHED = re.compile("|".join(map(fnmatch.translate, UNFINISHED)), re.IGNORECASE)

_GONE = (errno.ENOENT, errno.ENOTDIR)
_OUT_OF_REACH = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP)


@dataclass(frozen=True, kw_only=True)
class Walked:
    """What a walk found, sorted by path.

    `is_whole` is False where a folder could not be listed, or a file looked at, just now: what
    was not found may well be there. `folders` is how many there are, the root included.
    """

    arrivals: tuple[ArrivalRecord, ...]
    is_whole: bool
    folders: int


@dataclass(frozen=True, kw_only=True)
class _Listing:
    """What one folder holds; `unseen` says why something in it could not be looked at."""

    arrivals: list[ArrivalRecord]
    below: list[bytes]
    unseen: OSError | None


def walk(root: Root, beat: Callable[[], None] = lambda: None) -> Walked:
    """Every primary file below a root, with its companions.

    Args:
        root: a watched folder.
        beat: called with each folder, and often in a large one: the walk goes on.

    Raises:
        RootVanished: the folder is missing, or what was mounted there is not.
    """
    look(root)
    arrivals: list[ArrivalRecord] = []
    is_whole = True
    folders, count = [root.path], 0
    while folders:
        folder = folders.pop()
        count += 1
        beat()
        try:
            listing = _survey(root, folder, beat=beat)
        except OSError as error:
            is_whole &= _cannot_list(folder, error)
            continue
        arrivals.extend(listing.arrivals)
        is_whole &= listing.unseen is None
        if root.config.recursive:
            folders.extend(listing.below)
    found_all = sorted(arrivals, key=lambda arrival: arrival.path)
    return Walked(arrivals=tuple(found_all), is_whole=is_whole, folders=count)


def survey(root: Root, folder: bytes, names: Collection[bytes]) -> list[ArrivalRecord]:
    """Those primary files of one folder below a root that some of these names may belong to.

    Raises:
        RootVanished: the root is not there.
        OSError: the folder, or a file in it, cannot be looked at just now; where the folder is
            gone, there is nothing in it.
    """
    look(root)
    stems = {os.fsencode(field_of_view_stem(os.fsdecode(name))) for name in names}
    prefixes = tuple(stems) if len(stems) <= FEW_NAMES else (b"",)
    try:
        listing = _survey(root, folder, prefixes)
    except OSError as error:
        if not _cannot_list(folder, error):
            raise
        return []
    if listing.unseen is not None:
        raise listing.unseen
    return listing.arrivals


def folder_count(root: Root) -> int:
    """How many folders a root has, itself included."""
    if not root.config.recursive:
        return 1
    return sum(1 for _ in os.walk(root.path))


def holds(root: Root, folder: bytes) -> bool:
    """Whether a folder is watched through this root: the walk would go there."""
    if folder == root.path:
        return True
    top = os.path.join(root.path, b"")
    if not root.config.recursive or not folder.startswith(top):
        return False
    steps = folder[len(top) :].split(b"/")
    return not any(_is_unfinished(os.fsdecode(step), root.config.ignore) for step in steps)


def single(path: bytes, root: bytes | None = None) -> ArrivalRecord:
    """One file named by hand and its companions; a companion stands for its primary file.

    Args:
        path: absolute.
        root: the watched folder it was found through; else its own folder.

    Raises:
        OSError: it is not there.
    """
    folder, name = os.path.split(path)
    found = named(folder, [name], root)[name]
    if isinstance(found, OSError):
        raise found
    return found


def named(
    folder: bytes, names: Collection[bytes], root: bytes | None = None
) -> dict[bytes, ArrivalRecord | OSError]:
    """Files of one folder named by hand, as `single` gives them, or why one cannot be looked at.

    The folder is listed once, and nothing in it is looked at but these files.

    Raises:
        OSError: the folder cannot be listed.
    """
    groups = grouped(_near(folder, names))
    primaries: dict[str, str] = {}
    for primary, companions in groups.items():
        for companion in companions:
            primaries.setdefault(companion, primary)
    found: dict[bytes, ArrivalRecord | OSError] = {}
    for name in names:
        primary = primaries.get(os.fsdecode(name), os.fsdecode(name))
        members = list(map(os.fsencode, (primary, *groups.get(primary, ()))))
        try:
            found[name] = _arrival_of(folder, name, members, root or folder)
        except OSError as error:
            found[name] = error
    return found


def is_gone(error: OSError) -> bool:
    """Whether nothing stands at a path any more, as opposed to a failure to look."""
    return error.errno in _GONE


def _near(folder: bytes, names: Collection[bytes]) -> list[str]:
    """What lies in a folder under names that may belong to these."""
    there = sorted(map(os.fsdecode, os.listdir(folder)))
    near: set[str] = set()
    for stem in {field_of_view_stem(os.fsdecode(name)) for name in names}:
        for number in range(bisect_left(there, stem), len(there)):
            if not there[number].startswith(stem):
                break
            near.add(there[number])
    return sorted(near)


def _arrival_of(folder: bytes, name: bytes, members: list[bytes], root: bytes) -> ArrivalRecord:
    """A file and those that belong to it; what has gone since the listing belongs to nothing.

    Raises:
        OSError: the file is not there, or one of them cannot be looked at.
    """
    files = {name: os.lstat(os.path.join(folder, name))}
    for other in set(members) - {name}:
        with contextlib.suppress(FileNotFoundError):
            files[other] = os.lstat(os.path.join(folder, other))
    primary, *companions = members if members[0] in files else [name]
    return _arrival(folder, primary, [c for c in companions if c in files], files, root)


def _survey(
    root: Root,
    folder: bytes,
    prefixes: tuple[bytes, ...] = (b"",),
    beat: Callable[[], None] = lambda: None,
) -> _Listing:
    """Arrivals in a folder whose names begin so, and the folders below it."""
    files: dict[bytes, os.stat_result] = {}
    below: list[bytes] = []
    unseen: OSError | None = None
    for number, entry in enumerate(_entries(root, folder, prefixes)):
        if number % BEAT_ENTRIES == 0:
            beat()
        name = os.fsencode(entry.name)
        if _is_unfinished(entry.name, root.config.ignore):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                below.append(os.path.join(folder, name))
            elif entry.is_file(follow_symlinks=False):
                files[name] = entry.stat(follow_symlinks=False)
        except OSError as error:
            if error.errno not in _GONE:
                path = printable(os.path.join(folder, name))
                log.warning("cannot look at %s: %s", path, error.strerror)
                unseen = error
    groups = grouped([os.fsdecode(name) for name in files])
    arrivals = [
        _arrival(folder, os.fsencode(name), [os.fsencode(c) for c in companions], files, root.path)
        for name, companions in groups.items()
    ]
    return _Listing(arrivals=arrivals, below=below, unseen=unseen)


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
        mtime_ns=mtime_ns(status),
        inode=inode(status),
        ctime_ns=ctime_ns(status),
        companions=tuple(
            Companion(
                path=os.path.join(folder, companion),
                size_bytes=files[companion].st_size,
                mtime_ns=mtime_ns(files[companion]),
            )
            for companion in sorted(companions)
        ),
    )


def _entries(root: Root, folder: bytes, prefixes: tuple[bytes, ...]) -> Iterator[os.DirEntry[str]]:
    """What a folder holds under names that begin so."""
    begins = tuple(map(os.fsdecode, prefixes))
    descriptor = open_below(root.path, folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(descriptor) as entries:
            yield from (entry for entry in entries if entry.name.startswith(begins))
    finally:
        os.close(descriptor)


def _cannot_list(folder: bytes, error: OSError) -> bool:
    """Whether it is certain that nothing can be read there, as opposed to a passing failure."""
    if error.errno != errno.ENOENT:  # it may have gone since it was listed
        log.warning("cannot list %s: %s", printable(folder), error.strerror)
    return error.errno in (*_GONE, *_OUT_OF_REACH)


def _is_unfinished(text: str, ignore: tuple[str, ...]) -> bool:
    if text.startswith("."):
        return True
    if _UNFINISHED.match(text):
        return True
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in ignore)
