"""The figures of a population, and the names under which they are stated."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.choice import Rules, choose
from schema.correction import Classifier, Confusion
from schema.population import describe
from schema.records import CLASS_NAMES
from schema.sample import Particles, sample
from schema.statement import statement
from schema.summaries import EXCLUSIONS, PACKED
from tests.schema.examples import NOW
from tests.schema.test_choice import SUSPECT, UNCALIBRATED, of

FAULT, NO_FAULT, MISORIENTED, AGGLOMERATION, BACKGROUND = range(5)


def particles(*rows) -> Particles:
    """Rows of (result, class, diameter, touches border, reason of exclusion), results from 1."""
    table = np.zeros(len(rows), PACKED)
    for place, (_, code, diameter, touches, reason) in enumerate(rows):
        exclusion = 0 if reason is None else EXCLUSIONS.index(reason) + 1
        table[place] = (diameter, diameter, 1.2, 0.9, code, exclusion, touches)
    return Particles(table=table, result=np.array([row[0] - 1 for row in rows], np.int64))


def population(*regions, rng=None, rules=None, **more):
    """The population of these regions, each result a field of view of 20 nm."""
    results = [of(number) for number in range(1, max((row[0] for row in regions), default=0) + 1)]
    return describe(choose(results, rules or Rules()), particles(*regions), rng, **more)


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
    json.dumps(statement(found), allow_nan=False)


def test_size_is_of_crystalline_single_particles_away_from_the_border():
    found = population(
        (1, FAULT, 4.0, False, None),
        (1, NO_FAULT, 5.0, False, None),
        (1, MISORIENTED, 6.0, False, None),
        (1, AGGLOMERATION, 50.0, False, None),
        (1, BACKGROUND, 60.0, False, None),
        (1, FAULT, 70.0, True, None),
        (1, FAULT, 0.5, False, "below_size_limit"),
        rules=Rules(border_weights=False),
    )
    assert found.particles == 3
    assert found.diameter_nm.d50.value == 5.0
    assert found.moments_nm.mean.value == pytest.approx(5.0)
    assert found.excluded == {"below_size_limit": 1, "touches_border": 1}
    assert "border" in found.counting_rule


def test_large_particles_stand_for_those_of_their_size_that_touch_the_border():
    # In a field of 20 nm a particle of 4 nm lies inside with a chance of 0.8², one of 8 nm of 0.6².
    regions = [(1, FAULT, 4.0, False, None)] * 64 + [(1, FAULT, 8.0, False, None)] * 36
    found = population(*regions)
    assert found.moments_nm.mean.value == pytest.approx(6.0)
    plain = population(*regions, rules=Rules(border_weights=False))
    assert plain.moments_nm.mean.value == pytest.approx(0.64 * 4 + 0.36 * 8)
    assert (found.particles, found.size_histogram) == (plain.particles, plain.size_histogram)
    assert found.counting_rule != plain.counting_rule


def test_the_two_fractions_of_the_paper():
    classes = [FAULT] * 3 + [NO_FAULT] * 5 + [MISORIENTED] * 2 + [AGGLOMERATION] * 4
    found = population(*((1, code, 5.0, False, None) for code in classes))
    observable, fault = found.observable_fraction.wilson, found.stacking_fault_fraction.wilson
    assert (observable.count, observable.total) == (8, 10)
    assert (fault.count, fault.total) == (3, 8)


def test_a_lognormal_population_shows_its_own_parameters():
    rng = np.random.default_rng(5)
    sizes = rng.lognormal(np.log(6.0), np.log(1.2), 4000)
    found = population(
        *((k % 20 + 1, NO_FAULT, d, False, None) for k, d in enumerate(sizes)),
        rng=rng,
        rules=Rules(border_weights=False),
    )
    # Standard errors: ln(1.2)/√4000 = 0.3 % of the mean, 0.2 % of the GSD.
    assert found.moments_nm.geometric_mean.value == pytest.approx(6.0, rel=0.01)
    assert found.moments_nm.geometric_standard_deviation.value == pytest.approx(1.2, rel=0.01)
    assert found.lognormal.centre_nm.value == pytest.approx(6.0, rel=0.01)
    assert found.lognormal.log_likelihood > found.normal.log_likelihood
    for figure in (found.diameter_nm.d50, found.moments_nm.mean, found.lognormal.spread):
        assert figure.low < figure.value < figure.high
    assert found.fields_of_view == 20
    assert found.area_imaged_nm2 == 20 * 400.0
    assert found.interval_method == "bootstrap over 20 fields of view, 1000 resamples"


def test_no_one_and_two_particles_are_figures_or_none_never_nan():
    none = describe(choose([]), particles(), np.random.default_rng(0))
    assert (none.particles, none.diameter_nm.d50.value, none.moments_nm.mean.value) == (
        0,
        None,
        None,
    )
    assert none.interval_method == "fewer than 8 fields of view: no interval"
    one = population((1, FAULT, 5.0, False, None), rng=np.random.default_rng(0))
    assert (one.diameter_nm.d50.value, one.moments_nm.standard_deviation.value) == (5.0, None)
    assert (one.lognormal, one.normal) == (None, None)
    two = population((1, FAULT, 5.0, False, None), (2, FAULT, 7.0, False, None))
    assert two.interval_method == "no interval was asked for"
    plain = population(*two_of_them(), rules=Rules(border_weights=False))
    assert plain.moments_nm.standard_deviation.value == pytest.approx(2**0.5)
    for each in (none, one, two):
        json.dumps(statement(each), allow_nan=False)


def two_of_them():
    return (1, FAULT, 5.0, False, None), (2, FAULT, 7.0, False, None)


def test_frames_of_one_field_are_one_field_of_the_bootstrap():
    results = [of(number, field_of_view_id=number % 6, frame_index=number) for number in range(60)]
    regions = [(k + 1, FAULT, 5.0 + k % 6, False, None) for k in range(60)]
    choice = choose(results, Rules(every_frame=True))
    found = describe(choice, particles(*regions), np.random.default_rng(0), resamples=50)
    assert (found.micrographs, found.fields_of_view) == (60, 6)


def test_the_statement_has_the_names_that_were_promised():
    found = statement(population((1, FAULT, 5.0, False, None)))
    promised = {
        "particles", "excluded", "d50_nm", "lognormal", "bootstrap", "observable_fraction",
        "stacking_fault_fraction", "needed",
    }  # fmt: skip
    assert promised <= set(found)
    assert set(found["stacking_fault_fraction"]) >= {"wilson", "bootstrap", "corrected"}
    assert found["d50_nm"] == 5.0
    assert found["needed"]["d50_nm"]["reason"] == "no interval yet"


def test_the_statement_tells_what_is_still_needed():
    rng = np.random.default_rng(0)
    regions = [
        (k % 10 + 1, rng.integers(FAULT, NO_FAULT + 1), d, False, None)
        for k, d in enumerate(rng.normal(6, 1.5, 200))
    ]
    found = statement(population(*regions, rng=rng), per_minute=2.0)
    for name, within in (("d50_nm", 0.02), ("stacking_fault_fraction", 0.05)):
        needed = found["needed"][name]
        assert needed["within"] == within
        assert needed["particles"] > 0
        # Two micrographs a minute with twenty particles each.
        assert needed["minutes"] == pytest.approx(needed["particles"] / 40)


def test_a_classifier_that_errs_has_its_errors_taken_out():
    # Of 100 observable particles 30 are called faulted, by one that is right in 86 of 100 cases.
    counts = np.eye(5) * 1000.0
    counts[:2, :2] = [[860.0, 140.0], [140.0, 860.0]]
    regions = [(k % 10 + 1, FAULT if k < 30 else NO_FAULT, 5.0, False, None) for k in range(100)]
    classifier = Classifier(confusion=Confusion(counts=counts, source="simulation-based"))
    fault = population(
        *regions, rng=np.random.default_rng(0), classifier=classifier
    ).stacking_fault_fraction
    assert fault.wilson.value == 0.30
    assert fault.corrected.value == pytest.approx((0.30 + 0.86 - 1) / (0.86 + 0.86 - 1))
    assert fault.corrected.low < fault.corrected.value < fault.corrected.high
    assert fault.corrected.source == "simulation-based"


def test_a_field_was_seen_when_the_first_of_its_files_was():
    times = [NOW.replace(minute=minute) for minute in (40, 20, 30)]
    results = [
        of(number, field_of_view_id=number // 2, frame_index=number, seen_at_utc=at)
        for number, at in enumerate(times)
    ]
    found = sample(choose(results, Rules(every_frame=True)), particles())
    assert found.seen_seconds.tolist() == [times[1].timestamp(), times[2].timestamp()]


def of_all_sizes():
    """Three faults of 4, 5 and 6 nm, an agglomeration of 5.5 nm, one fault at the border."""
    return (
        (1, FAULT, 4.0, False, None),
        (1, FAULT, 5.0, False, None),
        (1, NO_FAULT, 6.0, False, None),
        (1, AGGLOMERATION, 5.5, False, None),
        (1, FAULT, 5.2, True, None),
        (1, FAULT, 0.5, False, "below_size_limit"),
    )


def test_only_the_sizes_asked_for_count_and_the_others_are_told():
    found = population(*of_all_sizes(), rules=Rules(min_nm=5.0, max_nm=6.0))
    assert (found.particles, found.diameter_nm.d50.value) == (1, 5.0)  # from 5.0, below 6.0
    assert found.class_counts["agglomeration"] == 1
    assert found.excluded == {
        "below_size_limit": 1,
        "touches_border": 1,
        "outside_size_range": 2,
    }
    assert found.stacking_fault_fraction.wilson.total == 1
    assert "particles from 5 nm; particles below 6 nm" in found.counting_rule


def test_a_lower_size_asked_for_is_where_the_distribution_is_cut_off():
    rng = np.random.default_rng(5)
    sizes = rng.lognormal(np.log(6.0), np.log(1.2), 4000)
    regions = [(k % 20 + 1, NO_FAULT, d, False, None) for k, d in enumerate(sizes)]
    cut = population(*regions, rules=Rules(border_weights=False, min_nm=5.0))
    assert cut.size_limit_nm == 5.0
    assert cut.moments_nm.geometric_mean.value > 6.2
    assert cut.lognormal.centre_nm.value == pytest.approx(6.0, rel=0.02)
    both = population(*regions, rules=Rules(border_weights=False, min_nm=5.0, max_nm=7.0))
    assert (both.lognormal, both.normal) == (None, None)  # they know of no upper limit


def test_sizes_are_of_the_classes_asked_for_and_fractions_of_all():
    found = population(*of_all_sizes(), rules=Rules(size_classes=("agglomeration",)))
    assert (found.particles, found.diameter_nm.d50.value) == (1, 5.5)
    assert found.stacking_fault_fraction.wilson.total == 3
    assert "size and shape of agglomeration alone" in found.counting_rule


def test_what_has_no_class_is_of_no_class_that_was_asked_for():
    regions = ((1, -1, 4.0, False, None), (1, BACKGROUND, 6.0, False, None))
    found = population(*regions, rules=Rules(size_classes=("background",)))
    assert (found.particles, found.unclassified) == (1, 1)


def test_without_a_pixel_size_particles_count_in_the_fractions_alone():
    nan = float("nan")
    regions = [
        (1, FAULT, 4.0, False, None),
        (1, NO_FAULT, 5.0, False, None),
        (2, FAULT, nan, False, None),
        (2, FAULT, nan, True, None),
        (2, MISORIENTED, nan, False, None),
    ]
    results = [of(1, size_limit_nm=1.0), of(2, size_limit_nm=3.0, **UNCALIBRATED)]
    found = describe(choose(results, Rules(uncalibrated=True)), particles(*regions))
    assert (found.particles, found.fields_of_view) == (2, 2)
    assert (found.diameter_nm.d10.value, found.diameter_nm.d90.value) == (4.0, 5.0)
    assert found.excluded == {"touches_border": 1}
    assert (found.area_imaged_nm2, found.size_limit_nm) == (400.0, 1.0)
    fault, observable = found.stacking_fault_fraction.wilson, found.observable_fraction.wilson
    assert (fault.count, fault.total, observable.total) == (2, 3, 4)
    assert "without a pixel size count in the fractions" in found.counting_rule
    json.dumps(statement(found), allow_nan=False)


def test_of_uncalibrated_micrographs_alone_there_is_no_size_and_no_limit():
    rules = Rules(uncalibrated=True)
    choice = choose([of(1, **UNCALIBRATED)], rules)
    found = describe(choice, particles((1, FAULT, float("nan"), False, None)))
    assert (found.particles, found.size_limit_nm) == (0, None)
    assert found.stacking_fault_fraction.wilson.value == 1.0
    json.dumps(statement(found), allow_nan=False)


def test_whatever_departs_from_the_default_stands_in_the_counting_rule():
    rules = Rules(
        every_frame=True,
        suspect=True,
        out_of_domain=True,
        uncalibrated=True,
        border_weights=False,
    )
    words = population(*two_of_them(), rules=rules).counting_rule
    for part in (
        "no correction",
        "every frame",
        "suspect",
        "outside the model's domain",
        "pixel size",
    ):
        assert part in words
    assert ";" not in population(*two_of_them()).counting_rule.replace("left out;", "")
