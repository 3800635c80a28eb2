"""`fringewatch query`: named questions, or SQL of one's own, that only read."""

import math
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.answers import Form, Titled, print_answer
from daemon.config import Config
from daemon.datasette_folder import write_folder
from daemon.errors import DaemonError, Misused
from daemon.jsons import print_json
from daemon.names import printable
from daemon.population_table import console
from daemon.reading import open_for_reading
from daemon.targets import check_target
from schema import question
from schema.named_queries import NamedQuery, named_queries
from schema.question import Answer

EXACT_DIGITS = 15  # as many as SQLite writes of a number

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a query may take, and how many rows a table may have."""

    seconds: float
    rows: int


def list_queries(form: Form) -> None:
    """Print the named queries, a line for each; as JSON with their SQL."""
    known = named_queries()
    if form is Form.JSON:
        print_json(
            [
                {
                    "name": name,
                    "title": query.title,
                    "description": query.description,
                    "parameters": dict(query.parameters),
                    "numbers": dict(query.numbers),
                    "sql": query.sql,
                }
                for name, query in known.items()
            ]
        )
        return
    rows = [(name, query.title, ", ".join(query.parameters)) for name, query in known.items()]
    answer = Answer(columns=("name", "answers", "--set"), rows=iter(rows))
    note = "fringewatch query NAME asks one of them; --json shows their SQL"
    print_answer(answer, form, len(rows), Titled(note=note))


def ask(config: Config, asked: str, given: Sequence[str], form: Form, limits: Limits) -> None:
    """Print what a named query, or SQL, finds.

    Args:
        config: whole configuration.
        asked: a name; what has a blank in it is SQL.
        given: values of parameters, each `name=value`.
        form: how the answer is printed.
        limits: of time and rows.

    Raises:
        Misused: there is no such query or parameter, or the SQL is wrong or more than reads.
        DaemonError: it took too long, or the database cannot be read.
    """
    values = parameters(given)
    named = _named(asked)
    if named is None:
        sql, titled = asked, Titled()
    else:
        sql, titled = named.sql, Titled(title=named.title, note=named.description)
        values = dict.fromkeys(named.parameters, "") | values
        _check_numbers(named, values)
    _, engine = open_for_reading(config.state.folder)
    try:
        with (
            engine.begin() as connection,
            question.asked(
                connection, sql, values, seconds=limits.seconds, clock=time.monotonic
            ) as answer,
        ):
            print_answer(answer, form, limits.rows, titled)
    except question.WrongQuestion as error:
        raise Misused(str(error)) from error
    except question.TookTooLong as error:
        raise DaemonError(f"{error}; --seconds gives it more") from error


def serve_with_datasette(config: Config, folder: Path) -> None:
    """Write a folder for Datasette, and say how it is used.

    Raises:
        Misused: the folder holds a database of its own, or is none to write in.
        DaemonError: nothing was watched yet, or the folder cannot be written.
    """
    state, engine = open_for_reading(config.state.folder)
    with engine.begin() as connection:
        check_target(connection, config, folder)
    write_folder(folder, state.database)
    console().print(f"datasette serve {shlex.quote(str(folder))}", soft_wrap=True)


def parameters(given: Sequence[str]) -> dict[str, Any]:
    """Values by their names, from `name=value`; what is written like a number is one.

    Raises:
        Misused: one of them is no such pair, or a name comes twice.
    """
    found: dict[str, Any] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        name = name.strip().removeprefix(":")
        if not equals or not name.isidentifier():
            raise Misused(f"--set takes name=value, not {pair!r}")
        if name in found:
            raise Misused(f"--set gives {name} twice")
        found[name] = _number(text)
    return found


def _check_numbers(query: NamedQuery, values: dict[str, Any]) -> None:
    """Make numbers of those that must be some.

    Raises:
        Misused: one is none, or too small or large for its query.
    """
    for name, (least, greatest) in query.numbers.items():
        if values[name] == "":
            continue
        try:
            number = float(values[name])
        except ValueError:
            number = math.nan
        if not least <= number <= greatest:
            given = printable(str(values[name]))
            raise Misused(f"{name} is a number from {least:g} to {greatest:g}, not {given}")
        values[name] = number


def _named(asked: str) -> NamedQuery | None:
    """The query of this name, None for SQL.

    Raises:
        Misused: it is neither.
    """
    if len(asked.split()) > 1:
        return None
    try:
        return named_queries()[asked]
    except KeyError:
        message = f"there is no query {asked!r}; `fringewatch query` lists them"
        raise Misused(message) from None


def _number(text: str) -> int | float | str:
    """The number, where SQLite would write it just so; else the text: a run may be called 007.

    A column of text then finds it all the same, as the number is compared as that text.
    """
    if len(text) > EXACT_DIGITS or not _NUMBER.fullmatch(text):
        return text
    value = float(text) if "." in text else int(text)
    return value if str(value) == text else text
