"""Where a model stops being reliable: one written rule, read off the curves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.training.evaluation.curves import (
    DEFOCUS,
    DIAMETER,
    DOSE,
    PIXEL_SIZE,
    CurvePoint,
)

LEAST_DICE = 0.9
LEAST_F1 = 0.9
MOST_BIAS = 0.05
LEAST_PARTICLES = 10
RULE = (
    f"A model is reliable at a condition where mean Dice is at least {LEAST_DICE:g}, instance F1 "
    f"at IoU 0.5 at least {LEAST_F1:g} and the median diameter bias at most {100 * MOST_BIAS:g} % "
    f"either way, and from there up to the first tested condition where one of them fails; fewer "
    f"than {LEAST_PARTICLES} particles decide nothing."
)
# From where the run is followed in both directions: the middle of the core conditions.
MIDDLES: Mapping[str, float] = {DOSE: 1000.0, DEFOCUS: -40.0, PIXEL_SIZE: 0.03, DIAMETER: 6.0}


@dataclass(frozen=True, kw_only=True)
class ReliableDomain:
    """Ends of the tested conditions under which the rule holds; None where nothing holds.

    Everything outside is not known to be bad; it was found bad or was not tested.
    """

    smallest_diameter_nm: float | None
    largest_diameter_nm: float | None
    pixel_size_nm: tuple[float, float] | None
    dose_e_per_a2: tuple[float, float] | None
    defocus_nm: tuple[float, float] | None

    def as_manifest(self) -> dict[str, Any]:
        """Plain values with the rule beside them, for `Manifest.metrics`."""
        return {**asdict(self), "rule": RULE}


def is_reliable(point: CurvePoint) -> bool:
    """Whether the rule holds at a point of a curve."""
    return (
        point.particles >= LEAST_PARTICLES
        and point.dice.value >= LEAST_DICE
        and point.instance_f1.value >= LEAST_F1
        and abs(point.bias.value) <= MOST_BIAS
    )


def reliable_domain(curves: Mapping[str, Sequence[CurvePoint]]) -> ReliableDomain:
    """The domain of a model.

    Args:
        curves: points in ascending order, by the names "dose", "defocus", "pixel size" and
            "diameter"; what is absent has no domain.
    """
    sizes = _run(curves, DIAMETER)
    return ReliableDomain(
        smallest_diameter_nm=sizes[0].low if sizes else None,
        largest_diameter_nm=sizes[-1].high if sizes else None,
        pixel_size_nm=_ends(_run(curves, PIXEL_SIZE)),
        dose_e_per_a2=_ends(_run(curves, DOSE)),
        defocus_nm=_ends(_run(curves, DEFOCUS)),
    )


def _ends(run: Sequence[CurvePoint]) -> tuple[float, float] | None:
    return (run[0].value, run[-1].value) if run else None


def _run(curves: Mapping[str, Sequence[CurvePoint]], name: str) -> Sequence[CurvePoint]:
    """The reliable points around the middle, without a gap."""
    points = curves.get(name, ())
    if not points:
        return ()
    nearest: Callable[[int], float] = lambda index: abs(points[index].value - MIDDLES[name])  # noqa: E731
    middle = min(range(len(points)), key=nearest)
    if not is_reliable(points[middle]):
        return ()
    first = last = middle
    while first > 0 and is_reliable(points[first - 1]):
        first -= 1
    while last + 1 < len(points) and is_reliable(points[last + 1]):
        last += 1
    return points[first : last + 1]
