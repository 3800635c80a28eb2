"""How pictures of the report look, and how they are written: small, and the same every time."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

# Okabe and Ito (2008): told apart with every common colour blindness, on white.
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY_BLUE, GREY, BLACK = "#e69f00", "#56b4e9", "#777777", "#000000"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE, BLACK, GREY)
TRUTH_COLOUR, FOUND_COLOUR = ORANGE, SKY_BLUE
MASK_COLOURS = "cividis"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
PNG_GREYS = 40  # a noisy micrograph compresses badly: so many are enough to the eye
PNG_SHADES = 9  # of each colour towards black and white, for the edges of lines
DOTS_PER_INCH = 100

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial"],  # the list stands at every word of an SVG
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "fringewatch",
    "figure.facecolor": "white",
}


def look_of(index: int) -> dict[str, Any]:
    """Colour and marker of one of several; from the ninth on the same, and hollow."""
    colour = COLOURS[index % len(COLOURS)]
    return {
        "color": colour,
        "marker": MARKERS[index % len(MARKERS)],
        "markerfacecolor": colour if index < len(COLOURS) else "white",
    }


@contextmanager
def styled() -> Iterator[None]:
    """The style, for figures made and written inside."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def new_figure(width_in: float, height_in: float) -> "Figure":
    """An empty figure that no window system knows of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


def save_svg(figure: "Figure", path: Path) -> None:
    """Write a chart; the same figure gives the same file.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    path.write_text(_shortened(drawn.getvalue()), encoding="utf-8")


def save_png(figure: "Figure", path: Path) -> None:
    """Write a picture in few colours.

    Raises:
        OSError: the file cannot be written.
    """
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    with Image.open(drawn) as picture:
        few = picture.convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE)
        few.save(path, format="PNG", optimize=True)


def _shortened(svg: str) -> str:
    """Without indentation, to a hundredth of a point."""
    lines = (re.sub(r"(\d\.\d\d)\d+", r"\1", line.strip()) for line in svg.splitlines())
    return "\n".join(lines) + "\n"


def _palette() -> "Image":
    """Greys, and shades of the two line colours and of the two of a mask."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb
    from PIL import Image

    greys = [(level, level, level) for level in np.linspace(0, 1, PNG_GREYS)]
    ends = colormaps[MASK_COLOURS]([0.0, 1.0])[:, :3].tolist()
    lines = [to_rgb(colour) for colour in (TRUTH_COLOUR, FOUND_COLOUR)]
    shades = [
        (1 - abs(step)) * np.array(line) + max(step, 0.0)
        for line in lines
        for step in np.linspace(-0.8, 0.8, PNG_SHADES)
    ]
    levels = np.rint(255 * np.array([*greys, *ends, *shades])).astype(np.uint8)
    palette = Image.new("P", (1, 1))
    palette.putpalette(levels.tobytes())
    return palette
