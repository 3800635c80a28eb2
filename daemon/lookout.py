"""Looks at one watched folder, in a thread of its own.

A share whose server is away holds up whoever asks it. Here it holds up nobody else: the other
folders are walked, and what was found is worked off, meanwhile.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from daemon.names import printable
from daemon.roots import Place, Root, RootVanished, look
from daemon.walk import Walked, walk

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
SILENT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The end of one walk; `walked` is None where the folder has vanished.

    `begun` is the monotonic time before its first look: what was seen later is newer.
    """

    walked: Walked | None
    begun: float


class Lookout:
    """Walks a folder when asked to, and looks every second whether it is still the same.

    Args:
        root: its mount is kept up to date.
        monotonic: clock in seconds.
    """

    def __init__(self, root: Root, monotonic: Callable[[], float]) -> None:
        self.root = root
        self._monotonic = monotonic
        self._wanted = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="lookout", daemon=True)
        self._finding: Finding | None = None
        self._place: Place | None = None
        self._is_there = True
        self._is_another = False
        self._heard: float | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a look that does not come back is left behind."""
        self._stopping = True
        self._wanted.set()

    def ask(self) -> None:
        """Walk as soon as possible; asked during a walk, once more after it."""
        self._wanted.set()

    def finding(self) -> Finding | None:
        """The newest walk that has ended since the last call."""
        found, self._finding = self._finding, None
        return found

    def is_another(self) -> bool:
        """Whether the folder came back, or another one took its place, since the last call."""
        found, self._is_another = self._is_another, False
        return found

    @property
    def is_there(self) -> bool:
        """Whether the folder was there when it was looked at last."""
        return self._is_there

    def is_silent(self, now: float) -> bool:
        """Whether a look at it has not come back for 30 s."""
        heard = self._heard
        return heard is not None and now - heard > SILENT_SECONDS

    def _run(self) -> None:
        while True:
            wanted = self._wanted.wait(LOOK_SECONDS)
            if self._stopping:
                return
            try:
                self.turn(wanted=wanted)
            except Exception:  # a bug must not make the folder deaf for good
                log.exception("a look at %s failed inside fringewatch", printable(self.root.path))

    def turn(self, *, wanted: bool) -> None:
        """One look, and a walk where one is wanted."""
        self._beat()
        try:
            self._look()
            if wanted:
                self._wanted.clear()
                begun = self._monotonic()
                self._finding = Finding(walked=walk(self.root, self._beat), begun=begun)
        except RootVanished:
            self._is_there = False
            if wanted:
                self._wanted.clear()
                self._finding = Finding(walked=None, begun=self._monotonic())
        finally:
            self._heard = None

    def _look(self) -> None:
        place = look(self.root)
        self.root.mount = place.mount  # a share may be mounted over the folder by now
        if not self._is_there or self._place not in (None, place):
            self._is_another = True
        self._place = place
        self._is_there = True

    def _beat(self) -> None:
        self._heard = self._monotonic()
