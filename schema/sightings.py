"""What a directory walk found, set against the ledger.

The walk may report everything again and again: a file seen twice is queued once. A file whose
size, time or companions changed starts anew: in its row as long as it has no verdict, else as
its next revision. The inode alone decides nothing once there is a verdict: a share that is
mounted again numbers its files anew.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Connection, func, insert, select, update

from schema.columns import AnyRow
from schema.records import ArrivalRecord, FileState
from schema.serial import companions_from_json, companions_to_json
from schema.tables import SourceFile

_BATCH = 1024  # bound values per statement; SQLite allows 32,766
_PATIENT = (FileState.SEEN, FileState.SETTLING, FileState.READY, FileState.RETRY)

T = TypeVar("T")


class Change(StrEnum):
    """What a sighting meant for the ledger."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    SUPERSEDING = "superseding"


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """One arrival and the row that stands for it now."""

    source_file_id: int
    path: bytes
    revision: int
    state: FileState
    change: Change


def observe(
    connection: Connection,
    arrivals: Sequence[ArrivalRecord],
    session_id: int | None,
    now: datetime,
) -> tuple[Sighting, ...]:
    """One sighting per arrival, in their order; unknown and changed files are rows afterwards.

    A file that a worker has is left alone: what it is now is compared once it has a verdict.

    Args:
        connection: in a transaction.
        arrivals: primary files, each path once; the companions among them are superseded, they
            no longer stand for themselves.
        session_id: the open session; a file belongs to the one it was first seen in, and to this
            one where it is written anew; a companion that comes late changes nothing.
        now: aware UTC.
    """
    known = _live_rows(connection, [arrival.path for arrival in arrivals])
    changes = [_change(known.get(arrival.path), arrival) for arrival in arrivals]
    grouped = {
        change: [arrival for arrival, its in zip(arrivals, changes, strict=True) if its is change]
        for change in Change
    }
    _reset(connection, grouped[Change.CHANGED], known)
    _supersede(connection, [known[arrival.path].id for arrival in grouped[Change.SUPERSEDING]])
    _supersede(connection, _ids_of_companions(connection, arrivals))
    _insert(connection, grouped[Change.NEW], session_id, now)
    for arrival in grouped[Change.SUPERSEDING]:
        row = known[arrival.path]
        rewritten = (row.size_bytes, row.mtime_ns) != (arrival.size_bytes, arrival.mtime_ns)
        _insert(connection, [arrival], session_id if rewritten else row.session_id, now)
    _refresh(connection, grouped[Change.SAME], known)
    written = [
        arrival.path
        for change in Change
        for arrival in grouped[change]
        if change is not Change.SAME
    ]
    rows = known | _live_rows(connection, written)
    return tuple(
        _sighting(rows[arrival.path], change)
        for arrival, change in zip(arrivals, changes, strict=True)
    )


def known(connection: Connection, paths: Sequence[bytes]) -> frozenset[bytes]:
    """Those of these paths that were seen before."""
    return frozenset(_last_revisions(connection, paths))


def states(connection: Connection, ids: Sequence[int]) -> dict[int, FileState]:
    """Where these rows stand now."""
    found: dict[int, FileState] = {}
    for batch in batches(ids):
        query = select(SourceFile.id, SourceFile.state).where(SourceFile.id.in_(batch))
        found.update((row.id, FileState(row.state)) for row in connection.execute(query))
    return found


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in parts for `column IN (…)`, the last of a part repeated up to a power of two.

    For every length SQLite prepares a statement, and keeps 128 of them: 15 MB before this.
    """
    for start in range(0, len(items), _BATCH):
        part = list(items[start : start + _BATCH])
        length = 1 << (len(part) - 1).bit_length()
        yield part + part[-1:] * (length - len(part))


def stat_values(arrival: ArrivalRecord) -> dict[str, Any]:
    """The columns that say which bytes on disk a row stands for."""
    return {
        "size_bytes": arrival.size_bytes,
        "mtime_ns": arrival.mtime_ns,
        "inode": _signed(arrival.inode),
        "ctime_ns": arrival.ctime_ns,
        "companions": companions_to_json(arrival.companions),
    }


def fresh_values() -> dict[str, Any]:
    """The columns of a file that nothing has happened to yet."""
    return {
        "present": 1,
        "attempts": 0,
        "child_deaths": 0,
        "next_attempt_at_utc": None,
        "error_code": None,
        "error_message": None,
        "suspect": None,
        "settled_at_utc": None,
        "started_at_utc": None,
        "finished_at_utc": None,
    }


def _change(row: AnyRow | None, arrival: ArrivalRecord) -> Change:
    if row is None:
        return Change.NEW
    known = set(companions_from_json(row.companions))
    found = set(arrival.companions)
    same = (row.size_bytes, row.mtime_ns) == (arrival.size_bytes, arrival.mtime_ns)
    if row.state == FileState.PROCESSING:
        return Change.SAME
    if row.state in _PATIENT:
        same = same and found == known and row.inode == _signed(arrival.inode)
        # Rights that were repaired are worth a new try; of a finished file they mean nothing.
        same = same and (row.ctime_ns is None or row.ctime_ns == arrival.ctime_ns)
        return Change.SAME if same else Change.CHANGED
    # A companion that has gone takes nothing away: raw files are archived one by one.
    same = same and found <= known
    return Change.SAME if same else Change.SUPERSEDING


def _live_rows(connection: Connection, paths: Sequence[bytes]) -> dict[bytes, AnyRow]:
    columns = (
        SourceFile.id,
        SourceFile.path,
        SourceFile.root,
        SourceFile.revision,
        SourceFile.state,
        SourceFile.present,
        SourceFile.size_bytes,
        SourceFile.mtime_ns,
        SourceFile.inode,
        SourceFile.ctime_ns,
        SourceFile.companions,
        SourceFile.session_id,
    )
    rows: dict[bytes, AnyRow] = {}
    for batch in batches(paths):
        query = select(*columns).where(
            SourceFile.path.in_(batch), SourceFile.state != FileState.SUPERSEDED
        )
        rows.update((row.path, row) for row in connection.execute(query))
    return rows


def _reset(
    connection: Connection, arrivals: Sequence[ArrivalRecord], known: dict[bytes, AnyRow]
) -> None:
    fresh = fresh_values() | {"state": FileState.SETTLING}
    for arrival in arrivals:
        connection.execute(
            update(SourceFile)
            .where(SourceFile.id == known[arrival.path].id)
            .values(root=arrival.root, **fresh, **stat_values(arrival))
        )


def _refresh(
    connection: Connection, arrivals: Sequence[ArrivalRecord], known: dict[bytes, AnyRow]
) -> None:
    for arrival in arrivals:
        row = known[arrival.path]
        if (row.present, row.inode, row.root) == (1, _signed(arrival.inode), arrival.root):
            continue
        values: dict[str, Any] = {"present": 1, "root": arrival.root}
        if row.state != FileState.PROCESSING:
            values["inode"] = _signed(arrival.inode)
        connection.execute(update(SourceFile).where(SourceFile.id == row.id).values(**values))


def _supersede(connection: Connection, ids: Sequence[int]) -> None:
    for batch in batches(ids):
        connection.execute(
            update(SourceFile)
            .where(SourceFile.id.in_(batch))
            .values(state=FileState.SUPERSEDED, next_attempt_at_utc=None)
        )


def _ids_of_companions(connection: Connection, arrivals: Sequence[ArrivalRecord]) -> list[int]:
    paths = {companion.path for arrival in arrivals for companion in arrival.companions}
    rows = _live_rows(connection, sorted(paths))
    return [row.id for row in rows.values() if row.state != FileState.PROCESSING]


def _insert(
    connection: Connection,
    arrivals: Sequence[ArrivalRecord],
    session_id: int | None,
    now: datetime,
) -> None:
    revisions = _last_revisions(connection, [arrival.path for arrival in arrivals])
    rows = [
        fresh_values()
        | stat_values(arrival)
        | {
            "path": arrival.path,
            "root": arrival.root,
            "revision": revisions.get(arrival.path, 0) + 1,
            "state": FileState.SEEN,
            "session_id": session_id,
            "priority": 0,
            "forced": 0,
            "pixel_size_nm": None,
            "first_seen_at_utc": now,
        }
        for arrival in arrivals
    ]
    if rows:
        connection.execute(insert(SourceFile), rows)


def _last_revisions(connection: Connection, paths: Collection[bytes]) -> dict[bytes, int]:
    last: dict[bytes, int] = {}
    for batch in batches(list(paths)):
        query = (
            select(SourceFile.path, func.max(SourceFile.revision))
            .where(SourceFile.path.in_(batch))
            .group_by(SourceFile.path)
        )
        last.update((path, revision) for path, revision in connection.execute(query))
    return last


def _sighting(row: AnyRow, change: Change) -> Sighting:
    return Sighting(
        source_file_id=row.id,
        path=row.path,
        revision=row.revision,
        state=FileState(row.state),
        change=change,
    )


def _signed(inode: int) -> int:
    # A share may number its files up to 2**64 - 1; SQLite's integers end at 2**63 - 1.
    return inode if inode < 2**63 else inode - 2**64
