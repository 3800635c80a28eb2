r"""Names from the disk, made fit for a terminal and a log.

A file name may hold anything but `/` and NUL: line breaks, escape sequences, text that runs
backwards, bytes that are no text. Such characters are shown as `\x1b`, `\u202e`, `\xff`, so
that nothing a camera writes can move the cursor or forge a line.
"""

import os
from pathlib import PurePath

from rich.cells import cell_len, chop_cells


def printable(name: str | bytes | PurePath) -> str:
    """The name as one line of visible characters; every other character as its escape."""
    text = os.fsdecode(name)
    return "".join(_visible(character) for character in text)


def shortened(name: str | bytes | PurePath, width: int) -> str:
    """The printable name in at most `width` terminal cells; the middle gives way to an ellipsis.

    Both ends stay, because a series differs in its last digits and a format in its suffix.
    """
    text = printable(name)
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    head = width // 2
    tail = width - head - 1
    return _first_cells(text, head) + "…" + _first_cells(text[::-1], tail)[::-1]


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as os.fsdecode carries it
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _first_cells(text: str, width: int) -> str:
    return chop_cells(text, width)[0] if width > 0 else ""
