"""The watched folders: which they are, and whether what lies there is still they.

A share that is not mounted leaves an empty folder behind, which must not be taken for one whose
files were all deleted. So the mount that held a folder is remembered: where nothing is mounted
there any more, or something else that is empty (the service's own read-only view of the folder),
the folder has vanished, and its files are left as they were.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from daemon.bounded import RESOLVE_SECONDS, within
from daemon.config import WatchConfig
from daemon.mounts import Mount, mount_of
from schema.records import WatchedFolderRecord


class RootVanished(Exception):
    """A watched folder is not there, or the disk or share it lay on is not mounted."""


@dataclass(kw_only=True)
class Root:
    """A watched folder; `mount` held it when it was seen last, and may be another later."""

    config: WatchConfig
    path: bytes
    mount: Mount

    @classmethod
    def of(cls, config: WatchConfig) -> "Root":
        """The folder as it is now.

        Raises:
            OSError: it is not there, no folder, or does not answer.
        """
        path = within(RESOLVE_SECONDS, lambda: _listed(config.folder))
        return cls(config=config, path=os.fsencode(path), mount=mount_of(path))

    @property
    def record(self) -> WatchedFolderRecord:
        """What is remembered of it."""
        return WatchedFolderRecord(
            configured=os.fsencode(self.config.folder),
            path=self.path,
            mount_point=os.fsencode(self.mount.point),
            mount_source=os.fsencode(_source(self.mount)),
        )


@dataclass(frozen=True, kw_only=True)
class Place:
    """What stands at the path of a root: two that differ are two folders, one after the other."""

    mount: Mount
    device: int
    inode: int


def opened(config: WatchConfig, known: WatchedFolderRecord | None) -> Root:
    """A watched folder at the start of a daemon, which may find it absent.

    Args:
        config: names the folder.
        known: as it was when a daemon saw it last; None where none ever did.

    Raises:
        OSError: it is not there and was never seen, so its name may be wrong.
    """
    try:
        root = Root.of(config)
    except OSError:
        if known is None:
            raise
        return _absent(config, known)
    if known is not None and _is_bare(root.path, known, root.mount):
        return _absent(config, known)
    return root


def look(root: Root) -> Place:
    """What stands at the path of a root now.

    Raises:
        RootVanished: nothing, or a folder over which the disk or share is not mounted now.
    """
    mount = mount_of(Path(os.fsdecode(root.path)))
    if len(mount.point.parts) < len(root.mount.point.parts):
        raise RootVanished(f"nothing is mounted at {root.mount.point}")
    try:
        status = os.stat(root.path)
        if _source(mount) != _source(root.mount) and _is_bare(root.path, root.record, mount):
            raise RootVanished(f"{_source(root.mount)} is not mounted at {root.mount.point}")
    except OSError as error:
        raise RootVanished(str(error.strerror)) from error
    if not stat.S_ISDIR(status.st_mode):
        raise RootVanished("it is no folder")
    return Place(mount=mount, device=status.st_dev, inode=status.st_ino)


def _listed(folder: Path) -> Path:
    path = folder.resolve()
    with os.scandir(path):
        return path


def _source(mount: Mount) -> str:
    return f"{mount.file_system} {mount.source}"


def _absent(config: WatchConfig, known: WatchedFolderRecord) -> Root:
    kind, _, source = os.fsdecode(known.mount_source).partition(" ")
    point = Path(os.fsdecode(known.mount_point))
    mount = Mount(point=point, file_system=kind, source=source)
    return Root(config=config, path=known.path, mount=mount)


def _is_bare(path: bytes, known: WatchedFolderRecord, mount: Mount) -> bool:
    """Whether the folder is only what shows where the share is not mounted.

    One with something in it has taken the place of the share: a disk was replaced, say.
    """
    was = Path(os.fsdecode(known.mount_point))
    is_deeper = len(mount.point.parts) > len(was.parts)
    is_same = mount.point == was and os.fsencode(_source(mount)) == known.mount_source
    if path != known.path or is_deeper or is_same:
        return False
    with os.scandir(path) as entries:
        return next(entries, None) is None
