"""What lies in the watched folders, set against the ledger: the one reconciler.

Events only say where to look sooner. Whatever they miss, the walk finds; whatever is seen twice
is queued once.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from analysis.errors import ErrorCode
from analysis.readers import primary_of
from daemon.allowance import Allowance
from daemon.bounded import DoesNotAnswer, within
from daemon.names import printable
from daemon.roots import Root, RootVanished
from daemon.settle import SettleTracker, Stamp
from daemon.walk import Walked, holds, is_gone, named, survey
from daemon.watcher import Hint, HintKind
from schema import ledger, sightings, standing
from schema.records import ArrivalRecord, FileState, SessionRecord
from schema.sightings import Change, Sighting

log = logging.getLogger(__name__)

MOST_AT_ONCE = 2000  # so that a rush of files holds up nothing else
FOLDERS_AT_ONCE = 200
SETTLED_AT_ONCE = 200
ANSWER_SECONDS = 2.0  # the main loop waits so long for a share that nobody watches
AGAIN_SECONDS = 60.0

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
        self._heard: dict[bytes, dict[bytes, HintKind]] = {}
        self._foreign: set[bytes] = set()
        self._looked: dict[bytes, float] = {}
        self._vanished: set[bytes] = set()
        self._news: dict[bytes, dict[bytes, HintKind]] = {}
        self._turns: dict[bytes, None] = {}
        self._out_of_reach: dict[bytes, float] = {}
        self.session: tuple[int, SessionRecord] | None = None

    @property
    def unsettled(self) -> int:
        """Files that are still being written, as far as is known; none where a root is gone.

        Nor those outside the roots that cannot be looked at now. News not yet followed count too.
        """
        count = len(self._news) + len(self._tracker) - len(self._out_of_reach)
        if self._vanished:
            gone = filter(self._is_vanished, self._tracker.folders())
            count -= sum(len(self._tracker.paths_in(folder)) for folder in gone)
        return count

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to look at again."""
        return bool(self._news) or len(self._tracker) > 0

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
        folder, name = os.path.split(arrival.path)
        if self._waits_for_the_walk(folder):
            return
        try:
            found = within(ANSWER_SECONDS, partial(named, folder, [name], arrival.root))[name]
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
        for hint in hints:
            if hint.kind is not HintKind.WALK:
                self._news.setdefault(os.path.dirname(hint.path), {})[hint.path] = hint.kind
        for folder, names in self._places():
            news, root = self._news.pop(folder, {}), self._root_of(folder)
            try:
                arrivals = survey(root, folder, names) if root else self._outside(folder, seconds)
            except DoesNotAnswer:  # what lies on the same share would not answer either
                break
            except (RootVanished, OSError):  # the walk says so, once
                continue
            self._drop_vanished(connection, folder, arrivals, seconds)
            self._look(connection, arrivals, news, now, seconds)
        self._settle(connection, now, seconds)

    def _places(self) -> Iterator[tuple[bytes, set[bytes]]]:
        """Where to look now, and at which names: what was heard of, and what has not settled."""
        self._turns |= dict.fromkeys((*self._news, *self._tracker.folders()))
        folders, files = 0, 0
        for folder in list(self._turns):
            if folders >= FOLDERS_AT_ONCE or files >= MOST_AT_ONCE:
                return
            del self._turns[folder]
            paths = (*self._news.get(folder, ()), *self._tracker.paths_in(folder))
            names = {os.path.basename(path) for path in paths}
            waits = folder not in self._news and self._waits_for_the_walk(folder)
            if names and not waits:
                folders, files = folders + 1, files + len(names)
                yield folder, names

    def _waits_for_the_walk(self, folder: bytes) -> bool:
        """Whether nothing is to be asked of a folder here: its server may not answer."""
        root = self._root_of(folder)
        return root is not None and (root.path in self._vanished or self._is_polled(root))

    def _outside(self, folder: bytes, seconds: float) -> list[ArrivalRecord]:
        """What stands there now, in a folder outside the roots, of the files named by hand.

        Those that cannot be looked at just now are out of reach for a while, and not gone.

        Raises:
            OSError: the folder is not there, or does not answer.
        """
        paths = self._tracker.paths_in(folder)
        due = [path for path in paths if self._out_of_reach.get(path, seconds) <= seconds]
        if not due:
            return []
        self._out_of_reach.update(dict.fromkeys(due, seconds + AGAIN_SECONDS))
        names = list(map(os.path.basename, due))
        found = within(ANSWER_SECONDS, partial(named, folder, names))
        arrivals: list[ArrivalRecord] = []
        for path, name in zip(due, names, strict=True):
            file = found[name]
            if isinstance(file, ArrivalRecord):
                arrivals.append(replace(file, root=self._latest[path].root))
            elif not is_gone(file):
                continue
            del self._out_of_reach[path]
        return arrivals

    def _root_of(self, folder: bytes) -> Root | None:
        return next((root for root in self._roots if holds(root, folder)), None)

    def _is_vanished(self, folder: bytes) -> bool:
        root = self._root_of(folder)
        return root is not None and root.path in self._vanished

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
            if arrival.path in self._tracker or not heard.keys().isdisjoint(_members(arrival))
        ]
        self._looked.update((arrival.path, seconds) for arrival in concerned)
        fresh = [arrival for arrival in concerned if arrival.path not in self._tracker]
        self.take_in(connection, fresh, now, seconds)
        for arrival in concerned:
            if arrival.path not in self._tracker:
                continue
            kind = self._last_kind(arrival, heard)
            if kind is HintKind.CHANGED:
                self._tracker.modified(arrival.path)
            elif not heard.keys().isdisjoint(_members(arrival)):
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
                    self._allowance.take(arrival.root, 1, arrival.size_bytes, seconds)
                self._place(connection, arrival, sighting, now, (seconds, looked_at))
            ledger.settle(connection, [sighting.source_file_id for sighting in found])
            seen.extend(found)
        return tuple(seen)

    def _allowed(
        self, connection: Connection, arrivals: Sequence[ArrivalRecord], seconds: float
    ) -> Sequence[ArrivalRecord]:
        """Without the new files of folders that have brought too many: they are found later."""
        spent = self._allowance.spent(seconds)
        if not spent:
            return arrivals
        late = [arrival.path for arrival in arrivals if arrival.root in spent]
        known = sightings.known(connection, late)
        return [a for a in arrivals if a.root not in spent or a.path in known]

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
        name = os.fsdecode(os.path.basename(arrival.path))
        if primary_of(name, ()) is None:
            message = f"Files named *{os.path.splitext(name)[1]} are no micrographs."
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
            if path not in there and path not in self._out_of_reach
        ]
        ledger.set_present(connection, [self._ids[path] for path in gone], False)
        for path in gone:
            self._looked[path] = seconds
            self._forget(path)

    def _forget(self, path: bytes) -> None:
        self._tracker.forget(path)
        self._ids.pop(path, None)
        self._latest.pop(path, None)
        self._heard.pop(path, None)
        self._out_of_reach.pop(path, None)

    def _last_kind(
        self, arrival: ArrivalRecord, heard: Mapping[bytes, HintKind]
    ) -> HintKind | None:
        """What the news of its files mean: closed only where nobody writes to any of them.

        That a companion was closed says nothing about the primary file.
        """
        news = {path: heard[path] for path in _members(arrival) if path in heard}
        known = self._heard.setdefault(arrival.path, {})
        known.update(news)
        if not news:
            return None
        return HintKind.CHANGED if HintKind.CHANGED in known.values() else known.get(arrival.path)

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


def _members(arrival: ArrivalRecord) -> tuple[bytes, ...]:
    return (arrival.path, *(companion.path for companion in arrival.companions))
