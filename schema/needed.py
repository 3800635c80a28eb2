"""How many particles more a figure needs until its interval is as narrow as wanted.

The half-width of an interval falls with the root of the number of particles, as long as fields of
view are alike; what is asked for is in proportion to the square.
"""

import math
from dataclasses import dataclass

from schema.distribution import Estimate

MEDIAN_WITHIN = 0.02
FRACTION_WITHIN = 0.05


@dataclass(frozen=True, kw_only=True)
class Needed:
    """What is missing for one figure.

    `within`: half-width that is wanted, as a share of the figure (median) or as a difference of
    shares (fraction). `reached`: the half-width there is. `particles`: how many more; 0 where there
    are enough. `minutes`: at the present rate, None where nothing comes. All but `within` are None
    where there is no interval yet, and `reason` says why.
    """

    within: float
    reached: float | None = None
    particles: int | None = None
    minutes: float | None = None
    reason: str | None = None


def needed(
    estimate: Estimate, count: int, within: float, *, relative: bool, per_minute: float | None
) -> Needed:
    """What is missing until an interval is as narrow as wanted.

    Args:
        estimate: the figure and its 95 % interval.
        count: the particles it rests on.
        within: the half-width that is wanted.
        relative: whether that is a share of the figure itself.
        per_minute: how many such particles come, None where that is not known.
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or low is None or high is None:
        return Needed(within=within, reason="no interval yet")
    reached = max(high - value, value - low)
    if relative and value == 0:
        return Needed(within=within, reason="no share of zero")
    if relative:
        reached /= value
    in_all = round(count * (reached / within) ** 2, 6)  # 4.0000001 times as many are four times
    more = max(math.ceil(in_all) - count, 0)
    minutes = more / per_minute if per_minute else None
    return Needed(within=within, reached=reached, particles=more, minutes=minutes)
