"""The page of a report: one HTML text that refers to nothing outside itself and runs nothing.

Everything that comes from the database is escaped; only drawings, made here, are taken as they are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from daemon.palette import CLASS_MARKS, hex_colour
from daemon.report import captions, repeat, tables
from daemon.report.class_charts import class_chart, fraction_chart, size_bin_chart
from daemon.report.contents import Report
from daemon.report.course_chart import course_chart
from daemon.report.heat import heat
from daemon.report.model import model_of
from daemon.report.numbers import moment, span
from daemon.report.pictures import Gallery
from daemon.report.says import says
from daemon.report.size_charts import shape_chart, size_chart
from daemon.report.style import inline_svg, styled
from daemon.words import still_needed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ASSETS = files("daemon") / "assets"


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure of the page; without `svg` its caption says why there is nothing to see."""

    name: str
    svg: Markup | None
    caption: str


def page(report: Report, gallery: Gallery | None) -> str:
    """The whole page.

    Args:
        report: what it is about.
        gallery: None where none is wanted.
    """
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )
    environment.filters["moment"] = moment
    environment.filters["span"] = span
    environment.filters["colour"] = hex_colour
    template = environment.from_string((ASSETS / "report.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        report=report,
        population=report.population,
        provenance=report.provenance,
        style=Markup((ASSETS / "report.css").read_text(encoding="utf-8")),
        sentences=tuple(says(report)),
        needed=tuple(still_needed(report.population)),
        drawings={drawing.name: drawing for drawing in _drawings(report)},
        tables=tables,
        repeat=repeat,
        heat=heat(report.relations),
        model=None if report.bundle is None else model_of(report.bundle),
        command=repeat.command_line(report.state_folder, report.selection),
        gallery=gallery,
        marks=CLASS_MARKS,
    )


def _drawings(report: Report) -> Iterator[Drawing]:
    population, portrait, relations = report.population, report.portrait, report.relations
    with styled():
        yield _drawing("sizes", size_chart(population, portrait), captions.sizes(report))
        yield _drawing("shapes", shape_chart(population, portrait), captions.shapes(report))
        yield _drawing("classes", class_chart(population), captions.classes(report))
        yield _drawing("fractions", fraction_chart(population), captions.fractions(report))
        yield _drawing("by-size", size_bin_chart(relations), captions.by_size(report))
        yield _drawing("course", course_chart(portrait), captions.course(report))


def _drawing(name: str, figure: "Figure | None", caption: str) -> Drawing:
    svg = None if figure is None else inline_svg(figure, name)
    return Drawing(name=name, svg=svg, caption=caption)


def _unbroken(words: object) -> object:
    """A number and its unit stay on one line."""
    if not isinstance(words, str) or isinstance(words, Markup):
        return words
    return re.sub(r"(?<=\d) (?=(nm|%|UTC|µm²|kV|h)(?!\w))", "\N{NO-BREAK SPACE}", words)
