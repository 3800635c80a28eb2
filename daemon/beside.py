"""What goes on beside the work on the files, and may never hold it up or end it."""

from collections.abc import Callable, Iterable
from typing import Protocol

from daemon.snapshot import Moment


class Beside(Protocol):
    """Has a thread of its own; none of these verbs waits long or raises."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End soon; what is not done is made up for at the next start."""

    def warnings(self) -> tuple[str, ...]:
        """What people should know of it while it lasts."""

    def is_through(self) -> bool:
        """Whether nothing is left to do; asked once all files are worked off."""


class Company:
    """Whoever goes along with the daemon.

    Args:
        members: act as one.
        show: called about twice a second with what the daemon knows.
    """

    def __init__(
        self, members: Iterable[Beside] = (), show: Callable[[Moment], None] = lambda _: None
    ) -> None:
        self._members = tuple(members)
        self.show = show

    def start(self) -> None:
        """Begin, each."""
        for member in self._members:
            member.start()

    def stop(self) -> None:
        """End, each."""
        for member in self._members:
            member.stop()

    def warnings(self) -> tuple[str, ...]:
        """What people should know of any of them."""
        return tuple(warning for member in self._members for warning in member.warnings())

    def is_through(self) -> bool:
        """Whether none has anything left to do."""
        asked = [member.is_through() for member in self._members]  # each, for it is told so
        return all(asked)


NOBODY = Company()
