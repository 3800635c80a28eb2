"""A bundle of somebody's own loads, says how it was made, and a second call goes on."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from analysis import published, unet
from analysis.bundle import load, read_manifest, stored_weights, write
from analysis.errors import BundleError
from analysis.features import FEATURE_NAMES
from analysis.forest import CLASS_NAMES, Forest
from analysis.training.checkpoint import TrainingError, standing_of
from analysis.training.crops import MODEL_PIXEL_SIZE_NM
from analysis.training.fit_unet import FitRecipe
from analysis.training.gather import gathered
from analysis.training.learning_curve import write_learning_curve
from analysis.training.published_recipe import PublishedRecipe
from analysis.training.retrain import Wanted, retrain, retrain_published
from tests.analysis.training.test_labelled import SIZE_NM, put

TINY = FitRecipe(
    filters=1,
    steps=2,
    batch=2,
    warm_up_steps=1,
    checkpoint_steps=1,
    start_samples=2,
    learning_rate=1e-3,
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "mine"
    for name in "abc":
        put(folder, name)
    return gathered([folder]).sources


def silent(done, total, standing):
    del done, total, standing


@pytest.fixture(scope="module")
def made(tmp_path_factory, sources):
    """A first training of two steps."""
    output = tmp_path_factory.mktemp("made") / "first"
    heard = []
    wanted = Wanted(output=output, sources=sources, licence="CC0-1.0")
    retrain(wanted, TINY, lambda done, total, standing: heard.append((done, total)))
    assert heard == [(1, 2), (2, 2)]
    return output


def test_the_bundle_loads_and_says_how_it_was_made(made, sources):
    bundle = load(made, "cpu")
    manifest = bundle.manifest
    assert bundle.forest is None
    assert (manifest.name, manifest.architecture, manifest.filters) == ("first", "default", 1)
    assert manifest.model_pixel_size_nm == MODEL_PIXEL_SIZE_NM
    low, high = manifest.pixel_size_range_nm
    assert low < SIZE_NM < high
    assert manifest.licence == "CC0-1.0"
    told = manifest.training
    assert told["data"] == [source.described() for source in sources]
    assert (told["steps_done"], told["seed"], told["recipe"]["batch"]) == (2, 1, 2)
    assert 0 <= manifest.metrics["held_out"]["dice"] <= 1
    assert str(made.parent) not in json.dumps(told)
    for one, other in zip(
        stored_weights(made), standing_of(made / "checkpoint.npz").result, strict=True
    ):
        assert np.array_equal(one, other)


def test_the_learning_curve_is_a_picture_beside_it_and_the_same_each_time(made, tmp_path):

    curve = (made / "learning_curve.svg").read_text()
    for word in ("<svg", "loss", "Dice", "step", "held out", "kept"):
        assert word in curve
    write_learning_curve(standing_of(made / "checkpoint.npz"), "step", tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == curve


def test_a_second_call_goes_on_with_more_steps_and_refuses_other_data(made, sources, tmp_path):

    output = tmp_path / "first"
    shutil.copytree(made, output)
    wanted = Wanted(output=output, sources=sources, licence="CC0-1.0")
    manifest = retrain(wanted, replace(TINY, steps=3, warm_up_steps=2), silent)
    assert manifest.training["steps_done"] == 3
    other = Wanted(
        output=output, sources=gathered([put(tmp_path / "b"), put(tmp_path / "c")]).sources
    )
    with pytest.raises(TrainingError, match="cannot be trained on and judged"):
        retrain(other, replace(TINY, steps=4), silent)
    for name in "xy":
        put(tmp_path / "other", name)
    other = Wanted(output=output, sources=gathered([tmp_path / "other"]).sources)
    with pytest.raises(TrainingError, match="another data"):
        retrain(other, replace(TINY, steps=4), silent)


def test_what_is_judged_by_can_be_named(sources, tmp_path):
    alone = gathered([put(tmp_path / "alone")]).sources
    wanted = Wanted(output=tmp_path / "judged", sources=alone, held_out=sources)
    manifest = retrain(wanted, replace(TINY, steps=1), silent)
    assert manifest.training["held_out"] == [source.described() for source in sources]


@pytest.fixture(scope="module")
def with_forest(tmp_path_factory, made):
    """The first bundle, with a forest."""
    folder = tmp_path_factory.mktemp("forest") / "with-forest"
    rng = np.random.default_rng(1)
    features = rng.normal(size=(100, len(FEATURE_NAMES)))
    forest = Forest()
    forest.fit(features, rng.integers(0, len(CLASS_NAMES), 100), 1)
    metrics = {"forest_held_out": {"balanced_accuracy": 0.5}}
    draft = replace(read_manifest(made), name="with-forest", metrics=metrics, licence="MIT")
    write(folder, draft, stored_weights(made), forest, features)
    return folder


def test_fine_tuning_begins_where_the_other_ended_and_keeps_its_forest(
    with_forest, sources, tmp_path
):
    wanted = Wanted(output=tmp_path / "tuned", sources=sources, start=with_forest)
    recipe = replace(TINY, filters=5, learning_rate=1e-9, steps=1)
    manifest = retrain(wanted, recipe, silent)
    assert manifest.filters == 1
    assert manifest.licence == "MIT"
    assert manifest.training["from"]["sha256"] == read_manifest(with_forest).sha256
    held_out = manifest.metrics["forest_held_out"]
    assert held_out["balanced_accuracy"] == 0.5
    assert "with-forest" in held_out["note"]
    moved = [
        float(np.abs(one - other).max())
        for one, other in zip(
            stored_weights(wanted.output), stored_weights(with_forest), strict=True
        )
    ]
    assert np.median(moved) < 1e-6
    rows = np.random.default_rng(2).normal(size=(20, len(FEATURE_NAMES)))
    kept = load(wanted.output, "cpu").forest.probabilities(rows)
    assert np.array_equal(kept, load(with_forest, "cpu").forest.probabilities(rows))


def test_what_cannot_be_gone_on_from_is_one_sentence(made, sources, tmp_path):
    draft = published.manifest("paper", "x.h5", "0" * 64)
    write(tmp_path / "paper", draft, unet.build("published", 4).get_weights())
    wanted = Wanted(output=tmp_path / "out", sources=sources, start=tmp_path / "paper")
    with pytest.raises(TrainingError, match="has the published network"):
        retrain(wanted, TINY, silent)
    with pytest.raises(TrainingError, match="has the default network"):
        retrain_published(replace(wanted, start=made), PublishedRecipe(), silent)
    with pytest.raises(TrainingError, match="becomes the name"):
        retrain(replace(wanted, output=tmp_path / "two words", start=None), TINY, silent)
    with pytest.raises(BundleError, match="holds no model"):
        retrain(replace(wanted, start=tmp_path / "nowhere"), TINY, silent)
    assert not (tmp_path / "out").exists()


def test_the_published_recipe_makes_a_published_bundle(sources, tmp_path):
    wanted = Wanted(output=tmp_path / "paper", sources=sources)
    recipe = PublishedRecipe(samples=5, batch=2, epochs=1)
    manifest = retrain_published(wanted, recipe, silent)
    assert (manifest.architecture, manifest.filters) == ("published", 4)
    assert (manifest.preprocess_recipe, manifest.threshold) == ("published", 0.5)
    assert manifest.model_pixel_size_nm == 0.02
    assert manifest.training["recipe"]["recipe"] == "published"
    assert manifest.training["images"] == 3
    assert manifest.licence == published.UNKNOWN_LICENCE
    assert load(wanted.output, "cpu").segmenter is not None
    with pytest.raises(TrainingError, match="holds out a fifth"):
        retrain_published(replace(wanted, held_out=sources), recipe, silent)
