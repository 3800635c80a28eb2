"""The options of `fringewatch query`; nothing heavy is imported before it runs."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.arguments import ConfigOption, JsonOption, StateOption
from daemon.errors import Misused


def query(
    asked: Annotated[
        str | None,
        typer.Argument(metavar="NAME|SQL", help="None lists the names; SQL has a blank in it."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Value of a parameter; repeat it."),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, all rows.")] = False,
    json: JsonOption = False,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Of a table at most.")] = 200,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.001, help="After which a query is ended.")
    ] = 60.0,
    datasette: Annotated[
        Path | None,
        typer.Option("--datasette", metavar="DIR", help="Write a folder for Datasette, and end."),
    ] = None,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Ask the database: a named query, or SQL that only reads."""
    from daemon import querying
    from daemon.answers import Form
    from daemon.options import settings

    if csv and json:
        raise Misused("--csv and --json exclude each other")
    form = Form.CSV if csv else Form.JSON if json else Form.TABLE
    if datasette is not None:
        if asked is not None:
            raise Misused("--datasette asks nothing: leave the query away")
        querying.serve_with_datasette(settings(config, state, []), datasette)
    elif asked is None:
        querying.list_queries(form)
    else:
        limits = querying.Limits(seconds=seconds, rows=rows)
        querying.ask(settings(config, state, []), asked, given or [], form, limits)
