"""`fringewatch bundle`: which models there are, what each is, and how they come and go."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.arguments import ConfigOption, JsonOption, StateOption

bundle_app = typer.Typer(
    help="Models: which there are, what each was made from, and how they come and go.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name, or a folder with a /.")
]
NewNameOption = Annotated[
    str | None, typer.Option("--name", help="To keep it under; its own otherwise.")
]


@bundle_app.command("list")
def list_bundles(
    state: StateOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Every model by name; `*` marks the one that is configured."""
    from daemon import bundles
    from daemon.options import settings

    bundles.list_all(settings(config, state, []), json)


@bundle_app.command("show")
def show(
    name: NameArgument,
    state: StateOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """What a model was made from, how good it was found to be, where it holds, its licence."""
    from daemon import bundles
    from daemon.options import settings

    bundles.show(settings(config, state, []), name, json)


@bundle_app.command("import")
def import_bundle(
    source: Annotated[Path, typer.Argument(metavar="FILE.zip|FOLDER")],
    name: NewNameOption = None,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Take in a model, once everything in it was found to be right."""
    from daemon import bundles
    from daemon.options import settings

    bundles.take(settings(config, state, []), source, name)


@bundle_app.command("export")
def export_bundle(
    name: NameArgument,
    target: Annotated[Path, typer.Argument(metavar="FILE.zip")],
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Write a model as one zip file; the same model gives the same bytes."""
    from daemon import bundles
    from daemon.options import settings

    bundles.give(settings(config, state, []), name, target)


@bundle_app.command("import-published")
def import_published(
    source: Annotated[Path, typer.Argument(metavar="FILE.h5")],
    name: NewNameOption = None,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Take in weights published with the paper (Keras 2 HDF5): arrays alone, nothing is run."""
    from daemon import bundles
    from daemon.options import settings

    bundles.take_published(settings(config, state, []), source, name)
