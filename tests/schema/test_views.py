import re
from pathlib import Path

import pytest
from sqlalchemy import text

from schema import ledger, queries
from schema.feature_columns import FEATURE_COLUMNS
from schema.records import CLASS_NAMES
from tests.schema.examples import NOW, arrival, done, particle, result, see

# The contract with users, as the design page lists it.
MICROGRAPH_COLUMNS = re.findall(
    r"\w+",
    """micrograph_id, path, signal_index, frame_index, field_of_view_id, session, sample, run,
    acquired_at, state, width_px, height_px, pixel_size_nm, pixel_size_source, mask_path, bundle,
    analysis_id, pipeline_fingerprint, particle_count, imaging_mode, in_domain, domain_reason,
    suspect, error_code""",
)
PARTICLE_COLUMNS = re.findall(
    r"\w+",
    """particle_id, micrograph_id, field_of_view_id, path, session, sample, run, label,
    centroid_y_px, centroid_x_px, area_px, area_nm2, equivalent_diameter_nm, feret_max_nm,
    feret_min_nm, aspect_ratio, perimeter_nm, circularity, solidity, eccentricity,
    orientation_rad, touches_border, mean_probability, class, p_stacking_fault,
    p_no_stacking_fault, p_misoriented, p_agglomeration, p_background""",
)


def rows(connection, view):
    return connection.execute(text(f"SELECT * FROM {view}")).mappings().all()


@pytest.mark.parametrize(
    ("view", "promised"),
    [
        ("current_micrograph", MICROGRAPH_COLUMNS),
        ("current_particle", [*PARTICLE_COLUMNS, *FEATURE_COLUMNS]),
    ],
)
def test_the_views_begin_with_the_columns_promised(connection, view, promised):
    assert list(queries.view_columns(connection, view)[: len(promised)]) == promised


def test_the_promise_is_the_one_on_the_design_page():
    page = Path(__file__).resolve().parents[3] / "shared" / "DESIGN.md"
    if not page.exists():
        pytest.skip("no design page beside the repository")
    listed = dict(
        re.findall(r"- `(current_\w+)`: (.+?)(?:,\s+plus every feature)?\.\n", page.read_text())
    )
    assert re.findall(r"\w+", listed["current_particle"]) == PARTICLE_COLUMNS
    promised = re.sub(r"\([^)]*\)", "", listed["current_micrograph"])
    assert re.findall(r"\w+", promised) == MICROGRAPH_COLUMNS


def test_copies_are_all_listed_and_their_particles_are_there_once(connection):
    record = result(particles=(particle(1), particle(2)))
    done(connection, "a.dm4", record)
    done(connection, "copy.dm4", record)
    first, copy = rows(connection, "current_micrograph")
    assert first["analysis_id"] == copy["analysis_id"]
    assert (first["duplicate_of"], copy["duplicate_of"]) == (None, first["micrograph_id"])
    found = rows(connection, "current_particle")
    assert [row["micrograph_id"] for row in found] == [first["micrograph_id"]] * 2


def test_a_copy_stands_for_the_first_once_that_is_superseded(connection):
    record = result(particles=(particle(),))
    done(connection, "a.dm4", record)
    done(connection, "copy.dm4", record)
    see(connection, arrival("a.dm4", size_bytes=2))
    (found,) = rows(connection, "current_particle")
    assert found["path"] == b"/data/copy.dm4"
    listed = {row["path"]: row for row in rows(connection, "current_micrograph")}
    assert listed[b"/data/a.dm4"]["state"] == "ready"
    assert listed[b"/data/copy.dm4"]["state"] == "done"
    assert listed[b"/data/copy.dm4"]["duplicate_of"] is None


def test_a_file_without_an_image_has_one_row_with_its_reason(connection):
    (file_id,) = see(connection, arrival("eels.dm3"))
    ledger.refuse(connection, file_id, "spectrum", "A spectrum.", NOW)
    (row,) = rows(connection, "current_micrograph")
    assert (row["micrograph_id"], row["state"], row["error_code"]) == (None, "refused", "spectrum")


def test_particles_of_an_older_pipeline_are_kept_and_not_shown(connection):
    done(connection, "a.dm4", result(pipeline="old", particles=(particle(1), particle(2))))
    (new,) = done(connection, "again.dm4", result(pipeline="new", particles=(particle(1),)))
    assert [row["analysis_id"] for row in rows(connection, "current_particle")] == [new]
    assert connection.execute(text("SELECT count(*) FROM particle")).scalar_one() == 3


def test_classes_are_shown_by_name(connection):
    found = tuple(
        particle(label, particle_class=name) for label, name in enumerate(CLASS_NAMES, start=1)
    )
    done(connection, "a.dm4", result(particles=(*found, particle(9, None))))
    shown = [row["class"] for row in rows(connection, "current_particle")]
    assert shown == [*CLASS_NAMES, None]


def test_a_time_with_a_zone_ends_with_z_and_one_without_does_not(connection):
    done(connection, "a.dm4", result("one", image_changes={"acquired_at_utc": NOW}))
    done(connection, "b.dm4", result("two"))
    shown = [row["acquired_at"] for row in rows(connection, "current_micrograph")]
    assert shown == ["2026-03-01T09:30:00.000000Z", "2026-03-01T10:30:00.000000"]


def test_a_suspect_frame_does_not_stain_the_others(connection):
    frames = [
        result(
            f"{index}", image_changes={"frame_index": index, "frame_count": 2, "suspect": reason}
        )
        for index, reason in enumerate((None, "a zero tail"))
    ]
    done(connection, "series.ser", *frames)
    shown = [row["suspect"] for row in rows(connection, "current_micrograph")]
    assert shown == [None, "a zero tail"]


def test_session_sample_and_run_stand_beside_every_particle(connection, session_id):
    done(connection, "a.dm4", result(particles=(particle(),)), session_id=session_id)
    (row,) = rows(connection, "current_particle")
    assert (row["session"], row["sample"], row["run"]) == ("morning", "CdSe", "run 7")
