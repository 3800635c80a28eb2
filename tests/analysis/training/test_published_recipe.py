"""The paper's protocol: its images, its positions, its ending."""

import numpy as np
import pytest

from analysis.training.checkpoint import NOTHING, Moment, TrainingError, standing_of
from analysis.training.published_recipe import (
    IMAGE_PX,
    PAPER,
    POSITIONS,
    Picture,
    PublishedRecipe,
    _positions,
    _settle,
    _turned,
    _with,
    compiled,
    fit_published,
    is_over,
    pictures_of,
    split,
)

TINY = PublishedRecipe(samples=5, images=4, batch=2, epochs=2, learning_rate=1e-2, filters=1)


def picture(seed: int) -> Picture:
    """Bright where the particle is, 512 pixels a side."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((IMAGE_PX, IMAGE_PX))
    particle = np.hypot(y - rng.uniform(100, 400), x - rng.uniform(100, 400)) < 90
    pixels = rng.normal(0.4, 0.05, particle.shape) + 0.3 * particle
    return Picture(network_input=pixels.astype(np.float16), particle=particle)


@pytest.fixture(scope="module")
def pictures():
    return [picture(seed) for seed in range(5)]


def history(*losses):
    moments = tuple(
        Moment(step=step, loss=1.0, held_out_loss=loss) for step, loss in enumerate(losses, start=1)
    )
    return NOTHING.__class__(**{**NOTHING.__dict__, "history": moments, "step": len(losses)})


def test_the_numbers_are_those_of_the_paper():
    assert (PAPER.images, PAPER.samples, PAPER.batch, PAPER.epochs) == (129, 1000, 20, 10)
    assert (PAPER.learning_rate, PAPER.least_gain, PAPER.patience) == (1e-4, 0.001, 2)
    assert PAPER.images * POSITIONS > PAPER.samples


@pytest.mark.parametrize(
    ("losses", "over"),
    [
        ((0.5, 0.4, 0.3), False),
        ((0.5, 0.4995), False),
        ((0.5, 0.4995, 0.4993), True),
        ((0.5, 0.6, 0.3), False),
        ((0.5, 0.6, 0.7), True),
        ((0.5, 0.4995, 0.4985), False),
        ((1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1), True),
    ],
)
def test_it_ends_after_two_epochs_that_bring_less_than_a_thousandth(losses, over):
    assert is_over(history(*losses), PAPER) == over


def test_the_weights_of_the_lowest_loss_are_kept_and_not_the_last():
    standing = NOTHING
    for epoch, loss in enumerate((0.5, 0.3, 0.4), start=1):
        moment = Moment(step=epoch, loss=1.0, held_out_loss=loss)
        standing = _with(standing, moment, [np.float32(epoch)])
    assert (standing.step, standing.best_step) == (3, 2)
    assert standing.best == [2]
    assert standing.weights == [3]


def test_a_micrograph_of_1024_pixels_gives_its_four_images_without_the_empty_ones():
    instances = np.zeros((1024, 1024), np.uint16)
    instances[700:800, 100:200] = 1
    instances[600:620, 900:920] = 2
    image = np.random.default_rng(1).uniform(1, 2, instances.shape).astype(np.float32)
    found = list(pictures_of(image, instances, 0.02))
    assert [int(one.particle.sum()) for one in found] == [10_000, 400]
    assert all(one.network_input.shape == (512, 512) for one in found)
    assert max(float(one.network_input.max()) for one in found) <= 1


@pytest.mark.parametrize(
    ("size_nm", "side", "count"), [(0.04, 512, 4), (0.02, 1030, 4), (0.02, 200, 1)]
)
def test_images_are_512_pixels_at_a_fiftieth_of_a_nm_whatever_was_recorded(size_nm, side, count):
    instances = np.ones((side, side), np.uint16)
    image = np.random.default_rng(1).uniform(1, 2, instances.shape).astype(np.float32)
    found = list(pictures_of(image, instances, size_nm))
    assert len(found) == count
    assert all(one.particle.shape == (512, 512) for one in found)


def test_every_image_comes_in_all_eight_positions_before_any_comes_again(pictures):
    places = _positions(pictures, 60, [1, 1])
    assert len(places) == 60
    assert len(set(places[:40])) == 40
    assert _positions(pictures, 60, [1, 1]) == places
    assert _positions(pictures, 60, [1, 2]) != places


def test_the_eight_positions_are_different_and_the_first_is_as_it_was():
    marked = np.arange(9).reshape(3, 3)
    turned = {_turned(marked, position).tobytes() for position in range(POSITIONS)}
    assert len(turned) == POSITIONS
    assert np.array_equal(_turned(marked, 0), marked)


def test_whole_images_are_held_out(pictures):
    training, held_out = split(pictures, TINY)
    assert (len(training), len(held_out)) == (3, 1)
    assert all(one is not other for one in training for other in held_out)
    with pytest.raises(ValueError, match="cannot be parted"):
        split(pictures[:1], TINY)


def test_an_interrupted_training_goes_on_and_keeps_the_lowest_loss(pictures, tmp_path):
    checkpoint = tmp_path / "checkpoint.npz"
    heard = []
    one = PublishedRecipe(**{**TINY.__dict__, "epochs": 1})
    for recipe in (one, TINY):
        fit_published(
            pictures,
            checkpoint,
            recipe,
            progress=lambda done, total, standing: heard.append((done, total, standing.step)),
        )
    assert heard == [(1, 2, 0), (2, 2, 0), (2, 2, 1), (3, 4, 1), (4, 4, 1), (4, 4, 2)]
    standing = standing_of(checkpoint)
    losses = [moment.held_out_loss for moment in standing.history]
    assert standing.best_step == 1 + int(np.argmin(losses))
    assert len(standing.best) == len(standing.weights)
    other = PublishedRecipe(**{**TINY.__dict__, "learning_rate": 1e-3})
    with pytest.raises(TrainingError, match="another learning_rate"):
        fit_published(pictures, checkpoint, other)


def test_batch_statistics_settle_on_the_training_pictures_and_no_weight_learns(pictures):
    network = compiled(TINY)
    before = [np.asarray(weight) for weight in network.trainable_weights]
    (first, *_) = [layer for layer in network.layers if hasattr(layer, "moving_variance")]
    _settle(network, pictures, TINY)
    for weight, old in zip(network.trainable_weights, before, strict=True):
        assert np.array_equal(np.asarray(weight), old)
    convolved = np.asarray(
        network.layers[1](np.stack([one.network_input for one in pictures])[..., None])
    )
    assert float(np.asarray(first.moving_variance)[0]) == pytest.approx(convolved.var(), rel=0.1)
    assert first.momentum == pytest.approx(0.99)
