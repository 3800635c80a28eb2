"""Sessions at the microscope: a row each, and a file each from which `rebuild` restores it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from schema.columns import AnyRow
from schema.durable import replacing
from schema.errors import SchemaError
from schema.records import SessionRecord
from schema.serial import from_json, to_json
from schema.state import StateFolder
from schema.tables import Session


def start(connection: Connection, session: SessionRecord) -> int:
    """The id of a new session; the one that was open ends when this one starts."""
    _end_open(connection, session.started_at_utc)
    values = {name: getattr(session, name) for name in SessionRecord.__dataclass_fields__}
    key = connection.execute(insert(Session).values(**values)).inserted_primary_key
    if key is None:
        raise SchemaError("no row was made for the session")
    return int(key[0])


def restore(connection: Connection, session: SessionRecord) -> None:
    """The row of a session as its file has it."""
    values = {name: getattr(session, name) for name in SessionRecord.__dataclass_fields__}
    connection.execute(insert(Session).values(**values))


def find_uuid(connection: Connection, uuid: str | None) -> int | None:
    """The id of the session with this uuid, None where there is none."""
    if uuid is None:
        return None
    return connection.execute(select(Session.id).where(Session.uuid == uuid)).scalar()


def end(connection: Connection, now: datetime) -> SessionRecord | None:
    """The session that was open and ends now, None where none was."""
    found = open_session(connection)
    if found is None:
        return None
    _end_open(connection, now)
    return replace(found[1], ended_at_utc=max(now, found[1].started_at_utc))


def open_session(connection: Connection) -> tuple[int, SessionRecord] | None:
    """Id and record of the session that has not ended, None where there is none."""
    query = select(*Session.__table__.columns).where(Session.ended_at_utc.is_(None))
    row = connection.execute(query.order_by(Session.id.desc()).limit(1)).one_or_none()
    return None if row is None else (row.id, _record(row))


def find(connection: Connection, session_id: int) -> SessionRecord:
    """The session with this id.

    Raises:
        SchemaError: there is none.
    """
    query = select(*Session.__table__.columns).where(Session.id == session_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise SchemaError(f"no session {session_id}")
    return _record(row)


def all_sessions(connection: Connection) -> tuple[SessionRecord, ...]:
    """Every session, the newest last."""
    query = select(*Session.__table__.columns).order_by(Session.started_at_utc, Session.id)
    return tuple(_record(row) for row in connection.execute(query))


def write_file(state: StateFolder, session: SessionRecord) -> Path:
    """The file of a session, durable; write it before its row is committed."""
    final = state.sessions / f"{UUID(session.uuid)}.json"
    with replacing(final) as unfinished:
        unfinished.write_text(to_json(session) + "\n", encoding="ascii")
    return final


def read_files(state: StateFolder) -> Sequence[SessionRecord]:
    """The sessions that have a file, by start.

    Raises:
        SchemaError: a file is damaged.
    """
    paths = sorted(state.sessions.glob("[!.]*.json"))
    return sorted((_read(path) for path in paths), key=lambda session: session.started_at_utc)


def _read(path: Path) -> SessionRecord:
    try:
        return from_json(SessionRecord, path.read_text(encoding="ascii"))
    except (ValueError, KeyError, TypeError) as error:
        raise SchemaError(f"{path.name} holds no session") from error


def _end_open(connection: Connection, now: datetime) -> None:
    found = open_session(connection)
    if found is None:
        return
    ended = max(now, found[1].started_at_utc)
    connection.execute(
        update(Session).where(Session.ended_at_utc.is_(None)).values(ended_at_utc=ended)
    )


def _record(row: AnyRow) -> SessionRecord:
    return SessionRecord(
        **{name: getattr(row, name) for name in SessionRecord.__dataclass_fields__}
    )
