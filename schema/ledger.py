"""The states of every file seen: a queue of a few verbs.

    seen -> settling -> ready -> processing -> done | retry | refused | quarantined

A file that changes before a verdict starts anew in its row; one that changes after it is
superseded, and its next revision is seen. Every verb takes an open connection and leaves the
commit to its caller; time is a parameter. A step that the state of a file does not allow is a
`LedgerError`, never a silent nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from schema import standing
from schema.errors import LedgerError
from schema.records import UNDECIDED_STATES, ArrivalRecord, FileState
from schema.sightings import batches, fresh_values, stat_values
from schema.tables import SourceFile


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """What a person says of files to be analysed.

    `priority`: larger comes first, 0 is the stream. `forced`: even outside the domain of the
    bundle. `pixel_size_nm`: used only where the file states none.
    """

    priority: int = 0
    forced: bool = False
    pixel_size_nm: float | None = None


def settle(connection: Connection, ids: Collection[int]) -> None:
    """Files whose size and time are being watched: seen -> settling; others stay as they are."""
    for batch in batches(list(ids)):
        connection.execute(
            update(SourceFile)
            .where(SourceFile.id.in_(batch), SourceFile.state == FileState.SEEN)
            .values(state=FileState.SETTLING)
        )


def ready(
    connection: Connection, source_file_id: int, arrival: ArrivalRecord, now: datetime
) -> None:
    """A file that stopped changing, as it was found last: seen, settling -> ready.

    Raises:
        LedgerError: it is past that.
    """
    _step(
        connection,
        source_file_id,
        (FileState.SEEN, FileState.SETTLING, FileState.READY),
        state=FileState.READY,
        settled_at_utc=now,
        **stat_values(arrival),
    )


def begin(
    connection: Connection, source_file_id: int, boot_id: str, pid: int, now: datetime
) -> None:
    """A worker takes the file: ready, retry -> processing.

    Raises:
        LedgerError: another worker has it, or it has a verdict.
    """
    _step(
        connection,
        source_file_id,
        (FileState.READY, FileState.RETRY),
        state=FileState.PROCESSING,
        next_attempt_at_utc=None,
        boot_id=boot_id,
        pid=pid,
        started_at_utc=now,
    )


def release(connection: Connection, source_file_id: int) -> None:
    """The worker gives the file back unfinished, without blame: processing -> ready.

    Raises:
        LedgerError: no worker has it.
    """
    _step(connection, source_file_id, (FileState.PROCESSING,), state=FileState.READY)


def child_died(connection: Connection, source_file_id: int) -> int:
    """How many child processes have died with this file now: processing -> ready.

    Raises:
        LedgerError: no worker has it.
    """
    _step(
        connection,
        source_file_id,
        (FileState.PROCESSING,),
        state=FileState.READY,
        child_deaths=SourceFile.child_deaths + 1,
    )
    query = select(SourceFile.child_deaths).where(SourceFile.id == source_file_id)
    return connection.execute(query).scalar_one()


def finish(
    connection: Connection,
    source_file_id: int,
    *,
    file_sha256: str,
    content_sha256: str | None,
    suspect: str | None,
    now: datetime,
) -> None:
    """The results are rows: processing -> done. `store` calls it in their transaction.

    Raises:
        LedgerError: no worker has it.
    """
    _step(
        connection,
        source_file_id,
        (FileState.PROCESSING, FileState.DONE),
        state=FileState.DONE,
        file_sha256=file_sha256,
        content_sha256=content_sha256,
        suspect=suspect,
        error_code=None,
        error_message=None,
        finished_at_utc=now,
    )


def refuse(
    connection: Connection, source_file_id: int, code: str, message: str, now: datetime
) -> None:
    """The file holds no micrograph, and says why.

    Raises:
        LedgerError: it already has a verdict.
    """
    _verdict(connection, source_file_id, FileState.REFUSED, code, message, now)


def quarantine(
    connection: Connection, source_file_id: int, code: str, message: str, now: datetime
) -> None:
    """The file cannot be read, after every attempt; the file itself stays where it is.

    Raises:
        LedgerError: it already has a verdict.
    """
    _verdict(connection, source_file_id, FileState.QUARANTINED, code, message, now)


def retry_later(
    connection: Connection,
    source_file_id: int,
    code: str,
    message: str,
    next_at: datetime,
    now: datetime,
) -> None:
    """The file could not be read now: one failed attempt more, and another at `next_at`.

    Raises:
        LedgerError: it already has a verdict.
    """
    _step(
        connection,
        source_file_id,
        UNDECIDED_STATES,
        state=FileState.RETRY,
        attempts=SourceFile.attempts + 1,
        next_attempt_at_utc=next_at,
        error_code=code,
        error_message=message,
        finished_at_utc=now,
    )


def reopen(
    connection: Connection,
    ids: Collection[int],
    *,
    now: datetime,
    by_hand: ByHand | None = None,
) -> int:
    """How many files were made ready again, as if new: on a person's request, from any verdict.

    Args:
        connection: in a transaction.
        ids: files; one that is processing or superseded is left alone.
        now: aware UTC.
        by_hand: what a person says of them; None leaves what was said before.
    """
    fresh = fresh_values() | {"settled_at_utc": now}
    if by_hand is not None:
        fresh |= asdict(by_hand) | {"forced": int(by_hand.forced)}
    count = 0
    for batch in batches(list(ids)):
        result = connection.execute(
            update(SourceFile)
            .where(
                SourceFile.id.in_(batch),
                SourceFile.state.not_in((FileState.PROCESSING, FileState.SUPERSEDED)),
            )
            .values(state=FileState.READY, **fresh)
        )
        count += result.rowcount
    return count


def set_present(connection: Connection, ids: Collection[int], present: bool) -> None:
    """Whether the raw files are still there; their states and results do not change."""
    for batch in batches(list(ids)):
        connection.execute(
            update(SourceFile).where(SourceFile.id.in_(batch)).values(present=int(present))
        )


def mark_absent(connection: Connection, root: bytes, found: Collection[bytes]) -> int:
    """How many files have gone since the last walk.

    Call it after a whole walk, never after one that failed: an unmounted root is not empty.

    Args:
        connection: in a transaction.
        root: the folder that was walked.
        found: every primary path the walk found below it.
    """
    query = select(SourceFile.id, SourceFile.path).where(
        SourceFile.root == root,
        SourceFile.present == 1,
        SourceFile.state != FileState.SUPERSEDED,
    )
    paths = set(found)
    gone = [row.id for row in connection.execute(query) if row.path not in paths]
    set_present(connection, gone, False)
    return len(gone)


def recover(connection: Connection, now: datetime) -> int:
    """How many interrupted files are ready again: at start every processing file is.

    None of them is blamed: the daemon was killed, not the file. `now` settles them anew.
    """
    result = connection.execute(
        update(SourceFile)
        .where(SourceFile.state == FileState.PROCESSING)
        .values(state=FileState.READY, settled_at_utc=now)
    )
    return result.rowcount


def _verdict(
    connection: Connection,
    source_file_id: int,
    state: FileState,
    code: str,
    message: str,
    now: datetime,
) -> None:
    _step(
        connection,
        source_file_id,
        UNDECIDED_STATES,
        state=state,
        next_attempt_at_utc=None,
        error_code=code,
        error_message=message,
        finished_at_utc=now,
    )


def _step(
    connection: Connection, source_file_id: int, allowed: Sequence[FileState], **values: Any
) -> None:
    result = connection.execute(
        update(SourceFile)
        .where(SourceFile.id == source_file_id, SourceFile.state.in_(allowed))
        .values(**values)
    )
    if result.rowcount == 0:
        found = standing.entry(connection, source_file_id).state
        raise LedgerError(f"file {source_file_id} is {found}: it cannot become {values['state']}")
