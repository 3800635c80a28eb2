"""Results into rows, and rows back into results.

The rows of one file and its state `done` are one transaction, begun and committed by the caller
after the mask files are durable. A result is unique by its natural key: committing it again, or
a copy of its image, adds no row and makes it the current one of that image.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from schema import ledger
from schema.columns import AnyRow
from schema.errors import StoreError
from schema.feature_columns import FEATURE_COLUMNS
from schema.records import (
    CLASS_NAMES,
    AnalysisRecord,
    BundleRecord,
    ImageRecord,
    ParticleRecord,
    PipelineRecord,
    ResultRecord,
)
from schema.serial import finite
from schema.sightings import batches
from schema.summaries import summarise
from schema.tables import (
    Analysis,
    AnalysisSummary,
    Base,
    Bundle,
    FieldOfView,
    Image,
    Particle,
    Pipeline,
    SourceFile,
)

_ANALYSIS_FIELDS = tuple(
    field.name for field in fields(AnalysisRecord) if field.name != "pipeline_fingerprint"
)
_IMAGE_FIELDS = tuple(
    field.name for field in fields(ImageRecord) if field.name != "field_of_view_key"
)
_PARTICLE_FIELDS = tuple(
    field.name
    for field in fields(ParticleRecord)
    if field.name not in ("particle_class", "class_probabilities", "features")
)


def commit_results(
    connection: Connection,
    source_file_id: int,
    file_sha256: str,
    results: Sequence[ResultRecord],
    now: datetime,
    content_sha256: str | None = None,
) -> tuple[int, ...]:
    """The analysis ids of the results, in their order; their file is done.

    Args:
        connection: in the one transaction that holds all of it.
        source_file_id: the file a worker has.
        file_sha256: hash of the primary file as it was read.
        results: one per frame; those already known are kept as they are and made current.
        now: aware UTC.
        content_sha256: hash over the primary file and its companions.

    Raises:
        StoreError: there is no result, or one does not fit the tables.
        LedgerError: no worker has the file.
    """
    if not results:
        raise StoreError(f"file {source_file_id} is done without a result")
    ids = tuple(_store(connection, source_file_id, result, now) for result in results)
    ledger.finish(
        connection,
        source_file_id,
        file_sha256=file_sha256,
        content_sha256=content_sha256,
        suspect=next((r.image.suspect for r in results if r.image.suspect is not None), None),
        now=now,
    )
    return ids


def known(connection: Connection, natural_keys: Collection[str]) -> dict[str, int]:
    """The analysis ids of those results that exist already, by natural key."""
    found: dict[str, int] = {}
    for batch in batches(list(natural_keys)):
        query = select(Analysis.natural_key, Analysis.id).where(Analysis.natural_key.in_(batch))
        found.update((key, analysis_id) for key, analysis_id in connection.execute(query))
    return found


def named_masks(connection: Connection, paths: Collection[str]) -> set[str]:
    """Those of these mask files, relative to the state folder, that a row names."""
    found: set[str] = set()
    for batch in batches(list(paths)):
        query = select(Analysis.mask_path).where(Analysis.mask_path.in_(batch))
        found.update(connection.execute(query).scalars())
    return found


def results_for_content(
    connection: Connection,
    content_sha256: str,
    fingerprint: str,
    *,
    configured_pixel_size_nm: float | None = None,
    forced: bool = False,
) -> tuple[ResultRecord, ...]:
    """All results of a file with these bytes under this pipeline, or none.

    A copy of a file need not be parsed again; put its own `field_of_view_key` into the records
    and commit them. Empty where a result would differ now: another pixel size is configured, or
    the micrograph was outside the domain and shall be forced.
    """
    twin = connection.execute(
        select(SourceFile.id)
        .join(Image, Image.source_file_id == SourceFile.id)
        .where(SourceFile.content_sha256 == content_sha256)
        .order_by(SourceFile.finished_at_utc.desc(), SourceFile.id.desc())
        .limit(1)
    ).scalar()
    if twin is None:
        return ()
    images = connection.execute(
        select(Image.id, Image.image_key, Image.pixel_size_nm, Image.pixel_size_source)
        .where(Image.source_file_id == twin)
        .order_by(Image.signal_index, Image.frame_index)
    ).all()
    keys = [_result_of(connection, row.image_key, fingerprint, forced) for row in images]
    if None in keys or not all(_calibrated_so(row, configured_pixel_size_nm) for row in images):
        return ()
    return tuple(read_result(connection, key) for key in keys if key is not None)


def read_result(connection: Connection, natural_key: str) -> ResultRecord:
    """The result as it was committed; features that were not known are absent.

    Raises:
        StoreError: there is none with this key.
    """
    analysis = connection.execute(
        select(*Analysis.__table__.columns).where(Analysis.natural_key == natural_key)
    ).one_or_none()
    if analysis is None:
        raise StoreError(f"no result {natural_key}")
    pipeline = _row(connection, Pipeline, analysis.pipeline_id)
    bundle = _row(connection, Bundle, pipeline.bundle_id)
    return ResultRecord(
        image=_image_record(connection, analysis),
        analysis=_analysis_record(analysis, pipeline.fingerprint),
        pipeline=PipelineRecord(
            fingerprint=pipeline.fingerprint,
            bundle_sha256=bundle.sha256,
            settings_json=pipeline.settings_json,
            analysis_version=pipeline.analysis_version,
            feature_set_version=pipeline.feature_set_version,
        ),
        bundle=BundleRecord(
            sha256=bundle.sha256,
            name=bundle.name,
            version=bundle.version,
            manifest_json=bundle.manifest_json,
        ),
        particles=_particle_records(connection, analysis.id),
    )


def image_key(image: ImageRecord) -> str:
    """Hash of what a result depends on in an image: pixels, signal, frame, pixel size."""
    size = None if image.pixel_size_nm is None else float(image.pixel_size_nm).hex()
    parts = [image.pixel_sha256, image.signal_index, image.frame_index, size]
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()


def _store(connection: Connection, source_file_id: int, result: ResultRecord, now: datetime) -> int:
    image_id = _put_image(connection, source_file_id, result.image)
    key = image_key(result.image)
    found = known(connection, [result.analysis.natural_key])
    analysis_id = found.get(result.analysis.natural_key)
    if analysis_id is None:
        analysis_id = _insert_analysis(connection, image_id, key, result, now)
    else:
        connection.execute(
            update(Analysis)
            .where(Analysis.id == analysis_id)
            .values(mask_path=result.analysis.mask_path)
        )
    _make_current(connection, analysis_id, key, now)
    return analysis_id


def _put_image(connection: Connection, source_file_id: int, image: ImageRecord) -> int:
    values = {name: getattr(image, name) for name in _IMAGE_FIELDS} | {
        "is_sum": int(image.is_sum),
        "image_key": image_key(image),
        "field_of_view_id": _put(connection, FieldOfView, {"key": image.field_of_view_key}, "key"),
    }
    place = (
        Image.source_file_id == source_file_id,
        Image.signal_index == image.signal_index,
        Image.frame_index.is_(None)
        if image.frame_index is None
        else Image.frame_index == image.frame_index,
    )
    image_id = connection.execute(select(Image.id).where(*place)).scalar()
    if image_id is not None:
        connection.execute(update(Image).where(Image.id == image_id).values(**values))
        return image_id
    return _insert(connection, Image, values | {"source_file_id": source_file_id})


def _insert_analysis(
    connection: Connection, image_id: int, key: str, result: ResultRecord, now: datetime
) -> int:
    record = result.analysis
    values = {name: getattr(record, name) for name in _ANALYSIS_FIELDS}
    flags = ("in_domain", "segmented", "forced", "scale_assumed")
    values |= {name: int(values[name]) for name in flags}
    values |= {
        "image_id": image_id,
        "image_key": key,
        "pipeline_id": _put_pipeline(connection, result),
        "pixel_size_nm": result.image.pixel_size_nm,
        "pixel_size_source": result.image.pixel_size_source,
        "is_current": 0,
        "activated_at_utc": now,
    }
    analysis_id = _insert(connection, Analysis, values)
    _insert_particles(connection, analysis_id, result.particles)
    return analysis_id


def _make_current(connection: Connection, analysis_id: int, key: str, now: datetime) -> None:
    connection.execute(
        update(Analysis)
        .where(Analysis.image_key == key, Analysis.is_current == 1, Analysis.id != analysis_id)
        .values(is_current=0)
    )
    connection.execute(
        update(Analysis)
        .where(Analysis.id == analysis_id, Analysis.is_current == 0)
        .values(is_current=1, activated_at_utc=now)
    )


def _put_pipeline(connection: Connection, result: ResultRecord) -> int:
    if result.pipeline.bundle_sha256 != result.bundle.sha256:
        raise StoreError("the pipeline of a result names another bundle than the result")
    if result.pipeline.fingerprint != result.analysis.pipeline_fingerprint:
        raise StoreError("a result names another pipeline than the one beside it")
    bundle_id = _put(connection, Bundle, asdict(result.bundle), "sha256")
    values = asdict(result.pipeline)
    del values["bundle_sha256"]
    return _put(connection, Pipeline, values | {"bundle_id": bundle_id}, "fingerprint")


def _insert_particles(
    connection: Connection, analysis_id: int, particles: Sequence[ParticleRecord]
) -> None:
    if particles:
        rows = [_particle_values(particle) | {"analysis_id": analysis_id} for particle in particles]
        connection.execute(insert(Particle), rows)
    values = asdict(summarise(particles)) | {"analysis_id": analysis_id}
    connection.execute(insert(AnalysisSummary).values(**values))


def _particle_values(particle: ParticleRecord) -> dict[str, Any]:
    unknown = set(particle.features) - set(FEATURE_COLUMNS)
    if unknown:
        raise StoreError(f"no column for the features {', '.join(sorted(unknown))}")
    values = {name: getattr(particle, name) for name in _PARTICLE_FIELDS}
    values["touches_border"] = int(particle.touches_border)
    values["class_code"] = _class_code(particle.particle_class)
    probabilities = particle.class_probabilities or {}
    values |= {f"p_{name}": probabilities.get(name) for name in CLASS_NAMES}
    values |= {name: particle.features.get(name) for name in FEATURE_COLUMNS}
    for value in values.values():
        if isinstance(value, float):
            finite(value)
    return values


def _class_code(name: str | None) -> int | None:
    if name is None:
        return None
    if name not in CLASS_NAMES:
        raise StoreError(f"{name!r} is no class of particles")
    return CLASS_NAMES.index(name)


def _result_of(connection: Connection, key: str, fingerprint: str, forced: bool) -> str | None:
    query = (
        select(Analysis.natural_key)
        .join(Pipeline, Pipeline.id == Analysis.pipeline_id)
        .where(Analysis.image_key == key, Pipeline.fingerprint == fingerprint)
        .where(
            (Analysis.forced == 1) | (Analysis.in_domain == 1) if forced else Analysis.forced == 0
        )
        .order_by(Analysis.activated_at_utc.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def _calibrated_so(image: AnyRow, configured_pixel_size_nm: float | None) -> bool:
    if image.pixel_size_source in ("file", "sidecar"):
        return True
    return bool(image.pixel_size_nm == configured_pixel_size_nm)


def _image_record(connection: Connection, analysis: AnyRow) -> ImageRecord:
    row = _row(connection, Image, analysis.image_id)
    field_of_view = _row(connection, FieldOfView, row.field_of_view_id)
    values = {name: getattr(row, name) for name in _IMAGE_FIELDS} | {
        "is_sum": bool(row.is_sum),
        "field_of_view_key": field_of_view.key,
        "pixel_size_nm": analysis.pixel_size_nm,
        "pixel_size_source": analysis.pixel_size_source,
    }
    return ImageRecord(**values)


def _analysis_record(row: AnyRow, fingerprint: str) -> AnalysisRecord:
    values = {name: getattr(row, name) for name in _ANALYSIS_FIELDS}
    flags = ("in_domain", "segmented", "forced", "scale_assumed")
    values |= {name: bool(values[name]) for name in flags}
    return AnalysisRecord(pipeline_fingerprint=fingerprint, **values)


def _particle_records(connection: Connection, analysis_id: int) -> tuple[ParticleRecord, ...]:
    query = (
        select(*Particle.__table__.columns)
        .where(Particle.analysis_id == analysis_id)
        .order_by(Particle.id)
    )
    return tuple(_particle_record(row) for row in connection.execute(query))


def _particle_record(row: AnyRow) -> ParticleRecord:
    values = row._mapping
    plain = {name: values[name] for name in _PARTICLE_FIELDS}
    probabilities = {
        name: values[f"p_{name}"] for name in CLASS_NAMES if values[f"p_{name}"] is not None
    }
    features = {name: values[name] for name in FEATURE_COLUMNS if values[name] is not None}
    return ParticleRecord(
        **plain | {"touches_border": bool(row.touches_border)},
        particle_class=None if row.class_code is None else CLASS_NAMES[row.class_code],
        class_probabilities=probabilities or None,
        features=features,
    )


def _row(connection: Connection, table: type[Base], row_id: int) -> AnyRow:
    columns = table.__table__.columns
    return connection.execute(select(*columns).where(columns.id == row_id)).one()


def _put(connection: Connection, table: type[Base], values: dict[str, Any], unique: str) -> int:
    columns = table.__table__.columns
    query = select(columns.id).where(columns[unique] == values[unique])
    found = connection.execute(query).scalar()
    return _insert(connection, table, values) if found is None else int(found)


def _insert(connection: Connection, table: type[Base], values: dict[str, Any]) -> int:
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    if key is None:
        raise StoreError(f"no row was made in {table.__tablename__}")
    return int(key[0])
