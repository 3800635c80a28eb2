"""`fringewatch simulate`: a set of simulated fields; a second call goes on with the first."""

import importlib.util
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import typer

from daemon.errors import DaemonError, Exit, Misused
from daemon.progress import shown

SIMULATOR = ("abtem", "ase")


def need_simulator(what: str) -> None:
    """Make sure that the simulator is installed.

    Raises:
        DaemonError: it is not.
    """
    missing = [name for name in SIMULATOR if importlib.util.find_spec(name) is None]
    if missing:
        raise DaemonError(
            f"{what} needs {' and '.join(missing)}: "
            "install them with `pip install 'fringewatch[simulate]'`"
        )


def simulate(
    folder: Path, recipe_name: str, fields: int | None, seed: int | None, processes: int
) -> int:
    """Fill a folder with fields of a recipe and say what is there; the exit code.

    Raises:
        Misused: there is no such recipe, or the folder holds fields of another.
        DaemonError: the simulator is not installed.
        OSError: the folder cannot be written.
    """
    need_simulator("the simulation")
    from analysis.simulation import dataset
    from analysis.simulation.recipes import RECIPES

    if recipe_name not in RECIPES:
        raise Misused(f"no recipe is called {recipe_name!r}; there are {', '.join(RECIPES)}")
    recipe = RECIPES[recipe_name]
    wanted = recipe.fields if fields is None else fields
    try:
        with shown() as show:
            dataset.simulate(
                folder,
                wanted,
                recipe.seed if seed is None else seed,
                processes=processes,
                plan=recipe.plan,
                progress=lambda done, total: show("fields", done, total, ""),
            )
    except ValueError as error:
        raise Misused(str(error)) from error
    except BrokenProcessPool as error:
        raise DaemonError(
            "a process of the simulation died, perhaps of too little memory; the same command "
            "with fewer --processes goes on"
        ) from error
    except KeyboardInterrupt:
        typer.echo(
            f"interrupted: {len(dataset.field_paths(folder))} of {wanted} fields are there; the "
            "same command goes on",
            err=True,
        )
        return Exit.FAILED
    there = dataset.field_paths(folder)
    size = sum(path.stat().st_size for path in there)
    typer.echo(f"{folder} holds {len(there)} fields of recipe {recipe_name}, {size / 1e6:.0f} MB")
    return Exit.DONE
