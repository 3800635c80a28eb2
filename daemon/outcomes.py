"""What is asked of one attempt at a file, and what can become of it."""

from dataclasses import dataclass
from enum import StrEnum

from schema.records import ArrivalRecord, ResultRecord


class OutcomeKind(StrEnum):
    """What became of one attempt; `verdicts` turns it into a state of the ledger."""

    DONE = "done"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    SUSPECT = "suspect"
    CHANGED = "changed"
    IO_FAILED = "io_failed"
    NO_ROOM = "no_room"
    NO_WORKER = "no_worker"
    BAD_MODEL = "bad_model"
    CHILD_DIED = "child_died"
    BUG = "bug"
    ABANDONED = "abandoned"


NOT_THE_FILE = frozenset({OutcomeKind.NO_ROOM, OutcomeKind.NO_WORKER, OutcomeKind.BAD_MODEL})
"""Ends that would be the same with any other file: our own disk, our own process, our model."""


@dataclass(frozen=True, kw_only=True)
class FileJob:
    """One file whose turn it is.

    `accepts_suspect`: pixels that look unwritten no longer make it wait: it was given its time.
    `child_deaths`: processes that died with it so far, perhaps for want of memory.
    """

    source_file_id: int
    arrival: ArrivalRecord
    pixel_size_nm: float | None
    force: bool
    session_uuid: str | None = None
    accepts_suspect: bool = False
    child_deaths: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of one attempt at one file.

    `results` are those of a whole file, `made` those of the frames analysed before it failed.
    """

    job: FileJob
    kind: OutcomeKind
    code: str = ""
    message: str = ""
    file_sha256: str = ""
    content_sha256: str = ""
    results: tuple[ResultRecord, ...] = ()
    made: tuple[ResultRecord, ...] = ()
    seconds: float = 0.0


class AttemptFailed(Exception):
    """Ends an attempt early; becomes an `Outcome`."""

    def __init__(self, kind: OutcomeKind, code: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
