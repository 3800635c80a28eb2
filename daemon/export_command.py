"""The options of `fringewatch export`; nothing heavy is imported before it runs."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.arguments import ConfigOption, StateOption
from daemon.selection import Selection, selecting


@selecting
def export(
    target: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Ends with .csv or .parquet; `-` is CSV on standard output."
        ),
    ],
    micrographs: Annotated[
        bool, typer.Option("--micrographs", help="A row for each micrograph, not particle.")
    ] = False,
    state: StateOption = None,
    config: ConfigOption = None,
    *,
    selection: Selection,
) -> None:
    """Write every particle as a row, and what the columns mean."""
    from daemon import exporting
    from daemon.options import settings

    view = exporting.MICROGRAPHS if micrographs else exporting.PARTICLES
    exporting.export(settings(config, state, []), selection, target, view)
