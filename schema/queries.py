"""What people and programs ask the database; every function only reads.

Rows come as frozen values or, for the export, as they stand in the view.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, TypeVarTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, column, func, select, table, text

from schema.choice import DEFAULT_RULES, Result, Rules, choose
from schema.classifier import classifier_of
from schema.columns import AnyRow
from schema.correlation import Relations, relations
from schema.engine import driver_connection
from schema.population import Population, describe
from schema.records import BundleRecord, FileState
from schema.sample import Particles, counts_for_size, is_counted, sample
from schema.summaries import unpacked
from schema.tables import Analysis, AnalysisSummary, Bundle, Image, Pipeline, Session, SourceFile

Ts = TypeVarTuple("Ts")

_EXPORT_BATCH = 1000
_PACKED = """
    SELECT packed FROM json_each(?) JOIN analysis_summary ON analysis_id = value ORDER BY key
"""
RANKED = (
    "equivalent_diameter_nm",
    "aspect_ratio",
    "circularity",
    "p_stacking_fault",
    "reflection_strength",
    "bragg_fraction",
    "lattice_cover",
    "disorder_mean",
)
"""Columns of the rank correlations: size, shape, class and lattice."""

_RESTING = (FileState.DONE, FileState.RETRY, FileState.REFUSED, FileState.QUARANTINED)


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


def results(connection: Connection, scope: Scope = EVERYTHING) -> tuple[Result, ...]:
    """The current result of every picture, each once, without its particles."""
    shown = _shown(scope).subquery()
    query = (
        select(
            Analysis.id.label("analysis_id"),
            Image.id.label("micrograph_id"),
            Image.field_of_view_id,
            Image.pixel_sha256,
            Pipeline.fingerprint.label("pipeline_fingerprint"),
            Analysis.activated_at_utc,
            SourceFile.first_seen_at_utc,
            Analysis.in_domain,
            Image.suspect,
            Image.is_sum,
            Image.signal_index,
            Image.frame_index,
            Image.height_px,
            Image.width_px,
            Image.pixel_size_nm,
            Analysis.size_limit_nm,
            AnalysisSummary.particle_count,
        )
        .select_from(shown)
        .join(Analysis, Analysis.id == shown.c.analysis_id)
        .join(Image, Image.id == shown.c.image_id)
        .join(SourceFile, SourceFile.id == Image.source_file_id)
        .join(Pipeline, Pipeline.id == Analysis.pipeline_id)
        .join(AnalysisSummary, AnalysisSummary.analysis_id == Analysis.id)
        .order_by(Image.id)
    )
    return tuple(_result(row) for row in connection.execute(query))


def particles(connection: Connection, analysis_ids: Sequence[int]) -> Particles:
    """The regions of these analyses, in their order."""
    rows = driver_connection(connection).execute(_PACKED, (json.dumps(analysis_ids),)).fetchall()
    table, result = unpacked([row[0] for row in rows])
    return Particles(table=table, result=result)


def population(
    connection: Connection,
    scope: Scope = EVERYTHING,
    rules: Rules = DEFAULT_RULES,
    rng: np.random.Generator | None = None,
) -> Population:
    """The population of these micrographs; with a generator its figures have intervals."""
    choice = choose(results(connection, scope), rules)
    found = particles(connection, choice.analysis_ids)
    bundle = bundle_of(connection, choice.pipeline_fingerprint)
    return describe(
        choice,
        found,
        rng,
        classifier=classifier_of(bundle, materials(connection, scope), rules),
        pixel_size_uncertainty=pixel_size_uncertainty(connection, scope),
    )


def correlations(
    connection: Connection, scope: Scope = EVERYTHING, rules: Rules = DEFAULT_RULES
) -> Relations:
    """What goes with what in these micrographs."""
    choice = choose(results(connection, scope), rules)
    found = particles(connection, choice.analysis_ids)
    columns = _features(connection, choice.analysis_ids)[is_counted(found.table, rules)]
    return relations(sample(choice, found), RANKED, columns)


def _features(connection: Connection, analysis_ids: Sequence[int]) -> NDArray[np.float64]:
    """(N, K) of `RANKED` of the regions of these analyses, in their order."""
    statement = f"""
        SELECT {", ".join(RANKED)} FROM json_each(?) JOIN particle ON analysis_id = value
        ORDER BY key, label
    """  # noqa: S608 - names of this module
    rows = driver_connection(connection).execute(statement, (json.dumps(analysis_ids),)).fetchall()
    return np.array(rows, np.float64).reshape(-1, len(RANKED))


def materials(connection: Connection, scope: Scope = EVERYTHING) -> tuple[str, ...]:
    """The materials of the sessions of these micrographs, where one is stated."""
    query = in_scope(select(Session.material).distinct(), scope).order_by(Session.material)
    found = connection.execute(query.where(Session.material.is_not(None))).scalars()
    return tuple(name for name in found if name)


def pixel_size_uncertainty(connection: Connection, scope: Scope = EVERYTHING) -> float | None:
    """The largest that sessions of these micrographs state; None where it is not stated for each.

    Half the 95 % interval of the pixel size, as a share of it.
    """
    query = in_scope(select(Session.pixel_size_uncertainty).distinct(), scope)
    stated = list(connection.execute(query).scalars())
    known = [each for each in stated if each is not None]
    return max(known) if known and len(known) == len(stated) else None


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


def bundle_of(connection: Connection, pipeline_fingerprint: str | None) -> BundleRecord | None:
    """The model of a pipeline, None where the pipeline is not known."""
    query = (
        select(Bundle.sha256, Bundle.name, Bundle.version, Bundle.manifest_json)
        .join(Pipeline, Pipeline.bundle_id == Bundle.id)
        .where(Pipeline.fingerprint == pipeline_fingerprint)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else BundleRecord(**row._mapping)


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


def _shown(scope: Scope) -> Select[int, int]:
    """Each current analysis once, with the first image in scope that stands for it."""
    columns = select(Analysis.id.label("analysis_id"), func.min(Image.id).label("image_id"))
    return in_scope(columns, scope).group_by(Analysis.id)


def _result(row: AnyRow) -> Result:
    size = row.pixel_size_nm
    return Result(
        analysis_id=row.analysis_id,
        micrograph_id=row.micrograph_id,
        field_of_view_id=row.field_of_view_id,
        pixel_sha256=row.pixel_sha256,
        pipeline_fingerprint=row.pipeline_fingerprint,
        activated_at_utc=row.activated_at_utc,
        seen_at_utc=row.first_seen_at_utc,
        in_domain=bool(row.in_domain),
        suspect=row.suspect is not None,
        is_sum=bool(row.is_sum),
        signal_index=row.signal_index,
        frame_index=row.frame_index,
        height_nm=None if size is None else row.height_px * size,
        width_nm=None if size is None else row.width_px * size,
        size_limit_nm=row.size_limit_nm,
        particle_count=row.particle_count,
    )


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
