"""The watched folders as they were last there, so that an absent share is known for what it is."""

from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from schema.records import WatchedFolderRecord
from schema.tables import WatchedFolder


def remember(connection: Connection, folder: WatchedFolderRecord, now: datetime) -> None:
    """Write down where a folder was found; what was known of it before is forgotten."""
    values = {
        "path": folder.path,
        "mount_point": folder.mount_point,
        "mount_source": folder.mount_source,
        "seen_at_utc": now,
    }
    statement = insert(WatchedFolder).values(configured=folder.configured, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=[WatchedFolder.configured], set_=values)
    )


def remembered(connection: Connection, configured: bytes) -> WatchedFolderRecord | None:
    """Where the folder of this name in the configuration was last; None where it never was."""
    columns = [getattr(WatchedFolder, field.name) for field in fields(WatchedFolderRecord)]
    query = select(*columns).where(WatchedFolder.configured == configured)
    row = connection.execute(query).one_or_none()
    return None if row is None else WatchedFolderRecord(**row._mapping)


def known_folders(connection: Connection) -> tuple[bytes, ...]:
    """Every folder that was ever watched, as it was last found."""
    return tuple(connection.execute(select(WatchedFolder.path)).scalars())
