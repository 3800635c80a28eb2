import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from schema import engine, gathering, ledger, queries, sessions
from schema.gathering import gathered
from schema.records import CLASS_NAMES, FileState
from schema.scope import Scope
from schema.statement import statement
from tests.schema.examples import MORNING, NOW, arrival, done, particle, result, see

LATER = NOW + timedelta(minutes=5)


def test_the_population_is_of_what_lies_in_the_database(connection):
    done(connection, "a.dm4", result("a", (particle(1, 4.0), particle(2, 6.0))))
    done(connection, "b.dm4", result("b", (particle(1, 8.0, particle_class="stacking_fault"),)))
    found = gathered(connection).population(np.random.default_rng(0))
    assert (found.particles, found.fields_of_view) == (3, 2)
    # A particle of 6 nm in a field of 82 nm stands for 1.16 particles, one of 4 nm for 1.11.
    assert found.diameter_nm.d50.value == pytest.approx(6.0, rel=0.02)
    # Two fields of 4096² px at 0.02 nm.
    assert found.area_imaged_nm2 == pytest.approx(2 * 81.92**2)
    assert found.stacking_fault_fraction.wilson.value == pytest.approx(1 / 3)


def test_an_empty_database_has_an_empty_population(connection):
    assert gathered(connection).population().found == 0


def test_copies_count_once(connection):
    for name in ("a.dm4", "copy.dm4", "again.dm4"):
        done(connection, name, result("same", (particle(),)))
    found = gathered(connection).population()
    assert (found.found, found.particles) == (1, 1)


def test_identical_pixels_of_another_calibration_count_once_and_are_named(connection):
    done(connection, "a.dm4", result("same", (particle(),)))
    other = result("same", (particle(),), image_changes={"pixel_size_nm": 0.03})
    done(connection, "resaved.dm4", other)
    found = gathered(connection).population()
    assert (found.particles, found.excluded) == (1, {"identical_pixels": 1})


def test_a_changed_file_takes_its_old_particles_out_of_the_population(connection):
    done(connection, "a.dm4", result("before", (particle(), particle(2))))
    see(connection, arrival("a.dm4", size_bytes=2))
    assert gathered(connection).population().found == 0


def test_an_archived_raw_file_keeps_its_particles(connection):
    done(connection, "a.dm4", result(particles=(particle(),)))
    ledger.mark_absent(connection, b"/data", set())
    assert gathered(connection).population().particles == 1


def test_an_uncalibrated_micrograph_is_counted_outside(connection):
    unknown = {"pixel_size_nm": None, "pixel_size_source": "unknown"}
    done(connection, "a.png", result(particles=(particle(1, None),), image_changes=unknown))
    found = gathered(connection).population()
    assert (found.particles, found.excluded) == (0, {"uncalibrated": 1})


@pytest.mark.parametrize(
    "scope",
    [
        Scope(session_uuid=MORNING.uuid),
        Scope(sample="CdSe"),
        Scope(run="run 7"),
        Scope(sample="CdSe", run="run 7"),
    ],
)
def test_a_scope_restricts_population_and_export_alike(connection, session_id, scope):
    done(connection, "a.dm4", result("a", (particle(),)), session_id=session_id)
    done(connection, "b.dm4", result("b", (particle(),)))
    assert gathered(connection, scope).population().particles == 1
    assert len(list(queries.export_rows(connection, scope))) == 1
    assert len(list(queries.export_rows(connection, scope, "current_micrograph"))) == 1
    assert gathered(connection, Scope(sample="Au")).population().found == 0


def test_a_copy_counts_in_the_session_it_was_seen_in(connection, session_id):
    done(connection, "a.dm4", result("a", (particle(),)))
    done(connection, "copy.dm4", result("a", (particle(),)), session_id=session_id)
    here = Scope(session_uuid=MORNING.uuid)
    assert gathered(connection, here).population().particles == 1
    assert len(list(queries.export_rows(connection, here))) == 1


def test_since_means_when_the_file_was_first_seen(connection):
    done(connection, "a.dm4", result(particles=(particle(),)))
    assert gathered(connection, Scope(since=NOW)).population().found == 1
    assert gathered(connection, Scope(since=LATER)).population().found == 0


def test_statistics_read_one_row_a_result_and_no_particle(connection):
    plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + gathering._PACKED, ("[1]",)).all()
    assert any("SEARCH analysis_summary USING INTEGER PRIMARY KEY" in row[3] for row in plan)
    assert not any("particle" in row[3] for row in plan)


def test_the_material_of_a_session_decides_whether_its_fractions_are_corrected(connection):
    known = json.dumps(
        {
            "training": {"materials": ["CdSe-wz"]},
            "metrics": {
                "forest_held_out": {
                    "classes": list(CLASS_NAMES),
                    "confusion_rows_are_truth": (90 * np.eye(5) + 2).tolist(),
                }
            },
        }
    )
    for number, material in enumerate(("CdSe", "CuO", None)):
        named = replace(MORNING, uuid=f"{number}" * 36, name=f"s{number}", material=material)
        session_id = sessions.start(connection, named)
        classes = ("stacking_fault", "no_stacking_fault") * 10
        regions = (particle(k, 5.0, particle_class=name) for k, name in enumerate(classes, 1))
        made = result(str(number), tuple(regions))
        made = replace(made, bundle=replace(made.bundle, manifest_json=known))
        done(connection, f"{number}.dm4", made, session_id=session_id)

    def corrected(number):
        found = gathered(connection, Scope(session_uuid=f"{number}" * 36)).population()
        return found.stacking_fault_fraction.corrected

    assert corrected(0).value is not None
    assert corrected(1).reason == "the model was not measured on CuO"
    assert corrected(2).value is not None  # nobody said that it is something else


@pytest.mark.parametrize(
    ("stated", "expected"), [((0.01, 0.03), 0.03), ((0.01, None), None), ((), None)]
)
def test_a_calibration_is_as_sure_as_its_least_sure_session_and_unknown_if_one_is_silent(
    connection, stated, expected
):
    for number, uncertainty in enumerate(stated):
        named = replace(
            MORNING, uuid=f"{number}" * 36, name=f"s{number}", pixel_size_uncertainty=uncertainty
        )
        session_id = sessions.start(connection, named)
        done(connection, f"{number}.dm4", result(str(number)), session_id=session_id)
    found = gathered(connection).population()
    assert found.pixel_size_uncertainty == expected
    assert (statement(found)["calibration"] is None) == (expected is None)


def test_the_export_has_every_particle_in_the_columns_of_the_view(connection):
    done(connection, "a.dm4", result(particles=(particle(1), particle(2))))
    columns = queries.view_columns(connection, "current_particle")
    rows = [dict(zip(columns, row, strict=True)) for row in queries.export_rows(connection)]
    assert [row["label"] for row in rows] == [1, 2]
    assert rows[0]["path"] == b"/data/a.dm4"


def test_an_export_runs_on_beside_a_writer(database, writer):
    with writer.begin() as connection:
        done(connection, "a.dm4", result("a", tuple(particle(k) for k in range(1, 2500))))
    with engine.reader(database).connect() as reading:
        rows = queries.export_rows(reading)
        next(rows)
        with writer.begin() as connection:
            done(connection, "b.dm4", result("b", (particle(),)))
        assert sum(1 for _ in rows) == 2498


def test_an_unknown_view_is_refused(connection):
    with pytest.raises(ValueError, match="no view"):
        next(queries.export_rows(connection, view="source_file"))


def test_files_at_rest_come_newest_first_with_what_was_found(connection):
    done(connection, "a.dm4", result("a", (particle(1, 4.0), particle(2, 6.0))))
    refused, waiting = see(connection, arrival("eels.dm3"), arrival("half.tif"))
    ledger.refuse(connection, refused, "spectrum", "A spectrum.", LATER)
    ledger.retry_later(connection, waiting, "truncated", "Ends early.", LATER, LATER)
    see(connection, arrival("next.dm4"))
    found = queries.resting_files(connection, 10)
    assert [file.state for file in found] == [FileState.RETRY, FileState.REFUSED, FileState.DONE]
    assert (found[2].particle_count, found[2].median_nm, found[2].seconds) == (2, 5.0, 1.25)
    assert (found[1].error_code, found[1].reason) == ("spectrum", "A spectrum.")
    assert queries.problems(connection, 1) == found[:1]
    assert queries.last_done_at(connection) == NOW
    assert queries.finished_since(connection, NOW) == 2


def test_a_micrograph_out_of_domain_says_why_and_counts_no_particle(connection):
    done(connection, "a.emd", result(in_domain=False, domain_reason="STEM", segmented=False))
    (found,) = queries.resting_files(connection, 10)
    assert (found.particle_count, found.median_nm, found.reason) == (None, None, "STEM")


def test_micrographs_are_those_of_the_view(connection):
    done(connection, "a.dm4", result(particles=(particle(),)))
    see(connection, arrival("b.dm4"))
    listed = queries.micrographs(connection)
    assert [(row.path, row.particle_count) for row in listed] == [
        (b"/data/a.dm4", 1),
        (b"/data/b.dm4", None),
    ]
    assert listed[0].in_domain is True


def test_the_newest_bundle_is_the_one_used_last(connection):
    assert queries.newest_bundle(connection) is None
    done(connection, "a.dm4", result())
    assert queries.newest_bundle(connection) == result().bundle


def test_features_stand_in_the_order_of_the_regions_they_are_of(connection):
    first = done(connection, "a.dm4", result("a", (particle(2, 4.0), particle(1, 6.0))))
    second = done(connection, "b.dm4", result("b", (particle(1, 8.0), particle(2, None))))
    ids = [*second, *first]
    columns, regions = (
        gathering.columns_of(connection, ids, gathering.RANKED),
        gathering.particles(connection, ids),
    )
    assert columns.shape == (4, len(gathering.RANKED))
    sizes = columns[:, gathering.RANKED.index("equivalent_diameter_nm")]
    assert np.array_equal(sizes, regions.table["diameter_nm"], equal_nan=True)
    assert gathering.columns_of(connection, [], gathering.RANKED).shape == (
        0,
        len(gathering.RANKED),
    )
