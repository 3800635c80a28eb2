"""Options that several command groups share, each with one meaning everywhere."""

from pathlib import Path
from typing import Annotated

import typer

StateOption = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="State folder: database, masks, sessions."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration (TOML).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
BundleOption = Annotated[
    str | None,
    typer.Option("--bundle", metavar="NAME", help="Model to use: its name, or a folder with a /."),
]
PixelSizeOption = Annotated[
    float | None,
    typer.Option("--pixel-size-nm", help="Used, and recorded, where a file states none."),
]
