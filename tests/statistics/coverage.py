"""`python -m tests.statistics.coverage`: how often the 95 % intervals hold the truth.

Populations are simulated one after the other and described as a user's would be; an interval that
says 95 % holds the truth in 95 of 100 of them. Prints one row for each scenario.
"""

import argparse
import functools
import math
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from schema.correction import Classifier
from schema.distribution import NOTHING, Estimate
from schema.fractions import Corrected
from schema.population import Population, describe
from schema.resampling import RESAMPLES
from tests.statistics.populations import Drawn, Scenario, Truth, draw, truth

Floats = NDArray[np.float64]

SEED = 20260301

SCENARIOS = (
    Scenario(name="moderate", fields=30, particles_per_field=15),
    Scenario(name="few full fields", fields=12, particles_per_field=25),
    Scenario(name="many sparse fields", fields=100, particles_per_field=8),
    Scenario(name="eight fields", fields=8, particles_per_field=20),
    Scenario(name="drawn in groups", fields=800, particles_per_field=8),
    Scenario(name="border loss", fields=30, particles_per_field=18, frame_nm=60.0),
    Scenario(
        name="strong",
        fields=30,
        particles_per_field=15,
        size_between=0.20,
        size_within=0.15,
        fault_between=1.2,
    ),
    Scenario(name="rare faults", fields=30, particles_per_field=15, fault_share=0.03),
)

FIGURES: dict[str, Callable[[Population], Estimate | Corrected]] = {
    "median": lambda found: found.diameter_nm.d50,
    "D90": lambda found: found.diameter_nm.d90,
    "mean": lambda found: found.moments_nm.mean,
    "geometric SD": lambda found: found.moments_nm.geometric_standard_deviation,
    "fitted median": lambda found: found.lognormal.centre_nm if found.lognormal else NOTHING,
    "fitted spread": lambda found: found.lognormal.spread if found.lognormal else NOTHING,
    "fault fraction": lambda found: found.stacking_fault_fraction.by_field,
    "corrected": lambda found: found.stacking_fault_fraction.corrected,
}

say = functools.partial(print, flush=True)


def intervals(
    scenario: Scenario,
    populations: int,
    seen_as: Callable[[Drawn], Drawn] = lambda drawn: drawn,
    resamples: int = RESAMPLES,
) -> Floats:
    """(M, 8, 3) low, value and high of each of `FIGURES`, in each of M populations.

    Args:
        scenario: how they are made.
        populations: M.
        seen_as: what is described in the place of what was drawn.
        resamples: of the fields of view.
    """
    found = np.full((populations, len(FIGURES), 3), np.nan)
    own = zlib.crc32(scenario.name.encode())  # no two scenarios have the same luck
    for number in range(populations):
        rng = np.random.default_rng([SEED, own, number])
        drawn = seen_as(draw(scenario, rng))
        classifier = Classifier(confusion=drawn.confusion)
        described = describe(drawn.choice, drawn.particles, rng, resamples, classifier)
        for place, figure in enumerate(FIGURES.values()):
            each = figure(described)
            found[number, place] = (each.low, each.value, each.high)
    return found


def coverage(found: Floats, known: Truth) -> dict[str, float]:
    """The share of populations whose interval holds the truth, for each of `FIGURES`.

    An interval that is missing holds nothing.
    """
    true = astuple(known)
    holds = (found[:, :, 0] <= true) & (found[:, :, 2] >= true)
    return dict(zip(FIGURES, holds.mean(axis=0).tolist(), strict=True))


def standard_error(share: float, populations: int) -> float:
    """Of a share that was counted in so many populations."""
    return math.sqrt(share * (1 - share) / populations)


def scenario_named(name: str) -> Scenario:
    """One of `SCENARIOS`."""
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


def main(words: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.statistics.coverage", description=__doc__
    )
    parser.add_argument("--populations", type=int, default=1000, help="of each scenario")
    parser.add_argument(
        "--scenario", choices=[each.name for each in SCENARIOS], help="default: all"
    )
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    chosen = parser.parse_args(words)
    head = ["scenario", "fields", "particles per field", "populations", *FIGURES]
    say(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for scenario in SCENARIOS:
        if chosen.scenario in (None, scenario.name):
            say(_row(scenario, chosen.populations, chosen.resamples))
    return 0


def _row(scenario: Scenario, populations: int, resamples: int) -> str:
    found = intervals(scenario, populations, resamples=resamples)
    shares = coverage(found, truth(scenario)).values()
    cells = [
        f"{100 * share:.1f} ± {100 * standard_error(share, populations):.1f} %" for share in shares
    ]
    about = [scenario.name, scenario.fields, f"{scenario.particles_per_field:g}", populations]
    return f"| {' | '.join(map(str, [*about, *cells]))} |"


if __name__ == "__main__":
    sys.exit(main())
