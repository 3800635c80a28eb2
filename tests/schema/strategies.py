"""Records with any values that a result can hold."""

from datetime import UTC, datetime

from hypothesis import strategies as st

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

hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
words = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(1e-3, 1e6)
shares = st.floats(0, 1)
paths = st.binary(min_size=1, max_size=40)
utc_times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
local_times = st.datetimes()


def optional(strategy):
    return st.none() | strategy


@st.composite
def images(draw):
    frame_count = draw(st.integers(1, 50))
    pixel_size_nm = draw(optional(positive))
    known = st.sampled_from(("file", "sidecar", "config"))
    return ImageRecord(
        pixel_sha256=draw(hashes),
        signal_index=draw(st.integers(0, 5)),
        signal_title=draw(words),
        frame_index=draw(optional(st.integers(0, frame_count - 1))),
        frame_count=frame_count,
        is_sum=draw(st.booleans()),
        field_of_view_key=draw(paths),
        width_px=draw(st.integers(1, 16384)),
        height_px=draw(st.integers(1, 16384)),
        pixel_size_nm=pixel_size_nm,
        pixel_size_source="unknown" if pixel_size_nm is None else draw(known),
        imaging_mode=draw(st.sampled_from(("TEM", "STEM", "unknown"))),
        acquired_at_utc=draw(optional(utc_times)),
        acquired_local=draw(optional(local_times)),
        tz_source=draw(optional(words)),
        high_tension_kv=draw(optional(numbers)),
        magnification=draw(optional(numbers)),
        exposure_s=draw(optional(numbers)),
        dose_e_per_a2=draw(optional(numbers)),
        defocus_nm=draw(optional(numbers)),
        instrument=draw(optional(words)),
        detector=draw(optional(words)),
        suspect=draw(optional(words)),
    )


@st.composite
def particles(draw, label: int, calibrated: bool):
    length = positive if calibrated else st.none()
    feret_min_px, feret_max_px = sorted((draw(positive), draw(positive)))
    classified = draw(st.booleans())
    return ParticleRecord(
        label=label,
        centroid_y_px=draw(numbers),
        centroid_x_px=draw(numbers),
        area_px=draw(st.integers(1, 2**28)),
        area_nm2=draw(length),
        equivalent_diameter_px=draw(positive),
        equivalent_diameter_nm=draw(length),
        feret_max_px=feret_max_px,
        feret_max_nm=draw(length),
        feret_min_px=feret_min_px,
        feret_min_nm=draw(length),
        perimeter_px=draw(positive),
        perimeter_nm=draw(length),
        aspect_ratio=draw(st.floats(1, 1e3)),
        circularity=draw(positive),
        solidity=draw(shares),
        eccentricity=draw(shares),
        orientation_rad=draw(st.floats(-1.5, 1.5)),
        touches_border=draw(st.booleans()),
        excluded=draw(st.sampled_from((None, "below_size_limit"))),
        mean_probability=draw(shares),
        particle_class=draw(st.sampled_from(CLASS_NAMES)) if classified else None,
        class_probabilities={name: draw(shares) for name in CLASS_NAMES} if classified else None,
        features=draw(st.dictionaries(st.sampled_from(FEATURE_COLUMNS), numbers)),
    )


@st.composite
def results(draw):
    image = draw(images())
    bundle = BundleRecord(
        sha256=draw(hashes), name=draw(words), version=draw(words), manifest_json=draw(words)
    )
    pipeline = PipelineRecord(
        fingerprint=draw(hashes),
        bundle_sha256=bundle.sha256,
        settings_json=draw(words),
        analysis_version=draw(st.integers(1, 99)),
        feature_set_version=draw(words),
    )
    in_domain = draw(st.booleans())
    analysis = AnalysisRecord(
        natural_key=draw(hashes),
        pipeline_fingerprint=pipeline.fingerprint,
        mask_path=draw(words),
        in_domain=in_domain,
        domain_reason=None if in_domain else draw(words),
        segmented=draw(st.booleans()),
        forced=draw(st.booleans()),
        scale_assumed=image.pixel_size_nm is None,
        size_limit_nm=draw(numbers),
        background_deviation=draw(optional(numbers)),
        analysed_at_utc=draw(utc_times),
        seconds=draw(positive),
        device=draw(words),
        software_version=draw(words),
    )
    calibrated = image.pixel_size_nm is not None
    found = [draw(particles(label, calibrated)) for label in range(1, draw(st.integers(1, 4)))]
    return ResultRecord(
        image=image,
        analysis=analysis,
        pipeline=pipeline,
        bundle=bundle,
        particles=tuple(found),
    )
