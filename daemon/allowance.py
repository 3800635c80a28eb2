"""How many new files a folder may bring within an hour. Pure: `now` is monotonic seconds.

A program run wild, or somebody with ill will, can write more files than can ever be analysed. What
is beyond the allowance is not lost: it is looked at again with every walk, and taken in when its
hour comes; the other folders go on meanwhile.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

HOUR_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Hourly:
    """The most that is taken in within any hour."""

    files: int
    bytes: int


@dataclass(kw_only=True)
class _Taken:
    bytes: int = 0
    entries: deque[tuple[float, int]] = field(default_factory=deque)


class Allowance:
    """What each folder has brought within the last hour; micrographs and other files apart.

    A program that writes ten log files a second takes no room from the micrographs beside them.

    Args:
        hourly: the most of each, by folder; no other folder has a limit.
    """

    def __init__(self, hourly: Mapping[bytes, Hourly]) -> None:
        self._hourly = hourly
        self._taken = {(root, foreign): _Taken() for root in hourly for foreign in (False, True)}

    def take(self, root: bytes, size_bytes: int, now: float, foreign: bool) -> None:
        """A new file came from a folder; `foreign`: it has no name of a micrograph."""
        if root in self._hourly:
            taken = self._taken[root, foreign]
            taken.entries.append((now, size_bytes))
            taken.bytes += size_bytes

    def spent(self, now: float) -> frozenset[bytes]:
        """The folders of which some files have to wait."""
        return frozenset(key[0] for key in self._taken if self.is_spent(key[0], now, key[1]))

    def is_spent(self, root: bytes, now: float, foreign: bool) -> bool:
        """Whether new files of this folder and kind have to wait."""
        if root not in self._hourly:
            return False
        taken = self._taken[root, foreign]
        while taken.entries and now - taken.entries[0][0] >= HOUR_SECONDS:
            taken.bytes -= taken.entries.popleft()[1]
        most = self._hourly[root]
        return len(taken.entries) >= most.files or taken.bytes >= most.bytes
