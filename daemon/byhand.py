"""`fringewatch analyse`: the same path as a file that arrives, at the head of the queue."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from daemon import logs, requests
from daemon.assembly import supervisor
from daemon.attending import attend
from daemon.clock import SYSTEM_CLOCK
from daemon.config import Config
from daemon.desk import MOST_PATHS, Answer, Desk
from daemon.errors import DaemonError, Exit, Misused
from daemon.lock import is_owned
from daemon.options import named
from daemon.owning import own_state
from daemon.reading import open_for_reading
from daemon.reporting import print_micrographs
from schema import queries, standing
from schema.records import FileState

VERDICTS = (
    FileState.DONE,
    FileState.REFUSED,
    FileState.QUARANTINED,
    FileState.RETRY,
    FileState.SUPERSEDED,
)
POLL_SECONDS = 0.2


def analyse(
    config: Config,
    files: Sequence[Path],
    *,
    pixel_size_nm: float | None,
    force: bool,
    bundle: str | None,
    as_json: bool,
) -> int:
    """Analyse files and print what was found; 1 where one of them has no result.

    A running daemon does it; else this process does, with the same steps.

    Raises:
        Misused: another model than that of the running daemon is asked for.
        DaemonError: a file is not there, or the state folder needs a person. Of very many files
            those named before it are at the head of the queue by then.
    """
    values: dict[str, Any] = {
        "paths": [str(named(path)) for path in files],
        "pixel_size_nm": pixel_size_nm,
        "force": force,
    }
    folder = config.state.folder
    if is_owned(folder):
        if bundle is not None:
            raise Misused("a daemon runs with its own model; stop it, or leave --bundle out")
        ids = asked(partial(requests.ask, folder, "analyse"), values)
        _, engine = open_for_reading(folder)
        _wait(engine, ids, folder)
    else:
        logs.set_up(style="text")
        with own_state(folder, SYSTEM_CLOCK) as owned:
            desk = Desk(owned.engine, owned.folder)
            ids = asked(lambda part: desk.analyse(part, SYSTEM_CLOCK.utc()), values)
            with supervisor(config, owned, SYSTEM_CLOCK, once=True, only=frozenset(ids)) as running:
                attend(running)
        _, engine = open_for_reading(folder)
    with engine.begin() as connection:
        entries = [standing.entry(connection, file_id) for file_id in ids]
        found = queries.micrographs(connection, ids)
    if as_json:
        json.dump([micrograph.plain() for micrograph in found], sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print_micrographs(found)
    done = all(entry.state is FileState.DONE for entry in entries)
    return int(Exit.DONE if done else Exit.FAILED)


def asked(ask: Callable[[Mapping[str, Any]], Answer], values: Mapping[str, Any]) -> list[int]:
    """The ids of the files named, in their order, asked for in parts that a desk takes."""
    ids: list[int] = []
    for start in range(0, len(values["paths"]), MOST_PATHS):
        part = {**values, "paths": values["paths"][start : start + MOST_PATHS], "before": ids}
        ids.extend(ask(part)["ids"])
    return ids


def _wait(engine: Engine, ids: Sequence[int], state_folder: Path) -> None:
    """Until the daemon has a verdict on each file.

    Raises:
        DaemonError: it stopped before; the files stay at the head of its queue.
    """
    while True:
        running = is_owned(state_folder)
        with engine.begin() as connection:
            states = (standing.entry(connection, file_id).state for file_id in ids)
            if all(state in VERDICTS for state in states):
                return
        if not running:
            raise DaemonError("the daemon stopped before the files were analysed")
        time.sleep(POLL_SECONDS)
