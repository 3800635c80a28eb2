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
    files: int = 0
    bytes: int = 0
    entries: deque[tuple[float, int, int]] = field(default_factory=deque)


class Allowance:
    """What each folder has brought within the last hour.

    Args:
        hourly: the most of it, by folder; no other folder has a limit.
    """

    def __init__(self, hourly: Mapping[bytes, Hourly]) -> None:
        self._hourly = hourly
        self._taken = {root: _Taken() for root in hourly}

    def take(self, root: bytes, files: int, size_bytes: int, now: float) -> None:
        """So many new files came from a folder."""
        if root not in self._taken:
            return
        taken = self._taken[root]
        taken.entries.append((now, files, size_bytes))
        taken.files += files
        taken.bytes += size_bytes

    def spent(self, now: float) -> frozenset[bytes]:
        """The folders that have to wait."""
        return frozenset(root for root in self._taken if self._is_spent(root, now))

    def _is_spent(self, root: bytes, now: float) -> bool:
        taken = self._taken[root]
        while taken.entries and now - taken.entries[0][0] >= HOUR_SECONDS:
            _, files, size_bytes = taken.entries.popleft()
            taken.files -= files
            taken.bytes -= size_bytes
        most = self._hourly[root]
        return taken.files >= most.files or taken.bytes >= most.bytes
