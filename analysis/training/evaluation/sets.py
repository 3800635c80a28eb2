"""The simulated sets an evaluation needs: those there are, and the rest made from their recipes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from analysis.simulation.dataset import field_paths, simulate
from analysis.simulation.recipes import RECIPES
from analysis.training.evaluation.records import Progress
from analysis.training.evaluation.results import SetFacts

UNFINISHED = "-unfinished"  # the name of a set until it is whole: a part is never taken for it


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many fields of each set are looked at; 0 leaves the set out."""

    train: int = 42
    core: int = 120
    unseen: int = 40
    empty: int = 40
    forest_test: int = 200
    wide: int = 80
    curve: int = 40


FULL = Counts()
QUICK = Counts(train=3, core=3, unseen=2, empty=2, forest_test=3, wide=3, curve=2)


def prepared(data: Path, counts: Counts, processes: int, progress: Progress) -> dict[str, Path]:
    """The folder of each set that is looked at; a missing one is simulated.

    Args:
        data: folder of the sets, by their names in `RECIPES`.
        counts: a folder with fewer fields is taken as it is.
        processes: for the simulation.
        progress: called with (stage, fields there, fields wanted).
    """
    wanted = {name: getattr(counts, name) for name in RECIPES if getattr(counts, name, 0)}
    folders = {name: data / name for name in wanted}
    missing = [name for name, folder in folders.items() if not field_paths(folder)]
    for name in missing:
        recipe, unfinished = RECIPES[name], data / f"{name}{UNFINISHED}"
        simulate(
            unfinished,
            wanted[name],
            recipe.seed,
            processes=processes,
            plan=recipe.plan,
            progress=lambda done, total, name=name: progress(f"simulate {name}", done, total),  # type: ignore[misc]
        )
        unfinished.rename(folders[name])
    return folders


def facts(folder: Path, name: str, counts: Counts) -> SetFacts:
    """What a set is, for the report."""
    recipe = RECIPES[name]
    most: int = getattr(counts, name)
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    return SetFacts(
        name=name,
        purpose=recipe.purpose,
        fields=min(most, len(field_paths(folder))),
        seed=recipe.seed,
        digest=digest[:12],
    )
