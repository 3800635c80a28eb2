"""The watched folders at work: listened to, walked, and what is found written into the ledger.

The threads of `lookout` look, one for each folder; this room alone writes down what they saw, in
the thread that owns the database.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from daemon.allowance import Allowance, Hourly
from daemon.bounded import DoesNotAnswer
from daemon.clock import Clock
from daemon.config import Config
from daemon.errors import ConfigError, DaemonError
from daemon.intake import Intake
from daemon.lookout import Finding, Lookout
from daemon.names import printable
from daemon.roots import Root, RootVanished, look, opened
from daemon.settle import SettleTracker
from daemon.snapshot import WatchedFolder
from daemon.watcher import Hint, Watcher
from schema import watched
from schema.engine import without_waiting
from schema.records import ArrivalRecord, SessionRecord, WatchedFolderRecord

FILES_AT_ONCE = 2000
SPENT_SECONDS = 600.0  # a warning that came and went with every file would fill the log

MakeLookout = Callable[[Root, Callable[[], float]], Lookout]


@dataclass(kw_only=True)
class _Looked:
    """How far one folder has come: when its next walk is due, and how the last one ended."""

    lookout: Lookout
    due: float = 0.0
    ended: bool = False
    is_asked: bool = False
    is_silent: bool = False
    failure: str | None = None
    spent_until: float = 0.0
    remembered: WatchedFolderRecord | None = None


class Folders:
    """Every watched folder of a configuration.

    Args:
        config: whole configuration.
        engine: the database, for writing.
        clock: wall clock and monotonic clock.
        strays: whether files outside the folders that had not settled are taken up again.
        limited: whether a folder may bring only so many new files within an hour.
        roots: the folders, as `opened_roots` gives them.
        make_lookout: makes what looks at one folder.
        beat: called after each step that may take long.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        clock: Clock,
        *,
        roots: Iterable[Root],
        strays: bool,
        limited: bool = True,
        make_lookout: MakeLookout = Lookout,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config
        self._engine = engine
        self._sighting = without_waiting(engine)  # what lies there can be looked at again
        self._clock = clock
        self._strays = strays
        self._beat = beat
        self._roots = tuple(roots)
        self._watcher = Watcher(self._roots, config.intake.poll)
        hourly = {root.path: _hourly(root) for root in self._roots} if limited else {}
        self._allowance = Allowance(hourly)
        self._intake = self._new_intake()
        self._looked = {
            root.path: _Looked(lookout=make_lookout(root, clock.monotonic)) for root in self._roots
        }

    @property
    def session(self) -> tuple[int, SessionRecord] | None:
        """The open session, whose files are those that come now."""
        return self._intake.session

    @session.setter
    def session(self, session: tuple[int, SessionRecord] | None) -> None:
        self._intake.session = session

    @property
    def paths(self) -> frozenset[bytes]:
        """Where they are."""
        return frozenset(self._looked)

    @property
    def absent(self) -> frozenset[bytes]:
        """Those that are not there, or do not answer: their files are left as they were."""
        return frozenset(path for path, its in self._looked.items() if self._is_absent(its))

    @property
    def unwalked(self) -> frozenset[bytes]:
        """Those whose last walk failed: what is new there is not known."""
        return frozenset(path for path, its in self._looked.items() if its.failure is not None)

    @property
    def unsettled(self) -> int:
        """Files that are still being written, as far as is known."""
        return self._intake.unsettled(self.absent)

    @property
    def have_been_walked(self) -> bool:
        """Whether a walk of each has ended, if only in a failure, or it is known to be absent."""
        return all(its.ended or its.is_silent for its in self._looked.values())

    def start(self) -> None:
        """Listen, and walk every folder."""
        self._watcher.start()
        for its in self._looked.values():
            its.lookout.start()
        self.walk_all()
        self._take_up_strays()

    def stop(self) -> None:
        """Listen and look no more."""
        self._watcher.stop()
        for its in self._looked.values():
            its.lookout.stop()

    def start_over(self) -> None:
        """Forget what was seen: it could not be written down. The folders are walked anew."""
        session, self._intake = self._intake.session, self._new_intake()
        self._intake.session = session
        self._take_up_strays()
        self.walk_all()

    def walk_all(self) -> None:
        """Ask for a walk of every folder."""
        for its in self._looked.values():
            self._ask(its)

    def hear(self) -> None:
        """Look where something happened, and at every file that has not settled."""
        hints = self._watcher.hints()
        if any(hint.kind == "walk" for hint in hints):
            self.walk_all()
        if hints or self._intake.is_waiting:
            self._look_at(hints)

    def watch(self) -> None:
        """Once a second: whether events still come, and whether the folders are still they."""
        if self._watcher.revived() or self._watcher.overflowed():
            self.walk_all()
        moved = [its for its in self._looked.values() if its.lookout.is_another()]
        if moved:
            self._watcher.renew()
        for its in moved:
            self._ask(its)
        now = self._clock.monotonic()
        for its in self._looked.values():
            its.is_silent = its.lookout.is_silent(now)

    def take_in(self) -> None:
        """Write down the walks that have ended, and ask for those that are due."""
        for its in self._looked.values():
            if (finding := its.lookout.finding()) is not None:
                self._write_down(its, finding)
            elif not its.is_asked and self._clock.monotonic() >= its.due:
                self._ask(its)

    def look_again(self, arrival: ArrivalRecord) -> None:
        """A file was not what the ledger says: if it changed, it has to settle anew."""
        with self._engine.begin() as connection:
            self._intake.look_again(connection, arrival, *self._now())

    def warnings(self) -> tuple[str, ...]:
        """What keeps folders from being watched, for people."""
        found = []
        for path in sorted(self.absent):
            what = "does not answer" if self._looked[path].is_silent else "is not there"
            found.append(f"{printable(path)} {what}; its files are left as they were")
        for path in sorted(self.unwalked):
            reason = printable(self._looked[path].failure or "")
            found.append(f"{printable(path)} could not be walked ({reason}); it is tried again")
        for path in self._spent():
            words = "has brought more new files within the hour than are allowed; the others wait"
            found.append(f"{printable(path)} {words}")
        return tuple(found)

    def _spent(self) -> list[bytes]:
        """The folders that have to wait, or had to a moment ago."""
        now = self._clock.monotonic()
        for path in self._allowance.spent(now):
            self._looked[path].spent_until = now + SPENT_SECONDS
        return [path for path, its in sorted(self._looked.items()) if now < its.spent_until]

    def shown(self) -> tuple[WatchedFolder, ...]:
        """Each, and how it is watched."""
        return tuple(
            WatchedFolder(path=root.config.folder, mode=self._watcher.mode(root))
            for root in self._roots
        )

    def _is_absent(self, its: _Looked) -> bool:
        root = its.lookout.root
        if its.is_silent or not its.lookout.is_there or root.path in self._intake.vanished:
            return True
        if self._watcher.is_polled(root):
            return False  # its server may not answer; the lookout asks it once a second
        try:
            look(root)
        except RootVanished:
            return True
        except OSError:  # nothing is known of it; the lookout says so
            return False
        return False

    def _now(self) -> tuple[datetime, float]:
        return self._clock.utc(), self._clock.monotonic()

    def _new_intake(self) -> Intake:
        waits = self._config.intake
        tracker = SettleTracker(waits.quiet_seconds, waits.quiet_seconds_without_events)
        return Intake(self._roots, tracker, self._watcher.is_polled, self._allowance)

    def _take_up_strays(self) -> None:
        if self._strays:
            with self._engine.begin() as connection:
                self._intake.take_up(connection, self._clock.monotonic())

    def _look_at(self, hints: list[Hint]) -> None:
        with self._sighting.begin() as connection:
            self._intake.hear(connection, hints, *self._now())

    def _ask(self, its: _Looked) -> None:
        its.is_asked = True
        its.lookout.ask()

    def _write_down(self, its: _Looked, finding: Finding) -> None:
        root, walked = its.lookout.root, finding.walked
        its.is_asked, its.failure = False, finding.failure
        if walked is None:
            if finding.failure is None:
                self._intake.lose(root)
        else:
            self._intake.find(root)
            for start in range(0, len(walked.arrivals), FILES_AT_ONCE):
                part = walked.arrivals[start : start + FILES_AT_ONCE]
                with self._sighting.begin() as connection:
                    self._intake.take_in_walked(connection, part, finding.begun, *self._now())
                self._beat()
            with self._engine.begin() as connection:
                self._intake.note_walked(connection, root, walked, finding.begun)
            self._watcher.note_folders(root, walked.folders)
            self._remember(its)
        its.ended = True
        its.due = self._clock.monotonic() + self._walk_seconds()

    def _remember(self, its: _Looked) -> None:
        """Where the folder was found, for the day when it is not there."""
        record = its.lookout.root.record
        if its.remembered != record:
            with self._engine.begin() as connection:
                watched.remember(connection, record, self._clock.utc())
            its.remembered = record

    def _walk_seconds(self) -> float:
        intake = self._config.intake
        return intake.poll_walk_seconds if self._watcher.polls else intake.walk_seconds


def _hourly(root: Root) -> Hourly:
    return Hourly(files=root.config.files_per_hour, bytes=root.config.bytes_per_hour)


def opened_roots(config: Config, engine: Engine) -> list[Root]:
    """The folders of a configuration; one that was seen before may be absent.

    Raises:
        ConfigError: a folder is not there and never was, or cannot be listed.
        DaemonError: a folder that was never seen does not answer: try again.
    """
    found = []
    for watch in config.watch:
        with engine.connect() as connection:
            known = watched.remembered(connection, os.fsencode(watch.folder))
        try:
            found.append(opened(watch, known))
        except DoesNotAnswer as error:
            name = printable(watch.folder)
            raise DaemonError(f"the watched folder {name} gives {error}") from error
        except OSError as error:
            reason = f"the watched folder {printable(watch.folder)}: {error.strerror or error}"
            raise ConfigError(reason) from error
    return found
