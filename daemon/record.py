"""Where analysis and schema meet: results of the one become records of the other.

`to_records` is pure. `analyse_and_store` runs in the worker: it ends with the masks durable on
disk and hands back only small values.
"""

import json
import os
from dataclasses import asdict, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path, PurePath

from sqlalchemy import Engine

from analysis.bundle import Bundle, Manifest
from analysis.micrograph import Acquisition, Calibration, Micrograph, Source
from analysis.pipeline import (
    ANALYSIS_VERSION,
    Analysis,
    AnalysisSettings,
    Particle,
    analyse,
    domain,
    fingerprint,
    natural_key,
)
from analysis.readers import field_of_view_stem
from daemon.parser import ParsedFrame
from schema import masks, store
from schema.errors import MaskFileError
from schema.records import (
    AnalysisRecord,
    BundleRecord,
    ImageRecord,
    OriginRecord,
    ParticleRecord,
    PipelineRecord,
    ResultRecord,
)


def image_record(
    *,
    source: Source,
    calibration: Calibration,
    acquisition: Acquisition,
    shape_px: tuple[int, int],
    pixel_sha256: str,
    suspect: str | None,
    field_of_view_key: bytes,
) -> ImageRecord:
    """What the file states about one frame."""
    height_px, width_px = shape_px
    return ImageRecord(
        pixel_sha256=pixel_sha256,
        signal_index=source.signal_index,
        signal_title=source.signal_title,
        frame_index=source.frame_index,
        frame_count=source.frame_count,
        is_sum=source.is_sum,
        field_of_view_key=field_of_view_key,
        width_px=width_px,
        height_px=height_px,
        pixel_size_nm=calibration.pixel_size_nm,
        pixel_size_source=calibration.source,
        imaging_mode=acquisition.imaging_mode,
        acquired_at_utc=acquisition.acquired_at_utc,
        acquired_local=acquisition.acquired_local,
        tz_source=acquisition.tz_source,
        high_tension_kv=acquisition.high_tension_kv,
        magnification=acquisition.magnification,
        exposure_s=acquisition.exposure_s,
        dose_e_per_a2=acquisition.dose_e_per_a2,
        defocus_nm=acquisition.defocus_nm,
        instrument=acquisition.instrument,
        detector=acquisition.detector,
        suspect=suspect,
    )


def particle_record(particle: Particle, pixel_size_nm: float | None) -> ParticleRecord:
    """One particle; every nm value is None where there is no pixel size."""
    region = particle.region

    def nm(value_px: float, power: int = 1) -> float | None:
        return None if pixel_size_nm is None else value_px * pixel_size_nm**power

    return ParticleRecord(
        label=region.label,
        centroid_y_px=region.centroid_y_px,
        centroid_x_px=region.centroid_x_px,
        area_px=region.area_px,
        area_nm2=nm(region.area_px, power=2),
        equivalent_diameter_px=region.equivalent_diameter_px,
        equivalent_diameter_nm=nm(region.equivalent_diameter_px),
        feret_max_px=region.feret_max_px,
        feret_max_nm=nm(region.feret_max_px),
        feret_min_px=region.feret_min_px,
        feret_min_nm=nm(region.feret_min_px),
        perimeter_px=region.perimeter_px,
        perimeter_nm=nm(region.perimeter_px),
        aspect_ratio=region.aspect_ratio,
        circularity=region.circularity,
        solidity=region.solidity,
        eccentricity=region.eccentricity,
        orientation_rad=region.orientation_rad,
        touches_border=region.touches_border,
        excluded=particle.excluded,
        mean_probability=region.mean_probability,
        particle_class=particle.class_name,
        class_probabilities=particle.class_probabilities,
        features=particle.features or {},
    )


def pipeline_record(manifest: Manifest, settings: AnalysisSettings) -> PipelineRecord:
    """What made the result, apart from the micrograph."""
    return PipelineRecord(
        fingerprint=fingerprint(manifest.sha256, settings),
        bundle_sha256=manifest.sha256,
        settings_json=json.dumps(asdict(settings), sort_keys=True),
        analysis_version=ANALYSIS_VERSION,
        feature_set_version=manifest.feature_set,
    )


def bundle_record(manifest: Manifest) -> BundleRecord:
    """The model, as its manifest names it."""
    return BundleRecord(
        sha256=manifest.sha256,
        name=manifest.name,
        version=manifest.version,
        manifest_json=json.dumps(asdict(manifest), sort_keys=True),
    )


def to_records(
    analysis: Analysis,
    manifest: Manifest,
    settings: AnalysisSettings,
    *,
    field_of_view_key: bytes,
    mask_path: str,
    analysed_at_utc: datetime,
    software_version: str,
) -> ResultRecord:
    """Everything known about one analysed frame, as rows."""
    return ResultRecord(
        image=image_record(
            source=analysis.source,
            calibration=analysis.calibration,
            acquisition=analysis.acquisition,
            shape_px=analysis.shape_px,
            pixel_sha256=analysis.pixel_sha256,
            suspect=analysis.suspect,
            field_of_view_key=field_of_view_key,
        ),
        analysis=AnalysisRecord(
            natural_key=analysis.natural_key,
            pipeline_fingerprint=analysis.fingerprint,
            mask_path=mask_path,
            in_domain=analysis.in_domain,
            domain_reason=analysis.domain_reason,
            segmented=analysis.segmented,
            forced=analysis.forced,
            scale_assumed=analysis.scale_assumed,
            size_limit_nm=analysis.size_limit_nm,
            background_deviation=analysis.background_deviation,
            analysed_at_utc=analysed_at_utc,
            seconds=analysis.seconds,
            device=analysis.device,
            software_version=software_version,
        ),
        pipeline=pipeline_record(manifest, settings),
        bundle=bundle_record(manifest),
        particles=tuple(
            particle_record(particle, analysis.calibration.pixel_size_nm)
            for particle in analysis.particles
        ),
    )


def analyse_and_store(
    micrograph: Micrograph,
    bundle: Bundle,
    settings: AnalysisSettings,
    *,
    state_folder: Path,
    origin: OriginRecord,
    force: bool,
    analysed_at_utc: datetime,
) -> ResultRecord:
    """Analyse one frame and make its masks durable; the records ride along in the mask file.

    Raises:
        OSError: the masks cannot be written.
    """
    analysis, found_masks = analyse(micrograph, bundle, settings, force)
    mask_path = mask_path_of(
        micrograph.acquisition, micrograph.source.file_name, analysis.natural_key
    )
    record = to_records(
        analysis,
        bundle.manifest,
        settings,
        field_of_view_key=field_of_view_key(origin),
        mask_path=mask_path,
        analysed_at_utc=analysed_at_utc,
        software_version=version("fringewatch"),
    )
    try:
        masks.write(
            state_folder,
            mask_path,
            labels=found_masks.labels if found_masks else None,
            probability=found_masks.probability if found_masks else None,
            probability_pixel_size_nm=found_masks.probability_pixel_size_nm
            if found_masks
            else None,
            pixel_size_nm=micrograph.calibration.pixel_size_nm,
            record=record,
            origin=origin,
        )
    except MaskFileError as error:  # what a full disk does to HDF5
        raise OSError(str(error)) from error
    return record


def mask_path_of(acquisition: Acquisition, file_name: str, key: str) -> str:
    """Where the masks of a result lie, relative to the state folder."""
    acquired = acquisition.acquired_local or acquisition.acquired_at_utc
    return masks.mask_path(acquired.date() if acquired else None, file_name, key)


def field_of_view_key(origin: OriginRecord) -> bytes:
    """Folder and stem: a series, its sum, and the same stem in two formats are one field.

    The number of a `.ser` counts where no `.emi` says that it is only one of several.
    """
    folder, name = os.path.split(origin.path)
    text = os.fsdecode(name)
    alone = text.lower().endswith(".ser") and not origin.companions
    stem = PurePath(text).stem if alone else field_of_view_stem(text)
    return os.path.join(folder, os.fsencode(stem))


class KnownResults:
    """Results that are already there, so that nothing is analysed twice.

    Args:
        database: read-only engine of the state folder's database.
        state_folder: where mask files lie; one without a row is adopted.
        manifest: of the bundle in use.
        settings: in use.
    """

    def __init__(
        self, database: Engine, state_folder: Path, manifest: Manifest, settings: AnalysisSettings
    ) -> None:
        self._database = database
        self._state_folder = state_folder
        self._manifest = manifest
        self._fingerprint = fingerprint(manifest.sha256, settings)

    def find(self, frame: ParsedFrame, origin: OriginRecord, force: bool) -> ResultRecord | None:
        """The result of this very picture through this pipeline, with the frame's own header."""
        key = self._key(frame, force)
        found = self._committed(key) or self._adopted(frame, key)
        if found is None:
            return None
        image = image_record(
            source=frame.source,
            calibration=frame.calibration,
            acquisition=frame.acquisition,
            shape_px=(found.image.height_px, found.image.width_px),
            pixel_sha256=frame.pixel_sha256,
            suspect=frame.suspect,
            field_of_view_key=field_of_view_key(origin),
        )
        return replace(found, image=image)

    def _key(self, frame: ParsedFrame, force: bool) -> str:
        verdict = domain(self._manifest, frame.calibration, frame.acquisition)
        return natural_key(
            frame.pixel_sha256,
            frame.source.signal_index,
            frame.source.frame_index,
            frame.calibration.pixel_size_nm,
            self._fingerprint,
            force and not verdict.in_domain,
        )

    def _committed(self, key: str) -> ResultRecord | None:
        """A result with its masks; where somebody removed these, they are made anew."""
        with self._database.begin() as connection:
            if not store.known(connection, [key]):
                return None
            found = store.read_result(connection, key)
        return found if (self._state_folder / found.analysis.mask_path).exists() else None

    def _adopted(self, frame: ParsedFrame, key: str) -> ResultRecord | None:
        """A sound mask file whose row was never committed: the daemon was killed in between."""
        relative = mask_path_of(frame.acquisition, frame.source.file_name, key)
        path = self._state_folder / relative
        if not path.exists():
            return None
        try:
            found = masks.adopted(path)
        except MaskFileError:
            return None
        return found if found.analysis.natural_key == key else None
