"""Simulated populations whose figures are known: particles of one micrograph resemble each other.

Each field of view has its own offset of the logarithm of the size and of the logit of the chance of
a stacking fault. The truth is that of all fields there could be, not of those that were drawn.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from schema.choice import Choice, Result, Rules, choose
from schema.correction import Confusion
from schema.records import CLASS_NAMES
from schema.sample import Particles
from schema.summaries import PACKED, Packed

Floats = NDArray[np.float64]

MEDIAN_NM = 6.0
OBSERVABLE, MISORIENTED, AGGLOMERATION, BACKGROUND = 0.65, 0.15, 0.10, 0.10
MOST_ELONGATED = 1.5
FAULT, NO_FAULT = 0, 1

HELD_OUT = (310, 407, 238, 315, 910)
RATES = np.array(
    [
        [0.87, 0.07, 0.02, 0.04, 0.00],
        [0.06, 0.83, 0.07, 0.04, 0.00],
        [0.04, 0.06, 0.89, 0.01, 0.00],
        [0.05, 0.04, 0.11, 0.80, 0.00],
        [0.00, 0.00, 0.00, 0.00, 1.00],
    ]
)
"""(C, C) the share of each true class (rows) that is given each class (columns), and how many
particles of each true class a matrix is measured on: much as in the model that ships."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How a population is made.

    `particles_per_field`: mean number of those of any class whose centre lies in a field that is
    not empty; `empty_share` of the fields hold nothing. `size_between`, `size_within`: standard
    deviations of ln(size), of the offset of a field and inside of it. `fault_share`: of observable
    particles, in a field without an offset; `fault_between`: standard deviation of the offset of
    its logit. `frame_nm`: side of a field where particles are lost at the border and weights stand
    for them, None where neither is so.
    """

    name: str
    fields: int
    particles_per_field: float
    size_between: float = 0.10
    size_within: float = 0.20
    fault_share: float = 0.35
    fault_between: float = 0.6
    empty_share: float = 0.05
    frame_nm: float | None = None


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What the figures would be of all fields there could be.

    `spread`: geometric standard deviation. Sizes are lognormal, so a fit has the same median and
    spread. `fault_as_classified`, `fault`: among observable particles, by the class given and the
    true one.
    """

    median_nm: float
    d90_nm: float
    mean_nm: float
    spread: float
    fitted_median_nm: float
    fitted_spread: float
    fault_as_classified: float
    fault: float


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What a microscopist would have of a population: so many fields, and a measured matrix."""

    choice: Choice
    particles: Particles
    confusion: Confusion


def truth(scenario: Scenario) -> Truth:
    """Sizes are lognormal with both variances added; the chance of a fault is averaged over fields.

    How many particles a field holds says nothing of its offsets, nor do sizes of classes.
    """
    variance = scenario.size_between**2 + scenario.size_within**2
    shares = _mean_shares(scenario)
    given = shares @ RATES
    spread = float(np.exp(np.sqrt(variance)))
    return Truth(
        median_nm=MEDIAN_NM,
        d90_nm=MEDIAN_NM * spread ** float(ndtri(0.9)),
        mean_nm=MEDIAN_NM * float(np.exp(variance / 2)),
        spread=spread,
        fitted_median_nm=MEDIAN_NM,
        fitted_spread=spread,
        fault_as_classified=float(given[FAULT] / (given[FAULT] + given[NO_FAULT])),
        fault=float(shares[FAULT] / OBSERVABLE),
    )


def draw(scenario: Scenario, rng: np.random.Generator) -> Drawn:
    """One population: its fields, the particles seen in them, and how the classifier was tested."""
    tables = [_field(scenario, rng) for _ in range(scenario.fields)]
    rules = Rules(border_weights=scenario.frame_nm is not None)
    side_nm = scenario.frame_nm or 1000.0
    results = [_result(number, table.size, side_nm) for number, table in enumerate(tables)]
    counts = [rng.multinomial(number, rates) for number, rates in zip(HELD_OUT, RATES, strict=True)]
    return Drawn(
        choice=choose(results, rules),
        particles=Particles(
            table=np.concatenate(tables),
            result=np.repeat(np.arange(len(tables)), [table.size for table in tables]),
        ),
        confusion=Confusion(counts=np.array(counts, np.float64), source="simulation-based"),
    )


def taken_apart(drawn: Drawn) -> Drawn:
    """The same particles as if each had a field of view of its own: independent of all others."""
    table = drawn.particles.table
    side_nm = drawn.choice.results[0].height_nm or 0.0
    results = [_result(number, 1, side_nm) for number in range(table.size)]
    return Drawn(
        choice=choose(results, drawn.choice.rules),
        particles=Particles(table=table, result=np.arange(table.size)),
        confusion=drawn.confusion,
    )


def _mean_shares(scenario: Scenario) -> Floats:
    """(C,) of the true classes, by Gauss-Hermite quadrature over the offsets of the fields."""
    places, weights = np.polynomial.hermite_e.hermegauss(60)
    chances = expit(logit(scenario.fault_share) + scenario.fault_between * places)
    return _shares(float(weights @ chances / weights.sum()))


def _shares(fault: float) -> Floats:
    observable = (OBSERVABLE * fault, OBSERVABLE * (1 - fault))
    return np.array([*observable, MISORIENTED, AGGLOMERATION, BACKGROUND])


def _field(scenario: Scenario, rng: np.random.Generator) -> Packed:
    """The regions of one field of view."""
    size_offset, fault_offset = rng.normal(0, (scenario.size_between, scenario.fault_between))
    mean_number = scenario.particles_per_field * (rng.random() >= scenario.empty_share)
    # Centres outside of the frame too: their particles may reach into it.
    reach = 1.0 if scenario.frame_nm is None else 1.5
    number = rng.poisson(mean_number * reach**2)
    logs = rng.normal(np.log(MEDIAN_NM) + size_offset, scenario.size_within, number)
    elongation = rng.uniform(1.0, MOST_ELONGATED, number)
    shares = _shares(float(expit(logit(scenario.fault_share) + fault_offset)))
    true = rng.choice(len(CLASS_NAMES), size=number, p=shares)
    table = np.zeros(number, PACKED)
    table["diameter_nm"] = np.exp(logs)
    table["caliper_nm"] = np.exp(logs) * (elongation**0.5 + elongation**-0.5) / 2
    table["aspect_ratio"] = elongation
    table["circularity"] = 2 / (elongation + 1 / elongation)
    table["class_code"] = _given(true, rng)
    if scenario.frame_nm is None:
        return table
    return _framed(table, scenario.frame_nm, reach, rng)


def _given(true: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(N,) the class the classifier gives, drawn from the row of the true one."""
    reached = RATES.cumsum(axis=1)[true]
    above = rng.random(true.size)[:, np.newaxis] >= reached[:, :-1]
    return np.asarray(above.sum(axis=1))


def _framed(table: Packed, side_nm: float, reach: float, rng: np.random.Generator) -> Packed:
    """Ellipses thrown on a plane at random angles: those that reach into the frame."""
    long_nm = table["diameter_nm"] * table["aspect_ratio"] ** 0.5
    short_nm = table["diameter_nm"] / table["aspect_ratio"] ** 0.5
    angle = rng.uniform(0, np.pi, table.size)
    cosine, sine = np.cos(angle), np.sin(angle)
    box_nm = np.stack(
        [np.hypot(long_nm * cosine, short_nm * sine), np.hypot(long_nm * sine, short_nm * cosine)]
    )
    centre_nm = rng.uniform(-reach * side_nm / 2, reach * side_nm / 2, (2, table.size))
    nearest_nm = np.abs(centre_nm) - box_nm / 2
    furthest_nm = np.abs(centre_nm) + box_nm / 2
    table["touches_border"] = (furthest_nm >= side_nm / 2).any(axis=0)
    return table[(nearest_nm < side_nm / 2).all(axis=0)]


def _result(number: int, particles: int, side_nm: float) -> Result:
    when = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    return Result(
        analysis_id=number,
        micrograph_id=number,
        field_of_view_id=number,
        pixel_sha256=f"picture {number}",
        pipeline_fingerprint="simulated",
        activated_at_utc=when,
        seen_at_utc=when,
        in_domain=True,
        suspect=False,
        is_sum=False,
        signal_index=0,
        frame_index=None,
        height_nm=side_nm,
        width_nm=side_nm,
        size_limit_nm=1.0,
        particle_count=particles,
    )
