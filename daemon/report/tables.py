"""The tables of a report: rows of text, made from what was gathered.

Names from the disk are made printable here; the page escapes everything once more.
"""

from dataclasses import dataclass

from daemon import words
from daemon.names import printable
from daemon.report.contents import Report
from daemon.report.numbers import between, moment, span
from daemon.report.says import exclusions
from schema.provenance import Provenance, Stated
from schema.records import SessionRecord

NONE = words.NONE
SOURCES = {
    "file": "stated by the file",
    "sidecar": "stated by a file beside it",
    "config": "stated by the configuration or the operator",
    "unknown": "not stated: measured in pixels, left out of statistics",
}

_MOST_NAMES = 5


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; its first column names the row, `numbers` are the places of columns of numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()


def figures(report: Report) -> Table:
    """Every figure of `summary`."""
    return Table(
        columns=("quantity", "value", "95 % interval", "rests on"),
        rows=tuple(words.figures(report.population)),
    )


def by_size(report: Report) -> Table:
    """Visible faults in ranges of size."""
    rows = tuple(words.size_row(each) for each in report.relations.fault_by_size)
    return Table(columns=words.SIZE_COLUMNS, rows=rows, numbers=(1, 2, 3))


def relations(report: Report) -> Table:
    """Faults with size, and both with time."""
    rows = tuple(words.what_goes_with_what(report.relations))
    return Table(columns=("what", "how"), rows=rows)


def left_out(report: Report) -> Table:
    """Regions that do not count, and that all regions are accounted for."""
    population = report.population
    counted = sum(population.class_counts.values())
    rows = [("with a class, counted", counted), ("without a class", population.unclassified)]
    rows += [(f"left out: {reason}", count) for reason, count in exclusions(population)]
    rows.append(("all regions found", population.found))
    return Table(
        columns=("regions", "count"),
        rows=tuple((name, str(count)) for name, count in rows),
        numbers=(1,),
    )


def files(provenance: Provenance) -> Table:
    """What became of the files."""
    return Table(
        columns=("state", "reason", "files", "for example"),
        rows=tuple(
            (
                group.state.value,
                group.code or NONE,
                str(group.count),
                NONE if group.example is None else printable(group.example),
            )
            for group in provenance.files
        ),
        numbers=(2,),
    )


def verdicts(report: Report) -> Table:
    """What was said of the micrographs that have a result."""
    found = report.provenance.verdicts
    rows = (
        ("with a result", found.micrographs, None),
        ("in the figures", report.population.micrographs, None),
        ("outside the model's domain", found.out_of_domain, found.out_of_domain_example),
        ("suspect", found.suspect, found.suspect_example),
        ("without a pixel size", found.scale_assumed, None),
        ("not segmented", found.not_segmented, None),
    )
    return Table(
        columns=("micrographs", "count", "for example"),
        rows=tuple(
            (name, str(count), NONE if example is None else printable(example))
            for name, count, example in rows
        ),
        numbers=(1,),
    )


def calibrations(provenance: Provenance) -> Table:
    """Where pixel sizes come from."""
    return Table(
        columns=("pixel size", "micrographs", "nm per pixel"),
        rows=tuple(
            (
                SOURCES.get(each.source, each.source),
                str(each.micrographs),
                between(each.lowest_nm, each.highest_nm),
            )
            for each in provenance.calibrations
        ),
        numbers=(1, 2),
    )


def acquisition(provenance: Provenance) -> Table:
    """What the files state of the microscope."""
    micrographs = provenance.verdicts.micrographs
    return Table(
        columns=("stated", "value", "by micrographs"),
        rows=tuple(
            (each.name, _stated(each), f"{each.micrographs} of {micrographs}")
            for each in provenance.acquisition
        ),
    )


def sessions(provenance: Provenance) -> Table:
    """Who measured what, and when."""
    columns = ("session", "sample", "material", "run", "operator", "instrument", "time")
    return Table(columns=columns, rows=tuple(_session(each) for each in provenance.sessions))


def _session(session: SessionRecord) -> tuple[str, ...]:
    texts = (
        session.name,
        session.sample,
        session.material,
        session.run,
        session.operator,
        session.instrument,
    )
    started, ended = session.started_at_utc, session.ended_at_utc
    time = span((started, ended)) if ended else f"since {moment(started)}"
    return (*(NONE if text is None else printable(text) for text in texts), time)


def _stated(each: Stated) -> str:
    if each.names:
        shown = ", ".join(printable(name) for name in each.names[:_MOST_NAMES])
        more = len(each.names) - _MOST_NAMES
        return shown + (f" and {more} more" if more > 0 else "")
    return f"{between(each.lowest, each.highest)} {each.unit}"
