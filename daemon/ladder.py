"""What follows from one attempt at a file. Pure: outcome and history in, the next step out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from daemon.outcomes import NOT_THE_FILE, OutcomeKind

CHILD_DEATHS_ALLOWED = 3
ONCE_IO_WAIT_SECONDS = 10.0
ONCE_IO_TRIES = 3

_WORTH_WAITING = (OutcomeKind.IO_FAILED, OutcomeKind.CHANGED, OutcomeKind.SUSPECT)


class Step(StrEnum):
    """What the ledger does with the file."""

    COMMIT = "commit"
    REFUSE = "refuse"
    RETRY = "retry"
    QUARANTINE = "quarantine"
    AGAIN = "again"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A step, and for a retry how long to wait first, in seconds."""

    step: Step
    wait_seconds: float = 0.0


def decide(
    kind: OutcomeKind,
    *,
    failed_attempts: int,
    child_deaths: int,
    once: bool,
    retry_seconds: Sequence[float],
) -> Decision:
    """The next step for a file after one attempt.

    Only what cannot be understood is quarantined. A file that cannot be opened, or that keeps
    changing, is tried for as long as it is there, and one that looks unfinished waits for all
    rungs before it is taken as it is.

    Args:
        kind: how the attempt ended.
        failed_attempts: failed readings before this one, since the file last changed.
        child_deaths: processes that have died with this file, this one included.
        once: `--once`: an unreadable file is quarantined at once, and a file that cannot be
            opened or stored, or that changed since it had settled, is tried three times within
            30 s.
        retry_seconds: the rungs of the retry ladder.
    """
    simple = {
        OutcomeKind.DONE: Step.COMMIT,
        OutcomeKind.REFUSED: Step.REFUSE,
        OutcomeKind.ABANDONED: Step.AGAIN,
    }
    if kind in simple:
        return Decision(step=simple[kind])
    if kind is OutcomeKind.CHILD_DIED:
        poison = child_deaths >= CHILD_DEATHS_ALLOWED
        return Decision(step=Step.QUARANTINE if poison else Step.AGAIN)
    waits = kind in _WORTH_WAITING or kind in NOT_THE_FILE
    if once:
        if waits:
            return Decision(step=Step.RETRY, wait_seconds=ONCE_IO_WAIT_SECONDS)
        return Decision(step=Step.QUARANTINE)
    if kind in NOT_THE_FILE:
        return Decision(step=Step.AGAIN)
    if failed_attempts >= len(retry_seconds) and not waits:
        return Decision(step=Step.QUARANTINE)
    rung = min(failed_attempts, len(retry_seconds) - 1)
    return Decision(step=Step.RETRY, wait_seconds=retry_seconds[rung])
