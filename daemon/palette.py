"""Colours, letters and words of the classes and states, the same on every surface.

The colours are those of Okabe and Ito (2008), distinguishable with every common colour blindness;
a letter or sign stands beside each, for eyes and terminals without colour.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from schema.records import FileState

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255

ORANGE: Colour = (230, 159, 0)
SKY_BLUE: Colour = (86, 180, 233)
GREEN: Colour = (0, 158, 115)
YELLOW: Colour = (240, 228, 66)
VERMILLION: Colour = (213, 94, 0)
PURPLE: Colour = (204, 121, 167)
GREY: Colour = (170, 170, 170)
WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True, kw_only=True)
class Mark:
    """How a class or a state is shown: colour, sign, words for people."""

    colour: Colour
    sign: str
    words: str


CLASS_MARKS: Mapping[str | None, Mark] = MappingProxyType(
    {
        "stacking_fault": Mark(colour=VERMILLION, sign="F", words="stacking fault"),
        "no_stacking_fault": Mark(colour=SKY_BLUE, sign="N", words="no stacking fault"),
        "misoriented": Mark(colour=YELLOW, sign="M", words="misoriented"),
        "agglomeration": Mark(colour=PURPLE, sign="A", words="agglomeration"),
        "background": Mark(colour=GREY, sign="B", words="background"),
        None: Mark(colour=WHITE, sign="?", words="no class"),
    }
)

STATE_MARKS: Mapping[FileState, Mark] = MappingProxyType(
    {
        FileState.SEEN: Mark(colour=SKY_BLUE, sign=".", words="seen"),
        FileState.SETTLING: Mark(colour=SKY_BLUE, sign=".", words="settling"),
        FileState.READY: Mark(colour=SKY_BLUE, sign=".", words="ready"),
        FileState.PROCESSING: Mark(colour=SKY_BLUE, sign=".", words="in hand"),
        FileState.DONE: Mark(colour=GREEN, sign="✓", words="done"),
        FileState.RETRY: Mark(colour=ORANGE, sign="~", words="retry"),
        FileState.REFUSED: Mark(colour=GREY, sign="-", words="refused"),
        FileState.QUARANTINED: Mark(colour=VERMILLION, sign="✗", words="quarantined"),
        FileState.SUPERSEDED: Mark(colour=GREY, sign="»", words="superseded"),
    }
)


def hex_colour(colour: Colour) -> str:
    """The colour as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
