"""What lies in the watched folders, set against the ledger: the one reconciler.

Events only say where to look sooner. Whatever they miss, the walk finds; whatever is seen twice
is queued once.
"""

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import datetime

from sqlalchemy import Connection

from analysis.errors import ErrorCode
from analysis.readers import primary_of
from daemon.afield import Afield, look_at
from daemon.allowance import Allowance
from daemon.bounded import DoesNotAnswer
from daemon.names import printable
from daemon.news import News, members
from daemon.roots import Root, RootVanished
from daemon.settle import SettleTracker, Stamp
from daemon.walk import Walked, holds, is_gone, survey
from daemon.watcher import Hint, HintKind
from schema import ledger, sightings, standing
from schema.records import ArrivalRecord, FileState, SessionRecord
from schema.sightings import Change, Sighting

log = logging.getLogger(__name__)

SETTLED_AT_ONCE = 200  # so that a rush of files holds up nothing else

_UNSETTLED = (FileState.SEEN, FileState.SETTLING)


class Intake:
    """Brings files from first sight to `ready`.

    Args:
        roots: the watched folders.
        tracker: decides when a file has settled.
        is_polled: whether a root is looked at by the walk alone.
        allowance: how many new files each may bring.
    """

    def __init__(
        self,
        roots: Sequence[Root],
        tracker: SettleTracker,
        is_polled: Callable[[Root], bool] = lambda _: False,
        allowance: Allowance | None = None,
    ) -> None:
        self._allowance = allowance or Allowance({})
        self._roots = roots
        self._tracker = tracker
        self._is_polled = is_polled
        self._ids: dict[bytes, int] = {}
        self._latest: dict[bytes, ArrivalRecord] = {}
        self._foreign: set[bytes] = set()
        self._looked: dict[bytes, float] = {}
        self._vanished: set[bytes] = set()
        self._news = News(tracker)
        self._afield = Afield()
        self.session: tuple[int, SessionRecord] | None = None

    def unsettled(self, absent: Set[bytes] = frozenset()) -> int:
        """Files that are still being written, as far as is known; none in folders that are away.

        Nor those outside the roots that cannot be looked at now. News not yet followed count too.

        Args:
            absent: roots that do not answer, beside those that have vanished.
        """
        away = self._vanished | absent
        count = len(self._news) + len(self._tracker) - len(self._afield)
        if away:
            folders = (f for f in self._tracker.folders() if self._lies_in(f, away))
            count -= sum(len(self._tracker.paths_in(folder)) for folder in folders)
        return count

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to look at again."""
        return len(self._news) + len(self._tracker) > 0

    @property
    def vanished(self) -> frozenset[bytes]:
        """The roots that were not there at the last walk."""
        return frozenset(self._vanished)

    def lose(self, root: Root) -> None:
        """A root is not there: its files are left as they were."""
        if root.path not in self._vanished:
            log.warning("the watched folder %s has vanished", printable(root.path))
        self._vanished.add(root.path)

    def find(self, root: Root) -> None:
        """A root is there."""
        self._vanished.discard(root.path)

    def take_in_walked(
        self,
        connection: Connection,
        arrivals: Sequence[ArrivalRecord],
        begun: float,
        now: datetime,
        seconds: float,
    ) -> None:
        """Write down files a walk found that began at `begun`; newer looks count more."""
        known = [arrival for arrival in arrivals if self._looked.get(arrival.path, begun) <= begun]
        self.take_in(connection, known, now, seconds, looked_at=begun)

    def note_walked(self, connection: Connection, root: Root, walked: Walked, begun: float) -> None:
        """A walk is written down; what it did not find is gone, unless it came since `begun`."""
        newer = {path for path, looked in self._looked.items() if looked > begun}
        if walked.is_whole:
            self._note_gone(connection, root, {a.path for a in walked.arrivals} | newer)
        folder = os.path.join(root.path, b"")
        for path in [path for path in self._looked if path.startswith(folder)]:
            if path not in newer:
                del self._looked[path]

    def take_up(self, connection: Connection, seconds: float) -> None:
        """Files outside the roots that had not settled when a daemon ended: no walk finds them."""
        for entry in standing.unsettled(connection):
            stray = self._root_of(os.path.dirname(entry.path)) is None
            if stray and entry.path not in self._tracker:
                self._track(entry.source_file_id, entry.revision, entry.arrival, seconds)

    def look_again(
        self, connection: Connection, arrival: ArrivalRecord, now: datetime, seconds: float
    ) -> None:
        """A file was not what the ledger says: if it changed, it has to settle anew.

        No walk finds that one outside the roots is gone: where its folder is there, it is given up.
        """
        folder = os.path.dirname(arrival.path)
        if self._waits_for_the_walk(folder):
            return
        try:
            found = look_at(arrival)
        except OSError:  # the next attempt says so
            return
        if not isinstance(found, OSError):
            self._looked[arrival.path] = seconds
            self.take_in(connection, [found], now, seconds)
        elif is_gone(found) and self._root_of(folder) is None:
            entry = standing.entry_at(connection, arrival.path)
            ledger.set_present(connection, [entry.source_file_id] if entry else [], False)
            self._forget(arrival.path)

    def _note_gone(self, connection: Connection, root: Root, found: Set[bytes]) -> None:
        gone = ledger.mark_absent(connection, root.path, found)
        if gone:
            log.info("%d raw files below %s are gone", gone, printable(root.path))
        lost = _by_folder({*self._tracker.paths(), *self._foreign} - found)
        for path in (path for folder in lost if holds(root, folder) for path in lost[folder]):
            self._forget(path)
            self._foreign.discard(path)

    def hear(
        self, connection: Connection, hints: Iterable[Hint], now: datetime, seconds: float
    ) -> None:
        """Look where something happened, and again at every file that has not settled.

        Folders take turns: those that are not reached this time come first the next time.
        """
        self._news.add(hints)
        for folder, names in self._news.places(self._waits_for_the_walk):
            heard, root = self._news.take(folder), self._root_of(folder)
            try:
                arrivals = survey(root, folder, names) if root else self._outside(folder, seconds)
            except DoesNotAnswer:  # what lies on the same share would not answer either
                break
            except (RootVanished, OSError):  # the walk says so, once
                continue
            self._drop_vanished(connection, folder, arrivals, seconds)
            self._look(connection, arrivals, heard, now, seconds)
        self._settle(connection, now, seconds)

    def _waits_for_the_walk(self, folder: bytes) -> bool:
        """Whether nothing is to be asked of a folder here: its server may not answer."""
        root = self._root_of(folder)
        return root is not None and (root.path in self._vanished or self._is_polled(root))

    def _outside(self, folder: bytes, seconds: float) -> list[ArrivalRecord]:
        paths = self._tracker.paths_in(folder)
        return self._afield.look(folder, {p: self._latest[p].root for p in paths}, seconds)

    def _root_of(self, folder: bytes) -> Root | None:
        return next((root for root in self._roots if holds(root, folder)), None)

    def _lies_in(self, folder: bytes, roots: Set[bytes]) -> bool:
        root = self._root_of(folder)
        return root is not None and root.path in roots

    def _look(
        self,
        connection: Connection,
        arrivals: Sequence[ArrivalRecord],
        heard: Mapping[bytes, HintKind],
        now: datetime,
        seconds: float,
    ) -> None:
        concerned = [
            arrival
            for arrival in arrivals
            if arrival.path in self._tracker or not heard.keys().isdisjoint(members(arrival))
        ]
        self._looked.update((arrival.path, seconds) for arrival in concerned)
        fresh = [arrival for arrival in concerned if arrival.path not in self._tracker]
        self.take_in(connection, fresh, now, seconds)
        for arrival in concerned:
            if arrival.path not in self._tracker:
                continue
            kind = self._news.meaning(arrival, heard)
            if kind is HintKind.CHANGED:
                self._tracker.modified(arrival.path)
            elif not heard.keys().isdisjoint(members(arrival)):
                self._tracker.let_go(arrival.path)
            self._observe(arrival, seconds)
            if kind is HintKind.CLOSED:
                self._tracker.closed(arrival.path, seconds)

    def take_in(
        self,
        connection: Connection,
        arrivals: Sequence[ArrivalRecord],
        now: datetime,
        seconds: float,
        looked_at: float | None = None,
    ) -> tuple[Sighting, ...]:
        """Write arrivals into the ledger; those not finished are tracked until they settle.

        `looked_at`: the earliest time at which they were looked at, where that was not just now.
        """
        seen: list[Sighting] = []
        of_ours = [arrival for arrival in arrivals if arrival.path not in self._foreign]
        known = self._allowed(connection, of_ours, seconds)
        for session_id, group in self._by_session(known):
            found = sightings.observe(connection, group, session_id, now)
            for arrival, sighting in zip(group, found, strict=True):
                if sighting.change is Change.NEW:
                    foreign = _is_foreign(arrival)
                    self._allowance.take(arrival.root, arrival.size_bytes, seconds, foreign)
                self._place(connection, arrival, sighting, now, (seconds, looked_at))
            ledger.settle(connection, [sighting.source_file_id for sighting in found])
            seen.extend(found)
        return tuple(seen)

    def _allowed(
        self, connection: Connection, arrivals: Sequence[ArrivalRecord], seconds: float
    ) -> Sequence[ArrivalRecord]:
        """Without the new files of folders that have brought too many: they are found later."""
        late = {
            a.path for a in arrivals if self._allowance.is_spent(a.root, seconds, _is_foreign(a))
        }
        if not late:
            return arrivals
        known = sightings.known(connection, list(late))
        return [a for a in arrivals if a.path not in late or a.path in known]

    def _place(
        self,
        connection: Connection,
        arrival: ArrivalRecord,
        sighting: Sighting,
        now: datetime,
        looked: tuple[float, float | None],
    ) -> None:
        if sighting.state not in _UNSETTLED:
            self._forget(arrival.path)
            return
        if _is_foreign(arrival):
            suffix = os.fsdecode(os.path.splitext(arrival.path)[1])
            message = f"Files named *{suffix} are no micrographs."
            code = ErrorCode.UNKNOWN_SUFFIX
            ledger.refuse(connection, sighting.source_file_id, code, printable(message), now)
            self._foreign.add(arrival.path)  # a log file grows all day: once is enough
            return
        self._track(sighting.source_file_id, sighting.revision, arrival, *looked)

    def _track(
        self,
        source_file_id: int,
        revision: int,
        arrival: ArrivalRecord,
        seconds: float,
        looked_at: float | None = None,
    ) -> None:
        self._ids[arrival.path] = source_file_id
        self._observe(arrival, seconds, looked_at)
        if revision > 1:
            self._tracker.replaces_a_result(arrival.path)

    def _observe(
        self, arrival: ArrivalRecord, seconds: float, looked_at: float | None = None
    ) -> None:
        self._latest[arrival.path] = arrival
        self._tracker.observe(arrival.path, stamp(arrival), seconds, looked_at)

    def _settle(self, connection: Connection, now: datetime, seconds: float) -> None:
        settled = self._tracker.settled(seconds)[:SETTLED_AT_ONCE]
        states = sightings.states(connection, [self._ids[path] for path in settled])
        for path in settled:
            # Else somebody asked for it before it had settled.
            if states[self._ids[path]] in _UNSETTLED:
                ledger.ready(connection, self._ids[path], self._latest[path], now)
            self._forget(path)

    def _drop_vanished(
        self,
        connection: Connection,
        folder: bytes,
        arrivals: Sequence[ArrivalRecord],
        seconds: float,
    ) -> None:
        there = {arrival.path for arrival in arrivals}
        gone = [
            path
            for path in self._tracker.paths_in(folder)
            if path not in there and path not in self._afield
        ]
        ledger.set_present(connection, [self._ids[path] for path in gone], False)
        for path in gone:
            self._looked[path] = seconds
            self._forget(path)

    def _forget(self, path: bytes) -> None:
        self._tracker.forget(path)
        self._ids.pop(path, None)
        self._latest.pop(path, None)
        self._news.forget(path)
        self._afield.forget(path)

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
    """What must stand still: size, times and inode, and size and time of each companion."""
    own = (arrival.size_bytes, arrival.mtime_ns, arrival.inode, arrival.ctime_ns or 0)
    others = ((c.size_bytes, c.mtime_ns) for c in arrival.companions)
    return (*own, *(number for pair in others for number in pair))


def _by_folder(paths: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    folders: dict[bytes, list[bytes]] = {}
    for path in paths:
        folders.setdefault(os.path.dirname(path), []).append(path)
    return folders


def _is_foreign(arrival: ArrivalRecord) -> bool:
    """Whether it has no name of a micrograph, as a log file has none."""
    return primary_of(os.fsdecode(os.path.basename(arrival.path)), ()) is None
