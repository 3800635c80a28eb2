"""Records with the values of a plain, calibrated micrograph; a test names what it changes."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from schema import ledger, masks, sightings, store
from schema.records import (
    CLASS_NAMES,
    AnalysisRecord,
    ArrivalRecord,
    BundleRecord,
    ImageRecord,
    OriginRecord,
    ParticleRecord,
    PipelineRecord,
    ResultRecord,
    SessionRecord,
)
from schema.state import StateFolder

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
MORNING = SessionRecord(
    uuid="0b8e1a4e-6f0f-4f6e-9d2c-000000000001",
    name="morning",
    started_at_utc=NOW,
    sample="CdSe",
    run="run 7",
)


def sha256(text: str) -> str:
    """A hash that stands for the thing named."""
    return hashlib.sha256(text.encode()).hexdigest()


def arrival(name: str = "a.dm4", **changes: Any) -> ArrivalRecord:
    """A file as a walk found it."""
    plain = ArrivalRecord(
        path=b"/data/" + name.encode(), root=b"/data", size_bytes=1000, mtime_ns=1, inode=7
    )
    return replace(plain, **changes)


def image(pixels: str = "pixels", **changes: Any) -> ImageRecord:
    """A single calibrated TEM image of 4096² px."""
    plain = ImageRecord(
        pixel_sha256=sha256(pixels),
        signal_index=0,
        signal_title="",
        frame_index=None,
        frame_count=1,
        is_sum=False,
        field_of_view_key=f"/data/{pixels}".encode(),
        width_px=4096,
        height_px=4096,
        pixel_size_nm=0.02,
        pixel_size_source="file",
        imaging_mode="TEM",
        acquired_at_utc=None,
        acquired_local=datetime(2026, 3, 1, 10, 30),  # noqa: DTZ001 - the microscope's own clock
        tz_source=None,
        high_tension_kv=300.0,
        magnification=None,
        exposure_s=None,
        dose_e_per_a2=None,
        defocus_nm=None,
        instrument=None,
        detector=None,
        suspect=None,
    )
    return replace(plain, **changes)


def particle(label: int = 1, diameter_nm: float | None = 5.0, **changes: Any) -> ParticleRecord:
    """A disc of this diameter at 0.02 nm/px, without a stacking fault."""
    diameter_px = 250.0 if diameter_nm is None else diameter_nm / 0.02
    area_px = max(round(0.785398 * diameter_px**2), 1)
    length_nm = None if diameter_nm is None else float(diameter_nm)
    plain = ParticleRecord(
        label=label,
        centroid_y_px=100.5,
        centroid_x_px=200.25,
        area_px=area_px,
        area_nm2=None if length_nm is None else area_px * 0.0004,
        equivalent_diameter_px=diameter_px,
        equivalent_diameter_nm=length_nm,
        feret_max_px=diameter_px,
        feret_max_nm=length_nm,
        feret_min_px=diameter_px,
        feret_min_nm=length_nm,
        perimeter_px=3.14 * diameter_px,
        perimeter_nm=None if length_nm is None else 3.14 * length_nm,
        aspect_ratio=1.0,
        circularity=1.0,
        solidity=1.0,
        eccentricity=0.0,
        orientation_rad=0.25,
        touches_border=False,
        excluded=None,
        mean_probability=0.9,
        particle_class=None if diameter_nm is None else "no_stacking_fault",
        class_probabilities=None if diameter_nm is None else dict.fromkeys(CLASS_NAMES, 0.2),
        features={"intensity_mean": 1.5, "intensity_std": 0.5},
    )
    return replace(plain, **changes)


def result(
    pixels: str = "pixels",
    particles: tuple[ParticleRecord, ...] = (),
    pipeline: str = "pipeline",
    *,
    image_changes: dict[str, Any] | None = None,
    **changes: Any,
) -> ResultRecord:
    """A result whose identity follows from pixels, calibration and pipeline, as in the pipeline."""
    shown = image(pixels, **(image_changes or {}))
    bundle = BundleRecord(
        sha256=sha256("bundle"), name="default", version="1", manifest_json='{"name":"default"}'
    )
    made_by = PipelineRecord(
        fingerprint=sha256(pipeline),
        bundle_sha256=bundle.sha256,
        settings_json="{}",
        analysis_version=1,
        feature_set_version="fringewatch-1",
    )
    identity = (shown.pixel_sha256, shown.signal_index, shown.frame_index, shown.pixel_size_nm)
    key = sha256(f"{identity} {pipeline} {changes.get('forced', False)}")
    analysis = AnalysisRecord(
        natural_key=key,
        pipeline_fingerprint=made_by.fingerprint,
        mask_path=f"masks/2026-03-01/a-{key[:12]}.h5",
        in_domain=True,
        domain_reason=None,
        segmented=True,
        forced=False,
        scale_assumed=shown.pixel_size_nm is None,
        size_limit_nm=1.0,
        background_deviation=12.5,
        analysed_at_utc=NOW,
        seconds=1.25,
        device="cpu",
        software_version="0.1.0",
    )
    return ResultRecord(
        image=shown,
        analysis=replace(analysis, **changes),
        pipeline=made_by,
        bundle=bundle,
        particles=particles,
    )


def origin(name: str = "a.dm4") -> OriginRecord:
    """The file a result came from."""
    return OriginRecord(
        path=b"/data/" + name.encode(),
        root=b"/data",
        size_bytes=1000,
        mtime_ns=1,
        file_sha256=sha256(name),
    )


def leave_masks(state: StateFolder, record: ResultRecord, came_from: OriginRecord) -> Path:
    """The mask file of a result in which nothing was segmented, without a row."""
    return masks.write(
        state.path,
        record.analysis.mask_path,
        labels=None,
        probability=None,
        probability_pixel_size_nm=None,
        pixel_size_nm=None,
        record=record,
        origin=came_from,
    )


def see(
    connection: Connection, *arrivals: ArrivalRecord, session_id: int | None = None
) -> list[int]:
    """The ids of files that are ready."""
    seen = sightings.observe(connection, arrivals, session_id, NOW)
    for found, its in zip(seen, arrivals, strict=True):
        ledger.ready(connection, found.source_file_id, its, NOW)
    return [found.source_file_id for found in seen]


def done(
    connection: Connection,
    name: str,
    *results: ResultRecord,
    session_id: int | None = None,
    now: datetime = NOW,
) -> tuple[int, ...]:
    """The analysis ids of a file that went the whole way."""
    (file_id,) = see(connection, arrival(name), session_id=session_id)
    ledger.begin(connection, file_id, "boot", 1, now)
    return store.commit_results(
        connection, file_id, sha256(name), results, now, content_sha256=sha256(name)
    )
