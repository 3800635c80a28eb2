"""Mask files that no row names.

Some were left by a daemon that was killed between writing a result and committing it. Where the
raw file is still there, the next attempt takes them up. Where it has gone meanwhile nothing would:
they are committed at the next start, as `rebuild` would.

Others are frames of a file whose later frame could not be read then. They are kept for its next
attempt, and removed once the file has its verdict and no row names them: it proved unreadable, or
the same picture was analysed from a copy meanwhile.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine

from daemon.bounded import DoesNotAnswer, within
from daemon.ladder import Step
from daemon.names import printable
from daemon.verdicts import Verdict
from schema import checkup, masks, standing, store
from schema.errors import MaskFileError
from schema.rebuild import adopt
from schema.records import FileState, OriginRecord
from schema.state import StateFolder

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0

_FINAL = (Step.COMMIT, Step.REFUSE, Step.QUARANTINE)
_WITHOUT_RESULT = (FileState.REFUSED, FileState.QUARANTINED)


def settle_orphans(engine: Engine, state: StateFolder, now: datetime) -> None:
    """Every mask file without a row gets one, goes, or waits for the next attempt at its file."""
    with engine.connect() as connection:
        alone = checkup.strays(connection, state).without_rows
        waiting, removed = _sorted(connection, [state.path / name for name in alone])
    gone = _gone(waiting)
    with engine.begin() as connection:
        adopted = adopt(connection, gone, now)
    for path in removed:
        path.unlink(missing_ok=True)
    if adopted or removed:
        words = "%d results of an interrupted daemon were taken up, %d that nothing needs removed"
        log.info(words, adopted, len(removed))


class Leftovers:
    """The mask files of attempts that failed after some frames, until their file has a verdict.

    Args:
        engine: of the database this process owns.
        state: its folder.
    """

    def __init__(self, engine: Engine, state: StateFolder) -> None:
        self._engine = engine
        self._state = state
        self._made: dict[int, set[str]] = {}

    def ended(self, verdict: Verdict) -> None:
        """An attempt has ended, and is written down."""
        outcome = verdict.outcome
        file_id = outcome.job.source_file_id
        made = {result.analysis.mask_path for result in outcome.made}
        if verdict.step not in _FINAL:
            if made:
                self._made.setdefault(file_id, set()).update(made)
            return
        made |= self._made.get(file_id, set())
        if made:
            with self._engine.begin() as connection:
                alone = made - store.named_masks(connection, made)
            for name in alone:
                (self._state.path / name).unlink(missing_ok=True)
        self._made.pop(file_id, None)  # not before: a busy database lets this be tried again


def _sorted(
    connection: Connection, paths: Sequence[Path]
) -> tuple[dict[Path, OriginRecord], list[Path]]:
    """Those that an attempt may take up, and those that nothing ever will."""
    waiting: dict[Path, OriginRecord] = {}
    useless: list[Path] = []
    for path in paths:
        try:
            origin, key = masks.read_origin(path), masks.read_heading(path).natural_key
        except MaskFileError as error:
            log.warning("%s", error)
            continue
        found = standing.entry_at(connection, origin.path)
        unreadable = found is not None and found.state in _WITHOUT_RESULT and _is_of(found, origin)
        if unreadable or store.known(connection, [key]):
            useless.append(path)
        else:
            waiting[path] = origin
    return waiting, useless


def _gone(waiting: Mapping[Path, OriginRecord]) -> list[Path]:
    """Those whose raw file has gone; of a share that does not answer nothing is known."""
    gone: list[Path] = []
    silent: set[bytes] = set()
    for path, origin in waiting.items():
        if origin.root in silent:
            continue
        try:
            if within(LOOK_SECONDS, partial(_has_gone, origin)):
                gone.append(path)
        except DoesNotAnswer:
            log.warning(
                "%s does not answer: its files are left as they were", printable(origin.root)
            )
            silent.add(origin.root)
    return gone


def _is_of(found: standing.LedgerEntry, origin: OriginRecord) -> bool:
    return (found.size_bytes, found.mtime_ns) == (origin.size_bytes, origin.mtime_ns)


def _has_gone(origin: OriginRecord) -> bool:
    """Whether the raw file is not there, though its folder is."""
    return not os.path.lexists(origin.path) and os.path.isdir(origin.root)
