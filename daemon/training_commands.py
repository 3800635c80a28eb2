"""`fringewatch simulate` and `fringewatch train`: data to learn from, and learning from it."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.arguments import ConfigOption, StateOption

train_app = typer.Typer(
    help="Make a model of your own, from simulated sets or from your micrographs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of everything that is drawn.")]
PixelSizeOption = Annotated[
    float | None,
    typer.Option("--pixel-size-nm", help="Used where a file states none."),
]
OutputOption = Annotated[
    Path,
    typer.Option("--output", metavar="BUNDLE", help="Folder of the bundle; its name is the name."),
]


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made, or filled up.")],
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="NAME", help="What for: train, validation, core, ...")
    ] = "train",
    fields: Annotated[
        int | None, typer.Option("--fields", min=1, help="Fields in all; the recipe's otherwise.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of the set; the recipe's otherwise.")
    ] = None,
    processes: Annotated[int, typer.Option("--processes", min=1, max=256)] = 1,
) -> None:
    """Simulate micrographs with exact truth; a second call goes on where the first one stopped."""
    from daemon import simulating

    raise typer.Exit(simulating.simulate(folder, recipe, fields, seed, processes))


@train_app.command("unet")
def train_unet(
    data: Annotated[
        list[Path], typer.Argument(metavar="DATA...", help="Simulated sets, images with masks.")
    ],
    output: OutputOption,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME", help="Go on from this model; a folder with a /."),
    ] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", help="`default`, or `published`: as the paper did.")
    ] = "default",
    validation: Annotated[
        list[Path] | None,
        typer.Option("--validation", metavar="DATA", help="Judged by; else a fifth of DATA."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="2400; 600 with --from.")
    ] = None,
    filters: Annotated[
        int | None, typer.Option("--filters", min=1, max=64, help="Of the first level.")
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, max=256)] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", min=1e-8, max=1.0)
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience", min=1, help="Ends after so many checkpoints without a gain; 10."
        ),
    ] = None,
    renderers: Annotated[
        int, typer.Option("--renderers", min=1, max=64, help="Processes that make samples.")
    ] = 1,
    seed: SeedOption = 1,
    pixel_size_nm: PixelSizeOption = None,
    licence: Annotated[
        str | None, typer.Option("--licence", help="Of the result; that of --from otherwise.")
    ] = None,
    material: Annotated[
        str | None,
        typer.Option("--material", help="Of simulated sets, only the fields of this: CdSe, ..."),
    ] = None,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Train the network that finds particles; a second call goes on where the first stopped."""
    from daemon import training
    from daemon.options import settings

    asked = training.AskedUnet(
        data=tuple(data),
        output=output,
        start=start,
        recipe=recipe,
        validation=tuple(validation or ()),
        steps=steps,
        filters=filters,
        batch=batch,
        learning_rate=learning_rate,
        patience=patience,
        renderers=renderers,
        seed=seed,
        pixel_size_nm=pixel_size_nm,
        licence=licence,
        material=material,
    )
    raise typer.Exit(training.train_unet(settings(config, state, []).state.folder, asked))


@train_app.command("forest")
def train_forest(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Simulated sets, or crops in a folder per class."),
    ],
    output: OutputOption,
    bundle: Annotated[
        str, typer.Option("--bundle", metavar="NAME", help="Whose U-Net segments; kept as it is.")
    ] = "default",
    features: Annotated[
        str, typer.Option("--features", help="`default`, or `published`: the paper's five.")
    ] = "default",
    renderings: Annotated[
        int, typer.Option("--renderings", min=1, help="Micrographs of each simulated field.")
    ] = 3,
    seed: SeedOption = 1,
    pixel_size_nm: PixelSizeOption = None,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Train the forest that tells the classes, on particles as this U-Net finds them."""
    from daemon import training
    from daemon.options import settings

    asked = training.AskedForest(
        data=tuple(data),
        output=output,
        bundle=bundle,
        features=features,
        renderings=renderings,
        seed=seed,
        pixel_size_nm=pixel_size_nm,
    )
    raise typer.Exit(training.train_forest(settings(config, state, []).state.folder, asked))
