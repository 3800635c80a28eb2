"""Where every file stands: questions about the states that `ledger` writes.

Every function takes an open connection and changes nothing; time is a parameter.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, func, or_, select

from schema.columns import AnyRow
from schema.errors import LedgerError
from schema.records import (
    PENDING_STATES,
    UNDECIDED_STATES,
    ArrivalRecord,
    Companion,
    FileState,
    LedgerCounts,
)
from schema.serial import companions_from_json
from schema.tables import SourceFile


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
        .where(SourceFile.state.in_(UNDECIDED_STATES), SourceFile.present == 1)
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
