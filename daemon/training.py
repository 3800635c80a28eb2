"""`fringewatch train`: what was asked, turned into a training; progress, and what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from analysis.bundle import Manifest
from analysis.errors import AnalysisError, BundleError
from analysis.training.checkpoint import Standing, TrainingError
from analysis.training.gather import Gathered, gathered, is_simulated
from daemon import shelf
from daemon.errors import DaemonError, Exit, Misused
from daemon.progress import Show, shown
from daemon.quiet import start_backend
from daemon.simulating import need_simulator

STEPS, STEPS_FROM = 2400, 600
LEARNING_RATE, LEARNING_RATE_FROM = 2e-3, 5e-4
AVERAGED_SHARE = 0.3  # of the steps, the last ones
CHECKPOINT_STEPS = 100
CHECKPOINTS = 10  # at least, where there are fewer steps
WARM_UP_SHARE = 0.05
PATIENCE = 10
MOST_START_SAMPLES = 96
NAMES_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class AskedUnet:
    """The options of `train unet`; None is a default that depends on the others."""

    data: tuple[Path, ...]
    output: Path
    start: str | None
    recipe: str
    validation: tuple[Path, ...]
    steps: int | None
    filters: int | None
    batch: int | None
    learning_rate: float | None
    patience: int | None
    renderers: int
    seed: int
    pixel_size_nm: float | None
    licence: str | None
    material: str | None


@dataclass(frozen=True, kw_only=True)
class AskedForest:
    """The options of `train forest`."""

    data: tuple[Path, ...]
    output: Path
    bundle: str
    features: str
    renderings: int
    seed: int
    pixel_size_nm: float | None


def train_unet(state: Path, asked: AskedUnet) -> int:
    """Train, write the bundle, say how good it is; the exit code.

    Args:
        state: folder, where bundles are looked up by name.
        asked: on the command line.

    Raises:
        Misused: options that do not go together.
        DaemonError: the data cannot be trained on, or the start is damaged.
        OSError: a file cannot be read or written.
    """
    _check(asked)
    start = None if asked.start is None else shelf.found(state, asked.start)
    with _said():
        found = _data(asked.data, asked.pixel_size_nm, asked.material)
        held_out = _data(asked.validation, asked.pixel_size_nm)
        start_backend()
        with shown() as show:
            manifest = _trained(asked, start, found, held_out, show)
    _tell(asked.output, manifest)
    return Exit.DONE


def train_forest(state: Path, asked: AskedForest) -> int:
    """Fit the forest, write the bundle, say how good it is; the exit code.

    Args:
        state: folder, where bundles are looked up by name.
        asked: on the command line.

    Raises:
        DaemonError: the data cannot be learnt from, or the bundle is damaged.
        OSError: a file cannot be read or written.
    """
    need_simulator("the training of a forest")  # which shares its room with simulated examples
    from analysis.training.reforest import WantedForest, refit

    start = shelf.found(state, asked.bundle)
    with _said():
        start_backend()
        with shown() as show:
            manifest, without = refit(
                WantedForest(
                    output=asked.output,
                    start=start,
                    data=asked.data,
                    features=asked.features,
                    renderings=asked.renderings,
                    seed=asked.seed,
                    pixel_size_nm=asked.pixel_size_nm,
                ),
                lambda stage, done, total: show(stage, done, total, ""),
            )
    _name(without, "no particle was found in")
    accuracy = manifest.metrics["forest_held_out"]["balanced_accuracy"]
    typer.echo(
        f"{asked.output} holds the bundle {manifest.name}: balanced accuracy {accuracy:.3f} on "
        "what was held out"
    )
    typer.echo(f"take it in with `fringewatch bundle import {asked.output}`")
    return Exit.DONE


def _check(asked: AskedUnet) -> None:
    if asked.recipe not in ("default", "published"):
        raise Misused(f"no recipe is called {asked.recipe!r}; there are default and published")
    fixed = {
        "--steps": asked.steps,
        "--filters": asked.filters,
        "--batch": asked.batch,
        "--learning-rate": asked.learning_rate,
        "--patience": asked.patience,
        "--validation": asked.validation or None,
    }
    given = [name for name, value in fixed.items() if value is not None]
    if asked.recipe == "published" and given:
        raise Misused(f"the published recipe has its own numbers: leave {given[0]} out")
    if asked.start is not None and asked.filters is not None:
        raise Misused("--from says how many filters there are: leave --filters out")


def _data(
    folders: tuple[Path, ...], pixel_size_nm: float | None, material: str | None = None
) -> Gathered:
    if any(is_simulated(folder) for folder in folders):
        need_simulator("a simulated set")
    found = gathered(folders, pixel_size_nm, material)
    _name(found.without_mask, "left out, for want of a mask:")
    return found


def _name(paths: tuple[Path, ...], words: str) -> None:
    """Say of which files something is true; the first of them, and how many more."""
    if paths:
        names = ", ".join(path.name for path in paths[:NAMES_SHOWN])
        more = len(paths) - NAMES_SHOWN
        typer.echo(f"{words} {names}" + (f" and {more} more" if more > 0 else ""), err=True)


def _trained(
    asked: AskedUnet, start: Path | None, found: Gathered, held_out: Gathered, show: Show
) -> Manifest:
    from analysis.training.fit_unet import FitRecipe
    from analysis.training.published_recipe import PAPER, PublishedRecipe
    from analysis.training.retrain import Wanted, retrain, retrain_published

    wanted = Wanted(
        output=asked.output,
        sources=found.sources,
        held_out=held_out.sources,
        start=start,
        seed=asked.seed,
        licence=asked.licence,
    )

    def progress(done: int, total: int, standing: Standing) -> None:
        show("training", done, total, _note(standing))

    if asked.recipe == "published":
        paper = PublishedRecipe(**{**vars(PAPER), "seed": asked.seed})
        return retrain_published(
            wanted, paper, progress, lambda done, total: show("images", done, total, "")
        )
    steps = asked.steps or (STEPS if start is None else STEPS_FROM)
    recipe = FitRecipe(
        filters=asked.filters or FitRecipe.filters,
        steps=steps,
        batch=asked.batch or FitRecipe.batch,
        learning_rate=asked.learning_rate
        or (LEARNING_RATE if start is None else LEARNING_RATE_FROM),
        warm_up_steps=max(1, round(WARM_UP_SHARE * steps)),
        checkpoint_steps=max(1, min(CHECKPOINT_STEPS, steps // CHECKPOINTS)),
        average_from=round((1 - AVERAGED_SHARE) * steps),
        start_samples=min(MOST_START_SAMPLES, 8 * max(map(len, found.sources))),
        seed=asked.seed,
        renderers=asked.renderers,
        patience=asked.patience or PATIENCE,
    )
    return retrain(wanted, recipe, progress)


def _note(standing: Standing) -> str:
    """What is known at the last checkpoint."""
    if not standing.history:
        return ""
    last, best = standing.history[-1], standing.best_moment
    note = f"loss {last.loss:.4f}"
    if last.held_out_dice is not None and best is not None:
        note += f", held out: Dice {last.held_out_dice:.4f}, best {best.held_out_dice:.4f}"
    return note


def _tell(output: Path, manifest: Manifest) -> None:
    dice = manifest.metrics.get("held_out", {}).get("dice") or manifest.metrics.get(
        "held_out", {}
    ).get("held_out_dice")
    typer.echo(
        f"{output} holds the bundle {manifest.name}: {manifest.training['steps_done']} steps, the "
        f"best at {manifest.training['best_step']}"
        + (f", Dice {dice:.4f} on what was held out" if dice is not None else "")
    )
    typer.echo(f"learning curve: {output / 'learning_curve.svg'}")
    typer.echo(f"take it in with `fringewatch bundle import {output}`")


@contextmanager
def _said() -> Iterator[None]:
    """What went wrong below, in one sentence; Ctrl-C is no error of anybody."""
    try:
        yield
    except TrainingError as error:
        raise DaemonError(str(error)) from error
    except BundleError as error:
        raise DaemonError(str(error).rstrip(".")) from error
    except AnalysisError as error:
        raise DaemonError(str(error).rstrip(".")) from error
    except KeyboardInterrupt:
        raise DaemonError(
            "interrupted: the same command goes on from the last checkpoint"
        ) from None
