"""Whether to go on measuring, as the live view says it."""

from dataclasses import replace

import pytest

from daemon.prospects import prospects
from schema.correlation import Drift
from schema.distribution import Deciles, Estimate
from schema.outlook import Outlook
from tests.daemon.snapshots import NOTHING_FOUND, OUTLOOK, POPULATION


def shown(outlook: Outlook | None) -> list[str]:
    return [line.plain.rstrip() for line in prospects(outlook, 42)]


def with_median(low: float, high: float, per_minute: float | None) -> Outlook:
    median = Deciles(d50=Estimate(value=5.0, low=low, high=high))
    population = replace(POPULATION, diameter_nm=median)
    return replace(OUTLOOK, population=population, per_minute=per_minute)


def test_an_interval_twice_as_wide_as_wanted_asks_for_three_times_as_many_particles_more():
    # ±4 % of 412 particles in 38 micrographs: 3 · 412 = 1236 more; at 2 micrographs a minute, each
    # with 10.8 of them, 57 minutes.
    assert shown(with_median(4.8, 5.2, 2.0))[0] == "median ±2 %      1236 more, about 57 min"
    assert shown(with_median(4.8, 5.2, 0.2))[0] == "median ±2 %      1236 more, about 9.5 h"
    assert shown(with_median(4.8, 5.2, None))[0] == "median ±2 %      1236 more"


def test_what_is_narrow_enough_is_reached_and_says_how_narrow():
    assert shown(with_median(4.95, 5.05, 2.0))[0] == "median ±2 %      reached (±1.0 %)"


def test_without_figures_a_reason_stands_in_their_place():
    assert shown(None) == [
        "median ±2 %      — no particle yet",
        "faults ±5 points — no particle yet",
        "drift            — no particle yet",
    ]
    assert shown(NOTHING_FOUND.outlook)[0] == "median ±2 %      — no interval yet"
    assert shown(NOTHING_FOUND.outlook)[2].startswith("drift            — fewer than 8")


@pytest.mark.parametrize(
    ("median", "faults", "words"),
    [
        ((0.5, 0.001), (-0.5, 0.001), "size up, faults down"),
        ((-0.5, 0.009), (0.5, 0.011), "size down"),
        ((0.5, 0.5), (0.5, 0.5), "none seen"),
    ],
)
def test_only_a_drift_that_chance_would_seldom_bring_about_is_told(median, faults, words):
    drifts = [Drift(rho=rho, p_value=p_value, fields=38) for rho, p_value in (median, faults)]
    found = replace(OUTLOOK, drift_of_median=drifts[0], drift_of_faults=drifts[1])
    assert shown(found)[2] == f"drift            {words}"
