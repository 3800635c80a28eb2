"""Wait for a call only so long. A share whose server is away holds up whoever asks it, for ever."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

LOOK_SECONDS = 0.2
RESOLVE_SECONDS = 20.0

T = TypeVar("T")


class DoesNotAnswer(OSError):
    """A call into the file system has not come back in its time."""


def within(seconds: float, call: Callable[[], T], abandoned: Callable[[], bool] | None = None) -> T:
    """What a call gives, made in a thread of its own; left behind there where it takes too long.

    Args:
        seconds: how long it may take.
        call: it must do no harm where it goes on after nobody waits for it any more.
        abandoned: looked at every 0.2 s; true ends the wait.

    Raises:
        DoesNotAnswer: it took too long, or was abandoned.
        BaseException: whatever the call raises.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            errors.append(error)

    thread = threading.Thread(target=run, name="bounded", daemon=True)
    thread.start()
    until = time.monotonic() + seconds
    while thread.is_alive():
        left = until - time.monotonic()
        if left <= 0 or (abandoned is not None and abandoned()):
            break
        thread.join(min(left, LOOK_SECONDS))
    if errors:
        raise errors[0]
    if not results:
        raise DoesNotAnswer(f"no answer within {seconds:.0f} s")
    return results[0]


def resolved(folder: Path) -> Path:
    """Where the name of a folder leads; the name itself where its server does not answer.

    Raises:
        OSError, RuntimeError, ValueError: it leads nowhere: links in a circle, a NUL in the name.
    """
    try:
        return within(RESOLVE_SECONDS, folder.resolve)
    except DoesNotAnswer:
        return folder.absolute()
