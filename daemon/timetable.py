"""What comes round again and again, and whether its time has come. Pure but for the clock."""

from collections.abc import Callable


class Timetable:
    """Periods by name.

    Args:
        monotonic: seconds now.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._due: dict[str, float] = {}

    def is_due(self, name: str, period_seconds: float) -> bool:
        """Whether its time has come: at the first time asked, then once in a period."""
        now = self._monotonic()
        if now < self._due.get(name, 0.0):
            return False
        self._due[name] = now + period_seconds
        return True
