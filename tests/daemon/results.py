"""Results as the worker hands them over, without any analysis."""

import hashlib
from datetime import datetime

from schema.records import (
    AnalysisRecord,
    BundleRecord,
    ImageRecord,
    ParticleRecord,
    PipelineRecord,
    ResultRecord,
)
from tests.daemon.moments import NOW

BUNDLE = BundleRecord(sha256="b" * 64, name="default", version="1", manifest_json="{}")
PIPELINE = PipelineRecord(
    fingerprint="f" * 64,
    bundle_sha256=BUNDLE.sha256,
    settings_json="{}",
    analysis_version=1,
    feature_set_version="fringewatch-1",
)


def image_of(pixel_sha256: str, frame_index: int | None = None) -> ImageRecord:
    """A calibrated TEM image of 256² px."""
    return ImageRecord(
        pixel_sha256=pixel_sha256,
        signal_index=0,
        signal_title="",
        frame_index=frame_index,
        frame_count=1 if frame_index is None else 3,
        is_sum=False,
        field_of_view_key=b"/data/a",
        width_px=256,
        height_px=256,
        pixel_size_nm=0.02,
        pixel_size_source="file",
        imaging_mode="TEM",
        acquired_at_utc=None,
        acquired_local=None,
        tz_source=None,
        high_tension_kv=None,
        magnification=None,
        exposure_s=None,
        dose_e_per_a2=None,
        defocus_nm=None,
        instrument=None,
        detector=None,
        suspect=None,
    )


def result_of(
    pixel_sha256: str,
    frame_index: int | None = None,
    *,
    particles: tuple[ParticleRecord, ...] = (),
    analysed_at_utc: datetime = NOW,
    background_deviation: float = 1.0,
) -> ResultRecord:
    """The result of one picture."""
    key = hashlib.sha256(f"{pixel_sha256} {frame_index}".encode()).hexdigest()
    return ResultRecord(
        image=image_of(pixel_sha256, frame_index),
        analysis=AnalysisRecord(
            natural_key=key,
            pipeline_fingerprint=PIPELINE.fingerprint,
            mask_path=f"masks/undated/a-{key[:12]}.h5",
            in_domain=True,
            domain_reason=None,
            segmented=True,
            forced=False,
            scale_assumed=False,
            size_limit_nm=1.0,
            background_deviation=background_deviation,
            analysed_at_utc=analysed_at_utc,
            seconds=0.5,
            device="cpu",
            software_version="0.1.0",
        ),
        pipeline=PIPELINE,
        bundle=BUNDLE,
        particles=particles,
    )
