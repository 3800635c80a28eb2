"""The options of `fringewatch overlays`; nothing heavy is imported before it runs."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.arguments import ConfigOption, JsonOption, StateOption
from daemon.selection import RunOption, SampleOption, SessionOption, SinceOption, of_files


def overlays(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Takes the pictures; never a watched folder.")
    ],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Only of these micrographs.")
    ] = None,
    state: StateOption = None,
    config: ConfigOption = None,
    session: SessionOption = None,
    sample: SampleOption = None,
    run: RunOption = None,
    since: SinceOption = None,
    json: JsonOption = False,
) -> None:
    """Draw every micrograph with its particles outlined, where that picture is missing or old."""
    from daemon import drawing
    from daemon.options import settings

    selection = of_files(session=session, sample=sample, run=run, since=since)
    chosen = settings(config, state, [], overlays=folder)
    raise typer.Exit(drawing.overlays(chosen, folder.absolute(), selection, files or [], json))
