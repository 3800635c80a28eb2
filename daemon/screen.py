"""A picture kept at the foot of a terminal, redrawn in place without flicker.

Only rows that changed are written, over the old ones and never erased first, so that nothing
blinks and little travels over a slow line. Text handed in scrolls by above and stays readable.
"""

from collections.abc import Sequence

from rich.console import Console, RenderableType

_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"  # shown at one go, where the terminal knows how
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_REST_OF_LINE, _REST_OF_SCREEN = "\x1b[K", "\x1b[J"
_ALL = "\x1b[2J\x1b[H"


class Screen:
    """The foot of a terminal; between two calls the cursor rests behind the last row."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._size = console.size
        self._rows: list[str] = []

    def open(self) -> None:
        """Hide the cursor."""
        self._write(_HIDE_CURSOR)

    def close(self) -> None:
        """Leave the picture standing and give the cursor back below it."""
        self._write(("\r\n" if self._rows else "") + _SHOW_CURSOR)

    def draw(self, rows: Sequence[RenderableType], above: Sequence[RenderableType] = ()) -> None:
        """Show these rows, one line each, in place of the old ones.

        Args:
            rows: none wider than the terminal, and no more of them than it has lines.
            above: lines that scroll by; a long one is wrapped by the terminal.

        Raises:
            OSError: the terminal is gone.
        """
        shown = [self._ansi(row) for row in rows]
        text = ""
        if self._console.size != self._size:  # the terminal has broken the old rows anew
            self._size, self._rows, text = self._console.size, [], _ALL
        if above or len(shown) != len(self._rows):
            scrolled = "".join(f"{self._ansi(line)}\r\n" for line in above)
            picture = "\r\n".join(shown)
            text += self._to_top() + _REST_OF_SCREEN + scrolled + picture
        else:
            text += self._to_top() + "\r\n".join(
                "" if new == old else new + _REST_OF_LINE
                for new, old in zip(shown, self._rows, strict=True)
            )
        self._rows = shown
        self._write(_BEGIN + text + _END)

    def _to_top(self) -> str:
        up = len(self._rows) - 1
        return "\r" + (f"\x1b[{up}A" if up > 0 else "")

    def _ansi(self, line: RenderableType) -> str:
        with self._console.capture() as capture:
            self._console.print(line, end="", soft_wrap=True)
        return capture.get().rstrip(" ")

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()
