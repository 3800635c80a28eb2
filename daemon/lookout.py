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
    """The end of one walk; `walked` is None where the folder has vanished, or the walk failed.

    `failure` is why it failed: what lies there is not known, and nothing is gone for it.
    `begun` is the monotonic time before its first look: what was seen later is newer.
    """

    walked: Walked | None
    begun: float
    failure: str | None = None


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
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lookout", daemon=True)
        self._finding: Finding | None = None
        self._failure: str | None = None
        self._traced: str | None = None
        self._place: Place | None = None
        self._is_there = True
        self._is_another = False
        self._heard: float | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a look that does not come back is left behind."""
        self._stopping.set()
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
            if self._stopping.is_set():
                return
            self.turn(wanted=wanted)
            if self._failure is not None:
                self._stopping.wait(LOOK_SECONDS)

    def turn(self, *, wanted: bool) -> None:
        """One look, and a walk where one is wanted; a walk that was wanted always has its end."""
        self._beat()
        if wanted:
            self._wanted.clear()
        begun = self._monotonic()
        walked: Walked | None = None
        self._failure = None
        try:
            self._look()
            walked = walk(self.root, self._beat) if wanted else None
        except RootVanished:
            self._is_there = False
        except OSError as error:
            self._failure = error.strerror or str(error)
        except Exception as error:  # a bug must not make the folder deaf for good
            self._failure = f"an error inside fringewatch, {type(error).__name__}: {error}"
            if self._failure != self._traced:  # once is enough
                log.exception("a look at %s failed inside fringewatch", printable(self.root.path))
            self._traced = self._failure
        finally:
            self._heard = None
        if wanted:
            self._finding = Finding(walked=walked, begun=begun, failure=self._failure)

    def _look(self) -> None:
        place = look(self.root)
        self.root.mount = place.mount  # a share may be mounted over the folder by now
        if not self._is_there or self._place not in (None, place):
            self._is_another = True
        self._place = place
        self._is_there = True

    def _beat(self) -> None:
        self._heard = self._monotonic()
