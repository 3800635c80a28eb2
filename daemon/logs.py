"""Log lines: text for people, JSON for journald and files, none of them a flood.

A line about a file carries `source_file_id`, a line about a result `analysis_id` as well:

    log = file_log(logging.getLogger(__name__), source_file_id=12)
    log.info("analysed %s: %d particles in %.1f s", name, count, seconds)

Other fields (`state`, `attempt`, `code`) come through `extra`. Messages are escaped on their way
out, because they quote names that anybody with a camera may choose.
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Literal

from rich.text import Text

from daemon.names import printable

LogStyle = Literal["text", "json"]

ROOMS = ("analysis", "schema", "daemon")
FIELDS = ("source_file_id", "analysis_id", "state", "attempt", "code")
FILE_BYTES = 10_000_000  # five of them hold about 200,000 micrographs
FILE_COUNT = 5


class FileLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose every line carries the ids of the file and of the result it is about."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Join the ids to the fields of this one call."""
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs

    def about(self, analysis_id: int) -> "FileLog":
        """The same logger, for lines about one result of the file."""
        return FileLog(self.logger, {**(self.extra or {}), "analysis_id": analysis_id})


def file_log(log: logging.Logger, source_file_id: int, analysis_id: int | None = None) -> FileLog:
    """A logger for the lines about one source file, and about one result where that is known."""
    ids = {"source_file_id": source_file_id}
    return FileLog(log, ids if analysis_id is None else {**ids, "analysis_id": analysis_id})


class TextLines(logging.Formatter):
    """Local time, level, room, message, `[file 12]`; one line, a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        local = datetime.fromtimestamp(record.created, UTC).astimezone()
        room = record.name.rpartition(".")[2]
        start = f"{local:%Y-%m-%d %H:%M:%S} {record.levelname:<7} {room}"
        line = f"{start}: {_message(record)}{_ids(record)}"
        trace = _traceback(record)
        return f"{line}\n{trace}" if trace else line


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, the ids (null where none)."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of ASCII JSON."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage() + getattr(record, "repeats", ""),
            "source_file_id": None,
            "analysis_id": None,
        }
        fields |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if trace := _traceback(record):
            fields["traceback"] = trace
        return json.dumps(fields, default=str)


@dataclass(slots=True)
class _Repeats:
    since: float
    passed: int = 0
    held: int = 0


class RepeatLimit(logging.Filter):
    """Let a warning through a few times a minute; then hold it, and say how many were held.

    Warnings are the same if logger, message template and error code are. The clock is the
    record's own. Lines below WARNING pass: there is one for each micrograph.
    """

    def __init__(self, burst: int = 5, period_seconds: float = 60.0, kinds: int = 1000) -> None:
        super().__init__()
        self._burst = burst
        self._period_seconds = period_seconds
        self._kinds = kinds
        self._repeats: dict[tuple[object, ...], _Repeats] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is to be seen."""
        if record.levelno < logging.WARNING:
            return True
        key = (record.name, record.levelno, str(record.msg), getattr(record, "code", None))
        repeats = self._repeats.get(key)
        if repeats is None or record.created - repeats.since >= self._period_seconds:
            held = repeats.held if repeats else 0
            record.repeats = f" (and {held} more like it before)" if held else ""
            if len(self._repeats) >= self._kinds:
                self._repeats.clear()
            repeats = self._repeats[key] = _Repeats(since=record.created)
        if repeats.passed < self._burst:
            repeats.passed += 1
            return True
        repeats.held += 1
        return False


class ViewLines(logging.Handler):
    """Hand lines to a live view, so that they scroll by above it."""

    _STYLES: Mapping[str, str] = {"WARNING": "yellow", "ERROR": "bold", "CRITICAL": "bold"}

    def __init__(self, say: Callable[[Text], None], level: int) -> None:
        super().__init__(level)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on one record; a view that is gone is no reason to stop."""
        try:
            self._say(Text(self.format(record), style=self._STYLES.get(record.levelname, "")))
        except Exception:  # noqa: BLE001 - logging's own rule: a handler never raises
            self.handleError(record)


def set_up(
    *,
    style: LogStyle = "text",
    level: int = logging.INFO,
    say: Callable[[Text], None] | None = None,
    file: Path | None = None,
) -> None:
    """Send log lines where they belong; called once, at start, and again replaces the first.

    Without a live view every line goes to stderr in `style`. With one, only warnings are shown,
    handed to its `say`. A file, where configured, gets every line as JSON and is kept below 50 MB.
    Other libraries are heard from WARNING on.
    """
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in _handlers(style, say, file):
        handler.addFilter(RepeatLimit())
        root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for room in ROOMS:
        logging.getLogger(room).setLevel(level)
    logging.captureWarnings(True)


def _handlers(
    style: LogStyle, say: Callable[[Text], None] | None, file: Path | None
) -> list[logging.Handler]:
    first: logging.Handler
    if say is None:
        first = logging.StreamHandler(sys.stderr)
        first.setFormatter(JsonLines() if style == "json" else TextLines())
    else:
        first = ViewLines(say, logging.WARNING)
        first.setFormatter(TextLines())
    if file is None:
        return [first]
    second = RotatingFileHandler(
        file, maxBytes=FILE_BYTES, backupCount=FILE_COUNT - 1, encoding="utf-8", delay=True
    )
    second.setFormatter(JsonLines())
    return [first, second]


def _message(record: logging.LogRecord) -> str:
    return printable(record.getMessage()) + getattr(record, "repeats", "")


def _ids(record: logging.LogRecord) -> str:
    named = (("file", "source_file_id"), ("analysis", "analysis_id"), ("", "code"))
    parts = [
        f"{word} {getattr(record, name)}".strip() for word, name in named if hasattr(record, name)
    ]
    return f" [{', '.join(parts)}]" if parts else ""


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    trace = logging.Formatter().formatException(record.exc_info)
    return "\n".join(printable(line) for line in trace.splitlines())
