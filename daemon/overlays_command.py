"""The options of `fringewatch overlays`; nothing heavy is imported before it runs."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.arguments import ConfigOption, JsonOption, StateOption
from daemon.selection import Selection, moment


def overlays(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Takes the pictures; never a watched folder.")
    ],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Only of these micrographs.")
    ] = None,
    state: StateOption = None,
    config: ConfigOption = None,
    session: Annotated[
        str | None, typer.Option("--session", help="Only this session (name or uuid).")
    ] = None,
    sample: Annotated[str | None, typer.Option("--sample", help="Only this sample.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Only this synthesis run.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Only files first seen since: a date, or 2h, 3d."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Draw every micrograph with its particles outlined, where that picture is missing or old."""
    from daemon import drawing
    from daemon.clock import SYSTEM_CLOCK
    from daemon.options import settings

    at = None if since is None else moment(since, SYSTEM_CLOCK.utc())
    selection = Selection(session=session, sample=sample, run=run, since=at)
    chosen = settings(config, state, [], overlays=folder)
    raise typer.Exit(drawing.overlays(chosen, folder.absolute(), selection, files or [], json))
