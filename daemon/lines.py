"""Lines of text for the terminal: fitted to a width, joined, wrapped; numbers in words."""

from collections.abc import Iterable

from rich.text import Text

DIM = "dim"
STRONG = "bold"
GAP = "  "

_MINUTE, _HOUR, _DAY = 60, 3600, 86400  # seconds


def styled(words: str, style: str) -> Text:
    """The words in a style that ends with them, whatever is appended."""
    return Text().append(words, style=style)


def fitted(line: Text, width: int) -> Text:
    """The line in exactly `width` cells: cut, or filled with blanks."""
    shown = line.copy()
    shown.truncate(width, overflow="ellipsis", pad=True)
    return shown


def joined(left: Text, right: Text, width: int) -> Text:
    """Two texts on one line, the second at its right end; the first gives way."""
    room = max(0, width - right.cell_len - len(GAP))
    return fitted(fitted(left, room) + Text(GAP) + right, width)


def rule(title: str, width: int, right: str = "") -> Text:
    """A line across with a title in it."""
    tail = f" {right} ─" if right else ""
    head = f"─ {title} " if title else ""
    line = styled(head, STRONG)
    line.append("─" * max(0, width - line.cell_len - len(tail)) + tail, style=DIM)
    return fitted(line, width)


def wrapped(parts: Iterable[Text], width: int, separator: str, indent: int = 1) -> list[Text]:
    """The parts one after another, a new line where the next would not fit."""
    lines: list[Text] = []
    line = Text(" " * indent)
    for part in parts:
        joint = separator if line.cell_len > indent else ""
        if joint and line.cell_len + len(joint) + part.cell_len > width:
            lines.append(line)
            line, joint = Text(" " * indent), ""
        line = line + styled(joint, DIM) + part
    return [fitted(full, width) for full in [*lines, line]]


def duration(seconds: float) -> str:
    """Seconds in the words of a clock: `8 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def counted(count: int, noun: str) -> str:
    """`1 particle`, `2 particles`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
