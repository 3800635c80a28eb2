"""A picture of the live view as SVG, for documents.

Blocks and lines are drawn as shapes, so that bars and rules join whatever the font; text uses the
reader's own monospace font, so the file refers to nothing outside itself.
"""

from io import StringIO
from xml.sax.saxutils import escape

from rich.color import Color, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.console import Console, Group
from rich.segment import Segment
from rich.style import Style

CELL_WIDTH, CELL_HEIGHT = 8.4, 18.0  # 14 px type, whose glyphs are 0.6 of it wide
TYPE_SIZE = 14
MARGIN = 12
INK, PAPER = ColorTriplet(216, 220, 226), ColorTriplet(20, 22, 27)
FONTS = "'DejaVu Sans Mono', Menlo, Consolas, monospace"

Box = tuple[float, float, float, float]  # left, top, width, height in parts of a cell

_THIN, _THICK = 0.06, 0.12
_SHAPES: dict[str, tuple[Box, ...]] = {
    **{mark: ((0, 1 - n / 8, 1, n / 8),) for n, mark in enumerate("▁▂▃▄▅▆▇█", start=1)},
    **{mark: ((0, 0, n / 8, 1),) for n, mark in enumerate("▏▎▍▌▋▊▉", start=1)},
    "─": ((0, 0.5, 1, _THIN),),
    "━": ((0, 0.5, 1, _THICK),),
    "│": ((0.5, 0, 2 * _THIN, 1),),
    "┤": ((0.5, 0, 2 * _THIN, 1), (0, 0.5, 0.5, _THIN)),
    "└": ((0.5, 0, 2 * _THIN, 0.5), (0.5, 0.5, 0.5, _THIN)),
    "┬": ((0, 0.5, 1, _THIN), (0.5, 0.5, 2 * _THIN, 0.5)),
    "┴": ((0, 0.5, 1, _THIN), (0.5, 0, 2 * _THIN, 0.5)),
}


def svg(picture: Group, width: int, height: int) -> str:
    """The picture as the text of an SVG file."""
    console = Console(
        file=StringIO(), width=width, height=height, force_terminal=True, color_system="truecolor"
    )
    rows = console.render_lines(picture, console.options.update(width=width, height=height))
    shapes = [shape for row, line in enumerate(rows) for shape in _row(line, row)]
    wide, high = width * CELL_WIDTH + 2 * MARGIN, height * CELL_HEIGHT + 2 * MARGIN
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" '
            f'width="{wide:g}" height="{high:g}" font-family="{FONTS}" font-size="{TYPE_SIZE}" '
            'shape-rendering="crispEdges">',
            f'<rect width="100%" height="100%" rx="8" fill="{PAPER.hex}"/>',
            *shapes,
            "</svg>\n",
        )
    )


def _row(segments: list[Segment], row: int) -> list[str]:
    shapes = []
    column = 0
    top = MARGIN + row * CELL_HEIGHT
    for segment in segments:
        style = segment.style or Style.null()
        for words in _pieces(segment.text):
            left = MARGIN + column * CELL_WIDTH
            column += Segment(words).cell_length
            if words in _SHAPES or words[0] in _SHAPES:
                shapes += _boxes(words, left, top, style)
            elif words.strip():
                shapes.append(_words(words, left, top, style))
    return shapes


def _pieces(text: str) -> list[str]:
    """Runs of one shape, of words, or of blanks."""
    pieces: list[str] = []
    for mark in text:
        same = pieces and (
            pieces[-1][0] == mark
            if mark in _SHAPES or mark == " "
            else pieces[-1][0] not in _SHAPES and pieces[-1][0] != " "
        )
        if same:
            pieces[-1] += mark
        else:
            pieces.append(mark)
    return pieces


def _boxes(words: str, left: float, top: float, style: Style) -> list[str]:
    """The shapes of a run; where they touch sideways they are one."""
    boxes = _SHAPES[words[0]]
    spans_cell = all(box[0] == 0 and box[2] == 1 for box in boxes)
    repeats, stretch = (1, len(words)) if spans_cell else (len(words), 1)
    return [
        f'<rect x="{left + (x + index) * CELL_WIDTH:.2f}" y="{top + y * CELL_HEIGHT:.2f}" '
        f'width="{wide * stretch * CELL_WIDTH:.2f}" height="{high * CELL_HEIGHT:.2f}" '
        f'fill="{_ink(style)}"/>'
        for index in range(repeats)
        for x, y, wide, high in boxes
    ]


def _words(words: str, left: float, top: float, style: Style) -> str:
    weight = ' font-weight="bold"' if style.bold else ""
    length = Segment(words).cell_length * CELL_WIDTH
    return (
        f'<text x="{left:.2f}" y="{top + 0.75 * CELL_HEIGHT:.2f}" fill="{_ink(style)}"{weight} '
        f'textLength="{length:.2f}">{escape(words)}</text>'
    )


def _ink(style: Style) -> str:
    colour = style.color or Color.default()
    ink = INK if colour.is_default else colour.get_truecolor()
    return (blend_rgb(ink, PAPER, 0.35) if style.dim else ink).hex
