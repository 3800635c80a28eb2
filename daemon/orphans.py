"""Mask files that no row names, at the start of a daemon.

They are what a daemon left that was killed between writing a result and committing it. Where the
raw file is still there, the next attempt takes them up. Where it has gone meanwhile nothing would:
they are committed now, as `rebuild` would. Those of a file that has its verdict already, and no
result, were made before one of its frames proved unreadable: they are removed.
"""

import logging
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from schema import checkup, ledger, masks
from schema.errors import MaskFileError
from schema.rebuild import adopt
from schema.records import FileState, OriginRecord
from schema.state import StateFolder

log = logging.getLogger(__name__)

_WITHOUT_RESULT = (FileState.REFUSED, FileState.QUARANTINED)


def settle_orphans(engine: Engine, state: StateFolder, now: datetime) -> None:
    """Every mask file without a row gets one, goes, or waits for the next attempt at its file."""
    with engine.begin() as connection:
        alone = checkup.strays(connection, state).without_rows
        kept, removed = _sorted(connection, [state.path / name for name in alone])
        adopted = adopt(connection, kept, now)
    for path in removed:
        path.unlink(missing_ok=True)
    if adopted or removed:
        words = "%d results of an interrupted daemon were taken up, %d of unreadable files removed"
        log.info(words, adopted, len(removed))


def _sorted(connection: Connection, paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Those whose raw file has gone, and those whose raw file has a verdict and no result."""
    gone, unreadable = [], []
    for path in paths:
        try:
            origin = masks.read_origin(path)
        except MaskFileError as error:
            log.warning("%s", error)
            continue
        found = ledger.entry_at(connection, origin.path)
        if found is not None and found.state in _WITHOUT_RESULT and _is_of(found, origin):
            unreadable.append(path)
        elif _has_gone(origin):
            gone.append(path)
    return gone, unreadable


def _is_of(found: ledger.LedgerEntry, origin: OriginRecord) -> bool:
    return (found.size_bytes, found.mtime_ns) == (origin.size_bytes, origin.mtime_ns)


def _has_gone(origin: OriginRecord) -> bool:
    """Whether the raw file is not there, though its folder is."""
    return not os.path.lexists(origin.path) and os.path.isdir(origin.root)
