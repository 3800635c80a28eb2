"""The named queries find what `summary` counts, and what their titles say."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from schema import engine, queries
from schema.choice import Rules
from schema.gathering import gathered
from schema.named_queries import named_queries
from schema.question import asked
from schema.scope import EVERYTHING, Scope
from tests.daemon.populated import populate
from tests.daemon.results import done
from tests.schema import examples
from tests.schema.memory import database_in_memory

Row = dict[str, Any]
Ask = Callable[..., list[Row]]
SIZED = ("stacking_fault", "no_stacking_fault", "misoriented")


def rows_of(asked_of: Engine, name: str, **values: object) -> list[Row]:
    """What a named query finds; a parameter that is not given is empty."""
    query = named_queries()[name]
    given = dict.fromkeys(query.parameters, "") | values
    with (
        asked_of.begin() as connection,
        asked(connection, query.sql, given, seconds=60, clock=lambda: 0.0) as answer,
    ):
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, empty_database: bytes) -> Iterator[Engine]:
    """A state folder as after two sessions."""
    database = tmp_path_factory.mktemp("history") / "fringewatch.sqlite"
    database.write_bytes(empty_database)
    owner = engine.writer(database)
    populate(owner)
    yield owner
    owner.dispose()


@pytest.fixture
def ask(history: Engine) -> Ask:
    """Asks it."""
    return lambda name, **values: rows_of(history, name, **values)


@pytest.mark.parametrize("name", named_queries())
def test_every_query_runs_on_a_state_without_results(owner, name):
    assert rows_of(owner, name) == []


@pytest.mark.parametrize("name", named_queries())
def test_every_query_finds_something_and_says_what_it_is_about(ask, name):
    assert ask(name)
    query = named_queries()[name]
    assert query.description.endswith(".")
    assert set(re.findall(r":([a-z_]+)", query.sql)) == set(query.parameters)


@pytest.mark.parametrize(
    "name", [name for name, query in named_queries().items() if "percent" in query.sql]
)
def test_a_share_of_faults_says_that_it_is_not_corrected(ask, name):
    assert {column for column in ask(name)[0] if "percent" in column} == {"percent_uncorrected"}
    assert "without correction" in named_queries()[name].description


def test_what_counts_and_what_does_not_is_what_the_summary_says(ask, history):
    with history.begin() as connection:
        found = gathered(connection).population()
    regions = {row["reason"]: row["regions"] for row in ask("exclusions")}
    counted = regions.pop("counted")
    assert regions == found.excluded
    assert counted == sum(found.class_counts.values()) + found.unclassified
    assert counted + sum(regions.values()) == found.found


def test_classes_are_those_of_the_summary(ask, history):
    with history.begin() as connection:
        found = gathered(connection).population()
    counts: Counter[str] = Counter()
    for row in ask("class_counts_by_session"):
        counts.update({name: row[name] for name in found.class_counts})
        assert row["counted"] == row["without_class"] + sum(row[n] for n in found.class_counts)
    assert counts == found.class_counts


def test_faults_of_a_run_are_those_of_its_summary(ask, history):
    with history.begin() as connection:
        found = gathered(connection, Scope(run="17")).population().stacking_fault_fraction.wilson
    (row,) = [row for row in ask("faults_by_run") if row["run"] == "17"]
    assert (row["faults"], row["observable"]) == (found.count, found.total)
    assert row["percent_uncorrected"] == round(100 * found.count / found.total, 1)


def test_sizes_of_a_run_are_those_of_its_particles(ask, history):
    (row,) = [row for row in ask("sizes_by_run") if row["run"] == "17"]
    with history.begin() as connection:
        population = gathered(connection, Scope(run="17"), Rules(border_weights=False)).population()
        names = queries.view_columns(connection, "current_particle")
        particles = [
            dict(zip(names, values, strict=True))
            for values in queries.export_rows(connection, Scope(run="17"))
        ]
    sizes = [
        each["equivalent_diameter_nm"]
        for each in particles
        if each["class"] in SIZED and not each["excluded"] and not each["touches_border"]
    ]
    assert row["particles"] == population.particles == len(sizes)
    assert row["median_nm"] == pytest.approx(np.median(sizes), abs=1e-3)
    assert row["mean_nm"] == pytest.approx(np.mean(sizes), abs=1e-3)
    assert (row["smallest_nm"], row["largest_nm"]) == pytest.approx(
        (min(sizes), max(sizes)), abs=1e-3
    )


@pytest.mark.parametrize("numbers", [1, 2, 3, 4])
def test_the_median_is_the_middle_of_an_odd_and_of_an_even_number(owner, numbers):
    for number in range(numbers):
        with owner.begin() as connection:
            record = examples.result(f"p{number}", (examples.particle(1, 2.0 + number**2),))
            examples.done(connection, f"{number}.dm4", record)
    (row,) = rows_of(owner, "sizes_by_run")
    assert row["median_nm"] == np.median([2.0 + number**2 for number in range(numbers)])


def test_bins_of_size_hold_every_observable_particle_once(ask):
    total = sum(row["observable"] for row in ask("faults_by_run"))
    for width_nm in ("", 0.5, "2"):
        bins = ask("faults_by_size", bin_nm=width_nm)
        assert sum(row["observable"] for row in bins) == total
        assert {round(row["below_nm"] - row["from_nm"], 6) for row in bins} == {
            float(width_nm or 1)
        }
    of_run = sum(row["observable"] for row in ask("faults_by_size", run="17"))
    assert of_run == next(r["observable"] for r in ask("faults_by_run") if r["run"] == "17")


def test_a_size_on_an_edge_lies_in_the_bin_above_it(owner):
    done(owner, b"/data/a.dm4", "1")  # 5 nm with a fault, 6 nm without
    bins = [(r["from_nm"], r["below_nm"], r["faults"]) for r in rows_of(owner, "faults_by_size")]
    assert bins == [(5, 6, 1), (6, 7, 0)]


def test_faults_over_time_are_all_faults_by_the_hour(ask):
    (row,) = ask("faults_over_time")
    assert row["hour"] == "2026-03-01T10"
    assert row["faults"] == sum(each["faults"] for each in ask("faults_by_run"))
    of_session = sum(each["faults"] for each in ask("faults_over_time", session="morning"))
    uuid = "0b8e1a4e-6f0f-4f6e-9d2c-000000000001"
    assert ask("faults_over_time", session=uuid) == ask("faults_over_time", session="morning")
    assert of_session == next(r["faults"] for r in ask("faults_by_run") if r["run"] == "17")


def test_the_largest_come_first(ask):
    sizes = [row["diameter_nm"] for row in ask("largest_particles")]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 50
    assert sizes[0] == max(row["largest_nm"] for row in ask("sizes_by_run"))
    assert {row["run"] for row in ask("largest_particles", run="17")} == {"17"}


def test_those_the_classifier_is_least_sure_of_come_first(ask):
    found = ask("to_review")
    sure = [row["p_class"] for row in found]
    assert sure == sorted(sure)
    below = ask("to_review", below=0.5)
    assert [row["p_class"] for row in below] == [p for p in sure if p <= 0.5]
    assert below == ask("to_review", below="0.5")


def test_each_micrograph_has_its_particles(ask):
    found = ask("particles_per_micrograph")
    assert sum(row["counted"] or 0 for row in found) == next(
        row["regions"] for row in ask("exclusions") if row["reason"] == "counted"
    )
    by_name = {row["path"]: row for row in found}
    assert by_name["/data/run17_00.dm4"]["counted"] == 4
    assert by_name["/data/stem.dm4"]["counted"] is None
    assert by_name["/data/without_scale.dm4"]["field_nm2"] is None
    assert by_name["/data/run17_00.dm4"]["field_nm2"] == round((4096 * 0.02) ** 2, 1)
    density = by_name["/data/run17_00.dm4"]["per_um2"]
    assert density == pytest.approx(6 / (4.096 * 0.02) ** 2, abs=0.1)
    uuid = "0b8e1a4e-6f0f-4f6e-9d2c-000000000002"
    for name in ("evening", uuid):
        rows = ask("particles_per_micrograph", session=name)
        assert {row["session"] for row in rows} == {"evening"}


def test_files_and_micrographs_that_need_a_look_are_named(ask):
    (failed,) = ask("failed_files")
    assert (failed["state"], failed["error_code"]) == ("refused", "spectrum")
    (outside,) = ask("out_of_domain")
    assert outside["path"] == "/data/stem.dm4"
    (copy,) = ask("copies")
    assert (copy["first_path"], copy["copy_path"]) == (
        "/data/run17_00.dm4",
        "/data/copy_of_run17_00.dm4",
    )


def test_pixel_sizes_are_told_with_who_states_them(ask):
    sizes = {(row["pixel_size_source"], row["pixel_size_nm"]) for row in ask("calibration")}
    assert sizes == {("unknown", None), ("file", 0.02), ("file", 0.021)}


def test_every_pipeline_is_told_the_newest_first(ask):
    newest, old = ask("models")
    assert newest["last_used_utc"] > old["last_used_utc"]
    assert (old["results"], old["current"], old["regions"]) == (1, 1, 6)


pictures = st.fixed_dictionaries(
    {
        "pixels": st.sampled_from("abc"),
        "pixel_size_nm": st.sampled_from([0.02, 0.021, None]),
        "signal_index": st.integers(0, 1),
        "frame_index": st.sampled_from([None, 0, 1]),
        "is_sum": st.booleans(),
        "suspect": st.sampled_from([None, "cut short"]),
        "in_domain": st.booleans(),
        "pipeline": st.sampled_from(["old", "new"]),
        "field": st.integers(0, 1),
    }
)


@settings(max_examples=40)  # a database for each
@given(st.lists(pictures, min_size=1, max_size=6))
def test_the_same_micrographs_count_as_in_the_summary(found):
    """Each picture shows one of two fields of its own, so that none lies in two."""
    database = database_in_memory()
    with database.begin() as connection:
        for number, picture in enumerate(found):
            examples.done(connection, f"{number}.dm4", _result(**picture))
        counted = gathered(connection, EVERYTHING).population()
    regions = {row["reason"]: row["regions"] for row in rows_of(database, "exclusions")}
    assert regions.pop("counted", 0) == sum(counted.class_counts.values())
    assert regions == counted.excluded
    database.dispose()


def _result(pixels: str, pipeline: str, field: int, *, in_domain: bool, **image: Any) -> Any:
    image["pixel_sha256"] = examples.sha256(f"{pixels} {field}")
    image["field_of_view_key"] = f"/data/{pixels if field else 'shared'}".encode()
    image["frame_count"] = 1 if image["frame_index"] is None else 2
    if image["pixel_size_nm"] is None:
        image["pixel_size_source"] = "unknown"
    size_nm = None if image["pixel_size_nm"] is None else 5.0
    return examples.result(
        pixels,
        (examples.particle(1, size_nm, particle_class="misoriented" if size_nm else None),),
        pipeline,
        image_changes=image,
        in_domain=in_domain,
        domain_reason=None if in_domain else "too coarse",
    )
