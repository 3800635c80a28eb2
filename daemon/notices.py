"""What people should know while it lasts: logged once, and posted for other processes to show.

A file rather than rows: the database may be what cannot be written.
"""

import contextlib
import logging
import re
from collections.abc import Sequence

from schema.durable import replacing
from schema.state import StateFolder

log = logging.getLogger(__name__)

_SHARE = re.compile(r"\b[\d.]+%")  # a share of a disk moves all day: once is enough


class Notices:
    """The warnings of a daemon at work.

    Args:
        state: where they are posted.
    """

    def __init__(self, state: StateFolder) -> None:
        self._path = state.notices
        self.current: tuple[str, ...] = ()

    def tell(self, warnings: Sequence[str]) -> None:
        """Log what has begun and what is over since the last time, and post what there is."""
        before, self.current = self.current, tuple(warnings)
        for warning in _others(self.current, than=before):
            log.warning("%s", warning)
        for warning in _others(before, than=self.current):
            log.info("this is over: %s", warning)
        if self.current != before:
            self._post()

    def take_down(self) -> None:
        """Nobody looks after them any more."""
        with contextlib.suppress(OSError):  # the state folder may be gone
            self._path.unlink(missing_ok=True)

    def _post(self) -> None:
        with contextlib.suppress(OSError), replacing(self._path) as unfinished:  # a full disk
            unfinished.write_text("".join(f"{line}\n" for line in self.current), encoding="utf-8")


def posted(state: StateFolder) -> tuple[str, ...]:
    """What a daemon at work on this state folder warns of; asked only while there is one."""
    try:
        return tuple(state.notices.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        return ()


def _others(warnings: Sequence[str], *, than: Sequence[str]) -> list[str]:
    """Those that the others do not say, if with another share."""
    said = {_SHARE.sub("", warning) for warning in than}
    return [warning for warning in warnings if _SHARE.sub("", warning) not in said]
