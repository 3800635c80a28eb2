"""Numbers, times and names as files state them: read where they can be, None where they cannot."""

import math
from collections.abc import Iterable
from datetime import datetime

LONGEST_NAME = 200


def number(value: object) -> float:
    """The value as a number; NaN where it is none."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def positive(value: object, factor: float = 1.0) -> float | None:
    """The value times `factor`, or None where that is not positive and finite."""
    found = number(value) * factor
    return found if 0 < found < math.inf else None


def local_time(text: str | None, formats: Iterable[str]) -> datetime | None:
    """Time of a clock without a zone, by the first format that fits; None where none does."""
    for time_format in formats:
        try:
            return datetime.strptime((text or "").strip(), time_format)  # noqa: DTZ007
        except ValueError:
            continue
    return None


def name(text: str | None) -> str | None:
    """The text on one line of at most 200 printable characters; None where nothing is left."""
    printable = "".join(one if one.isprintable() else " " for one in (text or "")[:LONGEST_NAME])
    return " ".join(printable.split()) or None
