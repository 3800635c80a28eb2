"""The tables of the database: what was seen, what was found in it, and by which pipeline.

A file is a row of `source_file` from first sight on; its frames become rows of `image`; a result
(`analysis`) belongs to the content of an image, not to its file, so that copies share one. See
`docs/decisions/0002-identity-of-results.md`. The views for people are in `views.sql`.
"""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import (
    REAL,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from schema.columns import LocalTime, PathBytes, UtcTime
from schema.feature_columns import FeatureColumns
from schema.records import CLASS_NAMES, FileState

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def _one_of(column: str, allowed: tuple[str, ...]) -> CheckConstraint:
    quoted = ", ".join(f"'{name}'" for name in allowed)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)


def _hash(column: str) -> CheckConstraint:
    return CheckConstraint(f"length({column}) = 64", name=column)


def _flag(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN (0, 1)", name=column)


def _positive(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} > 0", name=column)


class Base(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar = {float: REAL}


class Session(Base):
    """One sitting at the microscope."""

    __tablename__ = "session"
    __table_args__ = (
        CheckConstraint("ended_at_utc IS NULL OR ended_at_utc >= started_at_utc", name="order"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    started_at_utc: Mapped[datetime] = mapped_column(UtcTime)
    ended_at_utc: Mapped[datetime | None] = mapped_column(UtcTime)
    sample: Mapped[str | None] = mapped_column(Text)
    run: Mapped[str | None] = mapped_column(Text)
    operator: Mapped[str | None] = mapped_column(Text)
    instrument: Mapped[str | None] = mapped_column(Text)
    folder: Mapped[bytes | None] = mapped_column(PathBytes)
    material: Mapped[str | None] = mapped_column(Text)
    pixel_size_uncertainty: Mapped[float | None]


class SourceFile(Base):
    """One revision of one primary file; the ledger.

    `attempts` counts the failed readings since the file last changed, `child_deaths` the
    processes that died with it. `present` says whether the raw file is still there; archiving
    it removes no result. `companions` is JSON, see `schema.serial`. `ctime_ns` shows that the
    rights of a file that could not be read were repaired.
    """

    __tablename__ = "source_file"
    __table_args__ = (
        _one_of("state", tuple(FileState)),
        CheckConstraint("typeof(path) = 'blob' AND length(path) > 0", name="path"),
        CheckConstraint("typeof(root) = 'blob'", name="root"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("size_bytes >= 0", name="size_bytes"),
        CheckConstraint("attempts >= 0 AND child_deaths >= 0", name="attempts"),
        CheckConstraint("(state = 'retry') = (next_attempt_at_utc IS NOT NULL)", name="retry"),
        _flag("present"),
        _flag("forced"),
        _positive("pixel_size_nm"),
        UniqueConstraint("path", "revision"),
        Index("ix_source_file_live_path", "path", unique=True,
              sqlite_where=text("state <> 'superseded'")),
        Index("ix_source_file_queue", "state", "priority", "first_seen_at_utc"),
        Index("ix_source_file_content", "content_sha256",
              sqlite_where=text("content_sha256 IS NOT NULL")),
        Index("ix_source_file_finished", "finished_at_utc"),
        Index("ix_source_file_root", "root"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[bytes] = mapped_column(PathBytes)
    root: Mapped[bytes] = mapped_column(PathBytes)
    revision: Mapped[int]
    session_id: Mapped[int | None] = mapped_column(ForeignKey("session.id"), index=True)
    state: Mapped[str] = mapped_column(Text)
    present: Mapped[int] = mapped_column(SmallInteger)
    size_bytes: Mapped[int]
    mtime_ns: Mapped[int]
    inode: Mapped[int]
    companions: Mapped[str] = mapped_column(Text)
    file_sha256: Mapped[str | None] = mapped_column(Text)
    content_sha256: Mapped[str | None] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(SmallInteger)
    forced: Mapped[int] = mapped_column(SmallInteger)
    pixel_size_nm: Mapped[float | None]
    attempts: Mapped[int]
    child_deaths: Mapped[int]
    next_attempt_at_utc: Mapped[datetime | None] = mapped_column(UtcTime)
    error_code: Mapped[str | None] = mapped_column(Text)
    error_message: Mapped[str | None] = mapped_column(Text)
    suspect: Mapped[str | None] = mapped_column(Text)
    first_seen_at_utc: Mapped[datetime] = mapped_column(UtcTime)
    settled_at_utc: Mapped[datetime | None] = mapped_column(UtcTime)
    started_at_utc: Mapped[datetime | None] = mapped_column(UtcTime)
    finished_at_utc: Mapped[datetime | None] = mapped_column(UtcTime)
    boot_id: Mapped[str | None] = mapped_column(Text)
    pid: Mapped[int | None]
    ctime_ns: Mapped[int | None]


class WatchedFolder(Base):
    """A watched folder as it was last there.

    `configured` is its name in the configuration, `path` what that led to; `mount_point` is where
    the disk or share was mounted that held it, `mount_source` which one that was.
    """

    __tablename__ = "watched_folder"
    __table_args__ = (
        CheckConstraint("typeof(configured) = 'blob'", name="configured"),
        CheckConstraint("typeof(path) = 'blob'", name="path"),
        CheckConstraint("typeof(mount_point) = 'blob'", name="mount_point"),
        CheckConstraint("typeof(mount_source) = 'blob'", name="mount_source"),
    )

    configured: Mapped[bytes] = mapped_column(PathBytes, primary_key=True)
    path: Mapped[bytes] = mapped_column(PathBytes)
    mount_point: Mapped[bytes] = mapped_column(PathBytes)
    mount_source: Mapped[bytes] = mapped_column(PathBytes)
    seen_at_utc: Mapped[datetime] = mapped_column(UtcTime)


class FieldOfView(Base):
    """One specimen area, which statistics count once: a series, its sum, two formats of one."""

    __tablename__ = "field_of_view"
    __table_args__ = (CheckConstraint("typeof(key) = 'blob'", name="key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(PathBytes, unique=True)


class Image(Base):
    """One frame of one signal of one revision of a file, as it was last read.

    `image_key` is the hash of pixels, signal, frame and pixel size: images with one key share
    their results.
    """

    __tablename__ = "image"
    __table_args__ = (
        _hash("pixel_sha256"),
        _hash("image_key"),
        _positive("width_px"),
        _positive("height_px"),
        _positive("pixel_size_nm"),
        CheckConstraint("signal_index >= 0", name="signal_index"),
        CheckConstraint("frame_index BETWEEN 0 AND frame_count - 1", name="frame_index"),
        _one_of("pixel_size_source", ("file", "sidecar", "config", "unknown")),
        CheckConstraint("(pixel_size_nm IS NULL) = (pixel_size_source = 'unknown')",
                        name="calibration"),
        _one_of("imaging_mode", ("TEM", "STEM", "unknown")),
        _flag("is_sum"),
        Index("ix_image_place", "source_file_id", "signal_index",
              text("coalesce(frame_index, -1)"), unique=True),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    source_file_id: Mapped[int] = mapped_column(ForeignKey("source_file.id"))
    field_of_view_id: Mapped[int] = mapped_column(ForeignKey("field_of_view.id"), index=True)
    signal_index: Mapped[int]
    signal_title: Mapped[str] = mapped_column(Text)
    frame_index: Mapped[int | None]
    frame_count: Mapped[int]
    is_sum: Mapped[int] = mapped_column(SmallInteger)
    pixel_sha256: Mapped[str] = mapped_column(Text, index=True)
    image_key: Mapped[str] = mapped_column(Text, index=True)
    width_px: Mapped[int]
    height_px: Mapped[int]
    pixel_size_nm: Mapped[float | None]
    pixel_size_source: Mapped[str] = mapped_column(Text)
    imaging_mode: Mapped[str] = mapped_column(Text)
    acquired_at_utc: Mapped[datetime | None] = mapped_column(UtcTime)
    acquired_local: Mapped[datetime | None] = mapped_column(LocalTime)
    tz_source: Mapped[str | None] = mapped_column(Text)
    high_tension_kv: Mapped[float | None]
    magnification: Mapped[float | None]
    exposure_s: Mapped[float | None]
    dose_e_per_a2: Mapped[float | None]
    defocus_nm: Mapped[float | None]
    instrument: Mapped[str | None] = mapped_column(Text)
    detector: Mapped[str | None] = mapped_column(Text)
    suspect: Mapped[str | None] = mapped_column(Text)


class Bundle(Base):
    """One model; `sha256` is the hash of its manifest."""

    __tablename__ = "bundle"
    __table_args__ = (_hash("sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    manifest_json: Mapped[str] = mapped_column(Text)


class Pipeline(Base):
    """Bundle, settings and analysis version; one statistic uses one pipeline."""

    __tablename__ = "pipeline"
    __table_args__ = (_hash("fingerprint"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(Text, unique=True)
    bundle_id: Mapped[int] = mapped_column(ForeignKey("bundle.id"), index=True)
    settings_json: Mapped[str] = mapped_column(Text)
    analysis_version: Mapped[int]
    feature_set_version: Mapped[str] = mapped_column(Text)


class Analysis(Base):
    """One result, unique by `natural_key`; of those for one image content one is current.

    `image_id` is the image it was made from, whose pixel size at that time is kept here.
    """

    __tablename__ = "analysis"
    __table_args__ = (
        _hash("natural_key"),
        _hash("image_key"),
        CheckConstraint("in_domain = 1 OR domain_reason IS NOT NULL", name="domain_reason"),
        CheckConstraint("seconds >= 0", name="seconds"),
        _flag("in_domain"),
        _flag("segmented"),
        _flag("forced"),
        _flag("scale_assumed"),
        _flag("is_current"),
        Index("ix_analysis_current", "image_key", unique=True, sqlite_where=text("is_current = 1")),
        Index("ix_analysis_finished", "activated_at_utc"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    natural_key: Mapped[str] = mapped_column(Text, unique=True)
    image_key: Mapped[str] = mapped_column(Text, index=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"), index=True)
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipeline.id"), index=True)
    is_current: Mapped[int] = mapped_column(SmallInteger)
    activated_at_utc: Mapped[datetime] = mapped_column(UtcTime)
    mask_path: Mapped[str] = mapped_column(Text)
    pixel_size_nm: Mapped[float | None]
    pixel_size_source: Mapped[str] = mapped_column(Text)
    in_domain: Mapped[int] = mapped_column(SmallInteger)
    domain_reason: Mapped[str | None] = mapped_column(Text)
    segmented: Mapped[int] = mapped_column(SmallInteger)
    forced: Mapped[int] = mapped_column(SmallInteger)
    scale_assumed: Mapped[int] = mapped_column(SmallInteger)
    size_limit_nm: Mapped[float]
    background_deviation: Mapped[float | None]
    analysed_at_utc: Mapped[datetime] = mapped_column(UtcTime)
    seconds: Mapped[float]
    device: Mapped[str] = mapped_column(Text)
    software_version: Mapped[str] = mapped_column(Text)


class AnalysisSummary(Base):
    """The regions of one result, small and together; see `schema.summaries`."""

    __tablename__ = "analysis_summary"
    __table_args__ = (
        CheckConstraint("particle_count >= 0", name="particle_count"),
        CheckConstraint("typeof(packed) = 'blob'", name="packed"),
    )

    analysis_id: Mapped[int] = mapped_column(ForeignKey("analysis.id"), primary_key=True)
    particle_count: Mapped[int]
    packed: Mapped[bytes] = mapped_column(LargeBinary)


class Particle(FeatureColumns, Base):
    """One region of one result. Every nm value is NULL where the pixel size is unknown.

    `class_code` indexes `CLASS_NAMES`: one byte instead of a name in each of a million rows and
    in the covering index of the statistics; the view shows the name.
    """

    __tablename__ = "particle"
    __table_args__ = (
        UniqueConstraint("analysis_id", "label"),
        CheckConstraint("label > 0", name="label"),
        CheckConstraint(f"class_code BETWEEN 0 AND {len(CLASS_NAMES) - 1}", name="class_code"),
        _positive("area_px"),
        _positive("area_nm2"),
        _positive("equivalent_diameter_px"),
        _positive("equivalent_diameter_nm"),
        _positive("feret_max_px"),
        _positive("feret_max_nm"),
        CheckConstraint("feret_min_px >= 0 AND feret_min_px <= feret_max_px", name="feret_px"),
        CheckConstraint("perimeter_px >= 0", name="perimeter_px"),
        CheckConstraint("aspect_ratio >= 1", name="aspect_ratio"),
        CheckConstraint("(equivalent_diameter_nm IS NULL) = (area_nm2 IS NULL)", name="scale"),
        _flag("touches_border"),
        Index("ix_particle_statistics", "analysis_id", "excluded", "touches_border",
              "class_code", "equivalent_diameter_nm", "area_nm2", "aspect_ratio",
              "circularity", "feret_max_nm"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    analysis_id: Mapped[int] = mapped_column(ForeignKey("analysis.id"))
    label: Mapped[int]
    centroid_y_px: Mapped[float]
    centroid_x_px: Mapped[float]
    area_px: Mapped[int]
    area_nm2: Mapped[float | None]
    equivalent_diameter_px: Mapped[float]
    equivalent_diameter_nm: Mapped[float | None]
    feret_max_px: Mapped[float]
    feret_max_nm: Mapped[float | None]
    feret_min_px: Mapped[float]
    feret_min_nm: Mapped[float | None]
    perimeter_px: Mapped[float]
    perimeter_nm: Mapped[float | None]
    aspect_ratio: Mapped[float]
    circularity: Mapped[float]
    solidity: Mapped[float]
    eccentricity: Mapped[float]
    orientation_rad: Mapped[float]
    touches_border: Mapped[int] = mapped_column(SmallInteger)
    excluded: Mapped[str | None] = mapped_column(Text)
    mean_probability: Mapped[float]
    class_code: Mapped[int | None] = mapped_column(SmallInteger)
    p_stacking_fault: Mapped[float | None]
    p_no_stacking_fault: Mapped[float | None]
    p_misoriented: Mapped[float | None]
    p_agglomeration: Mapped[float | None]
    p_background: Mapped[float | None]
