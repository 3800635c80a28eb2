"""The true shares of the classes behind those a classifier gave.

A forest that is right in 86 of 100 cases finds faults where there are none: an observed 30 % may
be 22 %, an observed 14 % none at all. Its confusion matrix, measured on particles whose class is
known, is inverted under the constraint that shares are not negative and add up to one. How few
particles it was measured on enters as Dirichlet distributions of its rows.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PRIOR = 1 / 5  # Perks, one case for each row: what was never mistaken in 200 may be in the 201st
_SUM_WEIGHT = 1e3
_ROUNDING = 1e-9
_SOUND = 1e6  # condition; beyond it an inverse is noise

Source = Literal["simulation-based", "reviewed"]


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """How often particles of each true class (rows) were given each class (columns).

    `counts` (C, C) of held-out particles. `source` says where their truth comes from.
    """

    counts: Floats
    source: Source

    def rates(self) -> Floats:
        """(C, C) rows that add up to one."""
        return np.asarray(self.counts / self.counts.sum(axis=1, keepdims=True))

    def drawn(self, rng: np.random.Generator, times: int) -> Floats:
        """(1 + B, C, C) rates as measured, and as they may be, given how few were counted."""
        rows = [rng.dirichlet(row + PRIOR, size=times) for row in self.counts]
        return np.concatenate([self.rates()[np.newaxis], np.stack(rows, axis=1)])


def true_shares(observed: Floats, rates: Floats) -> Floats:
    """(B, C) true shares, not negative and of sum one, that come nearest to those observed.

    NaN where nothing was observed.

    Args:
        observed: (B, C) counts or weights by the class given.
        rates: (B, C, C) rows of true classes, columns of given ones.
    """
    total = observed.sum(axis=1, keepdims=True)
    found = np.full(observed.shape, np.nan)
    there = np.flatnonzero(total[:, 0] > 0)
    if there.size == 0:
        return found
    found[there] = _inverted(observed[there] / total[there], rates[there])
    outside = there[~(found[there] > -_ROUNDING).all(axis=1)]
    if outside.size:
        from scipy.optimize import nnls  # takes a third of a second to import

        for row in outside:
            # The sum of one is a last equation that weighs more than all others.
            system = np.vstack([rates[row].T, np.full(observed.shape[1], _SUM_WEIGHT)])
            found[row], _ = nnls(system, np.append(observed[row] / total[row], _SUM_WEIGHT))
    found[found < _ROUNDING] = 0.0  # else a fraction of nothing would be one of noise
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _inverted(shares: Floats, rates: Floats) -> Floats:
    """(B, C) shares that the rates turn into those given; NaN for a matrix without an inverse.

    They add up to one, as rows of rates do. Where none is negative they are those wanted.
    """
    found = np.full(shares.shape, np.nan)
    sound = np.linalg.cond(rates) < _SOUND
    turned = np.swapaxes(rates[sound], 1, 2)
    found[sound] = np.linalg.solve(turned, shares[sound][..., np.newaxis])[..., 0]
    return found


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """What is known of the classifier's errors; where nothing may be said, `reason` says why."""

    confusion: Confusion | None = None
    reason: str | None = None
