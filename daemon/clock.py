"""The daemon's clocks, handed in so that tests move them by hand."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True)
class Clock:
    """`utc` names moments for people; `monotonic` measures waits, in seconds."""

    utc: Callable[[], datetime]
    monotonic: Callable[[], float]


SYSTEM_CLOCK = Clock(utc=lambda: datetime.now(UTC), monotonic=time.monotonic)
