"""Fit a U-Net to simulated or labelled micrographs; resumable, on any Keras backend.

Cross-entropy plus soft Dice, Adam with cosine decay. Everything needed to go on after an
interruption is in one checkpoint of plain arrays.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis import unet
from analysis.training.checkpoint import (
    NOTHING,
    Moment,
    Standing,
    Weights,
    mean,
    resumed,
    standing_of,
    store,
)
from analysis.training.crops import CHANNELS, OVERLAP, PARTICLE, SEAM, UNKNOWN
from analysis.training.held_out import THRESHOLD, HeldOut, pooled_dice, predicted
from analysis.training.loader import SamplePool
from analysis.training.sources import SimulatedFields, Source

if TYPE_CHECKING:
    import keras

    from analysis.training.samples import Conditions

log = logging.getLogger(__name__)

SEAM_WEIGHT = 0.8
SEAM_PIXEL_WEIGHT = 10.0
OVERLAP_WEIGHT = 0.4
OVERLAP_PIXEL_WEIGHT = 4.0
COMPILED_FROM_STEPS = 1000
LEAST_GAIN = 5e-4  # of Dice, for a checkpoint to count as better
# What a training that goes on may change: how long it lasts, and who helps.
MAY_DIFFER = (
    "steps",
    "warm_up_steps",
    "checkpoint_steps",
    "average_from",
    "patience",
    "renderers",
    "start_samples",
    "pool_samples",
    "batches_per_sample",
    "log_steps",
)

Progress = Callable[[int, int, Standing], None]
"""Steps done, steps wanted, and where the last checkpoint stands; called after every step."""


@dataclass(frozen=True, kw_only=True)
class FitRecipe:
    """How a U-Net is trained; the defaults made the shipped bundle.

    `patience`: checkpoints without a gain of Dice on what is held out, after which it ends; None
    goes on to the last step.
    """

    architecture: str = "default"
    filters: int = 32
    steps: int = 2400
    batch: int = 8
    learning_rate: float = 2e-3
    warm_up_steps: int = 100
    seed: int = 1
    renderers: int = 1
    start_samples: int = 96
    pool_samples: int = 700
    batches_per_sample: int = 0
    shares: tuple[float, ...] | None = None  # of the sources; equal where None
    checkpoint_steps: int = 100
    average_from: int | None = None  # step; the result is the mean of all checkpoints from there
    log_steps: int = 50
    patience: int | None = None


DEFAULT_RECIPE = FitRecipe()


def fit_unet(
    sources: Path | Sequence[Source],
    checkpoint: Path,
    recipe: FitRecipe = DEFAULT_RECIPE,
    conditions: "Conditions | None" = None,
    start: Sequence[NDArray[np.float32]] | None = None,
    held_out: HeldOut | None = None,
    progress: Progress | None = None,
    about: Mapping[str, Any] | None = None,
) -> Weights:
    """The trained weights, in the order of the network.

    With crops held out, those of the checkpoint that did best on them, averaged where the recipe
    averages; without, the average or the last. Goes on from `checkpoint` where that exists.

    Args:
        sources: what is drawn from; a path is a folder of simulated fields, which may still grow.
        checkpoint: .npz, rewritten every `recipe.checkpoint_steps`.
        recipe: network, steps, learning rate, seed.
        conditions: how often what happens to a micrograph of that folder; None is the usual.
        start: weights to begin with; random ones where None.
        held_out: judged at every checkpoint.
        progress: called after every step.
        about: what else must be the same for a training to go on, such as the data.

    Raises:
        TrainingError: the checkpoint is damaged, or of another training.
    """
    import keras

    keras.utils.set_random_seed(recipe.seed)
    network = compiled(recipe)
    if start is not None:
        network.set_weights(list(start))
    same = {key: value for key, value in asdict(recipe).items() if key not in MAY_DIFFER}
    identity = {**same, **(about or {})}
    standing = resumed(checkpoint, network, identity) if checkpoint.exists() else NOTHING
    if isinstance(sources, Path):
        sources = (SimulatedFields(folder=sources, conditions=conditions),)
    run = _Run(network, recipe, checkpoint, identity, held_out)
    if not run.is_over(standing):
        seed = recipe.seed + standing.step  # after an interruption other samples, not the same
        with SamplePool(
            sources,
            seed,
            recipe.renderers,
            recipe.start_samples,
            recipe.pool_samples,
            recipe.batches_per_sample,
            recipe.shares,
        ) as pool:
            run.train(pool, standing, progress)
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
        loss=cost_of_marks,
        jit_compile=compiles(recipe.steps),
    )
    network.optimizer.build(network.trainable_variables)
    return network


def compiles(steps: int = 0) -> bool:
    """Whether to compile the step: always on JAX; on TensorFlow a quarter off, after 15 s."""
    import keras

    return bool(keras.backend.backend() != "tensorflow" or steps >= COMPILED_FROM_STEPS)


def cost_of_marks(marks: Any, predicted: Any) -> Any:
    """`cross_entropy_and_dice` with the truth packed as it travels, `crops.marks_of`.

    Args:
        marks: (n, h, w, 1), whole numbers of any type.
        predicted: (n, h, w, 4).
    """
    from keras import ops

    bits = ops.cast(marks, "int32")
    channels = np.arange(CHANNELS, dtype=np.int32)
    there, unknown = (
        ops.cast(ops.bitwise_and(ops.right_shift(bits, channels + first), 1), predicted.dtype)
        for first in (0, CHANNELS)
    )
    return cross_entropy_and_dice(ops.where(unknown > 0, UNKNOWN, there), predicted)


def cross_entropy_and_dice(truth: Any, predicted: Any) -> Any:
    """Mean cross-entropy plus 1 - soft Dice of the particle channel, plus seams and overlaps.

    Seam and overlap are further channels where the network has them; their rare pixels weigh
    several times as much as others, and those that are `crops.UNKNOWN` nothing.

    Args:
        truth: (n, h, w, 4) background, particle, seam, overlap.
        predicted: (n, h, w, 2) or (n, h, w, 4).
    """
    from keras import ops

    predicted = ops.clip(predicted, 1e-6, 1 - 1e-6)
    both = truth[..., :2] * ops.log(predicted[..., :2])
    cross_entropy = -ops.mean(ops.sum(both, axis=-1))
    true, found = truth[..., PARTICLE], predicted[..., PARTICLE]
    shared = ops.sum(true * found)
    dice = (2 * shared + 1) / (ops.sum(true) + ops.sum(found) + 1)
    loss = cross_entropy + 1 - dice
    if predicted.shape[-1] == CHANNELS:
        for channel, weight, pixel_weight in (
            (SEAM, SEAM_WEIGHT, SEAM_PIXEL_WEIGHT),
            (OVERLAP, OVERLAP_WEIGHT, OVERLAP_PIXEL_WEIGHT),
        ):
            cost = _rare_cost(truth[..., channel], predicted[..., channel], pixel_weight)
            loss = loss + weight * cost
    return loss


def _rare_cost(true: Any, found: Any, pixel_weight: float) -> Any:
    """Weighted cross-entropy plus 1 - soft Dice: a seam is one pixel in three hundred."""
    from keras import ops

    known = ops.cast(true >= 0, found.dtype)
    there = pixel_weight * true * ops.log(found)
    cross_entropy = -ops.mean(known * (there + (1 - true) * ops.log(1 - found)))
    shared = ops.sum(known * true * found)
    dice = (2 * shared + 1) / (ops.sum(known * true) + ops.sum(known * found) + 1)
    return cross_entropy + 1 - dice


def checkpoint_weights(checkpoint: Path) -> Weights:
    """The result so far, in the order of the network."""
    return standing_of(checkpoint).result


class _Run:
    """One training: its steps, and what happens at each checkpoint."""

    def __init__(
        self,
        network: "keras.Model",
        recipe: FitRecipe,
        checkpoint: Path,
        identity: dict[str, Any],
        held_out: HeldOut | None,
    ) -> None:
        self._network, self._recipe, self._held_out = network, recipe, held_out
        self._checkpoint, self._identity = checkpoint, identity

    def is_over(self, standing: Standing) -> bool:
        """Whether all steps are done, or none of the last ones helped."""
        recipe = self._recipe
        if standing.step >= recipe.steps:
            return True
        if recipe.patience is None or not standing.best:
            return False
        waited = (standing.step - standing.best_step) // recipe.checkpoint_steps
        return waited >= recipe.patience

    def train(self, pool: SamplePool, standing: Standing, progress: Progress | None) -> None:
        """Step by step until it is over."""
        recipe, started, losses = self._recipe, time.monotonic(), []
        for step in range(standing.step + 1, recipe.steps + 1):
            losses.append(float(self._network.train_on_batch(*pool.batch(recipe.batch))))
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
                standing = self._kept(standing, step, float(np.mean(losses)))
                losses = []
            if progress is not None:
                progress(step, recipe.steps, standing)
            if self.is_over(standing):
                return

    def _kept(self, standing: Standing, step: int, loss: float) -> Standing:
        """The new standing, judged and written."""
        weights = self._network.get_weights()
        average, averaged = self._averaged(standing, step, weights)
        moment = Moment(step=step, loss=loss)
        candidate = average or weights
        if self._held_out is not None:
            moment = self._judged(moment, candidate, weights)
        better = _is_better(moment, standing.best_moment)
        now = replace(
            standing,
            step=step,
            weights=weights,
            average=average,
            averaged=averaged,
            best=candidate if better else standing.best,
            best_step=step if better else standing.best_step,
            history=(*standing.history, moment),
        )
        store(self._checkpoint, now, self._network, self._identity)
        return now

    def _averaged(self, standing: Standing, step: int, weights: Weights) -> tuple[Weights, int]:
        """The mean since it began, and of how many; nothing before, nor after an earlier end."""
        begins = self._recipe.average_from
        if begins is None or step < begins:
            return [], 0
        return mean(standing.average, standing.averaged, weights), standing.averaged + 1

    def _judged(self, moment: Moment, candidate: Weights, weights: Weights) -> Moment:
        """The moment with loss and Dice of what is held out; the network stays as it was."""
        held_out = self._held_out
        if held_out is None:
            return moment
        self._network.set_weights(candidate)
        found = predicted(self._network, held_out.inputs, self._recipe.batch)
        self._network.set_weights(weights)
        loss = float(cross_entropy_and_dice(held_out.targets, found))
        dice = pooled_dice(held_out.particle, found[..., PARTICLE] >= THRESHOLD)
        log.info("step %d: loss %.4f and Dice %.4f on what is held out", moment.step, loss, dice)
        return replace(moment, held_out_loss=loss, held_out_dice=dice)


def _is_better(moment: Moment, best: Moment | None) -> bool:
    if moment.held_out_dice is None:
        return False
    return best is None or moment.held_out_dice > (best.held_out_dice or 0.0) + LEAST_GAIN
