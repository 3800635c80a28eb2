import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.population import (
    LeftOut,
    Particles,
    Result,
    Rules,
    choose,
    describe,
    to_json_values,
)
from schema.records import CLASS_NAMES
from tests.schema.examples import NOW

FAULT, NO_FAULT, MISORIENTED, AGGLOMERATION, BACKGROUND = range(5)
SUSPECT = {"suspect": True}
OUT_OF_DOMAIN = {"in_domain": False}
UNCALIBRATED = {"area_nm2": None}


def of(number=1, **changes) -> Result:
    """One result; each number is another picture of another field."""
    plain = Result(
        analysis_id=number,
        micrograph_id=number,
        field_of_view_id=number,
        pixel_sha256=f"picture {number}",
        pipeline_fingerprint="model",
        activated_at_utc=NOW,
        in_domain=True,
        suspect=False,
        is_sum=False,
        signal_index=0,
        frame_index=None,
        area_nm2=400.0,
        size_limit_nm=1.0,
        particle_count=10,
    )
    return replace(plain, **changes)


def particles(*rows) -> Particles:
    """Rows of (analysis, class, diameter, touches border, reason of exclusion)."""
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return Particles(
        analysis_id=np.array(columns[0], np.int64),
        class_code=np.array(columns[1], np.int8),
        diameter_nm=np.array(columns[2], np.float64),
        touches_border=np.array(columns[3], bool),
        excluded=np.array(columns[4], object),
    )


def kept(choice):
    return [result.analysis_id for result in choice.results]


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        (SUSPECT, LeftOut.SUSPECT),
        (UNCALIBRATED, LeftOut.UNCALIBRATED),
        (OUT_OF_DOMAIN, LeftOut.OUT_OF_DOMAIN),
    ],
)
def test_a_flawed_micrograph_is_left_out_with_its_reason(flaw, reason):
    choice = choose([of(1), of(2, **flaw)])
    assert kept(choice) == [1]
    assert choice.left_out == {reason: 10}


@pytest.mark.parametrize(
    ("flaw", "rules"),
    [(SUSPECT, Rules(suspect=True)), (OUT_OF_DOMAIN, Rules(out_of_domain=True))],
)
def test_a_flaw_counts_when_it_is_asked_for(flaw, rules):
    assert kept(choose([of(1), of(2, **flaw)], rules)) == [1, 2]


def test_identical_pictures_count_once():
    choice = choose([of(1), of(2, pixel_sha256="picture 1")])
    assert kept(choice) == [1]
    assert choice.left_out == {LeftOut.IDENTICAL_PIXELS: 10}


def test_of_a_series_the_sum_counts():
    frames = [of(number, field_of_view_id=9, frame_index=number) for number in range(3)]
    choice = choose([*frames, of(7, field_of_view_id=9, frame_index=3, is_sum=True)])
    assert kept(choice) == [7]
    assert choice.left_out == {LeftOut.SAME_FIELD_OF_VIEW: 30}


def test_of_a_series_without_a_sum_the_first_frame_that_may_count_counts():
    frames = [of(number, field_of_view_id=9, frame_index=number) for number in range(3)]
    frames[0] = replace(frames[0], in_domain=False)
    assert kept(choose(frames)) == [1]


def test_a_sum_that_may_not_count_leaves_its_place_to_a_frame():
    total = of(7, field_of_view_id=9, is_sum=True, suspect=True)
    assert kept(choose([total, of(1, field_of_view_id=9, frame_index=0)])) == [1]


def test_one_statistic_never_mixes_pipelines_and_takes_the_newest():
    newer = of(2, pipeline_fingerprint="better", activated_at_utc=NOW.replace(hour=12))
    choice = choose([of(1), newer, of(3)])
    assert kept(choice) == [2]
    assert choice.pipeline_fingerprint == "better"
    assert choice.left_out == {LeftOut.OTHER_PIPELINE: 20}
    assert kept(choose([of(1), newer], Rules(pipeline_fingerprint="model"))) == [1]


def test_a_newer_pipeline_without_a_result_that_may_count_does_not_empty_the_statistic():
    newer = of(2, pipeline_fingerprint="better", activated_at_utc=NOW.replace(hour=12), **SUSPECT)
    assert kept(choose([of(1), newer])) == [1]


@given(st.permutations([of(1), of(2, pixel_sha256="picture 1"), of(3, **SUSPECT), of(4)]))
def test_the_order_of_the_results_does_not_matter(results):
    assert choose(results) == choose(sorted(results, key=lambda result: result.analysis_id))


rows = st.tuples(
    st.integers(1, 3),
    st.integers(-1, 4),
    st.floats(0.5, 50),
    st.booleans(),
    st.sampled_from((None, "below_size_limit")),
)


@given(st.lists(rows, max_size=40), st.booleans())
def test_every_region_found_is_counted_in_exactly_one_place(regions, with_a_suspect_one):
    results = [of(1), of(2), of(3)] + ([of(4, **SUSPECT)] if with_a_suspect_one else [])
    found = describe(choose(results), particles(*regions), np.random.default_rng(0), resamples=20)
    counted = sum(found.class_counts.values()) + found.unclassified
    assert found.found == counted + sum(found.excluded.values())
    assert found.particles == sum(found.class_counts[name] for name in CLASS_NAMES[:3])
    assert sum(found.size_histogram) == found.particles
    json.dumps(to_json_values(found), allow_nan=False)


def population(*regions, rng=None):
    results = [of(number) for number in sorted({row[0] for row in regions})]
    return describe(choose(results), particles(*regions), rng)


def test_size_is_of_crystalline_single_particles_away_from_the_border():
    found = population(
        (1, FAULT, 4.0, False, None),
        (1, NO_FAULT, 5.0, False, None),
        (1, MISORIENTED, 6.0, False, None),
        (1, AGGLOMERATION, 50.0, False, None),
        (1, BACKGROUND, 60.0, False, None),
        (1, FAULT, 70.0, True, None),
        (1, FAULT, 0.5, False, "below_size_limit"),
    )
    assert (found.particles, found.d50_nm.value, found.mean_nm) == (3, 5.0, pytest.approx(5.0))
    assert found.excluded == {"below_size_limit": 1, "touches_border": 1}
    assert "border" in found.counting_rule


def test_the_two_fractions_of_the_paper():
    classes = [FAULT] * 3 + [NO_FAULT] * 5 + [MISORIENTED] * 2 + [AGGLOMERATION] * 4
    found = population(*((1, code, 5.0, False, None) for code in classes))
    assert (found.observable_fraction.count, found.observable_fraction.total) == (8, 10)
    assert (found.stacking_fault_fraction.count, found.stacking_fault_fraction.total) == (3, 8)


def test_a_lognormal_population_shows_its_own_parameters():
    rng = np.random.default_rng(5)
    sizes = rng.lognormal(np.log(6.0), np.log(1.2), 4000)
    found = population(
        *((k % 20 + 1, NO_FAULT, d, False, None) for k, d in enumerate(sizes)), rng=rng
    )
    # Standard errors: ln(1.2)/√4000 = 0.3 % of the mean, 0.2 % of the GSD.
    assert found.geometric_mean_nm == pytest.approx(6.0, rel=0.01)
    assert found.geometric_standard_deviation == pytest.approx(1.2, rel=0.01)
    assert found.d50_nm.low < found.d50_nm.value < found.d50_nm.high
    assert found.fields_of_view == 20
    assert found.area_imaged_nm2 == 20 * 400.0


def test_no_one_and_two_particles_are_figures_or_none_never_nan():
    none = describe(choose([]), particles())
    assert (none.particles, none.d50_nm.value, none.d10_nm) == (0, None, None)
    assert none.d50_nm.method == "no particle to measure"
    one = population((1, FAULT, 5.0, False, None), rng=np.random.default_rng(0))
    assert (one.d50_nm.value, one.standard_deviation_nm) == (5.0, None)
    assert one.d50_nm.method == "one field of view only"
    two = population((1, FAULT, 5.0, False, None), (2, FAULT, 7.0, False, None))
    assert two.standard_deviation_nm == pytest.approx(2**0.5)


def test_the_json_has_the_names_that_were_promised():
    found = to_json_values(population((1, FAULT, 5.0, False, None)))
    promised = {
        "particles", "excluded", "d50_nm", "lognormal", "bootstrap", "observable_fraction",
        "stacking_fault_fraction", "needed",
    }  # fmt: skip
    assert promised <= set(found)
    assert set(found["stacking_fault_fraction"]) >= {"wilson", "corrected"}
    assert (found["needed"], found["stacking_fault_fraction"]["corrected"]) == (None, None)
