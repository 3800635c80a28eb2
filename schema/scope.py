"""Which micrographs a question is about, and the part of it that SQL understands."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVarTuple

from sqlalchemy import Select

from schema.records import FileState
from schema.tables import Analysis, Image, Session, SourceFile

Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which micrographs a question is about; None leaves a criterion open.

    `since` is aware UTC and means the time the file was first seen.
    """

    session_uuid: str | None = None
    sample: str | None = None
    run: str | None = None
    since: datetime | None = None


EVERYTHING = Scope()


def in_scope(query: Select[*Ts], scope: Scope) -> Select[*Ts]:
    """The query over current analyses and their images, restricted to the scope."""
    query = (
        query.select_from(Analysis)
        .join(Image, Image.image_key == Analysis.image_key)
        .join(SourceFile, SourceFile.id == Image.source_file_id)
        .outerjoin(Session, Session.id == SourceFile.session_id)
        .where(Analysis.is_current == 1, SourceFile.state != FileState.SUPERSEDED)
    )
    return within(query, scope)


def within(query: Select[*Ts], scope: Scope) -> Select[*Ts]:
    """A query over files and their sessions, restricted to the scope."""
    if scope.session_uuid is not None:
        query = query.where(Session.uuid == scope.session_uuid)
    if scope.sample is not None:
        query = query.where(Session.sample == scope.sample)
    if scope.run is not None:
        query = query.where(Session.run == scope.run)
    if scope.since is not None:
        query = query.where(SourceFile.first_seen_at_utc >= scope.since)
    return query
