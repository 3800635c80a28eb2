"""Signs of life. Who works promises the next one within some seconds; who waits promises nothing.

Given by the threads that work, asked by the one that answers for them to the service manager.
"""


class Pulse:
    """Promises by name. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def beat(self, name: str, now: float, within_seconds: float) -> None:
        """This one is alive, and will say so again within that time."""
        self._until[name] = now + within_seconds

    def rest(self, name: str) -> None:
        """This one waits for work; silence means nothing."""
        self._until.pop(name, None)

    def late(self, now: float) -> tuple[str, ...]:
        """Who has not kept the promise."""
        return tuple(name for name, until in sorted(self._until.items()) if now > until)
