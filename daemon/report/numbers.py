"""Counts, numbers and times of a report in words."""

from datetime import datetime

from daemon.words import NONE
from schema.provenance import Span


def counted(count: int, one: str) -> str:
    """A count and what is counted, in singular or plural."""
    return f"{count} {one if count == 1 else one + 's'}"


def number(value: float) -> str:
    """Four digits, and as many as there are before the point."""
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text.replace("-", "−")


def between(lowest: float | None, highest: float | None) -> str:
    """A range; one number where both ends are the same."""
    if lowest is None or highest is None:
        return NONE
    low, high = number(lowest), number(highest)
    return low if low == high else f"{low} to {high}"


def moment(time: datetime) -> str:
    """A time for people; a naive one is of the microscope's clock."""
    return f"{time:%Y-%m-%d %H:%M}" + (" UTC" if time.tzinfo else "")


def span(times: Span) -> str:
    """From when to when, to the minute; the day once where it is the same."""
    first, last = times
    if moment(first) == moment(last):
        return moment(first)
    if first.date() == last.date():
        return moment(last).replace(f"{last:%H:%M}", f"{first:%H:%M} to {last:%H:%M}")
    return f"{moment(first)} to {moment(last)}"
