"""`python -m tests.acceptance.saboteur`: `bare`, each of whose parts fails when it is told to.

A file of a part's name in the folder `FRINGEWATCH_TEST_HARM` makes that part fail at its next step:
by an exception, or by its death. The part removes the file first, so that it fails once.
"""

import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

PLACE = "FRINGEWATCH_TEST_HARM"
EXCEPTION, DEATH = "exception", "death"
THREADS = ("handler", "emitter", "dispatcher")
PROCESSES = ("parser", "worker")
WRITER = "writer"  # the thread that owns the database


class Died(BaseException):
    """What no `except Exception` holds up: the end of a thread."""


def order(place: Path, part: str, kind: str) -> None:
    """Tell a part to fail."""
    (place / f".{part}").write_text(kind)
    (place / f".{part}").rename(place / part)


def _obey(part: str) -> None:
    told = Path(os.environ[PLACE]) / part
    try:
        kind = told.read_text()
        told.unlink()
    except FileNotFoundError:
        return
    if kind == EXCEPTION:
        raise RuntimeError(f"harm done to the {part}")
    if part in PROCESSES:
        os.kill(os.getpid(), signal.SIGKILL)
    raise Died(part)


def _harmed(part: str, owner: Any, name: str) -> None:
    """Have a function obey before it does its work."""
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    def obeying(*arguments: Any, **named: Any) -> Any:
        _obey(part)
        return function(*arguments, **named)

    setattr(owner, name, obeying)


def worker_main(*arguments: Any) -> None:
    """The worker of `bare`."""
    from daemon import record
    from tests.acceptance import bare

    _harmed("worker", record, "analyse_and_store")
    bare.worker_main(*arguments)


def parser_main(*arguments: Any) -> None:
    """The parser as it is."""
    from daemon import parser

    _harmed("parser", parser, "_hand_over")
    parser.parser_main(*arguments)


def main() -> None:
    """The command."""
    from watchdog.observers.api import BaseObserver
    from watchdog.observers.inotify import InotifyEmitter

    from daemon import assembly, cli, confinement, watcher
    from daemon.supervisor import Supervisor

    _harmed("handler", watcher, "_hints_of")
    _harmed("emitter", InotifyEmitter, "queue_events")
    _harmed("dispatcher", BaseObserver, "dispatch_events")
    _harmed(WRITER, Supervisor, "_turn")
    assembly.worker_main = worker_main  # type: ignore[attr-defined]
    assembly.parser_main = parser_main
    confinement.to_folder = lambda _: None  # type: ignore[assignment,return-value]
    cli.main()


if __name__ == "__main__":
    from tests.acceptance import saboteur  # by its name, as the spawned child will import it

    saboteur.main()
