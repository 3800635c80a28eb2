"""How the drawings of a report look, and how they are written into the page.

Text stays text, in the font of the page: it can be searched, copied and printed sharply. The same
figure gives the same text, and no two drawings of a page share an identifier.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 6.7  # what A4 leaves between its margins: a point of type is a point on paper
INK, FAINT, GRID = "#1a1a1a", "#767676", "#d9d9d9"
DOTS_PER_INCH = 200  # of what is drawn as pixels: thousands of points

_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # wide: what fits in it fits in the reader's font as well
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "fringewatch",
    "figure.facecolor": "white",
}


@contextmanager
def styled() -> Iterator[None]:
    """The style, for figures made and written inside."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def new_figure(height_in: float) -> "Figure":
    """An empty figure as wide as the page, that no window system knows of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_IN, height_in), layout="constrained")


def without_grid(axes: "Axes", along: str) -> None:
    """Take the lines away that would say nothing; `along` is x, y or both."""
    axes.grid(visible=False, axis=along)  # type: ignore[arg-type]


def inline_svg(figure: "Figure", name: str) -> Markup:
    """The figure as an element of the page.

    Args:
        figure: drawn inside `styled`.
        name: of the drawing, one for each; its caption has the identifier `NAME-caption`.
    """
    drawn = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(drawn, format="svg", dpi=DOTS_PER_INCH, metadata=nothing)
    text = drawn.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r" font-family: [^;\"]*;", "", text)
    text = re.sub(r"(\sd=\"[^\"]*\")", lambda path: _shortened(path[0]), text)
    text = re.sub(r"\bid=\"", f'id="{name}-', text)
    text = re.sub(r"(xlink:href=\"#|url\(#)", rf"\g<1>{name}-", text)
    lines = (line.strip() for line in text.splitlines())
    described = f'<svg role="img" aria-labelledby="{name}-caption"'
    whole = "\n".join(line for line in lines if line).replace("<svg", described, 1)
    return Markup(re.sub(r" (width|height)=\"[\d.]+pt\"", "", whole, count=2))


def _shortened(path: str) -> str:
    """To a hundredth of a point."""
    return re.sub(r"(\d\.\d\d)\d+", r"\1", path)
