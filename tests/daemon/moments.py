"""The moment of every test, and waiting for something to become true."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def wait_until(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    """Return as soon as it is so.

    Raises:
        TimeoutError: it never was.
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come true in time")
        time.sleep(0.01)
