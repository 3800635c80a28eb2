"""What `fringewatch doctor` found, as values."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How bad a finding is."""

    WELL = "well"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    about: str
    health: Health
    words: str
