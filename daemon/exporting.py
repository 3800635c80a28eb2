"""`fringewatch export`: particles, or micrographs, as rows of a CSV or Parquet file.

A row is written as it stands in the view; what its columns mean goes with it: beside a CSV file in
another, in Parquet on each column.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection

from daemon import parquet
from daemon.cells import plain
from daemon.config import Config
from daemon.errors import Misused
from daemon.names import printable
from daemon.population_table import console
from daemon.reading import open_for_reading
from daemon.selection import Selection
from daemon.targets import check_target
from daemon.written import replacing
from schema import queries
from schema.dictionary import Entry, Kind, columns_of
from schema.scope import Scope
from schema.scoped_files import file_ids

PARTICLES, MICROGRAPHS = "current_particle", "current_micrograph"
STANDARD_OUTPUT = Path("-")
DICTIONARY_HEADER = ("column", "unit", "definition", "source")

_TEXTS = (Kind.TEXT, Kind.PATH)

Row = Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of a view, still to be read, under its columns; `selection` is JSON for programs."""

    view: str
    selection: str
    columns: Mapping[str, Entry]
    rows: Iterable[Row]


def export(config: Config, selection: Selection, target: Path, view: str = PARTICLES) -> None:
    """Write the rows of a selection, and what their columns mean; files appear whole or not at all.

    Args:
        config: whole configuration.
        selection: which rows; of its rules the range of sizes alone. Without classes named all are
            meant, and those without a class.
        target: by its suffix `.csv` or `.parquet`; `-` is CSV on standard output.
        view: `PARTICLES` or `MICROGRAPHS`.

    Raises:
        Misused: the suffix says no format, the selection is none of rows, or the file may not be
            written.
        DaemonError: the file cannot be written.
    """
    write = _writer(target)
    _check(selection, view)
    _, engine = open_for_reading(config.state.folder)
    with engine.begin() as connection:
        if target != STANDARD_OUTPUT:
            check_target(connection, config, target)
        columns = queries.view_columns(connection, view)
        entries = {name: columns_of(view)[name] for name in columns}
        scope = selection.scope(connection)
        if view == MICROGRAPHS:
            rows = _micrographs(connection, scope, columns)
        else:
            every = queries.export_rows(connection, scope)
            rows = _particles(every, columns, selection)
        table = Table(view=view, selection=_chosen(selection), columns=entries, rows=rows)
        written = write(table, target)
    if target != STANDARD_OUTPUT:
        console().print(f"{written} rows in {printable(target)}", soft_wrap=True)


def _writer(target: Path) -> Callable[[Table, Path], int]:
    """What writes a table in the format of this file; gives the number of rows.

    Raises:
        Misused: the suffix says none.
    """
    if target == STANDARD_OUTPUT:
        return lambda table, _: _write_csv(table, sys.stdout)
    if target.suffix.lower() == ".csv":
        return _write_csv_file
    if target.suffix.lower() == ".parquet":
        return _write_parquet
    raise Misused(f"{target.name!r} ends neither with .csv nor with .parquet")


def _check(selection: Selection, view: str) -> None:
    """Refuse rules that choose what a statistic counts, or particles among micrographs.

    Raises:
        Misused: one of them was given.
    """
    rules = selection.rules
    counting = {
        "--every-frame": rules.every_frame,
        "--no-border-weights": not rules.border_weights,
        "--out-of-domain": rules.out_of_domain,
        "--uncalibrated": rules.uncalibrated,
        "--suspect": rules.suspect,
    }
    for option, given in counting.items():
        if given:
            raise Misused(
                f"{option} chooses what a statistic counts; an export has every row, and columns "
                "that say what each is"
            )
    if view == MICROGRAPHS and (rules.size_range_nm is not None or selection.classes is not None):
        raise Misused("a micrograph has no diameter and no class: --micrographs takes neither")


def _chosen(selection: Selection) -> str:
    """What was chosen, as JSON; what was left open is left out."""
    rules = selection.rules
    values = {
        "session": selection.session,
        "sample": selection.sample,
        "run": selection.run,
        "since": None if selection.since is None else selection.since.isoformat(),
        "min_nm": rules.min_nm,
        "max_nm": rules.max_nm,
        "classes": selection.classes,
    }
    return json.dumps({name: value for name, value in values.items() if value is not None})


def _particles(rows: Iterable[Row], columns: Sequence[str], selection: Selection) -> Iterator[Row]:
    """Those of the sizes and classes asked for; without a size none is in a range of sizes."""
    diameter, class_ = columns.index("equivalent_diameter_nm"), columns.index("class")
    sizes, classes = selection.rules.size_range_nm, selection.classes
    for row in rows:
        if sizes is not None:
            low, high = sizes
            if row[diameter] is None or not low <= row[diameter] < high:
                continue
        if classes is None or row[class_] in classes:
            yield row


def _micrographs(connection: Connection, scope: Scope, columns: Sequence[str]) -> Iterator[Row]:
    """Those of the files in scope, also of files without a result."""
    files = file_ids(connection, scope)
    file = columns.index("source_file_id")
    rows = queries.export_rows(connection, view=MICROGRAPHS)
    return (row for row in rows if row[file] in files)


def _write_csv_file(table: Table, target: Path) -> int:
    dictionary = target.with_suffix(".columns.csv")
    with replacing(target) as rows_file, replacing(dictionary) as dictionary_file:
        with dictionary_file.open("w", encoding="utf-8", newline="") as stream:
            _write_dictionary(table, stream)
        with rows_file.open("w", encoding="utf-8", newline="") as stream:
            return _write_csv(table, stream)


def _write_csv(table: Table, stream: TextIO) -> int:
    writer = csv.writer(stream)
    writer.writerow(table.columns)
    texts = [place for place, entry in enumerate(table.columns.values()) if entry.kind in _TEXTS]
    written = 0
    for row in table.rows:
        values = list(row)
        for place in texts:
            values[place] = plain(values[place])
        writer.writerow(values)
        written += 1
    return written


def _write_dictionary(table: Table, stream: TextIO) -> None:
    writer = csv.writer(stream)
    writer.writerow(DICTIONARY_HEADER)
    for name, entry in table.columns.items():
        writer.writerow((name, entry.unit, entry.definition, entry.source))


def _write_parquet(table: Table, target: Path) -> int:
    about = {"view": table.view, "selection": table.selection}
    with replacing(target) as unfinished:
        return parquet.write(unfinished, table.columns, table.rows, about)
