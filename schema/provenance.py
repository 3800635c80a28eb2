"""Where the figures of a selection come from: files, calibration, instrument, sessions, pipelines.

Every function only reads; what differs from file to file is counted and one example of it given.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Connection, Select, case, distinct, func, select
from sqlalchemy.orm import InstrumentedAttribute

from schema.records import FileState, PipelineRecord, SessionRecord
from schema.scope import Scope, in_scope, within
from schema.sessions import all_sessions
from schema.tables import Analysis, Bundle, Image, Pipeline, Session, SourceFile

Ts = TypeVarTuple("Ts")

Span = tuple[datetime, datetime]

_MICROGRAPHS = func.count(distinct(Analysis.id))

_STATED = (
    ("high tension", "kV", Image.high_tension_kv),
    ("magnification", "×", Image.magnification),
    ("exposure", "s", Image.exposure_s),
    ("dose", "e/Å²", Image.dose_e_per_a2),
    ("defocus", "nm", Image.defocus_nm),
)
_NAMED = (
    ("instrument", Image.instrument),
    ("detector", Image.detector),
    ("imaging mode", Image.imaging_mode),
)


@dataclass(frozen=True, kw_only=True)
class FileGroup:
    """Files in one state for one reason; `example` is what was said of one of them."""

    state: FileState
    code: str | None
    count: int
    example: str | None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Micrographs whose pixel size comes from one source, and the range of it in nm."""

    source: str
    micrographs: int
    lowest_nm: float | None
    highest_nm: float | None


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What so many micrographs state of their acquisition: a range of numbers, or names."""

    name: str
    micrographs: int
    unit: str = ""
    lowest: float | None = None
    highest: float | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """How many micrographs have a result, and how many of these have which flaw, with an example.

    `scale_assumed`: measured in pixels, as no pixel size is known. `not_segmented`: nothing was
    looked for in them.
    """

    micrographs: int
    out_of_domain: int
    out_of_domain_example: str | None
    suspect: int
    suspect_example: str | None
    scale_assumed: int
    not_segmented: int


@dataclass(frozen=True, kw_only=True)
class PipelineUse:
    """A pipeline, its model, and the micrographs whose current result it made."""

    pipeline: PipelineRecord
    bundle: str
    micrographs: int


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """All of it for one selection.

    `seen_utc`: when its first and its last file were first seen. `acquired_utc`: of the first and
    the last micrograph that state a zone; `acquired_local`: by the clock of the microscope.
    `software` and `devices`: with the number of results.
    """

    files: tuple[FileGroup, ...]
    seen_utc: Span | None
    acquired_utc: Span | None
    acquired_local: Span | None
    sessions: tuple[SessionRecord, ...]
    verdicts: Verdicts
    calibrations: tuple[Calibration, ...]
    acquisition: tuple[Stated, ...]
    pipelines: tuple[PipelineUse, ...]
    software: tuple[tuple[str, int], ...]
    devices: tuple[tuple[str, int], ...]

    @property
    def seen(self) -> int:
        """Files, whatever became of them."""
        return sum(group.count for group in self.files)


def provenance(connection: Connection, scope: Scope) -> Provenance:
    """Where the figures of these micrographs come from."""
    return Provenance(
        files=_files(connection, scope),
        seen_utc=_span(connection, _files_in(_ends(SourceFile.first_seen_at_utc), scope)),
        acquired_utc=_span(connection, in_scope(_ends(Image.acquired_at_utc), scope)),
        acquired_local=_span(connection, in_scope(_ends(Image.acquired_local), scope)),
        sessions=_sessions(connection, scope),
        verdicts=_verdicts(connection, scope),
        calibrations=_calibrations(connection, scope),
        acquisition=(*_ranges(connection, scope), *_names(connection, scope)),
        pipelines=_pipelines(connection, scope),
        software=_counted(connection, scope, Analysis.software_version),
        devices=_counted(connection, scope, Analysis.device),
    )


def _files_in(query: Select[*Ts], scope: Scope) -> Select[*Ts]:
    """The query over the newest revision of every file, restricted to the scope."""
    query = query.select_from(SourceFile).outerjoin(Session, Session.id == SourceFile.session_id)
    return within(query.where(SourceFile.state != FileState.SUPERSEDED), scope)


def _ends(moment: InstrumentedAttribute[Any]) -> Select[Any, Any]:
    return select(func.min(moment), func.max(moment))


def _span(connection: Connection, query: Select[Any, Any]) -> Span | None:
    first, last = connection.execute(query).one()
    return None if first is None or last is None else (first, last)


def _files(connection: Connection, scope: Scope) -> tuple[FileGroup, ...]:
    """In the order of the states."""
    query = _files_in(
        select(
            SourceFile.state,
            SourceFile.error_code,
            func.count(),
            func.min(SourceFile.error_message),
        ),
        scope,
    ).group_by(SourceFile.state, SourceFile.error_code)
    groups = [
        FileGroup(state=FileState(state), code=code, count=count, example=example)
        for state, code, count, example in connection.execute(query)
    ]
    order = list(FileState)
    return tuple(sorted(groups, key=lambda each: (order.index(each.state), each.code or "")))


def _sessions(connection: Connection, scope: Scope) -> tuple[SessionRecord, ...]:
    query = _files_in(select(Session.uuid).distinct(), scope)
    uuids = set(connection.execute(query).scalars())
    return tuple(session for session in all_sessions(connection) if session.uuid in uuids)


def _verdicts(connection: Connection, scope: Scope) -> Verdicts:
    def those(flawed: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(distinct(case((flawed, Analysis.id))))

    query = in_scope(
        select(
            _MICROGRAPHS.label("micrographs"),
            those(Analysis.in_domain == 0).label("out_of_domain"),
            func.min(Analysis.domain_reason).label("out_of_domain_example"),
            those(Image.suspect.is_not(None)).label("suspect"),
            func.min(Image.suspect).label("suspect_example"),
            those(Analysis.scale_assumed == 1).label("scale_assumed"),
            those(Analysis.segmented == 0).label("not_segmented"),
        ),
        scope,
    )
    return Verdicts(**connection.execute(query).one()._mapping)


def _calibrations(connection: Connection, scope: Scope) -> tuple[Calibration, ...]:
    query = in_scope(
        select(
            Image.pixel_size_source.label("source"),
            _MICROGRAPHS.label("micrographs"),
            func.min(Image.pixel_size_nm).label("lowest_nm"),
            func.max(Image.pixel_size_nm).label("highest_nm"),
        ),
        scope,
    ).group_by(Image.pixel_size_source)
    return tuple(Calibration(**row._mapping) for row in connection.execute(query))


def _ranges(connection: Connection, scope: Scope) -> Iterator[Stated]:
    for name, unit, column in _STATED:
        query = in_scope(select(_MICROGRAPHS, func.min(column), func.max(column)), scope)
        count, lowest, highest = connection.execute(query.where(column.is_not(None))).one()
        if count:
            yield Stated(name=name, micrographs=count, unit=unit, lowest=lowest, highest=highest)


def _names(connection: Connection, scope: Scope) -> Iterator[Stated]:
    for name, column in _NAMED:
        found = _counted(connection, scope, column)
        names = tuple(str(each) for each, _ in found)
        if names:
            total = sum(count for _, count in found)
            yield Stated(name=name, micrographs=total, names=names)


def _counted(
    connection: Connection, scope: Scope, column: InstrumentedAttribute[Any]
) -> tuple[tuple[str, int], ...]:
    """What stands in a column of how many micrographs, the most frequent first."""
    query = in_scope(select(column, _MICROGRAPHS), scope).where(column.is_not(None))
    found = connection.execute(query.group_by(column).order_by(_MICROGRAPHS.desc(), column))
    return tuple((str(value), count) for value, count in found)


def _pipelines(connection: Connection, scope: Scope) -> tuple[PipelineUse, ...]:
    """The one with the newest result first."""
    query = (
        in_scope(
            select(
                Pipeline.fingerprint,
                Bundle.sha256.label("bundle_sha256"),
                Pipeline.settings_json,
                Pipeline.analysis_version,
                Pipeline.feature_set_version,
                Bundle.name.label("bundle"),
                _MICROGRAPHS.label("micrographs"),
            ),
            scope,
        )
        .join(Pipeline, Pipeline.id == Analysis.pipeline_id)
        .join(Bundle, Bundle.id == Pipeline.bundle_id)
        .group_by(Pipeline.id)
        .order_by(func.max(Analysis.activated_at_utc).desc(), Pipeline.id)
    )
    found = [dict(row._mapping) for row in connection.execute(query)]
    return tuple(
        PipelineUse(
            bundle=row.pop("bundle"),
            micrographs=row.pop("micrographs"),
            pipeline=PipelineRecord(**row),
        )
        for row in found
    )
