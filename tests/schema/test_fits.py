import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import lognorm, norm, truncnorm

from schema.fits import LEAST_PARTICLES, MOST_TESTED, fitted, scale, truncated_normal
from schema.resampling import FieldBootstrap

MODELS = ("normal", "lognormal")
LAW = {"normal": (20.0, 3.0), "lognormal": (math.log(20.0), 0.3)}  # on the scale of the model
DEPTHS = (-3.0, -2.0, -1.0, -0.5)  # of the limit, in standard deviations from the centre


def limit_nm(model, depth):
    mu, sigma = LAW[model]
    return from_scale(model, mu + depth * sigma)


def from_scale(model, x):
    return np.exp(x) if model == "lognormal" else x


def seen(model, particles, depth=-math.inf, seed=0):
    """Diameters in nm of so many particles above the limit."""
    mu, sigma = LAW[model]
    below = norm.cdf(depth)
    share = np.random.default_rng(seed).uniform(below, 1, particles)
    return from_scale(model, norm.ppf(share, mu, sigma))


def fit(model, diameter_nm, limit=0.0, weight=None, bootstrap=None, field=None):
    field = np.zeros(diameter_nm.size, int) if field is None else field
    weight = np.ones(diameter_nm.size) if weight is None else weight
    return fitted(model, field, diameter_nm, weight, limit, bootstrap)


def standard_errors(model, diameter_nm):
    """Of μ and σ, from the scores of the law: their mean above the limit is zero by definition."""
    mu, sigma = LAW[model]
    z = (scale(model, diameter_nm) - mu) / sigma
    information = diameter_nm.size * np.cov(z / sigma, z**2 / sigma)
    return np.sqrt(np.diag(np.linalg.inv(information)))


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("model", MODELS)
def test_the_law_is_found_though_its_small_particles_are_not_seen(model, depth):
    diameter_nm = seen(model, 20_000, depth)
    found = fit(model, diameter_nm, limit_nm(model, depth))
    law = scale(model, np.array([found.centre_nm.value, found.spread.value]))
    errors = standard_errors(model, diameter_nm)
    assert np.all(np.abs(law - LAW[model]) < 4 * errors)
    # What is unseen follows from the depth, known as well as centre and spread together.
    slope = norm.pdf(depth) * (errors[0] + abs(depth) * errors[1]) / LAW[model][1]
    assert found.unseen == pytest.approx(norm.cdf(depth), abs=4 * slope)


@pytest.mark.parametrize("model", MODELS)
def test_particles_below_the_limit_change_nothing(model):
    limit = limit_nm(model, -1.0)
    above, below = seen(model, 500, -1.0), np.linspace(0.5, 0.9, 200) * limit
    assert fit(model, np.append(above, below), limit) == fit(model, above, limit)


@pytest.mark.parametrize("limit", [0.0, 0.01])
def test_where_nothing_is_cut_off_the_fit_is_mean_and_standard_deviation(limit):
    diameter_nm = seen("normal", 300)
    found = fit("normal", diameter_nm, limit)
    assert found.centre_nm.value == pytest.approx(diameter_nm.mean())
    assert found.spread.value == pytest.approx(diameter_nm.std())
    assert found.unseen == pytest.approx(0, abs=1e-9)
    of_logarithm = fit("lognormal", diameter_nm, 1e-3)
    logs = np.log(diameter_nm)
    assert of_logarithm.centre_nm.value == pytest.approx(np.exp(logs.mean()))
    assert of_logarithm.spread.value == pytest.approx(np.exp(logs.std()))


@pytest.mark.parametrize("model", MODELS)
def test_a_particle_of_weight_three_counts_as_three(model):
    diameter_nm, limit = seen(model, 200, -1.0), limit_nm(model, -1.0)
    weight = 1 + np.arange(200) % 3
    weighted = fit(model, diameter_nm, limit, weight=weight.astype(float))
    repeated = fit(model, np.repeat(diameter_nm, weight), limit)
    for name in ("unseen", "distance", "log_likelihood"):
        assert getattr(weighted, name) == pytest.approx(getattr(repeated, name))
    assert weighted.centre_nm.value == pytest.approx(repeated.centre_nm.value)
    assert weighted.spread.value == pytest.approx(repeated.spread.value)


@given(st.floats(-30, -0.01), st.floats(-50, 50), st.floats(0.01, 20))
def test_mean_and_variance_above_a_limit_give_the_law_back(depth, mu, sigma):
    mean, variance = truncnorm.stats(depth, np.inf, moments="mv")
    limit = mu + depth * sigma
    found = truncated_normal(np.array([mu + sigma * mean]), np.array([sigma**2 * variance]), limit)
    assert np.array(found)[:, 0] == pytest.approx([mu, sigma], rel=1e-4, abs=1e-4 * sigma)


@pytest.mark.parametrize("mean", [-20.0, 4.0, 5.0, math.nan])
def test_what_does_not_lie_above_the_limit_has_no_law(mean):
    found = truncated_normal(np.array([mean]), np.array([1.0]), 5.0)
    assert np.isnan(found).all()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("depth", [0.3, 1.5])
def test_a_law_of_which_more_than_half_is_unseen_is_not_guessed(model, depth):
    assert fit(model, seen(model, 20_000, depth), limit_nm(model, depth)) is None


@pytest.mark.parametrize("model", MODELS)
def test_few_particles_or_one_size_have_no_law(model):
    enough = seen(model, LEAST_PARTICLES)
    assert fit(model, enough) is not None
    assert fit(model, enough[1:]) is None
    assert fit(model, np.empty(0)) is None
    assert fit(model, np.full(50, 5.0)) is None
    assert fit(model, enough, enough.max()) is None


@pytest.mark.parametrize("model", MODELS)
def test_sizes_equal_but_for_rounding_are_one_size(model):
    # Two files state their pixel size in different units: equal areas, 1 in 10¹² apart.
    assert fit(model, np.repeat([5.0, 5.0 * (1 + 1e-12)], 25)) is None


# With the limit nearer to the centre a lognormal sample looks like a normal one half unseen.
@pytest.mark.parametrize("depth", [-math.inf, -1.5])
@pytest.mark.parametrize(("true", "other"), [MODELS, MODELS[::-1]])
def test_sizes_prefer_the_law_they_were_drawn_from(true, other, depth):
    diameter_nm = seen(true, 5000, depth)
    limit = 0.0 if depth == -math.inf else limit_nm(true, depth)
    right, wrong = fit(true, diameter_nm, limit), fit(other, diameter_nm, limit)
    # Chance alone moves the logarithm of the likelihood ratio by some units.
    assert 5000 * (right.log_likelihood - wrong.log_likelihood) > 10
    assert right.distance < wrong.distance


@pytest.mark.parametrize("depth", [-math.inf, -1.5])
@pytest.mark.parametrize(("true", "other"), [MODELS, MODELS[::-1]])
def test_a_law_is_rejected_by_sizes_of_another(true, other, depth):
    diameter_nm = seen(true, 9000, depth)
    limit = 0.0 if depth == -math.inf else limit_nm(true, depth)
    assert fit(other, diameter_nm, limit).p_value < 0.01


@pytest.mark.parametrize("depth", [-math.inf, -1.0])
def test_the_true_law_is_rejected_no_more_often_than_stated(depth):
    limit = 0.0 if depth == -math.inf else limit_nm("normal", depth)
    p = [fit("normal", seen("normal", 200, depth, seed), limit).p_value for seed in range(300)]
    for level in (0.05, 0.2, 0.5):
        # Binomial scatter of 300; with a limit the test is a little shy.
        scatter = math.sqrt(level * (1 - level) / 300)
        rejected = np.mean(np.array(p) < level)
        assert 0.4 * level < rejected < level + 3 * scatter


def test_of_more_than_ten_thousand_particles_none_is_of_any_law_exactly():
    diameter_nm = seen("normal", MOST_TESTED + 1)
    assert fit("normal", diameter_nm).p_value is None
    assert fit("normal", diameter_nm[1:]).p_value is not None


@pytest.mark.parametrize("depth", [-math.inf, -1.0])
@pytest.mark.parametrize("model", MODELS)
def test_likelihood_and_distance_are_those_of_the_truncated_law(model, depth):
    diameter_nm = seen(model, 400, depth)
    limit = 0.0 if depth == -math.inf else limit_nm(model, depth)
    found = fit(model, diameter_nm, limit)
    centre, spread = found.centre_nm.value, found.spread.value
    if model == "normal":
        least = (limit - centre) / spread if limit else -np.inf
        law = truncnorm(least, np.inf, centre, spread)
        density, cumulative = law.logpdf(diameter_nm), law.cdf(np.sort(diameter_nm))
    else:
        law = lognorm(math.log(spread), scale=centre)
        density = law.logpdf(diameter_nm) - law.logsf(limit)
        cumulative = (law.cdf(np.sort(diameter_nm)) - law.cdf(limit)) / law.sf(limit)
    assert found.log_likelihood == pytest.approx(density.mean())
    above, below = np.arange(1, 401) / 400 - cumulative, cumulative - np.arange(400) / 400
    assert found.distance == pytest.approx(max(above.max(), below.max()))


@pytest.mark.parametrize("model", MODELS)
def test_no_law_near_it_is_likelier_than_the_one_found(model):
    diameter_nm, limit = seen(model, 400, -1.0), limit_nm(model, -1.0)
    found = fit(model, diameter_nm, limit)
    mu, sigma = scale(model, np.array([found.centre_nm.value, found.spread.value]))
    x, least = scale(model, diameter_nm), scale(model, np.array([limit]))[0]

    def likelihood(mu, sigma):
        return truncnorm.logpdf(x, (least - mu) / sigma, np.inf, mu, sigma).mean()

    for step in (0.98, 1.02):
        assert likelihood(mu, sigma) > likelihood(mu, sigma * step)
        assert likelihood(mu, sigma) > likelihood(mu + (step - 1) * sigma, sigma)


@pytest.mark.parametrize("model", MODELS)
def test_intervals_hold_their_figure_and_have_the_width_of_theory(model):
    diameter_nm, limit = seen(model, 4000, -1.0), limit_nm(model, -1.0)
    field = np.arange(4000) % 200
    bootstrap = FieldBootstrap(200, np.random.default_rng(0), 1000)
    found = fit(model, diameter_nm, limit, bootstrap=bootstrap, field=field)
    errors = standard_errors(model, diameter_nm)
    for figure, error in zip((found.centre_nm, found.spread), errors, strict=True):
        low, value, high = scale(model, np.array([figure.low, figure.value, figure.high]))
        assert low < value < high
        # Scatter of 200 fields is known to 1/√400 = 5 %, the slope of the law to some more.
        assert high - low == pytest.approx(2 * 1.96 * error, rel=0.25)


def test_fields_that_differ_widen_the_interval():
    # Twenty fields of a hundred: their own centres scatter by 2 nm, the particles of each by 1 nm.
    rng = np.random.default_rng(4)
    field, centre_nm = np.arange(2000) % 20, rng.normal(20, 2, 20)
    diameter_nm = centre_nm[field] + rng.normal(0, 1, 2000)
    found = fit("normal", diameter_nm, bootstrap=FieldBootstrap(20, rng), field=field).centre_nm
    student = 2 * 2.093 * centre_nm.std(ddof=1) / math.sqrt(20)
    assert found.high - found.low == pytest.approx(student, rel=0.15)


def test_without_fields_to_draw_there_is_no_interval():
    found = fit("normal", seen("normal", 50))
    assert astuple(found.centre_nm)[1:] == astuple(found.spread)[1:] == (None, None)


@given(st.floats(0.01, 100), st.integers(0, 50), st.sampled_from(DEPTHS[:3]))
def test_a_law_grows_with_its_particles(factor, seed, depth):
    diameter_nm, limit = seen("lognormal", 300, depth, seed), limit_nm("lognormal", depth)
    first = fit("lognormal", diameter_nm, limit)
    scaled = fit("lognormal", factor * diameter_nm, factor * limit)
    assert scaled.centre_nm.value == pytest.approx(factor * first.centre_nm.value, rel=1e-6)
    assert scaled.spread.value == pytest.approx(first.spread.value, rel=1e-6)
    assert scaled.unseen == pytest.approx(first.unseen, rel=1e-4)
    # A density per nm falls as the sizes spread.
    due = first.log_likelihood - math.log(factor)
    assert scaled.log_likelihood == pytest.approx(due, abs=1e-6)
    normal = fit("normal", diameter_nm, limit)
    if normal is not None:
        larger = fit("normal", factor * diameter_nm, factor * limit)
        assert larger.centre_nm.value == pytest.approx(factor * normal.centre_nm.value, rel=1e-6)
        assert larger.spread.value == pytest.approx(factor * normal.spread.value, rel=1e-6)


@pytest.mark.parametrize("model", ["lognormal", "normal"])
def test_the_interval_of_a_fitted_spread_reaches_further_up_than_down(model):
    # Of few fields: see the intervals of spreads in `distribution`.
    rng = np.random.default_rng(4)
    field = np.repeat(np.arange(8), 20)
    sizes = rng.lognormal(1.8 + rng.normal(0, 0.2, 8)[field], 0.1)
    bootstrap = FieldBootstrap(8, np.random.default_rng(5))
    spread = fitted(model, field, sizes, np.ones(160), 0.0, bootstrap, tested=False).spread
    scale = math.log if model == "lognormal" else float
    low, value, high = (scale(each) for each in (spread.low, spread.value, spread.high))
    assert high / value > 1.05 * value / low
