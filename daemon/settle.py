"""When a file being written counts as finished. Pure: observations and now in, paths out.

Size that stands still is not completeness, but it is the first sign of it. `now` is monotonic
seconds; wall clocks and modification times are never compared with it, because a microscope's
clock may be days off.
"""

import os
from dataclasses import dataclass, replace

Stamp = tuple[int, ...]
"""Size in bytes, modification time in ns, inode, and more: if any differs, the file changed."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One file that has not settled yet.

    `is_open`: it was heard being written, and not closed since. `had_result`: what stood there
    before was analysed.
    """

    stamp: Stamp
    unchanged_since: float
    last_look: float
    closed_at: float | None = None
    is_open: bool = False
    had_result: bool = False


class SettleTracker:
    """Files that are still being written, and since when each stands still.

    Args:
        quiet_seconds: rest after a close or a rename was heard.
        quiet_seconds_without_events: rest over at least two looks where none was heard.
        quiet_seconds_overwritten: the same where a file that has a result is being written again.
            Overwritten block by block it looks whole all the time, so the close is waited for, as
            long as it may still come.
    """

    def __init__(
        self,
        quiet_seconds: float = 2.0,
        quiet_seconds_without_events: float = 10.0,
        quiet_seconds_overwritten: float = 600.0,
    ) -> None:
        self._quiet = quiet_seconds
        self._quiet_unheard = quiet_seconds_without_events
        self._quiet_overwritten = max(quiet_seconds_overwritten, quiet_seconds_without_events)
        self._watched: dict[bytes, Watched] = {}
        self._folders: dict[bytes, dict[bytes, None]] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def __contains__(self, path: bytes) -> bool:
        return path in self._watched

    def paths(self) -> list[bytes]:
        """Every path that has not settled, oldest first."""
        return list(self._watched)

    def folders(self) -> list[bytes]:
        """Every folder that holds one of them itself."""
        return list(self._folders)

    def paths_in(self, folder: bytes) -> list[bytes]:
        """Every path of this folder that has not settled, oldest first."""
        return list(self._folders.get(folder, ()))

    def observe(
        self, path: bytes, stamp: Stamp, now: float, looked_at: float | None = None
    ) -> None:
        """A look at the file found this size, modification time and inode.

        `looked_at` is the earliest it can have been, where the look was not just now: a walk takes
        its time, and a rest is counted from its end and up to its beginning.
        """
        known = self._watched.get(path)
        if known is None:
            self._watched[path] = Watched(stamp=stamp, unchanged_since=now, last_look=now)
            self._folders.setdefault(os.path.dirname(path), {})[path] = None
        elif known.stamp == stamp:
            self._watched[path] = replace(known, last_look=now if looked_at is None else looked_at)
        else:
            self._watched[path] = replace(known, stamp=stamp, unchanged_since=now, last_look=now)

    def closed(self, path: bytes, now: float) -> None:
        """The writer closed the file, or renamed it into place."""
        if known := self._watched.get(path):
            self._watched[path] = replace(known, closed_at=now, is_open=False)

    def modified(self, path: bytes) -> None:
        """The file is being written again: an earlier close no longer counts."""
        if known := self._watched.get(path):
            self._watched[path] = replace(known, closed_at=None, is_open=True)

    def let_go(self, path: bytes) -> None:
        """None of its files is being written any more."""
        if known := self._watched.get(path):
            self._watched[path] = replace(known, is_open=False)

    def replaces_a_result(self, path: bytes) -> None:
        """What stood at this path before was analysed: nothing is lost by patience."""
        if known := self._watched.get(path):
            self._watched[path] = replace(known, had_result=True)

    def forget(self, path: bytes) -> None:
        """The file settled, vanished or is no longer of interest."""
        if self._watched.pop(path, None) is None:
            return
        folder = os.path.dirname(path)
        del self._folders[folder][path]
        if not self._folders[folder]:
            del self._folders[folder]

    def settled(self, now: float) -> list[bytes]:
        """Paths that have been quiet long enough; each stays until it is forgotten."""
        return [path for path, file in self._watched.items() if self._is_quiet(file, now)]

    def _is_quiet(self, file: Watched, now: float) -> bool:
        if file.closed_at is not None:
            quiet_from = max(file.closed_at, file.unchanged_since)
            return file.last_look > file.closed_at and now - quiet_from >= self._quiet
        is_overwritten = file.is_open and file.had_result
        quiet = self._quiet_overwritten if is_overwritten else self._quiet_unheard
        return file.last_look - file.unchanged_since >= quiet
