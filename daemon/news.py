"""What was heard of files, and where to look next: folders take turns.

A rush of events holds up nothing else: so many folders and files are looked at together, and those
that are not reached come first the next time.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping

from daemon.settle import SettleTracker
from daemon.watcher import Hint, HintKind
from schema.records import ArrivalRecord

MOST_AT_ONCE = 2000
FOLDERS_AT_ONCE = 200


class News:
    """What events said and nobody has looked at yet, by folder; and the last word on each file.

    Args:
        tracker: the files that have not settled, which are looked at again and again.
    """

    def __init__(self, tracker: SettleTracker) -> None:
        self._tracker = tracker
        self._heard: dict[bytes, dict[bytes, HintKind]] = {}
        self._kinds: dict[bytes, dict[bytes, HintKind]] = {}
        self._turns: dict[bytes, None] = {}

    def __len__(self) -> int:
        """How many folders have news."""
        return len(self._heard)

    def add(self, hints: Iterable[Hint]) -> None:
        """Remember what was heard, until its folder has its turn."""
        for hint in hints:
            if hint.kind is not HintKind.WALK:
                self._heard.setdefault(os.path.dirname(hint.path), {})[hint.path] = hint.kind

    def places(self, waits: Callable[[bytes], bool]) -> Iterator[tuple[bytes, set[bytes]]]:
        """Where to look now, and at which names: what was heard of, and what has not settled.

        Args:
            waits: whether a folder without news is left to the walk.
        """
        self._turns |= dict.fromkeys((*self._heard, *self._tracker.folders()))
        folders, files = 0, 0
        for folder in list(self._turns):
            if folders >= FOLDERS_AT_ONCE or files >= MOST_AT_ONCE:
                return
            del self._turns[folder]
            paths = (*self._heard.get(folder, ()), *self._tracker.paths_in(folder))
            names = {os.path.basename(path) for path in paths}
            if names and (folder in self._heard or not waits(folder)):
                folders, files = folders + 1, files + len(names)
                yield folder, names

    def take(self, folder: bytes) -> dict[bytes, HintKind]:
        """What was heard of the files of a folder; it is news no more."""
        return self._heard.pop(folder, {})

    def meaning(self, arrival: ArrivalRecord, heard: Mapping[bytes, HintKind]) -> HintKind | None:
        """What was heard of its files means: closed only where nobody writes to any of them.

        That a companion was closed says nothing about the primary file. None where nothing was.
        """
        its = {path: heard[path] for path in members(arrival) if path in heard}
        known = self._kinds.setdefault(arrival.path, {})
        known.update(its)
        if not its:
            return None
        return HintKind.CHANGED if HintKind.CHANGED in known.values() else known.get(arrival.path)

    def forget(self, path: bytes) -> None:
        """A file has settled, or is no longer waited for."""
        self._kinds.pop(path, None)


def members(arrival: ArrivalRecord) -> tuple[bytes, ...]:
    """The primary file and its companions."""
    return (arrival.path, *(companion.path for companion in arrival.companions))
