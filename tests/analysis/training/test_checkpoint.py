"""A checkpoint is plain numbers, whole, and goes on only with the training it belongs to."""

import numpy as np
import pytest

from analysis.training.checkpoint import (
    NOTHING,
    Moment,
    Standing,
    TrainingError,
    mean,
    numbered,
    resumed,
    standing_of,
    store,
)
from analysis.training.fit_unet import FitRecipe, compiled

IDENTITY = {"filters": 1, "seed": 1}


@pytest.fixture(scope="module")
def network():
    return compiled(FitRecipe(filters=1))


@pytest.fixture
def standing(network):
    weights = [weight + 1 for weight in network.get_weights()]
    return Standing(
        step=7,
        weights=network.get_weights(),
        average=weights,
        averaged=3,
        best=weights,
        best_step=5,
        history=(Moment(step=5, loss=0.5, held_out_loss=0.6, held_out_dice=0.7),),
    )


def test_a_standing_comes_back_as_it_was(tmp_path, network, standing):
    path = tmp_path / "checkpoint.npz"
    store(path, standing, network, IDENTITY)
    found = resumed(path, network, IDENTITY)
    assert (found.step, found.averaged, found.best_step) == (7, 3, 5)
    assert found.history == standing.history
    assert found.best_moment == standing.history[0]
    for name in ("weights", "average", "best"):
        pairs = zip(getattr(found, name), getattr(standing, name), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_the_optimiser_comes_back_too(tmp_path, network, standing):
    path = tmp_path / "checkpoint.npz"
    network.optimizer.variables[-1].assign(network.optimizer.variables[-1] + 0.25)
    kept = [np.asarray(variable) for variable in network.optimizer.variables]
    store(path, standing, network, IDENTITY)
    other = compiled(FitRecipe(filters=1))
    resumed(path, other, IDENTITY)
    for one, variable in zip(kept, other.optimizer.variables, strict=True):
        assert np.array_equal(one, np.asarray(variable))


def test_another_training_is_named_by_what_differs(tmp_path, network, standing):
    path = tmp_path / "checkpoint.npz"
    store(path, standing, network, IDENTITY)
    with pytest.raises(TrainingError, match="another seed"):
        resumed(path, network, {**IDENTITY, "seed": 2})
    with pytest.raises(TrainingError, match="another network"):
        resumed(path, compiled(FitRecipe(filters=2)), IDENTITY)


def test_a_damaged_checkpoint_is_one_sentence(tmp_path, network, standing):
    path = tmp_path / "checkpoint.npz"
    store(path, standing, network, IDENTITY)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TrainingError, match="is damaged"):
        standing_of(path)


def test_the_best_weights_are_the_result_then_the_mean_then_the_last():
    def of(**known):
        return Standing(**{**NOTHING.__dict__, "weights": [1], **known}).result

    assert of(average=[2], best=[3]) == [3]
    assert of(average=[2]) == [2]
    assert of() == [1]


def test_the_mean_of_a_row_of_weights_is_the_mean():
    rows = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    found = []
    for count, row in enumerate(rows):
        found = mean(found, count, [row])
    assert found[0] == pytest.approx(rows.mean(axis=0), abs=1e-6)


def test_arrays_are_found_by_their_numbers_however_many():
    arrays = {f"best_{index:03d}": np.array(index) for index in range(120)}
    arrays |= {"best_step": np.array(1), "averaged": np.array(2)}
    assert [int(one) for one in numbered(arrays, "best")] == list(range(120))
