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
    observable = _observable(counted)
    diameter, field = counted.diameter_nm[observable], counted.field[observable]
    faulted = counted.class_code[observable] == FAULT
    of_median, of_faults = drifts(counted)
    return Relations(
        fault_slope=fault_slope(diameter, faulted, field),
        size_shift=size_shift(diameter, faulted),
        fault_by_size=by_size(diameter, faulted),
        drift_of_median=of_median,
        drift_of_faults=of_faults,
        ranks=rank_matrix(names, columns[counted.is_sized]),
    )


def drifts(counted: Sample) -> tuple[Drift, Drift]:
    """Of the median size, and of the share of visible faults, over the fields of view."""
    sized, observable = counted.is_sized, _observable(counted)
    faulted = (counted.class_code[observable] == FAULT).astype(np.float64)
    medians = by_field(np.median, counted.diameter_nm[sized], counted.field[sized], counted.fields)
    shares = by_field(np.mean, faulted, counted.field[observable], counted.fields)
    return drift(counted.seen_seconds, medians), drift(counted.seen_seconds, shares)


def _observable(counted: Sample) -> NDArray[np.bool_]:
    is_seen = np.isin(counted.class_code, (FAULT, NO_FAULT))
    return np.asarray(is_seen & np.isfinite(counted.diameter_nm))


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
    from scipy.stats import rankdata

    size, particles = len(names), columns.shape[0]
    known = np.isfinite(columns)
    # Those that all particles have are put in order once: for a million that takes a while.
    ranks = {k: rankdata(columns[:, k]) for k in range(size) if known[:, k].all()}
    rho: list[list[float | None]] = [[None] * size for _ in names]
    counts = [[particles] * size for _ in names]
    for i in range(size):
        for j in range(i, size):
            if i in ranks and j in ranks:
                rho[i][j] = rho[j][i] = _rho(ranks[i], ranks[j])
                continue
            both = known[:, i] & known[:, j]
            rho[i][j] = rho[j][i] = _rho(*(rankdata(columns[both, k]) for k in (i, j)))
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
    if np.ptp(order[known]) == 0 or np.ptp(values[known]) == 0:
        return Drift(fields=count, reason="the same in all fields of view")
    from scipy.stats import spearmanr

    found = spearmanr(order[known], values[known])
    return Drift(rho=float(found.statistic), p_value=float(found.pvalue), fields=count)


def _rho(first: Floats, second: Floats) -> float | None:
    """The correlation of two rows of ranks."""
    if first.size < LEAST_PARTICLES or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _too_few(is_fault: NDArray[np.bool_]) -> str | None:
    if is_fault.size < LEAST_PARTICLES:
        return f"fewer than {LEAST_PARTICLES} observable particles"
    if min(is_fault.sum(), (~is_fault).sum()) < LEAST_OF_EACH:
        return f"fewer than {LEAST_OF_EACH} particles with a fault, or without"
    return None
