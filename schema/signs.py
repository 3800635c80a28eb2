"""What an alert asks of the database: what came last, what failed, what was seen; only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, func, or_, select

from schema.fractions import FAULT, NO_FAULT
from schema.records import FileState
from schema.tables import Analysis, AnalysisSummary, Image, Particle, Session, SourceFile

SLOW_WRITERS_ATTEMPTS = 1
"""Failed readings that a slow writer alone can cause: it has finished by the second."""

_FRAMES_AT_ONCE = 200


@dataclass(frozen=True, kw_only=True)
class FieldSeen:
    """One field of view with particles: how many were classified, how many are observable.

    Observable are those whose lattice shows well enough to tell a stacking fault from none.
    """

    classified: int
    observable: int


def newest_file(connection: Connection) -> int:
    """Number of the file that was noticed last, whatever it is; 0 before the first."""
    return connection.execute(select(func.coalesce(func.max(SourceFile.id), 0))).scalar_one()


def failures_since(connection: Connection, since: datetime, refusals: Sequence[str] = ()) -> int:
    """Files that are set aside since then, or could not be read since then, again and again.

    Args:
        connection: open.
        since: aware UTC.
        refusals: codes of refusals that are failures; a spectrum is none.
    """
    failed = or_(
        SourceFile.state == FileState.QUARANTINED,
        (SourceFile.state == FileState.RETRY) & (SourceFile.attempts > SLOW_WRITERS_ATTEMPTS),
        (SourceFile.state == FileState.REFUSED) & SourceFile.error_code.in_(refusals),
    )
    query = (
        select(func.count())
        .select_from(SourceFile)
        .where(SourceFile.finished_at_utc >= since, failed)
    )
    return connection.execute(query).scalar_one()


def latest_fields(
    connection: Connection, number: int, session_uuid: str | None = None
) -> tuple[FieldSeen, ...]:
    """The fields of view analysed last that have classified particles, the newest first.

    Micrographs outside the model's domain, and suspect ones, are passed over. All frames of a
    field count as one, the latest two hundred of them at most.

    Args:
        connection: open.
        number: how many at most.
        session_uuid: of this session alone; None is all.
    """
    fields: dict[int, FieldSeen] = {}
    frames = _latest_frames(connection, number * _FRAMES_AT_ONCE, session_uuid)
    for start in range(0, len(frames), _FRAMES_AT_ONCE):
        part = dict(frames[start : start + _FRAMES_AT_ONCE])
        counts = _classified(connection, list(part))
        for analysis_id, field in part.items():
            found = counts.get(analysis_id)
            if found is None:
                continue
            if field not in fields and len(fields) == number:
                return tuple(fields.values())
            known = fields.get(field, FieldSeen(classified=0, observable=0))
            fields[field] = FieldSeen(
                classified=known.classified + found.classified,
                observable=known.observable + found.observable,
            )
    return tuple(fields.values())


def _latest_frames(
    connection: Connection, limit: int, session_uuid: str | None
) -> list[tuple[int, int]]:
    """Results with particles, the newest first, each with its field of view."""
    query = (
        select(Analysis.id, Image.field_of_view_id)
        .join(Image, Image.id == Analysis.image_id)
        .join(AnalysisSummary, AnalysisSummary.analysis_id == Analysis.id)
        .where(
            Analysis.is_current == 1,
            Analysis.in_domain == 1,
            Image.suspect.is_(None),
            AnalysisSummary.particle_count > 0,
        )
        .order_by(Analysis.id.desc())
        .limit(limit)
    )
    if session_uuid is not None:
        query = (
            query.join(SourceFile, SourceFile.id == Image.source_file_id)
            .join(Session, Session.id == SourceFile.session_id)
            .where(Session.uuid == session_uuid)
        )
    return [(row.id, row.field_of_view_id) for row in connection.execute(query)]


def _classified(connection: Connection, analysis_ids: Sequence[int]) -> dict[int, FieldSeen]:
    """What the particles of these results are; those without a classified one are left out."""
    shows = case((Particle.class_code.in_((FAULT, NO_FAULT)), 1), else_=0)
    query = (
        select(Particle.analysis_id, func.count(), func.sum(shows))
        .where(
            Particle.analysis_id.in_(analysis_ids),
            Particle.excluded.is_(None),
            Particle.class_code.is_not(None),
        )
        .group_by(Particle.analysis_id)
    )
    return {
        analysis_id: FieldSeen(classified=classified, observable=observable)
        for analysis_id, classified, observable in connection.execute(query)
    }
