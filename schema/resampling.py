"""The bootstrap over fields of view: whole fields are drawn, as particles of one field are alike.

A field is drawn with all its particles or not at all, as often as chance has it (Davison and
Hinkley 1997, section 3.8). Few fields make a percentile interval too short; its tails are moved out
as far as Student's t lies beyond the normal law (Hesterberg 2015, "What teachers should know about
the bootstrap", section 5.3: the expanded percentile interval).
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 1000
LEAST_FIELDS = 8
MOST_GROUPS = 400
CELLS = 1024
BINS = 2**16
FULL = 2  # cells that one bin may fill; where values are that alike, they are put in order
FEW_SHARES = 10

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
        self, field: NDArray[np.int64], sample: "Weighted", shares: tuple[float, ...]
    ) -> Floats:
        """(B, P) quantiles in each resample, NaN where it has no particle.

        Values beyond 1,024 are gathered into about so many cells of equal number, inside which they
        are taken as evenly spread.

        Args:
            field: (N,) in [0, F), where each of the N values lies.
            sample: the values.
            shares: P of them, in [0, 1].
        """
        cell, cells = sample.cell, sample.cells
        mass = np.bincount(cell, sample.weights, cells)
        place = np.bincount(cell, sample.values * sample.weights, cells) / mass
        both = self._group[field] * cells + cell
        table = np.bincount(both, sample.weights, self._groups * cells)
        rows = self._drawn @ table.reshape(self._groups, cells)
        return np.array([quantiles_at(place, row, shares) for row in rows])

    def interval(self, draws: Floats) -> tuple[float, float] | None:
        """The 95 % interval of a figure from its values in the resamples.

        None where there are fewer than eight fields of view, or where the figure could not be had
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


class Weighted:
    """N values, each standing for its weight.

    Args:
        values: (N,) in any order.
        weights: (N,) positive.
    """

    def __init__(self, values: Floats, weights: Floats) -> None:
        self.values = values
        self.weights = weights

    @cached_property
    def cell(self) -> NDArray[np.int64]:
        """(N,) cells that ascend with the values: one for each of them, or some 1,024, none empty.

        A million values are put into bins of equal width, and neighbouring bins into cells of equal
        number, in a tenth of the time of putting them in order.
        """
        size = self.values.size
        spread = np.ptp(self.values) if size > CELLS else 0.0
        if 0 < spread < np.inf:
            steps = (self.values - self.values.min()) * (BINS / spread)
            fine = np.minimum(steps, BINS - 1).astype(np.int64)
            counts = np.bincount(fine)
            if counts.max() < FULL * size / CELLS:
                before = np.cumsum(counts) - counts
                _, cell_of_bin = np.unique(before * CELLS // size, return_inverse=True)
                return np.asarray(cell_of_bin[fine])
        cell = np.empty(size, np.int64)
        cell[self._order] = np.arange(size) * min(size, CELLS) // max(size, 1)
        return cell

    @property
    def cells(self) -> int:
        """How many there are."""
        return int(self.cell.max(initial=-1)) + 1

    def quantiles(self, shares: tuple[float, ...]) -> Floats:
        """(P,) as `quantiles_at` has them, NaN where there is no value.

        Args:
            shares: P of them, in [0, 1].
        """
        if self.values.size <= CELLS or len(shares) > FEW_SHARES:
            return quantiles_at(self.values[self._order], self.weights[self._order], shares)
        masses = np.bincount(self.cell, self.weights, self.cells).astype(np.float64)
        reached = np.cumsum(masses)
        return np.array([self._quantile(share * reached[-1], reached) for share in shares])

    def _quantile(self, target: float, reached: Floats) -> float:
        """The value at which so much weight is reached; it lies between two of three cells."""
        middle = int(np.searchsorted(reached, target))
        near = np.flatnonzero(np.abs(self.cell - middle) <= 1)
        near = near[np.argsort(self.values[near], kind="stable")]
        below = reached[middle - 2] if middle > 1 else 0.0
        weights = self.weights[near]
        return float(np.interp(target, below + np.cumsum(weights) - weights / 2, self.values[near]))

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self.values, kind="stable")


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
    if not there.all():
        weights, ordered = weights[there], ordered[there]
    if weights.size == 0:
        return np.full(len(shares), np.nan)
    reached = np.cumsum(weights)
    return np.asarray(np.interp(np.array(shares) * reached[-1], reached - weights / 2, ordered))
