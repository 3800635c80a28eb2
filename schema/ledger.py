"""The states of every file seen: a queue of a few verbs.

    seen -> settling -> ready -> processing -> done | retry | refused | quarantined

A file that changes before a verdict starts anew in its row; one that changes after it is
superseded, and its next revision is seen. Every verb takes an open connection and leaves the
commit to its caller; time is a parameter. A step that the state of a file does not allow is a
`LedgerError`, never a silent nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, func, or_, select, update

from schema.columns import AnyRow
from schema.errors import LedgerError
from schema.records import PENDING_STATES, ArrivalRecord, Companion, FileState, LedgerCounts
from schema.serial import companions_from_json
from schema.sightings import batches, fresh_values, stat_values
from schema.tables import SourceFile

_UNDECIDED = (*PENDING_STATES, FileState.RETRY)


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """What a person says of files to be analysed.

    `priority`: larger comes first, 0 is the stream. `forced`: even outside the domain of the
    bundle. `pixel_size_nm`: used only where the file states none.
    """

    priority: int = 0
    forced: bool = False
    pixel_size_nm: float | None = None


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One file of the ledger: what a worker needs to know about it.

    `attempts` counts failed readings since the file last changed, `child_deaths` the processes
    that died with it.
    """

    source_file_id: int
    path: bytes
    root: bytes
    revision: int
    state: FileState
    present: bool
    size_bytes: int
    mtime_ns: int
    inode: int
    ctime_ns: int | None
    companions: tuple[Companion, ...]
    session_id: int | None
    file_sha256: str | None
    content_sha256: str | None
    attempts: int
    child_deaths: int
    next_attempt_at_utc: datetime | None
    error_code: str | None
    error_message: str | None
    priority: int
    forced: bool
    pixel_size_nm: float | None
    first_seen_at_utc: datetime

    @property
    def arrival(self) -> ArrivalRecord:
        """The file as it was found last."""
        names = ArrivalRecord.__dataclass_fields__
        return ArrivalRecord(**{name: getattr(self, name) for name in names})


_ENTRY_COLUMNS = tuple(
    field.name for field in fields(LedgerEntry) if field.name != "source_file_id"
)


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


def next_ready(
    connection: Connection,
    now: datetime,
    limit: int,
    only: Collection[int] | None = None,
    frozen: Collection[bytes] = (),
) -> tuple[LedgerEntry, ...]:
    """The files to work on next: ready, or due for another attempt, and still there.

    Highest priority first, then the one that was seen first.

    Args:
        connection: in a transaction.
        now: aware UTC.
        limit: how many at most.
        only: of these few files alone; None is all of them.
        frozen: roots whose files wait: they cannot be read now.
    """
    # A clock that was set back would else make a file wait until it has caught up.
    set_back = SourceFile.finished_at_utc > now
    due = (SourceFile.state == FileState.RETRY) & (
        (SourceFile.next_attempt_at_utc <= now) | set_back
    )
    query = (
        _entries()
        .where(or_(SourceFile.state == FileState.READY, due), SourceFile.present == 1)
        .order_by(SourceFile.priority.desc(), SourceFile.first_seen_at_utc, SourceFile.id)
        .limit(limit)
    )
    if only is not None:
        query = query.where(SourceFile.id.in_(only))
    if frozen:
        query = query.where(SourceFile.root.not_in(frozen))
    return tuple(_entry(row) for row in connection.execute(query))


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
        _UNDECIDED,
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


def counts(connection: Connection, session_id: int | None = None) -> LedgerCounts:
    """How many files stand where; of one session, or of all."""
    query = select(SourceFile.state, func.count()).group_by(SourceFile.state)
    if session_id is not None:
        query = query.where(SourceFile.session_id == session_id)
    by_state = {FileState(state): number for state, number in connection.execute(query)}
    return LedgerCounts(
        seen=sum(by_state.values()),
        pending=sum(by_state.get(state, 0) for state in PENDING_STATES),
        retry=by_state.get(FileState.RETRY, 0),
        done=by_state.get(FileState.DONE, 0),
        refused=by_state.get(FileState.REFUSED, 0),
        quarantined=by_state.get(FileState.QUARANTINED, 0),
        superseded=by_state.get(FileState.SUPERSEDED, 0),
    )


def unfinished(
    connection: Connection,
    roots: Collection[bytes] | None = None,
    only: Collection[int] | None = None,
    patience: int | None = None,
) -> int:
    """How many files that are still there have no verdict yet.

    Args:
        connection: open.
        roots: below these folders; None is everywhere.
        only: of these few files alone; None is all of them.
        patience: a file that waits after this many failed attempts counts no longer.
    """
    query = (
        select(func.count())
        .select_from(SourceFile)
        .where(SourceFile.state.in_(_UNDECIDED), SourceFile.present == 1)
    )
    if roots is not None:
        query = query.where(SourceFile.root.in_(roots))
    if only is not None:
        query = query.where(SourceFile.id.in_(only))
    if patience is not None:
        exhausted = (SourceFile.state == FileState.RETRY) & (SourceFile.attempts >= patience)
        query = query.where(~exhausted)
    return connection.execute(query).scalar_one()


def unsettled(connection: Connection) -> tuple[LedgerEntry, ...]:
    """The files that are there and have not come to rest, as far as is known."""
    query = _entries().where(
        SourceFile.state.in_((FileState.SEEN, FileState.SETTLING)), SourceFile.present == 1
    )
    return tuple(_entry(row) for row in connection.execute(query))


def waiting(connection: Connection, roots: Collection[bytes]) -> tuple[int, ...]:
    """The files below these folders that wait for another attempt."""
    query = select(SourceFile.id).where(
        SourceFile.state == FileState.RETRY, SourceFile.root.in_(roots)
    )
    return tuple(connection.execute(query).scalars())


def failed(connection: Connection, paths: Collection[bytes] | None = None) -> tuple[int, ...]:
    """The files without a result that were tried: waiting, refused and quarantined ones.

    Args:
        connection: open.
        paths: only these; None is all of them.
    """
    states = (FileState.RETRY, FileState.REFUSED, FileState.QUARANTINED)
    query = select(SourceFile.id, SourceFile.path).where(SourceFile.state.in_(states))
    return tuple(row.id for row in connection.execute(query) if paths is None or row.path in paths)


def entry(connection: Connection, source_file_id: int) -> LedgerEntry:
    """One file of the ledger.

    Raises:
        LedgerError: there is none with this id.
    """
    row = connection.execute(_entries().where(SourceFile.id == source_file_id)).one_or_none()
    if row is None:
        raise LedgerError(f"no file {source_file_id}")
    return _entry(row)


def entry_at(connection: Connection, path: bytes) -> LedgerEntry | None:
    """The newest revision of the file at this path, None where none was seen."""
    query = (
        _entries()
        .where(SourceFile.path == path)
        .order_by(
            case((SourceFile.state == FileState.SUPERSEDED, 1), else_=0),
            SourceFile.revision.desc(),
        )
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _entry(row)


def _entries() -> Select[*tuple[Any, ...]]:
    columns = (getattr(SourceFile, name) for name in _ENTRY_COLUMNS)
    return select(SourceFile.id.label("source_file_id"), *columns)


def _entry(row: AnyRow) -> LedgerEntry:
    values = dict(row._mapping)
    values["state"] = FileState(row.state)
    values["present"] = bool(row.present)
    values["forced"] = bool(row.forced)
    values["companions"] = companions_from_json(row.companions)
    return LedgerEntry(**values)


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
        _UNDECIDED,
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
        found = entry(connection, source_file_id).state
        raise LedgerError(f"file {source_file_id} is {found}: it cannot become {values['state']}")
