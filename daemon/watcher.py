"""Hints that something changed: operating-system events, where the file system sends them.

An event never carries truth, only the wish to look. A lost event costs at most one walk period.
"""

import contextlib
import errno
import logging
import math
import os
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, EventEmitter
from watchdog.observers.inotify_c import InotifyFD

from daemon.mounts import is_network, mount_of
from daemon.names import printable
from daemon.roots import Root
from daemon.snapshot import WatchMode
from daemon.walk import folder_count

log = logging.getLogger(__name__)

HINT_QUEUE_LENGTH = 10_000
WATCH_LIMITS = (
    Path("/proc/sys/fs/inotify/max_user_watches"),
    Path("/proc/sys/user/max_inotify_watches"),
)
WATCH_SHARE = 0.8
WATCHDOG_LOGS = ("watchdog.observers.inotify", "watchdog.observers.inotify_c")


Poll = Literal["auto", "always", "never"]


class HintKind(StrEnum):
    """What an event suggests."""

    CLOSED = "closed"
    CHANGED = "changed"
    WALK = "walk"


@dataclass(frozen=True, kw_only=True)
class Hint:
    """Something happened to this path."""

    kind: HintKind
    path: bytes


class HintHandler(FileSystemEventHandler):
    """Puts hints into a queue; an exception here would kill watchdog's dispatcher."""

    def __init__(self, hints: "queue.Queue[Hint]") -> None:
        self._hints = hints
        self.overflowed = False

    def dispatch(self, event: FileSystemEvent) -> None:
        """Turn one event into one hint; a full queue asks for a walk instead."""
        try:
            for hint in _hints_of(event):
                self._hints.put_nowait(hint)
        except queue.Full:
            self.overflowed = True
        except Exception:
            log.exception("an event could not be read; the walk will find the file")
            self.overflowed = True


class LostEvents(logging.Filter):
    """Hears watchdog say that the kernel's queue ran over; it says so in its log and nowhere else.

    It also says so for every root, in words about itself: one warning of ours takes their place.
    """

    def __init__(self, handler: HintHandler) -> None:
        super().__init__()
        self._handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line may pass."""
        if "queue overflowed" not in record.getMessage():
            return True
        self._handler.overflowed = True
        return False


def _is_served(emitter: EventEmitter) -> bool:
    """Whether events can still reach it: one thread reads them from the kernel for all."""
    readers = (thread for thread in threading.enumerate() if isinstance(thread, InotifyFD))
    return emitter.is_alive() and any(reader.is_alive() for reader in readers)


def _hints_of(event: FileSystemEvent) -> list[Hint]:
    source = os.fsencode(event.src_path)
    target = os.fsencode(event.dest_path) if event.dest_path else source
    if event.is_directory:
        wanted = event.event_type in ("created", "moved")
        return [Hint(kind=HintKind.WALK, path=target)] if wanted else []
    kinds = {
        "closed": HintKind.CLOSED,
        "moved": HintKind.CLOSED,
        "created": HintKind.CHANGED,
        "modified": HintKind.CHANGED,
    }
    kind = kinds.get(event.event_type)
    return [Hint(kind=kind, path=target)] if kind else []


class Watcher:
    """Keeps an observer alive over every root that can have one.

    Args:
        roots: the watched folders.
        poll: `auto` decides by file system; `always` and `never` decide for it.
    """

    def __init__(self, roots: Sequence[Root], poll: Poll) -> None:
        self._roots = roots
        self._poll: Poll = poll
        self._polled: frozenset[bytes] = frozenset()
        self._without_events: set[bytes] = set()
        self._folders: dict[bytes, int] = {}
        self._hints: queue.Queue[Hint] = queue.Queue(HINT_QUEUE_LENGTH)
        self._handler = HintHandler(self._hints)
        self._lost = LostEvents(self._handler)
        self._observer: BaseObserver | None = None

    @property
    def polls(self) -> bool:
        """Whether some root has no events and is only walked."""
        return any(self.is_polled(root) for root in self._roots)

    def is_polled(self, root: Root) -> bool:
        """Whether a root has no events and is only walked."""
        return root.path in self._polled or root.path in self._without_events

    def mode(self, root: Root) -> WatchMode:
        """How new files below a root are noticed between two walks."""
        return "polling" if self.is_polled(root) else "events"

    def start(self) -> None:
        """Ask for events; where the system refuses, the folder is polled from now on."""
        self._without_events, self._folders = set(), {}
        self._polled = frozenset(root.path for root in self._roots if self._must_poll(root))
        wanted = [root for root in self._roots if root.path not in self._polled]
        if not wanted:
            return
        for name in WATCHDOG_LOGS:
            logging.getLogger(name).addFilter(self._lost)
        try:
            observer = Observer()
            observer.start()
        except OSError as error:
            for root in wanted:
                self._do_without(root, error)
            return
        self._observer = observer
        for root in wanted:
            path, recursive = os.fsdecode(root.path), root.config.recursive
            try:
                self._check_watches(root, folder_count(root))
                observer.schedule(self._handler, path, recursive=recursive)
            except OSError as error:
                self._do_without(root, error)

    def stop(self) -> None:
        """Ask for no more events."""
        for name in WATCHDOG_LOGS:
            logging.getLogger(name).removeFilter(self._lost)
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(5)
            self._observer = None

    def note_folders(self, root: Root, folders: int) -> bool:
        """A walk found so many folders. True where they have become too many to be told of."""
        if self.is_polled(root):
            return False
        try:
            self._check_watches(root, folders)
        except OSError as error:
            self._do_without(root, error)
            return True
        return False

    def revived(self) -> bool:
        """Start a dead observer again. True where that was needed: a walk is due."""
        observer = self._observer
        if observer is None:
            return False
        if observer.is_alive() and all(map(_is_served, observer.emitters)):
            return False
        log.warning("the file event observer had died and is started again")
        self.renew()
        return True

    def renew(self) -> None:
        """Ask for events anew: an observer died, or a folder is there again."""
        with contextlib.suppress(RuntimeError):
            self.stop()
        self.start()

    def overflowed(self) -> bool:
        """Whether hints were lost since the last call."""
        lost, self._handler.overflowed = self._handler.overflowed, False
        if lost:
            log.warning("file events were lost in a rush of them; the folders are walked at once")
        return lost

    def hints(self) -> list[Hint]:
        """The hints that have come in since the last call, oldest first."""
        found: list[Hint] = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._hints.get_nowait())
        return found

    def _do_without(self, root: Root, error: OSError) -> None:
        self._without_events.add(root.path)
        reason = error.strerror or error
        log.warning("no events from %s (%s); it is polled instead", printable(root.path), reason)

    def _check_watches(self, root: Root, folders: int) -> None:
        """Watchdog says nothing of folders below for which the system has no watch left.

        Raises:
            OSError: the folders of all roots take more than a fair part of the system's watches.
        """
        self._folders[root.path] = folders if root.config.recursive else 1
        total, limit = sum(self._folders.values()), watch_limit()
        if total > WATCH_SHARE * limit:
            del self._folders[root.path]
            raise OSError(errno.ENOSPC, f"{total} folders, and the system watches {limit:.0f}")

    def _must_poll(self, root: Root) -> bool:
        if self._poll != "auto":
            return self._poll == "always"
        kind = mount_of(Path(os.fsdecode(root.path))).file_system  # asks nothing of the folder
        if is_network(kind):
            words = "%s lies on %s, which sends no events: it is polled"
            log.warning(words, printable(root.path), kind)
            return True
        return False


def watch_limit() -> float:
    """How many folders this user can be told of; infinity where the system sets no limit."""
    return min(map(_number_in, WATCH_LIMITS))


def _number_in(file: Path) -> float:
    try:
        return int(file.read_text(encoding="ascii"))
    except OSError:
        return math.inf
