"""A bundle of somebody's own: a U-Net trained on what they have, with a manifest that says how.

The output folder takes the bundle, the checkpoint that a second call goes on from, and the
learning curve. A forest that was there before is kept; its figures were measured with another
U-Net, and the manifest says so.
"""

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis import unet
from analysis.bundle import (
    FOREST_NAME,
    NAME,
    Manifest,
    load,
    stored_check_features,
    stored_weights,
    verified,
    write,
)
from analysis.features import FEATURE_NAMES, FEATURE_SET_VERSION
from analysis.forest import CLASS_NAMES, Forest
from analysis.pipeline import ANALYSIS_VERSION
from analysis.published import UNKNOWN_LICENCE
from analysis.training import published_recipe
from analysis.training.checkpoint import Standing, TrainingError, standing_of
from analysis.training.crops import MODEL_PIXEL_SIZE_NM, PARTICLE
from analysis.training.fit_unet import FitRecipe, Progress, fit_unet
from analysis.training.gather import gathered_pictures, pixel_sizes_nm, smallest_diameter_nm
from analysis.training.held_out import (
    HeldOut,
    best_threshold,
    held_out_crops,
    pooled_dice,
    predicted,
)
from analysis.training.learning_curve import write_learning_curve
from analysis.training.published_recipe import PublishedRecipe, fit_published
from analysis.training.sources import Source, parted

CHECKPOINT_NAME = "checkpoint.npz"
CURVE_NAME = "learning_curve.svg"
SIMULATED_DIAMETER_NM = 2.0  # of the smallest particles that are simulated
LIBRARIES = ("keras", "numpy", "scikit-learn", "skops")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What shall be made of what.

    `output`: folder; its name is that of the bundle. `held_out`: sources to judge by; where there
    are none, a fifth of each source is held out. `start`: folder of a bundle to go on from.
    `licence`: of the result; None takes that of the start.
    """

    output: Path
    sources: tuple[Source, ...]
    held_out: tuple[Source, ...] = ()
    start: Path | None = None
    seed: int = 1
    licence: str | None = None


def retrain(
    wanted: Wanted, recipe: FitRecipe, progress: Progress, draw_curve: bool = True
) -> Manifest:
    """Train the network of this release, choose its threshold, write the bundle.

    Args:
        wanted: what of what.
        recipe: as in `fit_unet`; its network is that of the start, where there is one.
        progress: called after every step.
        draw_curve: write the learning curve at every checkpoint.

    Raises:
        TrainingError: the start has another network, there is too little to hold out, or the
            output folder holds another training.
        BundleError: the start is damaged.
        OSError: the output cannot be written.
    """
    start = _start(wanted, recipe.architecture, MODEL_PIXEL_SIZE_NM)
    if start is not None:
        recipe = replace(recipe, filters=start.filters)
    training, judged_by = _parts(wanted)
    held_out = held_out_crops(judged_by, wanted.seed)
    wanted.output.mkdir(parents=True, exist_ok=True)
    checkpoint = wanted.output / CHECKPOINT_NAME
    weights = fit_unet(
        training,
        checkpoint,
        recipe,
        start=None if wanted.start is None else stored_weights(wanted.start),
        held_out=held_out,
        progress=_drawing(wanted.output, "step", progress) if draw_curve else progress,
        about=_identity(wanted),
    )
    standing = standing_of(checkpoint)
    threshold, metrics = _measured(recipe.architecture, recipe.filters, weights, held_out)
    draft = Manifest(
        **_common(wanted),
        architecture=recipe.architecture,
        filters=recipe.filters,
        model_pixel_size_nm=MODEL_PIXEL_SIZE_NM,
        pixel_size_range_nm=_range_nm(wanted, start),
        reliable_diameter_nm=_reliable_nm(wanted, start),
        preprocess_recipe="default",
        threshold=threshold,
        training=_told(wanted, start, standing, {"recipe": "default", **asdict(recipe)}),
        metrics={"held_out": metrics},
    )
    return _written(wanted, draft, weights)


def retrain_published(
    wanted: Wanted,
    recipe: PublishedRecipe,
    progress: Progress,
    gathering: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Train the published network as the paper did, write the bundle.

    Args:
        wanted: what of what; the paper's own split is used, so nothing else may be held out.
        recipe: the paper's numbers.
        progress: called after every batch.
        gathering: called with images there and images wanted.

    Raises:
        TrainingError: the start has another network, there are fewer than two images, or the
            output folder holds another training.
        BundleError: the start is damaged.
        OSError: the output cannot be written.
    """
    size_nm = published_recipe.MODEL_PIXEL_SIZE_NM
    start = _start(wanted, "published", size_nm)
    if wanted.held_out:
        raise TrainingError("the published recipe holds out a fifth of its own images")
    pictures = gathered_pictures(wanted.sources, recipe, gathering)
    if len(pictures) < 2:
        raise TrainingError("fewer than two 512x512 images with a particle in what is trained on")
    wanted.output.mkdir(parents=True, exist_ok=True)
    weights = fit_published(
        pictures,
        wanted.output / CHECKPOINT_NAME,
        recipe,
        None if wanted.start is None else stored_weights(wanted.start),
        _drawing(wanted.output, "epoch", progress),
        _identity(wanted),
    )
    standing = standing_of(wanted.output / CHECKPOINT_NAME)
    best = standing.best_moment
    draft = Manifest(
        **_common(wanted),
        architecture="published",
        filters=recipe.filters,
        model_pixel_size_nm=size_nm,
        pixel_size_range_nm=_range_nm(wanted, start),
        reliable_diameter_nm=_reliable_nm(wanted, start),
        preprocess_recipe="published",
        threshold=0.5,
        training={
            **_told(wanted, start, standing, {"recipe": "published", **asdict(recipe)}),
            "images": len(pictures),
        },
        metrics={} if best is None else {"held_out": asdict(best)},
    )
    return _written(wanted, draft, weights)


def _start(wanted: Wanted, architecture: str, model_pixel_size_nm: float) -> Manifest | None:
    """The manifest of the bundle to go on from, if its network is the one that is trained."""
    if not NAME.fullmatch(wanted.output.resolve().name):
        raise TrainingError(
            f"{wanted.output.name!r} becomes the name of the bundle: letters, digits, '.', '_' "
            "and '-', please"
        )
    if wanted.start is None:
        return None
    manifest = verified(wanted.start)
    if manifest.architecture != architecture:
        raise TrainingError(
            f"{manifest.name} has the {manifest.architecture} network, and this recipe trains the "
            f"{architecture} one"
        )
    if manifest.model_pixel_size_nm != model_pixel_size_nm:
        raise TrainingError(
            f"{manifest.name} sees pixels of {manifest.model_pixel_size_nm:g} nm, and this recipe "
            f"trains at {model_pixel_size_nm:g} nm"
        )
    return manifest


def _parts(wanted: Wanted) -> tuple[Sequence[Source], Sequence[Source]]:
    if wanted.held_out:
        return wanted.sources, wanted.held_out
    try:
        return parted(wanted.sources, wanted.seed)
    except ValueError as error:
        raise TrainingError(
            "one image or field alone cannot be trained on and judged by: add another, or name a "
            "folder with --validation"
        ) from error


def _identity(wanted: Wanted) -> dict[str, Any]:
    """What a training is of, for its checkpoint: data and start, by their content."""
    sources = [source.described() for source in (*wanted.sources, *wanted.held_out)]
    start = None if wanted.start is None else verified(wanted.start).sha256
    return {"data": _digest(sources), "start": start}


def _drawing(output: Path, unit: str, progress: Progress) -> Progress:
    """The same progress, with the learning curve drawn at every new checkpoint."""
    drawn = -1

    def drawing(done: int, total: int, standing: Standing) -> None:
        nonlocal drawn
        if standing.step != drawn and standing.history:
            write_learning_curve(standing, unit, output / CURVE_NAME)
            drawn = standing.step
        progress(done, total, standing)

    return drawing


def _measured(
    architecture: str, filters: int, weights: Sequence[NDArray[np.float32]], held_out: HeldOut
) -> tuple[float, dict[str, Any]]:
    """The threshold that does best on the crops held out, and how well that is."""
    network = unet.build(architecture, filters)
    network.set_weights(list(weights))
    probability = predicted(network, held_out.inputs, 8)[..., PARTICLE]
    threshold = best_threshold(held_out, probability)
    dice = pooled_dice(held_out.particle, probability >= threshold)
    return threshold, {
        "crops": len(held_out.inputs),
        "dice": round(dice, 4),
        "note": "weights and threshold were chosen on these crops",
    }


def _common(wanted: Wanted) -> dict[str, Any]:
    """What every manifest made here says alike."""
    import keras

    libraries = (*LIBRARIES, keras.backend.backend())
    licence = wanted.licence
    if licence is None:
        licence = UNKNOWN_LICENCE if wanted.start is None else verified(wanted.start).licence
    return {
        "name": wanted.output.resolve().name,
        "version": "1",
        "imaging_modes": ("TEM",),
        "feature_set": FEATURE_SET_VERSION,
        "feature_names": FEATURE_NAMES,
        "class_names": CLASS_NAMES,
        "libraries": {name: importlib.metadata.version(name) for name in libraries},
        "licence": licence,
    }


def _told(
    wanted: Wanted, start: Manifest | None, standing: Standing, recipe: Mapping[str, Any]
) -> dict[str, Any]:
    """How it was trained, for the manifest."""
    import keras

    told: dict[str, Any] = {
        "data": [source.described() for source in wanted.sources],
        "held_out": [source.described() for source in wanted.held_out] or "a fifth of each",
        "seed": wanted.seed,
        "recipe": dict(recipe),
        "steps_done": standing.step,
        "best_step": standing.best_step,
        "backend": keras.backend.backend(),
        "analysis_version": ANALYSIS_VERSION,
        "code": "fringewatch train unet",
        "code_version": importlib.metadata.version("fringewatch"),
    }
    if start is not None:
        told["from"] = {"name": start.name, "version": start.version, "sha256": start.sha256}
    return told


def _range_nm(wanted: Wanted, start: Manifest | None) -> tuple[float, float]:
    low, high = pixel_sizes_nm(wanted.sources)
    if start is None:
        return low, high
    return min(low, start.pixel_size_range_nm[0]), max(high, start.pixel_size_range_nm[1])


def _reliable_nm(wanted: Wanted, start: Manifest | None) -> float:
    found = smallest_diameter_nm(wanted.sources, SIMULATED_DIAMETER_NM)
    return found if start is None else min(found, start.reliable_diameter_nm)


def _written(wanted: Wanted, draft: Manifest, weights: Sequence[NDArray[np.float32]]) -> Manifest:
    """The bundle, with the forest of the start where it had one."""
    forest, features = _forest_of(wanted.start)
    if wanted.start is not None and forest is not None:
        before = verified(wanted.start)
        measured = dict(before.metrics.get("forest_held_out", {}))
        measured["note"] = f"measured with the U-Net of {before.name} {before.sha256[:12]}"
        draft = replace(
            draft,
            feature_set=before.feature_set,
            feature_names=before.feature_names,
            metrics={**draft.metrics, "forest_held_out": measured},
        )
    return write(wanted.output, draft, weights, forest, features)


def _forest_of(folder: Path | None) -> tuple[Forest | None, NDArray[np.float64] | None]:
    if folder is None or FOREST_NAME not in verified(folder).files:
        return None, None
    return load(folder, "cpu").forest, stored_check_features(folder)


def _digest(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
