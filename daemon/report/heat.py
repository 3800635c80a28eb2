"""Small tables in colours, each cell with its number in it: rank correlations, shares."""

from dataclasses import dataclass

from daemon.palette import SKY_BLUE, VERMILLION, Colour, hex_colour
from daemon.words import rank
from schema.correlation import Relations

NAMES = {
    "equivalent_diameter_nm": "diameter",
    "aspect_ratio": "aspect ratio",
    "circularity": "circularity",
    "p_stacking_fault": "probability of a fault",
    "reflection_strength": "strength of the strongest reflection",
    "bragg_fraction": "power in reflections",
    "lattice_cover": "area with a lattice",
    "disorder_mean": "disorder",
}
_STRONGEST = 0.75  # of the colour, so that black letters stay readable on it


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A number in words, and the colour behind it."""

    words: str
    colour: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A feature, its number, and its correlations with those before it."""

    number: int
    name: str
    cells: tuple[Cell, ...]


def heat(relations: Relations) -> tuple[Row, ...]:
    """The lower triangle, numbered as its rows; empty where there is no correlation at all."""
    ranks = relations.ranks
    rows = tuple(
        Row(
            number=place + 1,
            name=NAMES.get(name, name.replace("_", " ")),
            cells=tuple(_cell(rho) for rho in ranks.rho[place][:place]),
        )
        for place, name in enumerate(ranks.names)
    )
    known = any(rho is not None for place, row in enumerate(ranks.rho) for rho in row[:place])
    return rows if known else ()


def tinted(words: str, value: float, end: Colour) -> Cell:
    """A cell whose colour goes from white for 0 to `end` for 1."""
    red, green, blue = (round(255 + _STRONGEST * value * (each - 255)) for each in end)
    return Cell(words=words, colour=hex_colour((red, green, blue)))


def _cell(rho: float | None) -> Cell:
    """Vermillion for +1, sky blue for -1."""
    value = rho or 0.0
    return tinted(rank(rho), abs(value), VERMILLION if value > 0 else SKY_BLUE)
