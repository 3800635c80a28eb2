"""The command that writes a report; nothing heavy is imported before it runs."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.arguments import ConfigOption, StateOption
from daemon.selection import Selection, selecting

PER_CLASS = 6


@selecting
def report(
    target: Annotated[
        Path, typer.Argument(metavar="FILE.html", help="Written; one that is there is replaced.")
    ],
    selection: Selection,
    state: StateOption = None,
    config: ConfigOption = None,
    title: Annotated[
        str | None, typer.Option("--title", help="Over the page; one is made if unset.")
    ] = None,
    gallery: Annotated[
        bool, typer.Option("--gallery/--no-gallery", help="Pictures of particles.")
    ] = True,
    gallery_per_class: Annotated[
        int,
        typer.Option("--gallery-per-class", min=1, max=24, help="Particles shown of each class."),
    ] = PER_CLASS,
) -> None:
    """Write one page about a session, a run, a sample, or everything, to be read and printed."""
    from daemon.clock import SYSTEM_CLOCK
    from daemon.options import settings
    from daemon.report.writing import write_report

    written = write_report(
        settings(config, state, []),
        selection,
        target,
        title=title,
        per_class=gallery_per_class if gallery else 0,
        now=SYSTEM_CLOCK.utc(),
    )
    typer.echo(f"{target} is written ({written / 1e6:.1f} MB)")
