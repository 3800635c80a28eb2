"""Files whose pictures are still to be drawn. Pure: numbers of files in, `now` is seconds.

The newest comes first: who looks at the folder looks for the micrograph just taken. What failed for
a reason that may pass is tried again a few times; then it waits for the next start.
"""

from collections.abc import Sequence

WAIT_SECONDS = (10.0, 60.0, 600.0, 3600.0)


class Backlog:
    """What is to be done, and when.

    Args:
        wait_seconds: before each further try of a file.
    """

    def __init__(self, wait_seconds: Sequence[float] = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._due: dict[int, float] = {}
        self._tries: dict[int, int] = {}

    def add(self, file_id: int) -> None:
        """There is something to draw of this file, now."""
        self._due[file_id] = 0.0
        self._tries[file_id] = 0

    def next(self, now: float) -> int | None:
        """The newest file that is due; None where none is."""
        return max((file_id for file_id, due in self._due.items() if due <= now), default=None)

    def done(self, file_id: int) -> None:
        """Nothing more is to be tried of it."""
        self._due.pop(file_id, None)
        self._tries.pop(file_id, None)

    def failed(self, file_id: int, now: float) -> float | None:
        """Seconds until it is tried again; None where it is not."""
        tries = self._tries.get(file_id, 0)
        if tries >= len(self._wait_seconds):
            self.done(file_id)
            return None
        self._tries[file_id] = tries + 1
        self._due[file_id] = now + self._wait_seconds[tries]
        return self._wait_seconds[tries]
