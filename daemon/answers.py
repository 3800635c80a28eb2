"""The answer to a query on standard output: a table for people, CSV or JSON for programs.

Every text and path is one line of visible characters, as `names.printable` makes it.
"""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from rich.cells import cell_len
from rich.table import Table

from daemon.cells import plain
from daemon.errors import Misused
from daemon.names import printable
from daemon.population_table import console
from schema.question import Answer

MISSING = "—"
FOLDED_FROM = 12  # cells; longer values, paths above all, may fold
WIDEST = 10_000


class Form(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, kw_only=True)
class Titled:
    """What stands above and below a table."""

    title: str = ""
    note: str = ""


def print_answer(answer: Answer, form: Form, rows: int, titled: Titled | None = None) -> None:
    """Print an answer while its rows are found; only the table is held in memory.

    Args:
        answer: from `schema.question`.
        form: how.
        rows: of a table at most; it says so where there are more.
        titled: what stands around a table.

    Raises:
        Misused: two columns of the JSON would have one name.
    """
    if form is Form.CSV:
        _print_csv(answer)
    elif form is Form.JSON:
        _print_json(answer)
    else:
        _print_table(answer, rows, titled or Titled())


def _print_csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(printable, answer.columns))
    for row in answer.rows:
        writer.writerow([plain(value) for value in row])


def _print_json(answer: Answer) -> None:
    """An array with an object for each row, written row by row."""
    twice = [name for name in answer.columns if answer.columns.count(name) > 1]
    if twice:
        raise Misused(f"two columns are called {twice[0]!r}; name one of them otherwise with AS")
    sys.stdout.write("[")
    for number, row in enumerate(answer.rows):
        values = dict(zip(answer.columns, map(plain, row), strict=True))
        sys.stdout.write(",\n  " if number else "\n  ")
        json.dump(values, sys.stdout, ensure_ascii=True, allow_nan=False)
    sys.stdout.write("\n]\n")


def _print_table(answer: Answer, rows: int, titled: Titled) -> None:
    out = console()
    if not out.is_terminal:
        out.width = WIDEST  # a pager or a file folds nothing
    found = list(islice(answer.rows, rows + 1))
    shown = [[_words(value) for value in row] for row in found[:rows]]
    names = [printable(name) for name in answer.columns]
    if titled.title:
        out.print(titled.title)
    if not shown:
        out.print("no rows")
    elif sum(_least_width(place, names, shown) + 2 for place in range(len(names))) > out.width:
        for line in _on_lines(names, shown):
            out.print(line, soft_wrap=True)
    else:
        out.print(_table(names, shown, [_is_number(place, found) for place in range(len(names))]))
    if len(found) > rows:
        many = f"the first {rows} rows; there are more"
        out.print(f"{many}: --rows N shows N, --csv and --json all of them", soft_wrap=True)
    if titled.note:
        out.print(titled.note, style="dim", soft_wrap=not out.is_terminal)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[bool]) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(names):
        table.add_column(
            name,
            justify="right" if numbers[place] else "left",
            overflow="fold",
            min_width=_least_width(place, names, rows),
        )
    for row in rows:
        table.add_row(*row)
    return table


def _least_width(place: int, names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Cells that a column needs: its name, and its values unless they are long."""
    widest = max(cell_len(row[place]) for row in rows)
    return max(cell_len(names[place]), min(widest, FOLDED_FROM))


def _is_number(place: int, rows: Sequence[Sequence[Any]]) -> bool:
    return all(isinstance(row[place], int | float | None) for row in rows)


def _on_lines(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each value, an empty one between rows."""
    widest = max(map(cell_len, names))
    for number, row in enumerate(rows):
        if number:
            yield ""
        for name, value in zip(names, row, strict=True):
            yield f"{name}{' ' * (widest - cell_len(name))}  {value}"


def _words(value: Any) -> str:
    shown = plain(value)
    if shown is None:
        return MISSING
    return f"{shown:.6g}" if isinstance(shown, float) else str(shown)
