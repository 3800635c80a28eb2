"""The bootstrap over fields of view: whole fields are drawn, as particles of one field are alike.

A field is drawn with all its particles or not at all, as often as chance has it (Davison and
Hinkley 1997, section 3.8). Few fields make a percentile interval too short; its tails are moved out
as far as Student's t lies beyond the normal law (Hesterberg 2015, "What teachers should know about
the bootstrap", section 5.3: the expanded percentile interval).
"""

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 1000
LEAST_FIELDS = 5
MOST_GROUPS = 400
CELLS = 2048

Floats = NDArray[np.float64]


class FieldBootstrap:
    """So many resamples of the fields of view of one selection; all figures share them.

    Of very many fields, groups of them are drawn in their place, made by chance: 400 groups say as
    much of the spread as 10,000 fields, in a twentieth of the time.

    Args:
        fields: F, those without a particle too.
        rng: draws.
        resamples: B.
    """

    def __init__(self, fields: int, rng: np.random.Generator, resamples: int = RESAMPLES) -> None:
        self.fields = fields
        self.resamples = resamples
        self._groups = min(fields, MOST_GROUPS)
        self._group = np.arange(fields)
        if fields > MOST_GROUPS:
            self._group = rng.permutation(fields) % MOST_GROUPS
        shares = np.full(self._groups, 1 / max(self._groups, 1))
        drawn = rng.multinomial(self._groups, shares, size=resamples) if fields else 0
        self._drawn = np.broadcast_to(drawn, (resamples, self._groups)).astype(np.float64)

    def sums(self, field: NDArray[np.int64], terms: Floats) -> Floats:
        """(B, K) of K sums over the particles, in each resample.

        Args:
            field: (N,) in [0, F), where each particle lies.
            terms: (N, K) what each adds.
        """
        group = self._group[field]
        each = [np.bincount(group, column, self._groups) for column in terms.T]
        return np.asarray(self._drawn @ np.column_stack(each))

    def quantiles(
        self, field: NDArray[np.int64], values: Floats, weight: Floats, shares: tuple[float, ...]
    ) -> Floats:
        """(B, P) quantiles in each resample, NaN where it has no particle.

        Values beyond 2,048 are gathered into so many cells of equal number, inside which they are
        taken as evenly spread.

        Args:
            field: (N,) in [0, F).
            values: (N,).
            weight: (N,) positive.
            shares: P of them, in [0, 1].
        """
        order = np.argsort(values, kind="stable")
        cells = min(values.size, CELLS)
        cell = np.arange(values.size) * cells // max(values.size, 1)
        ordered, heavy = values[order], weight[order]
        place = np.bincount(cell, ordered * heavy, cells) / np.bincount(cell, heavy, cells)
        table = np.zeros((self._groups, cells))
        np.add.at(table, (self._group[field[order]], cell), heavy)
        found = np.full((self.resamples, len(shares)), np.nan)
        for row, weights in enumerate(self._drawn @ table):
            found[row] = quantiles_at(place, weights, shares)
        return found

    def interval(self, draws: Floats) -> tuple[float, float] | None:
        """The 95 % interval of a figure from its values in the resamples.

        None where there are fewer than five fields of view, or where the figure could not be had
        in one resample of twenty.

        Args:
            draws: (B,) with NaN where it could not be had.
        """
        known = draws[np.isfinite(draws)]
        if self.fields < LEAST_FIELDS or known.size < CONFIDENCE * self.resamples:
            return None
        tail = expanded_tail(self.fields)
        low, high = np.quantile(known, (tail, 1 - tail))
        return float(low), float(high)


def expanded_tail(fields: int) -> float:
    """The share of resamples beyond either end, for a 95 % interval from so many fields."""
    from scipy.stats import norm, t

    reach = t.ppf((1 + CONFIDENCE) / 2, fields - 1) * np.sqrt(fields / (fields - 1))
    return float(norm.sf(reach))


def quantiles_at(ordered: Floats, weights: Floats, shares: tuple[float, ...]) -> Floats:
    """(P,) quantiles of a sorted sample in which each value stands for its weight.

    Between the middles of two weights the quantile is a straight line (Hazen 1914): with equal
    weights the median is NumPy's. NaN where all weights are zero.

    Args:
        ordered: (N,) ascending.
        weights: (N,) not negative.
        shares: P of them, in [0, 1].
    """
    there = weights > 0
    weights, ordered = weights[there], ordered[there]
    if weights.size == 0:
        return np.full(len(shares), np.nan)
    reached = np.cumsum(weights)
    middles = (reached - weights / 2) / reached[-1]
    return np.interp(shares, middles, ordered)
