from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from schema import engine, ledger, standing, store
from schema.errors import LedgerError, StoreError
from schema.records import FileState
from schema.tables import Analysis, AnalysisSummary, Image, Particle
from tests.schema.examples import NOW, arrival, done, particle, result, see, sha256
from tests.schema.strategies import results

LATER = NOW + timedelta(hours=1)


def number_of(connection, table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.fixture(scope="module")
def shared_connection(tmp_path_factory, empty_database):
    path = tmp_path_factory.mktemp("store") / "fringewatch.sqlite"
    path.write_bytes(empty_database)
    owner = engine.writer(path)
    with owner.connect() as connection:
        yield connection
    owner.dispose()


@settings(max_examples=40)
@given(results())
def test_a_result_comes_back_from_the_database_as_it_was(shared_connection, record):
    with shared_connection.begin():
        done(shared_connection, "any.dm4", record)
        assert store.read_result(shared_connection, record.analysis.natural_key) == record
        shared_connection.rollback()


def test_rows_and_state_change_together(writer):
    with writer.begin() as connection:
        (file_id,) = see(connection, arrival())
        ledger.begin(connection, file_id, "boot", 1, NOW)
    broken = result("second", (particle(label=1), particle(label=1)))
    with pytest.raises(IntegrityError), writer.begin() as connection:
        store.commit_results(connection, file_id, sha256("f"), [result("first"), broken], NOW)
    with writer.begin() as connection:
        assert standing.entry(connection, file_id).state is FileState.PROCESSING
        assert number_of(connection, Analysis) == 0
        assert number_of(connection, Image) == 0


def test_a_result_committed_twice_is_there_once(connection):
    record = result(particles=(particle(),))
    first = done(connection, "a.dm4", record)
    file_id = standing.entry_at(connection, b"/data/a.dm4").source_file_id
    again = store.commit_results(connection, file_id, sha256("a.dm4"), [record], LATER)
    assert again == first
    assert number_of(connection, Particle) == 1
    assert number_of(connection, AnalysisSummary) == 1


def test_a_copy_adds_an_image_and_no_result(connection):
    record = result(particles=(particle(),))
    assert done(connection, "a.dm4", record) == done(connection, "copy.dm4", record)
    assert number_of(connection, Image) == 2
    assert number_of(connection, Analysis) == 1


def test_another_pipeline_makes_a_result_beside_the_old_one_and_is_shown(connection):
    (old,) = done(connection, "a.dm4", result(pipeline="old"))
    (new,) = done(connection, "copy.dm4", result(pipeline="new"), now=LATER)
    current = connection.execute(select(Analysis.id).where(Analysis.is_current == 1)).scalars()
    assert list(current) == [new]
    assert old != new


def test_an_old_pipeline_used_again_is_shown_again_without_new_rows(connection):
    (old,) = done(connection, "a.dm4", result(pipeline="old"))
    done(connection, "a2.dm4", result(pipeline="new"), now=LATER)
    done(connection, "a3.dm4", result(pipeline="old"), now=LATER)
    current = connection.execute(select(Analysis.id).where(Analysis.is_current == 1)).scalars()
    assert list(current) == [old]
    assert number_of(connection, Analysis) == 2


def test_a_result_of_a_changed_calibration_keeps_the_old_one_as_it_was(connection):
    before = result(particles=(particle(),))
    (old,) = done(connection, "a.dm4", before)
    file_id = standing.entry_at(connection, b"/data/a.dm4").source_file_id
    after = result(image_changes={"pixel_size_nm": 0.021, "pixel_size_source": "config"})
    (new,) = store.commit_results(connection, file_id, sha256("a.dm4"), [after], LATER)
    assert new != old
    assert number_of(connection, Image) == 1
    assert store.read_result(connection, before.analysis.natural_key) == before
    assert store.read_result(connection, after.analysis.natural_key) == after


def test_frames_of_a_series_are_results_of_their_own(connection):
    frames = [result(image_changes={"frame_index": index, "frame_count": 3}) for index in range(3)]
    assert len(set(done(connection, "series.ser", *frames))) == 3


def test_a_file_is_not_done_without_a_result(connection):
    (file_id,) = see(connection, arrival())
    ledger.begin(connection, file_id, "boot", 1, NOW)
    with pytest.raises(StoreError, match="without a result"):
        store.commit_results(connection, file_id, sha256("f"), [], NOW)


def test_a_file_no_worker_has_cannot_be_done(connection):
    (file_id,) = see(connection, arrival())
    with pytest.raises(LedgerError, match="ready"):
        store.commit_results(connection, file_id, sha256("f"), [result()], NOW)


def test_a_feature_without_a_column_is_refused(connection):
    with pytest.raises(StoreError, match="roundness_of_the_moon"):
        done(
            connection,
            "a.dm4",
            result(particles=(particle(features={"roundness_of_the_moon": 1}),)),
        )


def test_a_number_that_is_not_finite_never_becomes_null(connection):
    record = result(particles=(particle(features={"fourier_mean": float("nan")}),))
    with pytest.raises(ValueError, match="unknown is None"):
        done(connection, "a.dm4", record)


def test_a_result_that_contradicts_its_pipeline_is_refused(connection):
    record = result()
    with pytest.raises(StoreError, match="another pipeline"):
        done(connection, "a.dm4", replace(record, pipeline=result(pipeline="other").pipeline))


@pytest.mark.parametrize(
    "flaw",
    [
        {"area_px": 0},
        {"equivalent_diameter_nm": -1.0},
        {"aspect_ratio": 0.5},
        {"equivalent_diameter_nm": None},
    ],
)
def test_lengths_that_cannot_be_are_refused_by_the_database(connection, flaw):
    with pytest.raises(IntegrityError):
        done(connection, "a.dm4", result(particles=(particle(**flaw),)))


def test_a_pixel_size_without_a_source_is_refused_by_the_database(connection):
    with pytest.raises(IntegrityError):
        done(connection, "a.dm4", result(image_changes={"pixel_size_source": "unknown"}))


def test_known_names_only_what_is_there(connection):
    (analysis_id,) = done(connection, "a.dm4", result())
    key = result().analysis.natural_key
    assert store.known(connection, [key, sha256("nothing")]) == {key: analysis_id}


class TestResultsForContent:
    FINGERPRINT = sha256("pipeline")

    def found(self, connection, name="a.dm4", **options):
        return store.results_for_content(connection, sha256(name), self.FINGERPRINT, **options)

    def test_a_copy_gets_all_results_of_its_twin(self, connection):
        frames = tuple(
            result(
                f"frame {index}",
                (particle(),),
                image_changes={"frame_index": index, "frame_count": 2},
            )
            for index in range(2)
        )
        done(connection, "a.dm4", *frames)
        assert self.found(connection) == frames

    def test_other_content_gets_none(self, connection):
        done(connection, "a.dm4", result())
        assert self.found(connection, "b.dm4") == ()

    def test_another_pipeline_gets_none(self, connection):
        done(connection, "a.dm4", result(pipeline="old"))
        assert self.found(connection) == ()

    def test_a_twin_without_scale_is_no_twin_once_a_scale_is_configured(self, connection):
        changes = {"pixel_size_nm": None, "pixel_size_source": "unknown"}
        done(connection, "a.dm4", result(image_changes=changes))
        assert len(self.found(connection)) == 1
        assert self.found(connection, configured_pixel_size_nm=0.02) == ()

    def test_a_configured_scale_does_not_matter_where_the_file_states_one(self, connection):
        done(connection, "a.dm4", result())
        assert len(self.found(connection, configured_pixel_size_nm=0.5)) == 1

    def test_a_result_out_of_domain_is_not_enough_when_it_shall_be_forced(self, connection):
        done(connection, "a.dm4", result(in_domain=False, domain_reason="STEM", segmented=False))
        assert len(self.found(connection)) == 1
        assert self.found(connection, forced=True) == ()

    def test_a_forced_result_is_not_taken_for_a_plain_one(self, connection):
        done(connection, "a.dm4", result(in_domain=False, domain_reason="STEM", forced=True))
        assert self.found(connection) == ()
        assert len(self.found(connection, forced=True)) == 1
