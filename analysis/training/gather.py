"""Folders that somebody names, as what can be trained on: simulated sets, labelled micrographs."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.training.checkpoint import TrainingError
from analysis.training.labelled import labelled_images, read_labels
from analysis.training.published_recipe import Picture, PublishedRecipe, pictures_of
from analysis.training.sources import LabelledImages, SimulatedFields, Source

SIMULATED = "field_px"  # a key that the manifest of a simulated set has
WIDENING = 1.25  # of the range of pixel sizes: as far as samples are stretched, and a little more
SMALLEST_SHARE = 5  # percent of the particles: smaller ones may be slips of the pen
Instances = NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What is trained on, and images that were left out because they have no mask."""

    sources: tuple[Source, ...]
    without_mask: tuple[Path, ...]

    @property
    def simulated(self) -> bool:
        """Whether any of it is simulated."""
        return any(isinstance(source, SimulatedFields) for source in self.sources)


def is_simulated(folder: Path) -> bool:
    """Whether a folder is a simulated set."""
    try:
        stated = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(stated, dict) and SIMULATED in stated


def simulated_fields(folder: Path, material: str | None = None) -> SimulatedFields:
    """A simulated set that this release can read.

    Args:
        folder: of the set.
        material: only fields all of whose particles are of it, whatever the polytype, and bare
            ones; None takes every field.

    Raises:
        TrainingError: it is of another format, or holds no such field.
    """
    from analysis.simulation.dataset import FORMAT, material_of

    stated = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if stated.get("format") != FORMAT:
        raise TrainingError(
            f"{folder} holds fields of format {stated.get('format')}, this release knows {FORMAT}: "
            "simulate them again"
        )
    source = SimulatedFields(folder=folder)
    if not len(source):
        raise TrainingError(f"{folder} holds no finished field yet")
    if material is None:
        return source
    found = [material_of(path) for path in source.paths()]
    if material not in found:
        known = ", ".join(sorted({name for name in found if name}))
        raise TrainingError(f"{folder} holds no field of {material!r}; there are {known}")
    chosen = tuple(number for number, name in enumerate(found) if name in (material, None))
    return SimulatedFields(folder=folder, numbers=chosen, material=material)


def gathered(
    folders: Sequence[Path], pixel_size_nm: float | None = None, material: str | None = None
) -> Gathered:
    """What the folders hold.

    Args:
        folders: each a simulated set, or micrographs with masks.
        pixel_size_nm: for micrographs whose file states none.
        material: of a simulated set, only the fields of this; None takes all.

    Raises:
        TrainingError: a folder is not there, or holds nothing to train on.
        AnalysisError: a micrograph cannot be read.
    """
    sources: list[Source] = []
    without: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise TrainingError(f"{folder} is not a folder")
        if is_simulated(folder):
            sources.append(simulated_fields(folder, material))
        else:
            images, left_out = labelled_images(folder, pixel_size_nm)
            sources.append(LabelledImages(name=folder.resolve().name, images=images))
            without += left_out
    return Gathered(sources=tuple(sources), without_mask=tuple(without))


def gathered_pictures(
    sources: Sequence[Source],
    recipe: PublishedRecipe,
    progress: Callable[[int, int], None] | None = None,
) -> list[Picture]:
    """Images for the published recipe, at most as many as it uses, drawn from all sources.

    Micrographs come in an order drawn by the seed, each with all its images.

    Args:
        sources: simulated sets are seen through usual optics at core conditions.
        recipe: how many, and the seed.
        progress: called with images there and images wanted.
    """
    rng = np.random.default_rng([recipe.seed, len(sources)])
    every = [(source, index) for source in sources for index in range(len(source))]
    pictures: list[Picture] = []
    for number in rng.permutation(len(every)):
        source, index = every[number]
        pictures += pictures_of(*_micrograph(source, index, recipe.seed))
        if progress is not None:
            progress(min(len(pictures), recipe.images), recipe.images)
        if len(pictures) >= recipe.images:
            break
    return pictures[: recipe.images]


def pixel_sizes_nm(sources: Sequence[Source]) -> tuple[float, float]:
    """Smallest and largest pixel that was trained on, in nm, a quarter further each way."""
    sizes: list[float] = []
    for source in sources:
        if isinstance(source, LabelledImages):
            sizes += [one.pixel_size_nm for one in source.images]
        elif isinstance(source, SimulatedFields):
            from analysis.training.samples import USUAL

            conditions = USUAL if source.conditions is None else source.conditions
            sizes += conditions.pixel_size_nm
    return round(min(sizes) / WIDENING, 4), round(max(sizes) * WIDENING, 4)


def smallest_diameter_nm(sources: Sequence[Source], simulated_nm: float) -> float:
    """Diameter above which there was anything to learn from, in nm.

    Args:
        sources: of labelled images, all but the smallest twentieth of the particles count.
        simulated_nm: that of simulated particles.
    """
    diameters: list[float] = []
    smallest = []
    for source in sources:
        if isinstance(source, SimulatedFields):
            smallest.append(simulated_nm)
    for pixels, instances, size_nm in _labelled(sources):
        del pixels
        areas_px = np.bincount(instances.ravel())[1:]
        diameters += list(2 * np.sqrt(areas_px[areas_px > 0] / np.pi) * size_nm)
    if diameters:
        smallest.append(float(np.percentile(diameters, SMALLEST_SHARE)))
    return round(min(smallest), 2) if smallest else 0.0


def _labelled(
    sources: Sequence[Source],
) -> Iterator[tuple[NDArray[np.generic], Instances, float]]:
    for source in sources:
        if isinstance(source, LabelledImages):
            for one in source.images:
                labels = read_labels(one)
                yield labels.image, labels.instances, one.pixel_size_nm


def _micrograph(
    source: Source, index: int, seed: int
) -> tuple[NDArray[np.generic], Instances, float]:
    """One micrograph as it was recorded, its instances and its pixel size in nm."""
    if isinstance(source, LabelledImages):
        one = source.images[index]
        labels = read_labels(one)
        return labels.image, labels.instances, one.pixel_size_nm
    if not isinstance(source, SimulatedFields):
        raise TypeError(f"no micrographs of a {type(source).__name__}")
    from analysis.simulation.dataset import load_field
    from analysis.training.micrographs import rendered

    path = source.paths()[index]
    seen = rendered(load_field(path), np.random.default_rng([seed, index]), path.name)
    size_nm = seen.micrograph.calibration.pixel_size_nm
    if size_nm is None:
        raise ValueError("a rendered micrograph has a pixel size")
    return seen.micrograph.image, seen.labels, size_nm
