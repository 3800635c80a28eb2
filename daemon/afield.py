"""Files outside the watched folders, named by hand: no event tells of them, and no walk finds them.

They may lie on shares that nobody watches and that do not answer: they are waited for only so
long, and then not asked again for a minute.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from daemon.bounded import within
from daemon.walk import is_gone, named
from schema.records import ArrivalRecord

ANSWER_SECONDS = 2.0  # the main loop waits so long
AGAIN_SECONDS = 60.0


class Afield:
    """Which of them cannot be looked at just now; that is not to be gone."""

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}

    def __len__(self) -> int:
        """How many are out of reach."""
        return len(self._until)

    def __contains__(self, path: bytes) -> bool:
        return path in self._until

    def look(
        self, folder: bytes, roots: Mapping[bytes, bytes], seconds: float
    ) -> list[ArrivalRecord]:
        """What stands there now.

        Args:
            folder: that holds the files themselves.
            roots: by path of a file, what it was said to lie below.
            seconds: monotonic, now.

        Raises:
            OSError: the folder is not there, or does not answer.
        """
        due = [path for path in roots if self._until.get(path, seconds) <= seconds]
        if not due:
            return []
        self._until.update(dict.fromkeys(due, seconds + AGAIN_SECONDS))
        names = list(map(os.path.basename, due))
        found = within(ANSWER_SECONDS, partial(named, folder, names))
        arrivals: list[ArrivalRecord] = []
        for path, name in zip(due, names, strict=True):
            file = found[name]
            if isinstance(file, ArrivalRecord):
                arrivals.append(replace(file, root=roots[path]))
            elif not is_gone(file):
                continue
            del self._until[path]
        return arrivals

    def forget(self, path: bytes) -> None:
        """A file has settled, or is no longer waited for."""
        self._until.pop(path, None)


def look_at(arrival: ArrivalRecord) -> ArrivalRecord | OSError:
    """What stands at the path of a file now, or why it cannot be looked at.

    Raises:
        OSError: its folder is not there, or does not answer.
    """
    folder, name = os.path.split(arrival.path)
    return within(ANSWER_SECONDS, partial(named, folder, [name], arrival.root))[name]
