from dataclasses import astuple, replace

import numpy as np
import pytest
from pytest import approx

from schema.choice import Rules
from schema.correction import Classifier, Confusion
from schema.population import describe
from tests.statistics.coverage import (
    FIGURES,
    coverage,
    intervals,
    scenario_named,
    standard_error,
)
from tests.statistics.populations import RATES, draw, taken_apart, truth

POPULATIONS = 200
RESAMPLES = 500  # half as many as a user gets, in half the time
LEAST, MOST = 0.93, 0.97
WIDENED = 3  # standard errors of a share counted in so few populations
VERY_MANY = 3000  # fields


@pytest.mark.parametrize("name", ["moderate", "border loss"])
def test_a_95_percent_interval_holds_the_truth_of_95_populations_in_100(name):
    scenario = scenario_named(name)
    shares = coverage(intervals(scenario, POPULATIONS, resamples=RESAMPLES), truth(scenario))
    low = LEAST - WIDENED * standard_error(LEAST, POPULATIONS)
    high = MOST + WIDENED * standard_error(MOST, POPULATIONS)
    assert {figure: share for figure, share in shares.items() if not low <= share <= high} == {}


def test_particles_taken_as_independent_promise_too_much():
    scenario = scenario_named("strong")
    shares = coverage(intervals(scenario, 60, taken_apart, RESAMPLES), truth(scenario))
    assert shares["mean"] < 0.88


@pytest.mark.parametrize("name", ["moderate", "border loss", "strong"])
def test_the_figures_of_very_many_fields_are_the_truth(name):
    scenario = replace(scenario_named(name), fields=VERY_MANY)
    drawn = draw(scenario, np.random.default_rng(1))
    exact = Classifier(confusion=Confusion(counts=RATES, source="simulation-based"))
    described = describe(drawn.choice, drawn.particles, classifier=exact)
    found = [figure(described).value for figure in FIGURES.values()]
    assert found == approx(astuple(truth(scenario)), rel=0.02)


def test_what_is_lost_at_the_border_makes_a_plain_mean_too_small():
    scenario = replace(scenario_named("border loss"), fields=VERY_MANY)
    drawn = draw(scenario, np.random.default_rng(1))
    plain = replace(drawn.choice, rules=Rules(border_weights=False))
    means = [
        describe(choice, drawn.particles).moments_nm.mean.value for choice in (drawn.choice, plain)
    ]
    assert means[1] < 0.995 * means[0]
