"""Whether to go on measuring, in the live view: what is still missing, and what drifts."""

from rich.text import Text

from daemon.lines import DIM, STRONG, fitted, styled
from daemon.words import about
from schema.correlation import Drift
from schema.needed import Needed
from schema.outlook import Outlook
from schema.statement import missing

_LABEL = 17
_CERTAIN = 0.01
"""A drift is told where chance would bring it about in less than one session of a hundred."""


def prospects(outlook: Outlook | None, width: int, lacking: str = "no particle yet") -> list[Text]:
    """What the median and the visible faults still need, and the drift: three lines.

    `lacking` says why there is no outlook.
    """
    if outlook is None:
        words = ("median ±2 %", "faults ±5 points", "drift")
        return [_line(each, styled(f"— {lacking}", DIM), width) for each in words]
    median, fault = missing(outlook.population, outlook.per_minute)
    return [
        _line(f"median ±{100 * median.within:.0f} %", _needed(median, "%"), width),
        _line(f"faults ±{100 * fault.within:.0f} points", _needed(fault, "points"), width),
        _line("drift", _drifts(outlook), width),
    ]


def _line(label: str, words: Text, width: int) -> Text:
    return fitted(Text(f"{label:<{_LABEL}}") + words, width)


def _needed(needed: Needed, unit: str) -> Text:
    if needed.particles is None:
        return styled(f"— {needed.reason}", DIM)
    if needed.particles == 0:
        return styled("reached", STRONG) + Text(f" (±{100 * (needed.reached or 0.0):.1f} {unit})")
    more = styled(f"{needed.particles} more", STRONG)
    if needed.minutes is None:
        return more
    return more + Text(f", about {about(needed.minutes)}")


def _drifts(outlook: Outlook) -> Text:
    size, faults = outlook.drift_of_median, outlook.drift_of_faults
    if size.rho is None and faults.rho is None:
        return styled(f"— {size.reason}", DIM)
    told = [
        f"{name} {'up' if (each.rho or 0.0) > 0 else 'down'}"
        for name, each in (("size", size), ("faults", faults))
        if _is_certain(each)
    ]
    return styled(", ".join(told), STRONG) if told else Text("none seen")


def _is_certain(drift: Drift) -> bool:
    return drift.p_value is not None and drift.p_value < _CERTAIN
