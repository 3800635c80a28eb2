"""What people may ask of the owner of a state folder, whether it runs as a daemon or not."""

import os
import re
import stat
import time
import uuid
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine

from daemon.bounded import DoesNotAnswer, within
from daemon.config import LARGEST_PIXEL_NM
from daemon.errors import DaemonError, Misused
from daemon.names import printable
from daemon.walk import named
from schema import ledger, sessions, sightings, standing
from schema.records import ArrivalRecord, FileState, SessionRecord
from schema.state import StateFolder

BY_HAND_PRIORITY = 10
MOST_PATHS = 200  # a daemon listens to nothing else while it looks at them
ANSWER_SECONDS = 5.0
LARGEST_UNCERTAINTY_PERCENT = 50.0

_FORMULA = re.compile(r"([A-Z][a-z]?[0-9]*)+")

Answer = Mapping[str, Any]


class Desk:
    """The verbs of requests; each is one transaction.

    Args:
        engine: of the database this process owns.
        state: the state folder.
        session_changed: called with the session that is open after a change.
    """

    def __init__(
        self,
        engine: Engine,
        state: StateFolder,
        session_changed: Callable[[tuple[int, SessionRecord] | None], None] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._state = state
        self._session_changed = session_changed

    def serve(self, kind: str, now: datetime, values: Mapping[str, Any], key: str = "") -> Answer:
        """Do what is asked; asked again under the same key, it is not done twice.

        Raises:
            DaemonError: it cannot be done, and why.
        """
        verbs = {
            "session_start": self.start_session,
            "session_end": self.end_session,
            "analyse": self.analyse,
            "retry": self.retry,
        }
        if kind not in verbs:
            raise DaemonError(f"this daemon does not know the request {kind!r}")
        return verbs[kind]({**values, "key": key}, now)

    def start_session(self, values: Mapping[str, Any], now: datetime) -> Answer:
        """Open a session; one that is open ends now."""
        folder = values.get("folder")
        key = _uuid(values)
        with self._engine.begin() as connection:
            if (started := sessions.find_uuid(connection, key)) is not None:  # and never answered
                return {"uuid": key, "name": sessions.find(connection, started).name}
        session = SessionRecord(
            uuid=key,
            name=_name(values),
            started_at_utc=now,
            sample=_text(values, "sample"),
            material=_material(values),
            pixel_size_uncertainty=_uncertainty(values),
            run=_text(values, "run"),
            operator=_text(values, "operator"),
            instrument=_text(values, "instrument"),
            folder=None if folder is None else os.fsencode(folder),
        )
        with self._engine.begin() as connection:
            ended = sessions.end(connection, now)
            if ended is not None:
                sessions.write_file(self._state, ended)
            sessions.write_file(self._state, session)
            sessions.start(connection, session)
            opened = sessions.open_session(connection)
        self._session_changed(opened)
        return {"uuid": session.uuid, "name": session.name}

    def end_session(self, values: Mapping[str, Any], now: datetime) -> Answer:
        """Close the open session; where a uuid is given, only that one."""
        with self._engine.begin() as connection:
            opened = sessions.open_session(connection)
            if opened is not None and values.get("uuid") not in (None, opened[1].uuid):
                raise DaemonError("another session is open by now")
            ended = sessions.end(connection, now)
            if ended is None:
                raise DaemonError("no session is open")
            sessions.write_file(self._state, ended)
        self._session_changed(None)
        return {"uuid": ended.uuid, "name": ended.name}

    def analyse(self, values: Mapping[str, Any], now: datetime) -> Answer:
        """Put files named by hand at the head of the queue; their ids, in their order.

        `before`: ids that were asked for just before, as parts of the same wish. They go on.
        """
        forced = bool(values.get("force", False))
        size = values.get("pixel_size_nm")
        if size is not None and not 0 < float(size) < LARGEST_PIXEL_NM:
            raise Misused(f"a pixel size of {size} nm makes no sense")
        paths = [os.fsencode(path) for path in values["paths"]]
        if len(paths) > MOST_PATHS:
            words = f"a request may name at most {MOST_PATHS} files, not {len(paths)}"
            raise Misused(f"{words}: ask for them in several")
        arrivals = _looked_at(paths)
        with self._engine.begin() as connection:
            before = frozenset(values.get("before", ()))
            ids = _take_in(connection, arrivals, before, now)
            said = ledger.ByHand(
                priority=BY_HAND_PRIORITY,
                forced=forced,
                pixel_size_nm=None if size is None else float(size),
            )
            ledger.reopen(connection, set(ids) - before, now=now, by_hand=said)
        return {"ids": ids}

    def retry(self, values: Mapping[str, Any], now: datetime) -> Answer:
        """Try quarantined, refused and waiting files again: those named, or all of them."""
        with self._engine.begin() as connection:
            paths = frozenset(os.fsencode(path) for path in values.get("paths", ()))
            ids = standing.failed(connection, paths or None)
            count = ledger.reopen(connection, ids, now=now)
        return {"count": count}


def _looked_at(paths: Sequence[bytes]) -> list[ArrivalRecord]:
    """The files named by hand, in their order.

    Raises:
        DaemonError: one is not there, or its folder does not answer.
        Misused: one is no regular file.
    """
    folders: dict[bytes, list[bytes]] = {}
    for path in paths:
        folders.setdefault(os.path.dirname(path), []).append(path)
    found: dict[bytes, ArrivalRecord] = {}
    until = time.monotonic() + ANSWER_SECONDS
    for folder, its in folders.items():
        look = partial(_look_into, folder, its)
        try:
            found |= within(until - time.monotonic(), look)
        except DoesNotAnswer as error:
            words = f"the folder {printable(folder)} does not answer"
            raise DaemonError(f"{words}; its files were not taken up") from error
    return [found[path] for path in paths]


def _look_into(folder: bytes, paths: Sequence[bytes]) -> dict[bytes, ArrivalRecord]:
    """Files of one folder, by their paths; it may take for ever."""
    arrivals: dict[bytes, ArrivalRecord] = {}
    path = paths[0]
    try:
        found = named(folder, [os.path.basename(path) for path in paths])
        for path in paths:
            if isinstance(arrival := found[os.path.basename(path)], OSError):
                raise arrival
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise Misused(f"{printable(path)} is not a regular file")
            arrivals[path] = arrival
    except OSError as error:
        raise DaemonError(f"{printable(path)}: {error.strerror}") from error
    return arrivals


def _take_in(
    connection: Connection, arrivals: Sequence[ArrivalRecord], before: Set[int], now: datetime
) -> list[int]:
    """The ids of the files' rows, in their order.

    Raises:
        DaemonError: a process has one of them in hand that was not asked for before.
    """
    opened = sessions.open_session(connection)
    each = list({arrival.path: arrival for arrival in arrivals}.values())
    found = sightings.observe(connection, each, opened[0] if opened else None, now)
    for sighting in found:
        is_ours = sighting.source_file_id in before
        if sighting.state is FileState.PROCESSING and not is_ours:
            raise DaemonError(f"{printable(sighting.path)} is being analysed right now")
    ids = {sighting.path: sighting.source_file_id for sighting in found}
    return [ids[arrival.path] for arrival in arrivals]


def _uuid(values: Mapping[str, Any]) -> str:
    """The key of the request, which a daemon that was killed finds again; else a new one."""
    try:
        return str(uuid.UUID(values.get("key", "")))
    except ValueError:
        return str(uuid.uuid4())


def _name(values: Mapping[str, Any]) -> str:
    name = _text(values, "name")
    if not name:
        raise Misused("a session needs a name")
    return name


def _material(values: Mapping[str, Any]) -> str | None:
    """The formula of the particles, by which it is known whether the model knows them."""
    material = _text(values, "material")
    if material and not _FORMULA.fullmatch(material):
        raise Misused(f"{material!r} is no formula of a material, such as Au or CdSe")
    return material or None


def _uncertainty(values: Mapping[str, Any]) -> float | None:
    """Half the 95 % interval of the pixel size as a share of it, from percent."""
    percent = values.get("pixel_size_uncertainty_percent")
    if percent is None:
        return None
    if type(percent) not in (int, float) or not 0 < percent < LARGEST_UNCERTAINTY_PERCENT:
        raise Misused(f"a pixel size is not known to ±{percent} %")
    return float(percent) / 100


def _text(values: Mapping[str, Any], key: str) -> str | None:
    """A value as text that a database can hold; bytes of a terminal that are none are shown."""
    value = values.get(key)
    return None if value is None else printable(str(value))
