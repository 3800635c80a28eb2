"""What goes with what: faults with size, features with each other, all of it with time.

Particles of one field are alike, so what claims to be an interval here rests on fields: standard
errors of the logistic slope are clustered by field of view, drift is asked of fields and not of
particles. Tests that take particles as independent say so in their name.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schema.distribution import Proportion, proportion
from schema.fractions import FAULT, NO_FAULT
from schema.resampling import CONFIDENCE, LEAST_FIELDS
from schema.sample import Sample

Floats = NDArray[np.float64]

LEAST_PARTICLES = 20
LEAST_OF_EACH = 5
MOST_BINS = 8
LEAST_IN_BIN = 10


@dataclass(frozen=True, kw_only=True)
class Slope:
    """By how much the odds of a fault change per nm: a factor, with its 95 % interval.

    `p_value`: that there is no change. `reason` says why there is none.
    """

    odds_ratio_per_nm: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Whether faulted particles are larger, as if all particles were independent.

    `larger`: how often, of a faulted and a faultless particle drawn by chance, the faulted one is
    the larger (the effect size of Mann and Whitney's test), 0.5 where size says nothing.
    """

    larger: float | None = None
    p_value_if_independent: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class SizeBin:
    """The share of faults among the observable particles of a range of sizes."""

    low_nm: float
    high_nm: float
    faults: Proportion


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Whether a figure of the fields goes up or down in the course of time.

    `rho`: Spearman's rank correlation of the fields' values with their order in time, `fields` of
    them, and the chance of such a one without any drift.
    """

    rho: float | None = None
    p_value: float | None = None
    fields: int = 0
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class RankMatrix:
    """Spearman's rank correlations of features, each over the particles that have both.

    `rho` (K, K) in the order of `names`, None where fewer than twenty particles have both or one
    of them is the same in all; `counts` (K, K) of the particles.
    """

    names: tuple[str, ...]
    rho: tuple[tuple[float | None, ...], ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Relations:
    """What goes with what in one selection."""

    fault_slope: Slope
    size_shift: Shift
    fault_by_size: tuple[SizeBin, ...]
    drift_of_median: Drift
    drift_of_faults: Drift
    ranks: RankMatrix


def relations(counted: Sample, names: Sequence[str], columns: Floats) -> Relations:
    """What goes with what in one selection.

    Args:
        counted: the regions that count.
        names: of K features.
        columns: (N, K) of them, NaN where a particle lacks one; only crystalline single particles
            enter.
    """
    observable = np.isin(counted.class_code, (FAULT, NO_FAULT)) & np.isfinite(counted.diameter_nm)
    is_fault = counted.class_code == FAULT
    diameter, field = counted.diameter_nm[observable], counted.field[observable]
    faulted = is_fault[observable]
    sized = counted.is_sized
    return Relations(
        fault_slope=fault_slope(diameter, faulted, field),
        size_shift=size_shift(diameter, faulted),
        fault_by_size=by_size(diameter, faulted),
        drift_of_median=drift(
            counted.seen_seconds,
            by_field(np.median, counted.diameter_nm[sized], counted.field[sized], counted.fields),
        ),
        drift_of_faults=drift(
            counted.seen_seconds,
            by_field(np.mean, faulted.astype(np.float64), field, counted.fields),
        ),
        ranks=rank_matrix(names, columns[sized]),
    )


def by_field(
    figure: Callable[[Floats], np.floating], values: Floats, field: NDArray[np.int64], fields: int
) -> Floats:
    """(F,) a figure of the values of each field of view, NaN where it has none.

    Args:
        figure: of the values of one field.
        values: (N,).
        field: (N,) in [0, F).
        fields: F.
    """
    order = np.argsort(field, kind="stable")
    parts = np.split(values[order], np.searchsorted(field[order], np.arange(1, fields)))
    return np.array([figure(part) if part.size else np.nan for part in parts[:fields]])


def fault_slope(
    diameter_nm: Floats, is_fault: NDArray[np.bool_], field: NDArray[np.int64]
) -> Slope:
    """Logistic regression of faults on size, its errors clustered by field of view.

    Args:
        diameter_nm: (N,) of the observable particles.
        is_fault: (N,) whether a fault is seen.
        field: (N,) where each lies.
    """
    reason = _too_few(is_fault)
    fields = np.unique(field).size
    if reason is None and fields < LEAST_FIELDS:
        reason = f"observable particles in fewer than {LEAST_FIELDS} fields of view"
    if reason is None and np.ptp(diameter_nm) == 0:
        reason = "all of one size"
    if reason is not None:
        return Slope(reason=reason)
    from statsmodels.discrete.discrete_model import Logit

    design = np.column_stack([np.ones(diameter_nm.size), diameter_nm - diameter_nm.mean()])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = Logit(is_fault.astype(np.float64), design).fit(
                disp=False, cov_type="cluster", cov_kwds={"groups": field}, use_t=True
            )
    except (Warning, np.linalg.LinAlgError):
        return Slope(reason="size parts faulted from faultless particles entirely")
    low, high = found.conf_int(1 - CONFIDENCE)[1]
    return Slope(
        odds_ratio_per_nm=float(np.exp(found.params[1])),
        low=float(np.exp(low)),
        high=float(np.exp(high)),
        p_value=float(found.pvalues[1]),
    )


def size_shift(diameter_nm: Floats, is_fault: NDArray[np.bool_]) -> Shift:
    """Mann and Whitney's test of the sizes of faulted against faultless particles."""
    reason = _too_few(is_fault)
    if reason is not None:
        return Shift(reason=reason)
    from scipy.stats import mannwhitneyu

    faulted, faultless = diameter_nm[is_fault], diameter_nm[~is_fault]
    test = mannwhitneyu(faulted, faultless)
    larger = float(test.statistic) / (faulted.size * faultless.size)
    return Shift(larger=larger, p_value_if_independent=float(test.pvalue))


def by_size(diameter_nm: Floats, is_fault: NDArray[np.bool_]) -> tuple[SizeBin, ...]:
    """The share of faults in up to eight ranges of size with as many particles in each.

    Empty where there are fewer than ten observable particles.
    """
    bins = min(MOST_BINS, diameter_nm.size // LEAST_IN_BIN)
    if bins == 0:
        return ()
    edges = np.unique(np.quantile(diameter_nm, np.linspace(0, 1, bins + 1)))
    if edges.size == 1:
        edges = np.repeat(edges, 2)
    place = np.clip(np.searchsorted(edges, diameter_nm, side="right") - 1, 0, edges.size - 2)
    return tuple(
        SizeBin(
            low_nm=float(edges[k]),
            high_nm=float(edges[k + 1]),
            faults=proportion(int(is_fault[place == k].sum()), int((place == k).sum())),
        )
        for k in range(edges.size - 1)
    )


def rank_matrix(names: Sequence[str], columns: Floats) -> RankMatrix:
    """Spearman's correlation of each pair of features.

    Args:
        names: K of them.
        columns: (N, K), NaN where a particle lacks a feature.
    """
    size = len(names)
    rho: list[list[float | None]] = [[None] * size for _ in names]
    counts = [[0] * size for _ in names]
    for i in range(size):
        for j in range(i, size):
            both = np.isfinite(columns[:, i]) & np.isfinite(columns[:, j])
            value = _spearman(columns[both, i], columns[both, j])[0]
            rho[i][j] = rho[j][i] = value
            counts[i][j] = counts[j][i] = int(both.sum())
    return RankMatrix(
        names=tuple(names), rho=tuple(map(tuple, rho)), counts=tuple(map(tuple, counts))
    )


def drift(order: Floats, values: Floats) -> Drift:
    """Whether the values of fields go up or down with time.

    Args:
        order: (F,) when each field was imaged.
        values: (F,) NaN where a field has none.
    """
    known = np.isfinite(values)
    count = int(known.sum())
    if count < LEAST_FIELDS:
        return Drift(
            fields=count, reason=f"fewer than {LEAST_FIELDS} fields of view have particles"
        )
    rho, p_value = _spearman(order[known], values[known], LEAST_FIELDS)
    if rho is None:
        return Drift(fields=count, reason="the same in all fields of view")
    return Drift(rho=rho, p_value=p_value, fields=count)


def _spearman(
    first: Floats, second: Floats, least: int = LEAST_PARTICLES
) -> tuple[float | None, float | None]:
    if first.size < least or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None, None
    from scipy.stats import spearmanr

    found = spearmanr(first, second)
    return float(found.statistic), float(found.pvalue)


def _too_few(is_fault: NDArray[np.bool_]) -> str | None:
    if is_fault.size < LEAST_PARTICLES:
        return f"fewer than {LEAST_PARTICLES} observable particles"
    if min(is_fault.sum(), (~is_fault).sum()) < LEAST_OF_EACH:
        return f"fewer than {LEAST_OF_EACH} particles with a fault, or without"
    return None
