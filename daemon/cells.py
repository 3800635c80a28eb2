"""One value of the database as a program, or a person, may be given it."""

import math
from functools import lru_cache
from typing import Any

from daemon.names import printable


def plain(value: Any) -> Any:
    """Text and bytes as one line of visible characters; a number, unless it is infinite; None."""
    if isinstance(value, bytes):
        return _path(value)
    if isinstance(value, str):
        return value if value.isprintable() else printable(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


@lru_cache(maxsize=1024)
def _path(value: bytes) -> str:
    """The particles of one micrograph all have its path."""
    return printable(value)
