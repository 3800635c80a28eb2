"""The stages in which the model that ships is trained."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.simulation.dataset import save_field
from analysis.training.checkpoint import standing_of
from analysis.training.default_bundle import STAGES, Stage
from analysis.training.fit_unet import FitRecipe, compiled
from analysis.training.samples import USUAL
from tests.analysis.training.fields import disc_field

RECIPE = FitRecipe(
    filters=2,
    steps=4,
    batch=2,
    warm_up_steps=1,
    checkpoint_steps=1,
    start_samples=2,
    average_from=3,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    place = tmp_path_factory.mktemp("data")
    (place / "train").mkdir()
    save_field(place / "train" / "field_000000.npz", disc_field())
    return place


def test_a_second_stage_ends_half_way_between_its_start_and_its_last_checkpoints(data, tmp_path):
    stage = Stage(
        checkpoint="one.npz", shares={"train": 1.0}, recipe=RECIPE, conditions=USUAL, half_way=True
    )
    start = compiled(RECIPE).get_weights()
    found = stage.fit(data, tmp_path / stage.checkpoint, start, None)
    standing = standing_of(tmp_path / stage.checkpoint)
    assert (standing.step, standing.averaged) == (4, 2)
    middle = [(old + new) / 2 for old, new in zip(start, standing.average, strict=True)]
    assert all(np.allclose(one, two, atol=1e-6) for one, two in zip(found, middle, strict=True))
    whole = replace(stage, half_way=False).fit(data, tmp_path / stage.checkpoint, start, None)
    assert all(np.array_equal(*pair) for pair in zip(whole, standing.average, strict=True))
    assert max(np.abs(old - new).max() for old, new in zip(start, whole, strict=True)) > 1e-4


def test_every_stage_averages_checkpoints_and_its_shares_add_up():
    for stage in STAGES:
        begins = stage.recipe.average_from
        assert begins is not None
        assert begins + stage.recipe.checkpoint_steps <= stage.recipe.steps
        assert sum(stage.shares.values()) == pytest.approx(1)
