"""The database made anew: results from the mask files, sessions from theirs.

Each mask file carries its rows; they are committed by the verbs that committed them first, in the
order in which they were analysed, so that the newest revision and the newest result are current
again. A file some of whose results are missing, as those of a series that a kill cut short, has
those that are there, and its turn once more. What no mask file knows comes back with the next walk
of the folders: copies of a picture, and files that were refused or quarantined.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection

from schema import ledger, masks, sessions, sightings, standing, store
from schema.errors import MaskFileError, SchemaError
from schema.masks import Heading
from schema.records import ArrivalRecord, FileState, OriginRecord
from schema.standing import LedgerEntry
from schema.state import StateFolder

_BOOT_ID = "rebuild"


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """How many rows of which kind; `left_out` names mask files that are damaged, and why."""

    results: int
    files: int
    sessions: int
    left_out: tuple[tuple[Path, str], ...]


@dataclass(frozen=True, kw_only=True)
class _Found:
    """One mask file: where it lies, what it is about, where its micrograph came from."""

    path: Path
    heading: Heading
    origin: OriginRecord

    @property
    def file(self) -> tuple[bytes, str, int, str]:
        """What one attempt at one file has in common."""
        origin = self.origin
        return origin.path, origin.file_sha256, origin.mtime_ns, self.heading.pipeline_fingerprint


def rebuild(
    connection: Connection,
    state: StateFolder,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Rebuilt:
    """Put everything the state folder's files know into an empty database.

    Args:
        connection: in the one transaction that holds all of it.
        state: its masks and sessions are read, every part of them.
        progress: called with mask files done and mask files in all.
    """
    known = sessions.read_files(state)
    for session in known:
        sessions.restore(connection, session)
    found, left_out = _survey(sorted(state.masks.glob("*/[!.]*.h5")))
    done, files = 0, 0
    for group in _in_order(found):
        try:
            _commit(connection, group)
            files += 1
        except MaskFileError as error:
            left_out.extend((one.path, str(error)) for one in group)
        done += len(group)
        progress(done, len(found))
    return Rebuilt(
        results=_count(connection),
        files=files,
        sessions=len(known),
        left_out=tuple(left_out),
    )


def adopt(connection: Connection, paths: Sequence[Path], now: datetime) -> int:
    """How many results of mask files without a row got theirs; their raw files are gone.

    A file whose newest revision is another one, or that has its verdict, is left alone.

    Args:
        connection: in a transaction.
        paths: mask files.
        now: aware UTC.
    """
    found, _ = _survey(paths)
    count = 0
    for group in _in_order(found):
        known = standing.entry_at(connection, group[0].origin.path)
        if known is not None and not _is_of(known, group[0].origin):
            continue
        if known is not None:
            ledger.reopen(connection, [known.source_file_id], now=now)
        try:
            _commit(connection, group)
        except MaskFileError:  # `doctor` names it
            continue
        gone = standing.entry_at(connection, group[0].origin.path)
        if gone is not None:
            ledger.set_present(connection, [gone.source_file_id], False)
        count += len(group)
    return count


def _is_of(known: LedgerEntry, origin: OriginRecord) -> bool:
    same = (known.size_bytes, known.mtime_ns) == (origin.size_bytes, origin.mtime_ns)
    return same and known.state not in (FileState.PROCESSING, FileState.SUPERSEDED)


def _survey(paths: Sequence[Path]) -> tuple[list[_Found], list[tuple[Path, str]]]:
    found: list[_Found] = []
    damaged: list[tuple[Path, str]] = []
    for path in paths:
        try:
            found.append(
                _Found(path=path, heading=masks.read_heading(path), origin=masks.read_origin(path))
            )
        except MaskFileError as error:
            damaged.append((path, str(error)))
    return found, damaged


def _in_order(found: Sequence[_Found]) -> Iterator[list[_Found]]:
    """The results of one attempt together; attempts in the order in which they were made."""
    by_file = sorted(
        found, key=lambda one: (one.file, one.heading.place, one.heading.analysed_at_utc)
    )
    groups = [list(group) for _, group in groupby(by_file, key=lambda one: one.file)]
    return iter(sorted(groups, key=_finished))


def _finished(group: Sequence[_Found]) -> datetime:
    return max(one.heading.analysed_at_utc for one in group)


def _is_complete(group: Sequence[_Found]) -> bool:
    """Whether every result of the file is there; the last one tells how many it has."""
    told = {one.origin.results for one in group} - {None}
    return told == {len({one.heading.place for one in group})}


def _commit(connection: Connection, group: Sequence[_Found]) -> None:
    """The rows of one file, as `done`; where some are missing, it is ready for another attempt."""
    results = [masks.adopted(one.path) for one in group]
    origin, now = group[0].origin, _finished(group)
    arrival = _arrival(origin)
    session_id = sessions.find_uuid(connection, origin.session_uuid)
    (sighting,) = sightings.observe(connection, [arrival], session_id, now)
    file_id = sighting.source_file_id
    if sighting.state is not FileState.DONE:  # else another model has been over it, too
        ledger.ready(connection, file_id, arrival, now)
        ledger.begin(connection, file_id, _BOOT_ID, 0, now)
    store.commit_results(
        connection, file_id, origin.file_sha256, results, now, origin.content_sha256
    )
    if not _is_complete(group):
        ledger.reopen(connection, [file_id], now=now)


def _arrival(origin: OriginRecord) -> ArrivalRecord:
    return ArrivalRecord(
        path=origin.path,
        root=origin.root,
        size_bytes=origin.size_bytes,
        mtime_ns=origin.mtime_ns,
        inode=0,
        companions=origin.companions,
    )


def _count(connection: Connection) -> int:
    found = connection.exec_driver_sql("SELECT count(*) FROM analysis").scalar_one()
    if not isinstance(found, int):
        raise SchemaError("the results cannot be counted")
    return found
