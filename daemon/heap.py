"""How the daemon's memory is given back to the system."""

import contextlib
import ctypes

LARGE_BYTES = 2**20
_M_MMAP_THRESHOLD = -3  # malloc.h of glibc


def give_back_large_blocks() -> None:
    """Have every block of a mebibyte or more mapped by itself, so that it goes when it is freed.

    glibc raises that limit by itself up to 32 MiB. Then a table that is made anew every few
    minutes, as Python's of its interned strings (4 MB), finds its old place taken by small things
    and is put behind them: the process grew by 20 MB an hour. Other C libraries know no such call.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
