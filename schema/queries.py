"""What people and programs ask the database; every function only reads.

Rows come as frozen values or, for the export, as they stand in the view.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, column, func, select, table, text

from schema.choice import DEFAULT_RULES
from schema.columns import AnyRow
from schema.gathering import particles
from schema.records import BundleRecord, FileState
from schema.sample import Particles, counts_for_size
from schema.scope import EVERYTHING, Scope, in_scope
from schema.tables import Analysis, AnalysisSummary, Bundle, Image, Pipeline, SourceFile

_EXPORT_BATCH = 1000
_RESTING = (FileState.DONE, FileState.RETRY, FileState.REFUSED, FileState.QUARANTINED)


@dataclass(frozen=True, kw_only=True)
class MicrographRow:
    """One row of `current_micrograph`, as much of it as a person wants to see."""

    micrograph_id: int | None
    path: bytes
    signal_index: int | None
    frame_index: int | None
    state: str
    width_px: int | None
    height_px: int | None
    pixel_size_nm: float | None
    pixel_size_source: str | None
    imaging_mode: str | None
    in_domain: bool | None
    domain_reason: str | None
    segmented: bool | None
    scale_assumed: bool | None
    suspect: str | None
    particle_count: int | None
    mask_path: str | None
    error_code: str | None
    error_message: str | None

    def plain(self) -> dict[str, Any]:
        """The same for JSON; bytes of the path that are no text are escaped."""
        return asdict(self) | {"path": self.path.decode("utf-8", "backslashreplace")}


@dataclass(frozen=True, kw_only=True)
class RestingFile:
    """A file that has come to rest, with what was found in it.

    `particle_count` is None where nothing was segmented; `reason` says why a file was refused,
    quarantined, is waiting for another attempt, or lies outside the domain of the bundle.
    """

    source_file_id: int
    path: bytes
    state: FileState
    finished_at_utc: datetime
    particle_count: int | None
    median_nm: float | None
    seconds: float | None
    error_code: str | None
    reason: str | None


def resting_files(connection: Connection, limit: int) -> tuple[RestingFile, ...]:
    """The files that came to rest last, the newest first."""
    return _resting(connection, _RESTING, limit)


def problems(connection: Connection, limit: int) -> tuple[RestingFile, ...]:
    """The files that could not be analysed, the newest first."""
    return _resting(connection, tuple(s for s in _RESTING if s is not FileState.DONE), limit)


def finished_since(connection: Connection, since: datetime) -> int:
    """How many files came to a verdict at or after this time."""
    query = (
        select(func.count())
        .select_from(SourceFile)
        .where(SourceFile.finished_at_utc >= since, SourceFile.state != FileState.RETRY)
    )
    return connection.execute(query).scalar_one()


def last_done_at(connection: Connection) -> datetime | None:
    """When the last file was done, None where none was yet."""
    query = (
        select(SourceFile.finished_at_utc)
        .where(SourceFile.state == FileState.DONE, SourceFile.finished_at_utc.is_not(None))
        .order_by(SourceFile.finished_at_utc.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def micrographs(
    connection: Connection, source_file_ids: Sequence[int] | None = None
) -> tuple[MicrographRow, ...]:
    """What stands where: the micrographs of these files, or of all, by path, signal and frame."""
    names = tuple(field.name for field in fields(MicrographRow))
    view = table("current_micrograph", column("source_file_id"), *(column(n) for n in names))
    query = select(*(view.c[name] for name in names)).order_by(
        view.c.path, view.c.signal_index, view.c.frame_index
    )
    if source_file_ids is not None:
        query = query.where(view.c.source_file_id.in_(source_file_ids))
    flags = ("in_domain", "segmented", "scale_assumed")
    rows = (dict(row) for row in connection.execute(query).mappings())
    return tuple(
        MicrographRow(**row | {n: None if row[n] is None else bool(row[n]) for n in flags})
        for row in rows
    )


def newest_bundle(connection: Connection) -> BundleRecord | None:
    """The model that was used last, None before the first result."""
    query = (
        select(Bundle.sha256, Bundle.name, Bundle.version, Bundle.manifest_json)
        .join(Pipeline, Pipeline.bundle_id == Bundle.id)
        .join(Analysis, Analysis.pipeline_id == Pipeline.id)
        .order_by(Analysis.activated_at_utc.desc(), Analysis.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else BundleRecord(**row._mapping)


def view_columns(connection: Connection, view: str) -> tuple[str, ...]:
    """The columns of a view, in their order."""
    query = text("SELECT name FROM pragma_table_info(:view) ORDER BY cid")
    return tuple(connection.execute(query, {"view": view}).scalars())


def export_rows(
    connection: Connection, scope: Scope = EVERYTHING, view: str = "current_particle"
) -> Iterator[tuple[Any, ...]]:
    """The rows of a view, in the order of `view_columns`, without holding them all.

    Raises:
        ValueError: there is no such view.
    """
    if view not in ("current_particle", "current_micrograph"):
        raise ValueError(f"no view {view!r}")
    columns = view_columns(connection, view)
    shown = table(view, *(column(name) for name in columns))
    key = Analysis.id if view == "current_particle" else Image.id
    own = shown.c.analysis_id if view == "current_particle" else shown.c.micrograph_id
    query = select(*shown.c)
    if scope != EVERYTHING:
        query = query.where(own.in_(in_scope(select(key), scope)))
    found = connection.execution_options(yield_per=_EXPORT_BATCH).execute(query)
    for row in found:
        yield tuple(row)


def _resting(
    connection: Connection, states: Sequence[FileState], limit: int
) -> tuple[RestingFile, ...]:
    query = (
        select(
            SourceFile.id,
            SourceFile.path,
            SourceFile.state,
            SourceFile.finished_at_utc,
            SourceFile.error_code,
            SourceFile.error_message,
        )
        .where(SourceFile.state.in_(states), SourceFile.finished_at_utc.is_not(None))
        .order_by(SourceFile.finished_at_utc.desc(), SourceFile.id.desc())
        .limit(limit)
    )
    return tuple(_resting_file(connection, row) for row in connection.execute(query).all())


def _resting_file(connection: Connection, file: AnyRow) -> RestingFile:
    query = (
        select(
            Analysis.id,
            Analysis.segmented,
            Analysis.seconds,
            Analysis.domain_reason,
            AnalysisSummary.particle_count,
        )
        .join(Image, Image.image_key == Analysis.image_key)
        .join(AnalysisSummary, AnalysisSummary.analysis_id == Analysis.id)
        .where(Image.source_file_id == file.id, Analysis.is_current == 1)
        .distinct()
    )
    found = connection.execute(query).all() if file.state == FileState.DONE else []
    segmented = [row for row in found if row.segmented]
    reasons = (row.domain_reason for row in found if row.domain_reason is not None)
    return RestingFile(
        source_file_id=file.id,
        path=file.path,
        state=FileState(file.state),
        finished_at_utc=file.finished_at_utc,
        particle_count=sum(row.particle_count for row in segmented) if segmented else None,
        median_nm=_median_nm(particles(connection, [row.id for row in segmented])),
        seconds=sum(row.seconds for row in found) if found else None,
        error_code=file.error_code,
        reason=file.error_message or next(reasons, None),
    )


def _median_nm(found: Particles) -> float | None:
    sizes = found.table["diameter_nm"][counts_for_size(found.table, DEFAULT_RULES)]
    return float(np.median(sizes)) if sizes.size else None
