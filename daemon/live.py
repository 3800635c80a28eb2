"""The terminal the live view is kept on, and its picture for documents.

Where there is no terminal nothing is drawn, and the log lines tell the story alone.
"""

import logging
import threading
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from daemon.layout import in_ascii, render, rows
from daemon.screen import Screen
from daemon.snapshot import Snapshot
from daemon.stray import sole_writer
from daemon.svg import svg

log = logging.getLogger(__name__)

REFRESH_SECONDS = 0.5
"""Twice a second is often enough for an eye and little enough for a slow line."""

_HELD_LINES = 200


def save_svg(snapshot: Snapshot, path: Path, width: int, height: int) -> None:
    """Write the view of `width` by `height` cells as an SVG picture, for documents.

    Raises:
        OSError: the folder cannot be written to.
    """
    path.write_text(svg(render(snapshot, width, height), width, height), encoding="utf-8")


def _hear(line: str) -> None:
    """Keep for the log what a library or a child wrote to stderr."""
    log.info("on stderr: %s", line)


class LiveView:
    """Keeps the view on a terminal while the daemon works; used as a context.

    Drawing happens on a thread of its own: a terminal that does not take its text (Ctrl-S, a dead
    line) holds up the picture and nothing else. Log lines handed to `say` scroll by above it.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.is_drawn = console.is_terminal and not console.is_dumb_terminal
        self._unicode = console.encoding.lower().startswith("utf")
        self._screen = Screen(console)
        self._terminal = ExitStack()
        self._newest: deque[Snapshot] = deque(maxlen=1)
        self._rows: list[Text] = []
        self._lines: deque[Text] = deque(maxlen=_HELD_LINES)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_drawn, name="live-view", daemon=True)

    def __enter__(self) -> Self:
        if self.is_drawn:
            self._terminal.enter_context(sole_writer(self.console, _hear))
            self._screen.open()
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draw the last picture, leave it standing, and give the terminal back."""
        if not self.is_drawn:
            return
        self._stop.set()
        self._thread.join(timeout=2 * REFRESH_SECONDS)
        if self._thread.is_alive():
            return  # the terminal takes no text; there is nothing to give back to it
        try:
            with self._terminal:
                self._screen.close()
        except OSError as failure:
            self._end(failure)

    def update(self, snapshot: Snapshot) -> None:
        """Show this snapshot at the next refresh."""
        self._newest.append(snapshot)

    def say(self, line: Text) -> None:
        """Let a line scroll by above the picture at the next refresh."""
        self._lines.append(line)

    def draw(self) -> None:
        """Draw what has come since the last time.

        Raises:
            OSError: the terminal is gone.
        """
        above = [self._lines.popleft() for _ in range(len(self._lines))]
        if self._newest:
            size = self.console.size
            self._rows = rows(self._newest.popleft(), size.width, size.height, self._unicode)
        elif not above:
            return
        self._screen.draw(self._rows, [self._plain(line) for line in above])

    def _plain(self, line: Text) -> Text:
        return line if self._unicode else in_ascii(line)

    def _keep_drawn(self) -> None:
        try:
            while not self._stop.wait(REFRESH_SECONDS):
                self.draw()
            self.draw()
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError) -> None:
        """The terminal is gone; the daemon is not."""
        log.warning("the live view has ended: %s", error)
