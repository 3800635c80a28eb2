"""What lies in the watched folders, set against the ledger: the one reconciler.

Events only say where to look sooner. Whatever they miss, the walk finds; whatever is seen twice
is queued once.
"""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from analysis.errors import ErrorCode
from analysis.readers import primary_of
from daemon.names import printable
from daemon.settle import SettleTracker, Stamp
from daemon.walk import Root, RootVanished, holds, survey, walk
from daemon.watcher import Hint, HintKind
from schema import ledger, sightings
from schema.records import ArrivalRecord, FileState, SessionRecord
from schema.sightings import Sighting

log = logging.getLogger(__name__)

_UNSETTLED = (FileState.SEEN, FileState.SETTLING)


class Intake:
    """Brings files from first sight to `ready`.

    Args:
        roots: the watched folders.
        tracker: decides when a file has settled.
    """

    def __init__(self, roots: Sequence[Root], tracker: SettleTracker) -> None:
        self._roots = roots
        self._tracker = tracker
        self._ids: dict[bytes, int] = {}
        self._latest: dict[bytes, ArrivalRecord] = {}
        self._vanished: set[bytes] = set()
        self.session: tuple[int, SessionRecord] | None = None

    @property
    def unsettled(self) -> int:
        """Files that are still being written, as far as is known."""
        return len(self._tracker)

    def warnings(self) -> tuple[str, ...]:
        """What keeps folders from being watched, for people."""
        return tuple(
            f"{printable(path)} is not there; its files are left as they were"
            for path in sorted(self._vanished)
        )

    def walk(self, connection: Connection, now: datetime, seconds: float) -> None:
        """Look at everything; `seconds` is the monotonic clock."""
        for root in self._roots:
            try:
                arrivals = walk(root)
            except RootVanished:
                if root.path not in self._vanished:
                    log.warning("the watched folder %s has vanished", printable(root.path))
                self._vanished.add(root.path)
                continue
            self._vanished.discard(root.path)
            self.take_in(connection, arrivals, now, seconds)
            gone = ledger.mark_absent(connection, root.path, [a.path for a in arrivals])
            if gone:
                log.info("%d raw files below %s are gone", gone, printable(root.path))

    def hear(
        self, connection: Connection, hints: Iterable[Hint], now: datetime, seconds: float
    ) -> None:
        """Look where something happened, and again at every file that has not settled."""
        heard = {hint.path: hint.kind for hint in hints if hint.kind is not HintKind.WALK}
        folders = {os.path.dirname(path) for path in (*heard, *self._tracker.paths())}
        for folder in folders:
            root = next((root for root in self._roots if holds(root, folder)), None)
            if root is None:
                continue
            arrivals = survey(root, folder)
            self._drop_vanished(connection, folder, arrivals)
            self._look(connection, arrivals, heard, now, seconds)
        self._settle(connection, now, seconds)

    def _look(
        self,
        connection: Connection,
        arrivals: Sequence[ArrivalRecord],
        heard: Mapping[bytes, HintKind],
        now: datetime,
        seconds: float,
    ) -> None:
        concerned = [
            (arrival, _last_kind(arrival, heard))
            for arrival in arrivals
            if arrival.path in self._tracker or _last_kind(arrival, heard) is not None
        ]
        fresh = [arrival for arrival, _ in concerned if arrival.path not in self._tracker]
        self.take_in(connection, fresh, now, seconds)
        for arrival, kind in concerned:
            if arrival.path not in self._tracker:
                continue
            if kind is HintKind.CHANGED:
                self._tracker.modified(arrival.path)
            self._observe(arrival, seconds)
            if kind is HintKind.CLOSED:
                self._tracker.closed(arrival.path, seconds)

    def take_in(
        self,
        connection: Connection,
        arrivals: Sequence[ArrivalRecord],
        now: datetime,
        seconds: float,
    ) -> tuple[Sighting, ...]:
        """Write arrivals into the ledger; those not finished are tracked until they settle."""
        seen: list[Sighting] = []
        for session_id, group in self._by_session(arrivals):
            found = sightings.observe(connection, group, session_id, now)
            for arrival, sighting in zip(group, found, strict=True):
                self._place(connection, arrival, sighting, now, seconds)
            ledger.settle(connection, [sighting.source_file_id for sighting in found])
            seen.extend(found)
        return tuple(seen)

    def _place(
        self,
        connection: Connection,
        arrival: ArrivalRecord,
        sighting: Sighting,
        now: datetime,
        seconds: float,
    ) -> None:
        if sighting.state not in _UNSETTLED:
            self._tracker.forget(arrival.path)
            return
        name = os.fsdecode(os.path.basename(arrival.path))
        if primary_of(name, ()) is None:
            message = f"Files named *{os.path.splitext(name)[1]} are no micrographs."
            code = ErrorCode.UNKNOWN_SUFFIX
            ledger.refuse(connection, sighting.source_file_id, code, printable(message), now)
            return
        self._track(sighting.source_file_id, arrival, seconds)

    def _track(self, source_file_id: int, arrival: ArrivalRecord, seconds: float) -> None:
        self._ids[arrival.path] = source_file_id
        self._observe(arrival, seconds)

    def _observe(self, arrival: ArrivalRecord, seconds: float) -> None:
        self._latest[arrival.path] = arrival
        self._tracker.observe(arrival.path, stamp(arrival), seconds)

    def _settle(self, connection: Connection, now: datetime, seconds: float) -> None:
        for path in self._tracker.settled(seconds):
            ledger.ready(connection, self._ids[path], self._latest[path], now)
            self._forget(path)

    def _drop_vanished(
        self, connection: Connection, folder: bytes, arrivals: Sequence[ArrivalRecord]
    ) -> None:
        there = {arrival.path for arrival in arrivals}
        for path in self._tracker.paths():
            if os.path.dirname(path) == folder and path not in there:
                ledger.set_present(connection, [self._ids[path]], False)
                self._forget(path)

    def _forget(self, path: bytes) -> None:
        self._tracker.forget(path)
        self._ids.pop(path, None)
        self._latest.pop(path, None)

    def _by_session(
        self, arrivals: Sequence[ArrivalRecord]
    ) -> list[tuple[int | None, list[ArrivalRecord]]]:
        """Arrivals of the open session, and the others; empty groups left out."""
        inside: list[ArrivalRecord] = []
        outside: list[ArrivalRecord] = []
        for arrival in arrivals:
            (inside if self._in_session(arrival) else outside).append(arrival)
        session_id = self.session[0] if self.session else None
        return [(key, group) for key, group in ((session_id, inside), (None, outside)) if group]

    def _in_session(self, arrival: ArrivalRecord) -> bool:
        if self.session is None:
            return False
        folder = self.session[1].folder
        return folder is None or arrival.path.startswith(os.path.join(folder, b""))


def stamp(arrival: ArrivalRecord) -> Stamp:
    """What must stand still: size, time and inode, and size and time of each companion."""
    own = (arrival.size_bytes, arrival.mtime_ns, arrival.inode)
    others = ((c.size_bytes, c.mtime_ns) for c in arrival.companions)
    return (*own, *(number for pair in others for number in pair))


def _last_kind(arrival: ArrivalRecord, heard: Mapping[bytes, HintKind]) -> HintKind | None:
    """What was heard of a file, or of a companion: of two, that it is still being written."""
    paths = (arrival.path, *(companion.path for companion in arrival.companions))
    kinds = {heard[path] for path in paths if path in heard}
    if HintKind.CHANGED in kinds:
        return HintKind.CHANGED
    return HintKind.CLOSED if kinds else None
