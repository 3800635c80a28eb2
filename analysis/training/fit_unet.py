"""Fit a U-Net to simulated micrographs; resumable, on any Keras backend.

Cross-entropy plus soft Dice, Adam with cosine decay. Everything needed to go on after an
interruption is in one checkpoint of plain arrays.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis import unet
from analysis.training.loader import SamplePool
from analysis.training.samples import USUAL, Conditions

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FitRecipe:
    """How a U-Net is trained; the defaults made the shipped bundle."""

    architecture: str = "default"
    filters: int = 12
    steps: int = 2400
    batch: int = 8
    learning_rate: float = 2e-3
    warm_up_steps: int = 100
    seed: int = 1
    renderers: int = 1
    start_samples: int = 96
    checkpoint_steps: int = 100
    average_from: int | None = None  # step; the result is the mean of all checkpoints from there
    log_steps: int = 50


DEFAULT_RECIPE = FitRecipe()


def fit_unet(
    folder: Path,
    checkpoint: Path,
    recipe: FitRecipe = DEFAULT_RECIPE,
    conditions: Conditions = USUAL,
    start: Sequence[NDArray[np.float32]] | None = None,
) -> list[NDArray[np.float32]]:
    """The trained weights, in the order of the network.

    Goes on from `checkpoint` where that exists.

    Args:
        folder: of simulated fields; may still be growing.
        checkpoint: .npz, rewritten every `recipe.checkpoint_steps`.
        recipe: network, steps, learning rate, seed.
        conditions: how often what happens to a training micrograph.
        start: weights to begin with; random ones where None.
    """
    import keras

    keras.utils.set_random_seed(recipe.seed)
    network = compiled(recipe)
    if start is not None:
        network.set_weights(list(start))
    first = _restored(network, checkpoint) if checkpoint.exists() else 0
    if first < recipe.steps:
        seed = recipe.seed + first  # after an interruption other samples, not the same again
        with SamplePool(folder, seed, recipe.renderers, conditions, recipe.start_samples) as pool:
            _steps(network, pool, recipe, first, checkpoint)
    return checkpoint_weights(checkpoint)


def compiled(recipe: FitRecipe) -> "keras.Model":
    """The untrained network with its optimiser and loss."""
    import keras

    network = unet.build(recipe.architecture, recipe.filters)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 20,
        decay_steps=max(1, recipe.steps - recipe.warm_up_steps),
        warmup_target=recipe.learning_rate,
        warmup_steps=recipe.warm_up_steps,
    )
    network.compile(
        optimizer=keras.optimizers.Adam(schedule, global_clipnorm=1.0),
        loss=cross_entropy_and_dice,
        jit_compile=False,
    )
    network.optimizer.build(network.trainable_variables)
    return network


def cross_entropy_and_dice(truth: Any, predicted: Any) -> Any:
    """Mean cross-entropy plus 1 - soft Dice of the particle channel over the batch."""
    from keras import ops

    predicted = ops.clip(predicted, 1e-6, 1 - 1e-6)
    cross_entropy = -ops.mean(ops.sum(truth * ops.log(predicted), axis=-1))
    true, found = truth[..., 1], predicted[..., 1]
    shared = ops.sum(true * found)
    dice = (2 * shared + 1) / (ops.sum(true) + ops.sum(found) + 1)
    return cross_entropy + 1 - dice


def checkpoint_weights(checkpoint: Path) -> list[NDArray[np.float32]]:
    """The result so far, in the order of the network: averaged where the recipe says so."""
    with np.load(checkpoint, allow_pickle=False) as stored:
        return _numbered(stored, "average") or _numbered(stored, "weight")


def _numbered(stored: Mapping[str, NDArray[np.float32]], name: str) -> list[NDArray[np.float32]]:
    names = sorted(one for one in stored if one.startswith(f"{name}_"))
    return [stored[one] for one in names]


def _steps(
    network: "keras.Model", pool: SamplePool, recipe: FitRecipe, first: int, checkpoint: Path
) -> None:
    started, losses = time.monotonic(), []
    for step in range(first + 1, recipe.steps + 1):
        losses.append(float(network.train_on_batch(*pool.batch(recipe.batch))))
        if step % recipe.log_steps == 0:
            log.info(
                "step %d of %d: loss %.4f, %d micrographs rendered, %.0f s",
                step,
                recipe.steps,
                float(np.mean(losses[-recipe.log_steps :])),
                pool.rendered,
                time.monotonic() - started,
            )
        if step % recipe.checkpoint_steps == 0 or step == recipe.steps:
            _stored(network, step, checkpoint, recipe)


def _stored(network: "keras.Model", step: int, checkpoint: Path, recipe: FitRecipe) -> None:
    weights = {f"weight_{i:03d}": w for i, w in enumerate(network.get_weights())}
    averages = {}
    if recipe.average_from is not None and step >= recipe.average_from:
        before = (step - recipe.average_from) // recipe.checkpoint_steps
        averages = _averaged(network, checkpoint, before)
    moments = {
        f"optimizer_{i:03d}": np.asarray(variable)
        for i, variable in enumerate(network.optimizer.variables)
    }
    temporary = checkpoint.with_suffix(".part.npz")
    np.savez(temporary, step=np.array(step), **weights, **averages, **moments)  # type: ignore[arg-type]
    temporary.replace(checkpoint)


def _averaged(
    network: "keras.Model", checkpoint: Path, before: int
) -> dict[str, NDArray[np.float32]]:
    """The mean of the weights now and of those averaged `before` times in the checkpoint."""
    weights = network.get_weights()
    means = checkpoint_weights(checkpoint) if before else weights
    return {
        f"average_{index:03d}": (before * mean + weight) / (before + 1)
        for index, (mean, weight) in enumerate(zip(means, weights, strict=True))
    }


def _restored(network: "keras.Model", checkpoint: Path) -> int:
    """Weights and optimiser as they were; the step they were stored at."""
    with np.load(checkpoint, allow_pickle=False) as stored:
        for index, variable in enumerate(network.optimizer.variables):
            variable.assign(stored[f"optimizer_{index:03d}"])
        network.set_weights(_numbered(stored, "weight"))
        step = int(stored["step"])
    return step
