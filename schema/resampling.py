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

    def tallies(
        self, field: NDArray[np.int64], kind: NDArray[np.integer], kinds: int, weight: Floats
    ) -> Floats:
        """(B, K) the weights of each of K kinds of particles, in each resample.

        Args:
            field: (N,) in [0, F), where each particle lies.
            kind: (N,) in [0, K).
            kinds: K.
            weight: (N,).
        """
        both = self._group[field] * kinds + kind
        table = np.bincount(both, weight, self._groups * kinds).reshape(self._groups, kinds)
        return np.asarray(self._drawn @ table)

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
        both = self._group[field[order]] * cells + cell
        table = np.bincount(both, heavy, self._groups * cells).reshape(self._groups, cells)
        return _quantiles_of_rows(place, self._drawn @ table, shares)

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
    from scipy.special import ndtr, stdtrit

    reach = stdtrit(fields - 1, (1 + CONFIDENCE) / 2) * np.sqrt(fields / (fields - 1))
    return float(ndtr(-reach))


def _quantiles_of_rows(ordered: Floats, weights: Floats, shares: tuple[float, ...]) -> Floats:
    """(B, P) what `quantiles_at` gives for each of B rows of weights, all rows at once."""
    found = np.full((len(weights), len(shares)), np.nan)
    if ordered.size == 0:
        return found
    there = weights > 0
    rank = np.cumsum(there, axis=1, dtype=np.int32)
    rows = np.flatnonzero(rank[:, -1] > 0)
    reached = np.cumsum(weights, axis=1)
    with np.errstate(invalid="ignore"):
        middles = (reached - weights / 2) / reached[:, -1:]
    for place, share in enumerate(shares):
        below = np.count_nonzero(there & (middles < share), axis=1)[rows]
        low, high = (
            _of_rank(rank[rows], np.clip(number, 1, rank[rows, -1]))
            for number in (below, below + 1)
        )
        left, right = middles[rows, low], middles[rows, high]
        with np.errstate(invalid="ignore", divide="ignore"):
            part = np.where(high > low, (share - left) / (right - left), 0.0)
        found[rows, place] = ordered[low] + part * (ordered[high] - ordered[low])
    return found


def _of_rank(rank: NDArray[np.int32], number: NDArray[np.int64]) -> NDArray[np.int64]:
    """(B,) where the rank of each row first reaches a number."""
    return np.asarray(np.argmax(rank >= number[:, np.newaxis], axis=1))


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
