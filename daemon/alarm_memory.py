"""What people were told of, kept in the state folder.

So a daemon that is started again and again does not repeat itself.
"""

import contextlib
import json
import logging
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from daemon.alarms import Alarm, AlarmKind, Memory
from schema.durable import replacing
from schema.state import StateFolder

log = logging.getLogger(__name__)


def path_of(state: StateFolder) -> Path:
    """The file."""
    return state.path / "alerts.json"


def remembered(state: StateFolder) -> Memory:
    """What was kept; nothing where there is no file, or it is damaged."""
    path = path_of(state)
    try:
        return read(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s is passed over, alerts may be repeated: %s", path, error)
        return {}


def keep(state: StateFolder, memory: Memory) -> None:
    """Keep it, durably. A full disk is no reason to be silent about the disk: it is then lost."""
    with contextlib.suppress(OSError), replacing(path_of(state)) as unfinished:
        unfinished.write_text(written(memory), encoding="ascii")


def written(memory: Memory) -> str:
    """The memory as JSON, ASCII."""
    document = {kind: asdict(alarm) for kind, alarm in memory.items()}
    return json.dumps(document, default=datetime.isoformat)


def read(text: str) -> Memory:
    """What `written` wrote.

    Raises:
        ValueError: it did not.
    """
    try:
        return {AlarmKind(kind): _alarm(values) for kind, values in json.loads(text).items()}
    except (TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"no memory of alerts: {error}") from error


def _alarm(values: dict[str, str | bool | None]) -> Alarm:
    since, told_at = _moment(values["since"]), _moment(values["told_at"])
    return Alarm(since=since, told=values["told"] is True, told_at=told_at)


def _moment(text: str | bool | None) -> datetime | None:
    """Aware, as every time that is compared with it.

    Raises:
        ValueError, TypeError: it is none.
    """
    if text is None:
        return None
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment
