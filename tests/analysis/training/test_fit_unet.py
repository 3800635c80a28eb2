"""A network learns, and an interrupted fit goes on where it was."""

import numpy as np
import pytest

from analysis.simulation.dataset import save_field
from analysis.training.fit_unet import (
    FitRecipe,
    checkpoint_weights,
    cross_entropy_and_dice,
    fit_unet,
)
from analysis.training.loader import SamplePool
from tests.analysis.training.fields import disc_field

TINY = FitRecipe(
    filters=2,
    steps=4,
    batch=2,
    warm_up_steps=1,
    checkpoint_steps=2,
    log_steps=2,
    start_samples=2,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("fields")
    save_field(place / "field_000000.npz", disc_field())
    return place


def _one_hot(particle):
    return np.stack([1 - particle, particle], axis=-1).astype(np.float32)


def test_the_loss_is_nearly_zero_for_the_truth_and_large_for_its_opposite():
    particle = (np.arange(64).reshape(1, 8, 8) % 3 == 0).astype(np.float32)
    right = float(cross_entropy_and_dice(_one_hot(particle), _one_hot(particle)))
    wrong = float(cross_entropy_and_dice(_one_hot(particle), _one_hot(1 - particle)))
    assert right == pytest.approx(0, abs=1e-3)
    assert wrong > 10


def test_an_interrupted_fit_goes_on_and_a_finished_one_stays(folder, tmp_path):
    checkpoint = tmp_path / "unet.npz"
    half = FitRecipe(**{**TINY.__dict__, "steps": 2})
    fit_unet(folder, checkpoint, half)
    with np.load(checkpoint) as stored:
        assert int(stored["step"]) == 2
    fit_unet(folder, checkpoint, TINY)
    with np.load(checkpoint) as stored:
        assert int(stored["step"]) == 4
    finished = checkpoint_weights(checkpoint)
    again = fit_unet(folder, checkpoint, TINY)
    assert all(np.array_equal(one, other) for one, other in zip(finished, again, strict=True))


def test_a_batch_is_crops_and_complementary_channels(folder):
    with SamplePool(folder, seed=1) as pool:
        inputs, targets = pool.batch(3)
    assert inputs.shape == (3, 256, 256, 1)
    assert targets.shape == (3, 256, 256, 2)
    assert np.array_equal(targets.sum(axis=-1), np.ones((3, 256, 256)))
    assert targets[..., 1].any()


def test_a_renderer_that_dies_is_noticed(folder):
    with SamplePool(folder, seed=1) as pool:
        pool._processes[0].terminate()
        pool._processes[0].join()
        with pytest.raises(RuntimeError, match="renderers"):
            pool.batch(1)


def test_the_result_is_the_mean_of_the_last_checkpoints(folder, tmp_path):
    checkpoint = tmp_path / "unet.npz"
    averaging = {**TINY.__dict__, "checkpoint_steps": 1, "average_from": 3}
    fit_unet(folder, checkpoint, FitRecipe(**{**averaging, "steps": 3}))
    third = _weights(checkpoint)
    mean = fit_unet(folder, checkpoint, FitRecipe(**averaging))
    fourth = _weights(checkpoint)
    assert any(np.abs(one - other).max() > 1e-4 for one, other in zip(third, fourth, strict=True))
    for one, other, both in zip(third, fourth, mean, strict=True):
        assert both == pytest.approx((one + other) / 2, abs=1e-6)


def _weights(checkpoint):
    with np.load(checkpoint) as stored:
        return [stored[name] for name in sorted(stored.files) if name.startswith("weight_")]
