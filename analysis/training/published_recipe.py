"""The paper's own way of training its network, on whatever is labelled.

Groschner, Choi and Scott (2021): micrographs, 3x3-median filtered and divided by their maximum,
are cut into 512x512 images, those without a particle left out; 129 of them are turned and
mirrored into 1000 samples an epoch, four fifths to train on; categorical cross-entropy, Adam at
1e-4, batches of 20; it ends when the validation loss has improved by less than 0.001 for two
epochs, at most after ten. Where the paper says nothing: turns are by quarters, since 129 images in
eight positions are the "more than 1000" of the paper; the split is by image, so that no image is
judged that was trained on in another position; the weights of the lowest validation loss are kept.
And the statistics of batch normalisation are settled before every judgement: at the usual momentum
of 0.99 the start still weighs 13 % after the 200 steps of five epochs, which on pictures of little
contrast may drown their variance: loss and result would speak of the start.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis import unet
from analysis.preprocess import prepare
from analysis.training.checkpoint import NOTHING, Moment, Standing, Weights, resumed, store
from analysis.training.crops import PARTICLE, on_grid
from analysis.training.fit_unet import Progress, checkpoint_weights, compiles
from analysis.training.held_out import THRESHOLD

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)

MODEL_PIXEL_SIZE_NM = 0.02
IMAGE_PX = 512
POSITIONS = 8


@dataclass(frozen=True, kw_only=True)
class PublishedRecipe:
    """The numbers of the paper.

    `images`: at most so many are used. `samples`: an epoch, of which `held_out_share` is not
    trained on.
    """

    filters: int = 4
    images: int = 129
    samples: int = 1000
    held_out_share: float = 0.2
    learning_rate: float = 1e-4
    batch: int = 20
    epochs: int = 10
    least_gain: float = 0.001
    patience: int = 2
    seed: int = 1
    settling_batches: int = 20

    @property
    def trained_samples(self) -> int:
        """Of an epoch, those that are trained on."""
        return round(self.samples * (1 - self.held_out_share))

    @property
    def batches(self) -> int:
        """Of an epoch; the last may be smaller."""
        return -(-self.trained_samples // self.batch)


PAPER = PublishedRecipe()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A 512x512 image as the published network sees it: (512, 512) float16, and (512, 512) bool."""

    network_input: NDArray[np.float16]
    particle: NDArray[np.bool_]


def pictures_of(
    image: NDArray[np.generic], instances: NDArray[np.uint16], pixel_size_nm: float
) -> Iterator[Picture]:
    """The 512x512 images of a micrograph that hold a particle, at 0.02 nm per pixel.

    As many as come nearest to its sides, evenly spread: a little may be left out between them, or
    seen twice. A micrograph smaller than one image is reflected out.

    Args:
        image: (H, W), as recorded.
        instances: (H, W), 0 is background.
        pixel_size_nm: side of its pixel.
    """
    prepared = prepare(image, pixel_size_nm, MODEL_PIXEL_SIZE_NM, "published").network_input
    truth = on_grid(instances, (prepared.shape[0], prepared.shape[1])) > 0
    missing = [(0, max(0, IMAGE_PX - side)) for side in prepared.shape]
    pixels = np.pad(prepared.astype(np.float16), missing, mode="symmetric")
    particle = np.pad(np.asarray(truth, np.bool_), missing, mode="symmetric")
    for top in _starts(pixels.shape[0]):
        for left in _starts(pixels.shape[1]):
            window = (slice(top, top + IMAGE_PX), slice(left, left + IMAGE_PX))
            if particle[window].any():
                yield Picture(network_input=pixels[window].copy(), particle=particle[window].copy())


def fit_published(
    pictures: Sequence[Picture],
    checkpoint: Path,
    recipe: PublishedRecipe = PAPER,
    start: Sequence[NDArray[np.float32]] | None = None,
    progress: Progress | None = None,
    about: Mapping[str, Any] | None = None,
) -> Weights:
    """The weights of the lowest validation loss; goes on from `checkpoint` where that exists.

    Args:
        pictures: at least two; which of them are held out depends on the seed.
        checkpoint: .npz, rewritten after every epoch; its steps are epochs.
        recipe: the paper's numbers, or fewer for a test.
        start: weights to begin with; random ones where None.
        progress: called after every batch, with batches done and batches of all epochs.
        about: what else must be the same for a training to go on, such as the data.

    Raises:
        ValueError: fewer than two pictures.
        TrainingError: the checkpoint is damaged, or of another training.
    """
    import keras

    keras.utils.set_random_seed(recipe.seed)
    training, held_out = split(pictures, recipe)
    network = compiled(recipe)
    if start is not None:
        network.set_weights(list(start))
    identity = {**asdict(recipe), "pictures": len(pictures), **(about or {})}
    identity.pop("epochs")
    standing = resumed(checkpoint, network, identity) if checkpoint.exists() else NOTHING
    while not is_over(standing, recipe):
        trained = _trained(network, training, recipe, standing, progress)
        _settle(network, training, recipe)
        moment = _judged(network, held_out, recipe, trained)
        standing = _with(standing, moment, network.get_weights())
        store(checkpoint, standing, network, identity)
        if progress is not None:
            progress(standing.step * recipe.batches, recipe.epochs * recipe.batches, standing)
    return checkpoint_weights(checkpoint)


def split(
    pictures: Sequence[Picture], recipe: PublishedRecipe
) -> tuple[list[Picture], list[Picture]]:
    """At most `recipe.images` of them, drawn by the seed: to train on, and held out."""
    if len(pictures) < 2:
        raise ValueError(f"{len(pictures)} images cannot be parted into training and validation")
    order = np.random.default_rng(recipe.seed).permutation(len(pictures))[: recipe.images]
    held = max(1, round(len(order) * recipe.held_out_share))
    return [pictures[i] for i in order[held:]], [pictures[i] for i in order[:held]]


def is_over(standing: Standing, recipe: PublishedRecipe) -> bool:
    """Whether all epochs are done, or the last two brought less than the least gain.

    As Keras stops early: an epoch counts as better only when its loss is lower than the lowest one
    that counted by more than the least gain.
    """
    lowest, waited = float("inf"), 0
    for moment in standing.history:
        loss = _loss(moment)
        waited = 0 if loss < lowest - recipe.least_gain else waited + 1
        lowest = loss if waited == 0 else lowest
    return standing.step >= recipe.epochs or waited >= recipe.patience


def compiled(recipe: PublishedRecipe) -> "keras.Model":
    """The untrained published network with its optimiser and loss."""
    import keras

    network = unet.build("published", recipe.filters)
    network.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss="categorical_crossentropy",
        jit_compile=compiles(),
    )
    network.optimizer.build(network.trainable_variables)
    return network


def _trained(
    network: "keras.Model",
    training: Sequence[Picture],
    recipe: PublishedRecipe,
    standing: Standing,
    progress: Progress | None,
) -> Moment:
    """One more epoch; its mean loss."""
    epoch, losses = standing.step + 1, []
    places = _positions(training, recipe.trained_samples, [recipe.seed, epoch])
    for batch in _batches(places, recipe.batch):
        losses.append(float(network.train_on_batch(*_samples(training, batch))))
        if progress is not None:
            done = standing.step * recipe.batches + len(losses)
            progress(done, recipe.epochs * recipe.batches, standing)
    return Moment(step=epoch, loss=float(np.mean(losses)))


def _settle(network: "keras.Model", training: Sequence[Picture], recipe: PublishedRecipe) -> None:
    """Means and variances of batch normalisation as on training samples; no weight learns."""
    import keras

    normalising = [
        layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    usual = [layer.momentum for layer in normalising]
    places = _positions(training, recipe.settling_batches * recipe.batch, [recipe.seed, 0])
    for number, batch in enumerate(_batches(places, recipe.batch)):
        for layer in normalising:
            layer.momentum = number / (number + 1)  # the plain mean over the batches so far
        network(_samples(training, batch)[0], training=True)
    for layer, momentum in zip(normalising, usual, strict=True):
        layer.momentum = momentum


def _judged(
    network: "keras.Model", held_out: Sequence[Picture], recipe: PublishedRecipe, moment: Moment
) -> Moment:
    """The moment with loss and Dice of the validation samples, the same in every epoch."""
    count = recipe.samples - recipe.trained_samples
    places = _positions(held_out, count, [recipe.seed, 0])
    loss, shared, both = 0.0, 0, 0
    for batch in _batches(places, recipe.batch):
        inputs, targets = _samples(held_out, batch)
        found = np.asarray(network.predict_on_batch(inputs))
        loss += _cross_entropy(targets, found) * len(batch) / len(places)
        true, said = (one[..., PARTICLE] >= THRESHOLD for one in (targets, found))
        shared, both = shared + int((true & said).sum()), both + int(true.sum() + said.sum())
    dice = 2 * shared / both if both else 1.0
    log.info("epoch %d: loss %.4f; held out %.4f, Dice %.4f", moment.step, moment.loss, loss, dice)
    return replace(moment, held_out_loss=loss, held_out_dice=dice)


def _with(standing: Standing, moment: Moment, weights: Weights) -> Standing:
    """After one more epoch; the best weights are those of the lowest validation loss."""
    lowest = min(_loss(one) for one in (*standing.history, moment))
    better = _loss(moment) <= lowest
    return replace(
        standing,
        step=moment.step,
        weights=weights,
        best=weights if better else standing.best,
        best_step=moment.step if better else standing.best_step,
        history=(*standing.history, moment),
    )


def _loss(moment: Moment) -> float:
    return float("inf") if moment.held_out_loss is None else moment.held_out_loss


def _batches(places: list[tuple[int, int]], size: int) -> list[list[tuple[int, int]]]:
    return [places[first : first + size] for first in range(0, len(places), size)]


def _positions(
    pictures: Sequence[Picture], count: int, seed: Sequence[int]
) -> list[tuple[int, int]]:
    """Number and position of `count` samples: each picture in each position once, then again."""
    rng = np.random.default_rng(list(seed))
    every = [
        (picture, position) for picture in range(len(pictures)) for position in range(POSITIONS)
    ]
    chosen: list[tuple[int, int]] = []
    while len(chosen) < count:
        chosen += [every[index] for index in rng.permutation(len(every))]
    return chosen[:count]


def _samples(
    pictures: Sequence[Picture], places: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Inputs (n, 512, 512, 1) and targets (n, 512, 512, 2): background, particle."""
    inputs = np.empty((len(places), IMAGE_PX, IMAGE_PX, 1), np.float32)
    targets = np.empty((len(places), IMAGE_PX, IMAGE_PX, 2), np.float32)
    for index, (number, position) in enumerate(places):
        picture = pictures[number]
        inputs[index, :, :, 0] = _turned(picture.network_input, position)
        particle = _turned(picture.particle, position)
        targets[index, :, :, 0], targets[index, :, :, 1] = particle == 0, particle
    return inputs, targets


def _turned(picture: NDArray[np.generic], position: int) -> NDArray[np.generic]:
    """One of the eight positions of a square: four turns, each mirrored or not."""
    turned = np.rot90(picture, position % 4)
    return np.fliplr(turned) if position >= POSITIONS // 2 else turned


def _cross_entropy(targets: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Mean over all pixels, as `categorical_crossentropy`."""
    return float(-np.mean(np.sum(targets * np.log(np.clip(found, 1e-7, 1.0)), axis=-1)))


def _starts(side: int) -> list[int]:
    """Where images begin along one axis, evenly spread."""
    count = max(1, round(side / IMAGE_PX))
    return [int(start) for start in np.linspace(0, side - IMAGE_PX, count)]
