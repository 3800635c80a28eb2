"""Drawing of the fields of view in the course of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from daemon.palette import SKY_BLUE, VERMILLION, hex_colour
from daemon.report.style import FAINT, INK, new_figure
from schema.portrait import Moment, Portrait

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAUSE = timedelta(hours=1)
ONE_SITTING = timedelta(hours=24)
MOST_DRAWN = 400  # points as shapes; more are drawn as pixels

_UNITS = (("hours", timedelta(hours=1)), ("minutes", timedelta(minutes=1)))


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """Where each field of view stands, what that is called, and where there were pauses."""

    places: Sequence[float]
    words: str
    pauses: Sequence[float] = ()


def course_chart(portrait: Portrait) -> "Figure | None":
    """The median size above, the fraction of visible faults below, a point for each field."""
    course = [moment for moment in portrait.course if moment.particles]
    if len(course) < 2:
        return None
    axis = _axis(course)
    sizes = [np.nan if moment.median_nm is None else moment.median_nm for moment in course]
    shares = [
        100 * moment.faults / moment.observable if moment.observable else np.nan
        for moment in course
    ]
    few = len(course) <= MOST_DRAWN
    figure = new_figure(2.8)
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, values, colour in ((above, sizes, SKY_BLUE), (below, shares, VERMILLION)):
        axes.plot(
            axis.places,
            values,
            "o",
            markersize=3.5 if few else 1.5,
            color=hex_colour(colour),
            markeredgecolor=INK,
            markeredgewidth=0.3 if few else 0,
            rasterized=not few,
        )
        for pause in axis.pauses:
            axes.axvline(pause, color=FAINT, linestyle=":", linewidth=1)
    above.set_ylabel("median / nm")
    below.set_ylabel("visible faults / %")
    below.set_ylim(-5, 105)
    below.set_xlabel(axis.words)
    return figure


def _axis(course: Sequence[Moment]) -> _Axis:
    """One sitting in hours or minutes; several, or what was seen at once, in the order seen."""
    first, last = course[0].seen_at_utc, course[-1].seen_at_utc
    if timedelta(0) < last - first <= ONE_SITTING:
        name, unit = _UNITS[0] if last - first > timedelta(hours=2) else _UNITS[1]
        places = [(moment.seen_at_utc - first) / unit for moment in course]
        return _Axis(places=places, words=f"{name} after the first, {first:%Y-%m-%d %H:%M} UTC")
    pauses = [
        place + 0.5
        for place, (before, after) in enumerate(pairwise(course), start=1)
        if after.seen_at_utc - before.seen_at_utc > PAUSE
    ]
    words = "field of view, in the order they were first seen"
    return _Axis(
        places=range(1, len(course) + 1),
        words=words + ("; dotted: a pause of over 1 h" if pauses else ""),
        pauses=pauses,
    )
