"""What an analysis found becomes rows, and what is there already is not reckoned again."""

import json
import math
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import h5py
import numpy as np
import pytest
from sqlalchemy import Engine

from analysis.bundle import Manifest, default_folder, read_manifest
from analysis.micrograph import Acquisition, Calibration, CalibrationSource, ImagingMode, Source
from analysis.pipeline import (
    ANALYSIS_VERSION,
    Analysis,
    AnalysisSettings,
    Particle,
    fingerprint,
    natural_key,
)
from analysis.regions import Region
from daemon.parser import ParsedFrame
from daemon.record import (
    KnownResults,
    bundle_record,
    field_of_view_key,
    mask_path_of,
    particle_record,
    pipeline_record,
    to_records,
)
from schema import durable, masks, store
from schema import engine as database
from schema.records import Companion, OriginRecord, ParticleRecord, ResultRecord
from schema.state import StateFolder
from tests.daemon.moments import NOW
from tests.daemon.results import seen

PIXELS = "7" * 64
SETTINGS = AnalysisSettings()
DISC = Region(
    label=1,
    bbox=(0, 0, 20, 20),
    centroid_y_px=9.5,
    centroid_x_px=9.5,
    area_px=314,
    equivalent_diameter_px=20.0,
    feret_max_px=20.0,
    feret_min_px=20.0,
    perimeter_px=63.0,
    aspect_ratio=1.0,
    circularity=1.0,
    solidity=1.0,
    eccentricity=0.0,
    orientation_rad=0.0,
    touches_border=False,
    mean_probability=0.9,
)
PLAIN = Particle(
    region=DISC, features=None, class_name=None, class_probabilities=None, excluded=None
)


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    return read_manifest(default_folder())


def frame(
    pixel_size_nm: float | None = 0.02, mode: ImagingMode = ImagingMode.TEM, **changes: object
) -> ParsedFrame:
    source = CalibrationSource.UNKNOWN if pixel_size_nm is None else CalibrationSource.FILE
    plain = ParsedFrame(
        source=Source(file_name="a.tif"),
        calibration=Calibration(pixel_size_nm=pixel_size_nm, source=source),
        acquisition=Acquisition(imaging_mode=mode),
        pixel_sha256=PIXELS,
        suspect=None,
        pixels=Path("a.npy"),
    )
    return replace(plain, **changes)


def analysis_of(found: ParsedFrame, manifest: Manifest, forced: bool = False) -> Analysis:
    """One disc of 20 px, as the pipeline would tell of it."""
    name = fingerprint(manifest.sha256, SETTINGS)
    size_nm = found.calibration.pixel_size_nm
    source = found.source
    return Analysis(
        source=source,
        calibration=found.calibration,
        acquisition=found.acquisition,
        shape_px=(64, 80),
        pixel_sha256=found.pixel_sha256,
        suspect=found.suspect,
        natural_key=natural_key(
            found.pixel_sha256, source.signal_index, source.frame_index, size_nm, name, forced
        ),
        fingerprint=name,
        in_domain=not forced,
        domain_reason="this is a STEM image" if forced else None,
        segmented=True,
        forced=forced,
        scale_assumed=size_nm is None,
        size_limit_nm=1.0,
        background_deviation=3.0,
        particles=(PLAIN,),
        seconds=0.5,
        device="cpu",
    )


def origin(path: bytes = b"/data/a.tif", **changes: object) -> OriginRecord:
    plain = OriginRecord(path=path, root=b"/data", size_bytes=1, mtime_ns=1, file_sha256="a" * 64)
    return replace(plain, **changes)


def result(found: ParsedFrame, manifest: Manifest, forced: bool = False) -> ResultRecord:
    analysis = analysis_of(found, manifest, forced)
    return to_records(
        analysis,
        manifest,
        SETTINGS,
        field_of_view_key=field_of_view_key(origin()),
        mask_path=mask_path_of(found.acquisition, found.source.file_name, analysis.natural_key),
        analysed_at_utc=NOW,
        software_version="0.1.0",
    )


def nm_fields(record: ParticleRecord) -> dict[str, float | None]:
    names = [field.name for field in fields(record) if field.name.endswith(("_nm", "_nm2"))]
    assert len(names) == 5
    return {name: getattr(record, name) for name in names}


@pytest.mark.parametrize("pixel_size_nm", [0.01, 0.02, 0.5])
def test_lengths_scale_with_the_pixel_and_areas_with_its_square(pixel_size_nm):
    record = particle_record(PLAIN, pixel_size_nm)
    assert record.feret_max_nm == pytest.approx(20 * pixel_size_nm)
    assert record.perimeter_nm == pytest.approx(63 * pixel_size_nm)
    assert record.area_nm2 == pytest.approx(314 * pixel_size_nm**2)
    assert record.equivalent_diameter_nm == pytest.approx(
        2 * math.sqrt(record.area_nm2 / math.pi), rel=0.01
    )


def test_without_a_pixel_size_every_nm_is_unknown_and_every_px_is_known():
    record = particle_record(PLAIN, None)
    assert set(nm_fields(record).values()) == {None}
    assert (record.area_px, record.feret_max_px) == (314, 20.0)


def test_every_field_of_a_region_is_kept():
    record = particle_record(PLAIN, 0.02)
    kept = {field.name for field in fields(Region)} - {"bbox"}
    assert {name: getattr(record, name) for name in kept} == {
        name: getattr(DISC, name) for name in kept
    }


def test_class_and_features_are_kept():
    probabilities = {"stacking_fault": 0.75, "no_stacking_fault": 0.25}
    particle = replace(
        PLAIN,
        features={"intensity_mean": 1.5, "fourier_mean": None},
        class_name="stacking_fault",
        class_probabilities=probabilities,
        excluded="below_size_limit",
    )
    record = particle_record(particle, 0.02)
    assert (record.particle_class, record.excluded) == ("stacking_fault", "below_size_limit")
    assert record.class_probabilities == probabilities
    assert record.features["intensity_mean"] == 1.5


def test_records_name_their_pipeline_and_bundle(manifest):
    record = result(frame(), manifest)
    assert record.pipeline.fingerprint == record.analysis.pipeline_fingerprint
    assert record.pipeline.bundle_sha256 == record.bundle.sha256 == manifest.sha256
    assert record.pipeline.analysis_version == ANALYSIS_VERSION
    assert json.loads(record.pipeline.settings_json)["min_diameter_nm"] == 1.0
    assert json.loads(record.bundle.manifest_json)["name"] == manifest.name


def test_other_settings_are_another_pipeline(manifest):
    other = replace(SETTINGS, threshold=0.7)
    prints = {pipeline_record(manifest, each).fingerprint for each in (SETTINGS, other)}
    assert len(prints) == 2
    assert bundle_record(manifest).sha256 == manifest.sha256


def test_records_fit_the_tables_and_come_back_as_they_were(manifest, owner):
    record = result(frame(), manifest)
    file_id = seen(owner, b"/data/a.tif")
    with owner.begin() as connection:
        store.commit_results(connection, file_id, "a" * 64, [record], NOW)
    with owner.begin() as connection:
        assert store.read_result(connection, record.analysis.natural_key) == record


@pytest.mark.parametrize(
    ("local", "utc", "day"),
    [(None, None, "undated"), (date(2026, 3, 1), None, "2026-03-01")],
)
def test_masks_lie_under_the_day_of_the_microscope(local, utc, day):
    clock = None if local is None else NOW.replace(tzinfo=None)
    acquisition = Acquisition(acquired_local=clock, acquired_at_utc=utc)
    assert mask_path_of(acquisition, "Au ü.dm4", "f" * 64) == f"masks/{day}/Au_u.dm4-{'f' * 12}.h5"


@pytest.mark.parametrize("name", [b"Au_1.tif", b"Au_1.mrc", b"Au_1.dm4", b"Au_1.mrc.mdoc"])
def test_the_same_stem_in_another_format_is_the_same_field(name):
    assert field_of_view_key(origin(b"/data/" + name)) == b"/data/Au_1"


def test_the_sers_of_one_emi_are_one_field_and_those_without_are_not():
    emi = Companion(path=b"/data/Au.emi", size_bytes=1, mtime_ns=1)
    names = (b"/data/Au_1.ser", b"/data/Au_2.ser")
    together = {field_of_view_key(origin(name, companions=(emi,))) for name in names}
    alone = {field_of_view_key(origin(name)) for name in names}
    assert together == {b"/data/Au"}
    assert len(alone) == 2


def test_the_same_name_in_another_folder_is_another_field():
    keys = {field_of_view_key(origin(path)) for path in (b"/a/Au.tif", b"/b/Au.tif")}
    assert len(keys) == 2


def test_a_field_may_have_a_name_that_is_no_text():
    assert field_of_view_key(origin(b"/data/\xff\n.tif")) == b"/data/\xff\n"


@pytest.fixture
def known(state: StateFolder, owner: Engine, manifest: Manifest) -> KnownResults:
    return KnownResults(database.reader(state.database), state.path, manifest, SETTINGS)


def commit(owner: Engine, record: ResultRecord, path: bytes = b"/data/a.tif") -> None:
    """The result with its masks, as the daemon leaves it."""
    file_id = seen(owner, path)
    with owner.begin() as connection:
        database = connection.exec_driver_sql("PRAGMA database_list").one()[2]
        write_masks(StateFolder(Path(database).parent), record)
        store.commit_results(connection, file_id, "a" * 64, [record], NOW)


def write_masks(state: StateFolder, record: ResultRecord) -> Path:
    labels = np.zeros((64, 80), np.uint16)
    labels[10:30, 10:30] = 1
    return masks.write(
        state.path,
        record.analysis.mask_path,
        labels=labels,
        probability=np.zeros((32, 40), np.uint8),
        probability_pixel_size_nm=0.04,
        pixel_size_nm=0.02,
        record=record,
        origin=origin(),
    )


def test_nothing_is_known_of_a_new_picture(known):
    assert known.find(frame(), origin(), force=False) is None


def test_a_picture_that_has_rows_is_known_under_its_own_name(known, owner, manifest):
    record = result(frame(), manifest)
    commit(owner, record)
    copy = frame(source=Source(file_name="copy.tif"), suspect="the last rows are constant")
    found = known.find(copy, origin(b"/other/copy.tif"), force=False)
    assert found.analysis == record.analysis
    assert found.particles == record.particles
    assert found.image.field_of_view_key == b"/other/copy"
    assert found.image.suspect == "the last rows are constant"


@pytest.mark.parametrize(
    "other",
    [
        frame(pixel_size_nm=0.03),
        frame(pixel_size_nm=None),
        frame(pixel_sha256="8" * 64),
        frame(source=Source(file_name="a.tif", frame_index=1, frame_count=2)),
        frame(source=Source(file_name="a.tif", signal_index=1)),
    ],
)
def test_another_calibration_picture_or_frame_is_not_known(known, owner, manifest, other):
    commit(owner, result(frame(), manifest))
    assert known.find(other, origin(), force=False) is None


def test_force_asks_for_another_result_only_outside_the_domain(known, owner, manifest):
    commit(owner, result(frame(), manifest))
    assert known.find(frame(), origin(), force=True) is not None
    stem = frame(mode=ImagingMode.STEM, pixel_sha256="9" * 64)
    commit(owner, result(stem, manifest, forced=True), b"/data/stem.tif")
    assert known.find(stem, origin(), force=True).analysis.forced
    assert known.find(stem, origin(), force=False) is None


def test_other_settings_know_nothing_of_it(state, owner, manifest):
    commit(owner, result(frame(), manifest))
    settings = replace(SETTINGS, threshold=0.7)
    other = KnownResults(database.reader(state.database), state.path, manifest, settings)
    assert other.find(frame(), origin(), force=False) is None


def test_rows_whose_masks_are_gone_are_made_anew(known, state, owner, manifest):
    record = result(frame(), manifest)
    commit(owner, record)
    (state.path / record.analysis.mask_path).unlink()
    assert known.find(frame(), origin(), force=False) is None
    moved = replace(record, analysis=replace(record.analysis, mask_path="masks/undated/new.h5"))
    commit(owner, moved, b"/data/copy.tif")
    assert known.find(frame(), origin(), force=False).analysis.mask_path == "masks/undated/new.h5"


def test_masks_without_rows_are_made_durable_before_they_are_adopted(
    known, state, manifest, monkeypatch
):
    """A commit that outlives its masks in a power loss would be a result without masks."""
    synced: list[Path] = []
    sync_folder = durable.sync_folder
    monkeypatch.setattr(
        "schema.durable.sync_folder", lambda path: (synced.append(path), sync_folder(path))
    )
    path = write_masks(state, result(frame(), manifest))
    synced.clear()
    assert known.find(frame(), origin(), force=False) is not None
    assert synced == [path.parent, path.parent.parent]


def test_masks_without_rows_are_adopted(known, state, manifest):
    """The daemon was killed between the rename and the commit."""
    record = result(frame(), manifest)
    write_masks(state, record)
    assert known.find(frame(), origin(), force=False) == record


@pytest.mark.parametrize("damage", ["empty", "cut", "another", "labels"])
def test_masks_that_are_damaged_or_of_another_result_are_not_adopted(
    known, state, manifest, damage
):
    record = result(frame(), manifest)
    path = write_masks(state, record)
    if damage == "another":
        other = replace(record, analysis=replace(record.analysis, natural_key="0" * 64))
        write_masks(state, other)
    elif damage == "labels":
        with h5py.File(path, "r+") as file:
            chunk = file["entry/masks/labels"].id.get_chunk_info(0)
        with path.open("r+b") as stream:
            stream.seek(chunk.byte_offset + chunk.size // 2)
            stream.write(b"damage")
    else:
        path.write_bytes(path.read_bytes()[:1000] if damage == "cut" else b"")
    assert known.find(frame(), origin(), force=False) is None
