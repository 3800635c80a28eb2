"""Large particles touch the border of a field more often, so those that do not stand for others.

A particle is counted where all of it lies inside the field. The chance of that falls with its size,
which makes a plain count favour small particles; each counted one gets the inverse of its chance as
weight (Miles 1974; Lantuéjoul 1978; ISO 13322-1 names the procedure).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COUNTING_RULE = (
    "particles that touch the border are left out; each other one counts 1/P, with P the chance "
    "that a particle of its size lies wholly inside the field (Miles-Lantuéjoul)"
)


def weights(caliper_nm: Floats, height_nm: Floats, width_nm: Floats) -> Floats:
    """(N,) one over the chance of a particle to lie wholly inside its field.

    Of the bounding box the mean caliper stands for both sides: over all orientations it is theirs
    to second order. A particle of half a field counts four times; none counts more than that.

    Args:
        caliper_nm: (N,) mean of the longest and the shortest caliper.
        height_nm: (N,) of the field of view.
        width_nm: (N,) of the field of view.
    """
    least = np.float64(0.5)
    inside = np.maximum(1 - caliper_nm / height_nm, least) * np.maximum(
        1 - caliper_nm / width_nm, least
    )
    return np.asarray(1 / inside)
