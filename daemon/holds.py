"""What keeps the daemon from beginning another file. Pure: ends and looks in, `now` is seconds.

A full disk, or an analysis process that does not come up, would end every file alike: none is
blamed, and all wait.
"""

from daemon.errors import ConfigError, DaemonError
from daemon.outcomes import NOT_THE_FILE, Outcome, OutcomeKind

HOLD_SECONDS = 10.0
STARTS_ALLOWED = 5


class Holds:
    """Whether to go on, and if not, why.

    Args:
        least_free: part of the disk that must be free before another file is begun.
    """

    def __init__(self, least_free: float) -> None:
        self._least_free = least_free
        self._free = 1.0
        self._until = 0.0
        self._reason = ""
        self._failed_starts = 0

    def ended(self, outcome: Outcome, now: float) -> None:
        """An attempt has ended; what is no fault of its file holds all files for a while.

        Raises:
            ConfigError: the model has been damaged.
            DaemonError: the analysis process does not come up, after several tries.
        """
        if outcome.kind is OutcomeKind.BAD_MODEL:
            raise ConfigError(outcome.message)
        if outcome.kind is OutcomeKind.NO_WORKER:
            self._failed_starts += 1
            if self._failed_starts >= STARTS_ALLOWED:
                raise DaemonError(
                    f"the analysis process did not come up {STARTS_ALLOWED} times in a row: "
                    f"{outcome.message}"
                )
        elif outcome.kind is not OutcomeKind.ABANDONED:
            self._failed_starts = 0
        if outcome.kind in NOT_THE_FILE:
            self._until, self._reason = now + HOLD_SECONDS, outcome.message
        elif outcome.kind is OutcomeKind.DONE:
            self._reason = ""

    def looked(self, free_share: float) -> None:
        """So much of the disk is free, from 0 to 1."""
        self._free = free_share

    def blocks(self, now: float) -> bool:
        """Whether nothing may be begun now."""
        return now < self._until or self._free < self._least_free

    def warnings(self) -> tuple[str, ...]:
        """Why nothing is begun, or why it was not a moment ago."""
        found = []
        if self._free < self._least_free:
            found.append(
                f"only {self._free:.1%} of the disk of the state folder is free: "
                "new micrographs wait until there is room"
            )
        if self._reason:
            found.append(f"{self._reason}; tried again every {HOLD_SECONDS:.0f} s, no file is lost")
        return tuple(found)
