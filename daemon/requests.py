"""How other commands reach a running daemon: small files in a folder, and an answer beside each.

A request is written under a temporary name and renamed, so the daemon never reads half of one. It
needs no socket, works for every user who may write to the folder, and survives a restart.

Whoever may ask is not trusted beyond that: no link in the folder is followed, no name in it that
somebody may have laid ready is written to, and what is no regular file is not waited for.
"""

import contextlib
import json
import logging
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.errors import DaemonError

log = logging.getLogger(__name__)

FOLDER_MODE = 0o770
FILE_MODE = 0o660
MAX_REQUEST_BYTES = 2**20
MAX_ANSWER_BYTES = 2**26
TEMPORARY = ".tmp"
STALE_ANSWER_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """One wish: `kind` names the verb, `values` its arguments."""

    path: Path
    kind: str
    values: Mapping[str, Any]


def folder_of(state_folder: Path) -> Path:
    """Where requests lie."""
    return state_folder / "requests"


def open_folder(state_folder: Path) -> None:
    """Make the folder where it is missing: who may read the results may ask, too (decision 4).

    Raises:
        OSError: it cannot be made.
    """
    folder = folder_of(state_folder)
    if not folder.is_dir():
        folder.mkdir()
        folder.chmod(FOLDER_MODE)


def ask(
    state_folder: Path, kind: str, values: Mapping[str, Any], wait_seconds: float = 15.0
) -> Mapping[str, Any]:
    """Leave a request and wait for the daemon's answer.

    Raises:
        DaemonError: no answer came in time, or the daemon declined.
    """
    folder = folder_of(state_folder)
    name = uuid.uuid4().hex
    target = folder / f"{name}.json"
    _write(target, {"kind": kind, "values": dict(values)})
    answer_path = folder / f"{name}.answer"
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline:
        if os.path.lexists(answer_path):
            try:
                answer = _document(answer_path, MAX_ANSWER_BYTES)
            except (OSError, ValueError, TypeError) as error:
                raise DaemonError(f"the answer cannot be read: {error}") from error
            answer_path.unlink(missing_ok=True)
            if "error" in answer:
                raise DaemonError(str(answer["error"]))
            return answer
        time.sleep(0.05)
    target.unlink(missing_ok=True)
    raise DaemonError(f"the running daemon did not answer within {wait_seconds:.0f} s")


def pending(state_folder: Path) -> Iterator[Request]:
    """Requests that wait, oldest first; an unreadable one is answered with why."""
    for path in _waiting(folder_of(state_folder)):
        try:
            request = _read(path)
        except FileNotFoundError:  # whoever asked has given up
            continue
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            _answer(path, {"error": f"the request cannot be read: {error}"})
        else:
            yield request


def serve(request: Request, verb: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Do what is asked and leave the answer; a plain refusal is an answer too."""
    try:
        answer = verb(request.values)
    except DaemonError as error:
        answer = {"error": str(error)}
    except Exception as error:  # what one person asks must not end the daemon
        log.exception("the request %r could not be served", request.kind)
        answer = {"error": f"the request failed: {type(error).__name__}: {error}"}
    _answer(request.path, answer)


def sweep(state_folder: Path, now: float) -> None:
    """Remove answers nobody fetched, and what was cut short; `now` in s since the epoch."""
    for pattern in ("*.answer", f".*{TEMPORARY}"):
        for path in folder_of(state_folder).glob(pattern):
            with contextlib.suppress(OSError):  # others may write here, and lay what they like
                if now - path.lstat().st_mtime > STALE_ANSWER_SECONDS:
                    path.unlink()


def _waiting(folder: Path) -> list[Path]:
    """Request files, oldest first; anything else that lies there is let lie."""
    found: list[tuple[int, Path]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith(".json"):
                continue
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    found.append((status.st_mtime_ns, folder / entry.name))
    return [path for _, path in sorted(found)]


def _read(path: Path) -> Request:
    document = _document(path, MAX_REQUEST_BYTES)
    return Request(path=path, kind=str(document["kind"]), values=dict(document["values"]))


def _document(path: Path, most_bytes: int) -> dict[str, Any]:
    """What stands in a regular file of this name, which may be exchanged at any moment.

    Raises:
        OSError: it is a link, or cannot be read.
        ValueError: it is no regular file, too long, or no JSON.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError("it is too long")
    return dict(json.loads(content))


def _answer(path: Path, answer: Mapping[str, Any]) -> None:
    """Answer, once: a full disk may keep the answer from its reader, never the daemon from work."""
    try:
        _write(path.with_suffix(".answer"), answer)
        path.unlink(missing_ok=True)
    except (DaemonError, OSError) as error:
        log.warning("a request could not be answered: %s", error)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _write(target: Path, document: Mapping[str, Any]) -> None:
    """Whole or not at all, and readable by the other side: both are in the group of the folder."""
    temporary = target.with_name(f".{uuid.uuid4().hex}{TEMPORARY}")
    try:
        # A new file under a name that nobody can know before: never one that lies there.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(document))
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, -1, target.parent.stat().st_gid)
            os.fchmod(descriptor, FILE_MODE)
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise DaemonError(f"cannot write to {target.parent}: {error.strerror}") from error
