"""Models come in whole and checked, under a name, and go out as they came."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis import published, unet
from analysis.bundle import (
    FOREST_NAME,
    MANIFEST_NAME,
    UNET_NAME,
    default_folder,
    read_manifest,
    write,
)
from analysis.features import FEATURE_NAMES
from analysis.forest import CLASS_NAMES, Forest
from daemon import shelf
from daemon.assembly import bundle_folder, bundle_manifest
from daemon.config import AnalysisConfig, Config, StateConfig
from daemon.errors import ConfigError, DaemonError, Exit, Misused
from daemon.options import settings
from schema.state import prepare
from tests.analysis.test_published import write_keras2


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a small model of its own, with a forest."""
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(1)
    features = rng.normal(size=(100, len(FEATURE_NAMES)))
    forest = Forest()
    forest.fit(features, rng.integers(0, len(CLASS_NAMES), 100), 1)
    draft = replace(published.manifest("made", "x.h5", "0" * 64), licence="CC0-1.0", filters=1)
    write(folder, draft, unet.build("published", 1).get_weights(), forest, features)
    return folder


@pytest.fixture
def made_zip(tmp_path, state, made):
    shelf.give(state, str(made), tmp_path / "made.zip")
    return tmp_path / "made.zip"


def using(state, named) -> Config:
    return Config(state=StateConfig(folder=state), analysis=AnalysisConfig(bundle=named))


def left_over(state):
    return sorted(path.name for path in (state / "bundles").iterdir())


def test_only_the_shipped_model_is_there_at_first(state):
    assert shelf.names(state) == ["default"]
    assert bundle_folder(using(state, "default")) == default_folder()
    assert not state.exists()


def test_a_model_out_and_in_again_is_the_same_under_its_name(state, made, made_zip, tmp_path):
    name, manifest = shelf.take(state, made_zip, None)
    assert name == read_manifest(made).name
    assert shelf.names(state) == ["default", name]
    assert bundle_manifest(using(state, name)).sha256 == manifest.sha256
    assert manifest.sha256 == read_manifest(made).sha256
    shelf.give(state, name, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == made_zip.read_bytes()


def test_of_a_folder_only_the_model_is_taken(state, made, tmp_path):
    shutil.copytree(made, tmp_path / "made_here")
    (tmp_path / "made_here" / "checkpoint.npz").write_bytes(b"large")
    (tmp_path / "made_here" / "run.py").write_text("code")
    shelf.take(state, tmp_path / "made_here", "mine")
    there = {path.name for path in (state / "bundles" / "mine").iterdir()}
    assert there == {MANIFEST_NAME, *read_manifest(made).files}


def test_the_same_twice_and_another_of_the_name_are_two_sentences(state, made_zip, tmp_path):
    shelf.take(state, made_zip, "mine")
    with pytest.raises(Misused, match="this very bundle is there already"):
        shelf.take(state, made_zip, "mine")
    weights = unet.build("published", 4).get_weights()
    write(tmp_path / "other", published.manifest("other", "x.h5", "0" * 64), weights)
    with pytest.raises(Misused, match="another bundle is called 'mine'"):
        shelf.take(state, tmp_path / "other", "mine")
    assert left_over(state) == ["mine"]


@pytest.mark.parametrize("name", ["default", "../up", "a/b", "", ".hidden", "two words", "x" * 65])
def test_some_names_cannot_be(state, made_zip, name):
    with pytest.raises(Misused, match="cannot be the name"):
        shelf.take(state, made_zip, name)
    assert left_over(state) == []


def changed(made, tmp_path, change):
    folder = tmp_path / "changed"
    shutil.copytree(made, folder)
    change(folder)
    return folder


def restate(folder, **values):
    stated = json.loads((folder / MANIFEST_NAME).read_text())
    (folder / MANIFEST_NAME).write_text(json.dumps({**stated, **values}))


def flip(folder):
    content = bytearray((folder / FOREST_NAME).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / FOREST_NAME).write_bytes(content)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (flip, "SHA-256"),
        (lambda folder: (folder / UNET_NAME).unlink(), "is not there"),
        (lambda folder: restate(folder, filters=3), "does not fit its network"),
        (lambda folder: restate(folder, threshold=7), "no complete manifest"),
        (lambda folder: restate(folder, files={"../../x": "0"}), "unknown files"),
        (lambda folder: (folder / MANIFEST_NAME).write_text("{"), "no complete manifest"),
    ],
)
def test_what_is_not_right_is_refused_and_leaves_nothing(state, made, tmp_path, change, sentence):
    with pytest.raises(shelf.BundleRefused, match=sentence) as error:
        shelf.take(state, changed(made, tmp_path, change), None)
    assert error.value.exit_code == Exit.FAILED
    assert "\n" not in str(error.value)
    assert ".taking-" not in str(error.value)
    assert left_over(state) == []


def test_a_zip_that_is_not_right_is_refused_and_leaves_nothing(state, made_zip, tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../../evil", b"x")
    (tmp_path / "cut.zip").write_bytes(made_zip.read_bytes()[:10_000])
    for name in ("evil.zip", "cut.zip"):
        with pytest.raises(shelf.BundleRefused, match=name):
            shelf.take(state, tmp_path / name, None)
    assert left_over(state) == []
    assert not (tmp_path / "evil").exists()
    with pytest.raises(Misused, match="not there"):
        shelf.take(state, tmp_path / "nowhere.zip", None)


def test_published_weights_come_in_under_the_name_of_their_file(state, tmp_path):
    network = unet.build("published", published.FILTERS)
    file = write_keras2(tmp_path / "unet32.h5", network)
    name, manifest = shelf.take_published(state, file, None)
    assert name == manifest.name == "unet32"
    assert manifest.licence == published.UNKNOWN_LICENCE
    (tmp_path / "broken.h5").write_bytes(b"x")
    with pytest.raises(shelf.BundleRefused, match=r"broken\.h5 is no Keras 2 file"):
        shelf.take_published(state, tmp_path / "broken.h5", None)
    assert left_over(state) == ["unet32"]


def test_a_model_that_is_not_there_is_said_with_those_that_are(state):
    with pytest.raises(ConfigError, match=r"no bundle is called 'mine'.*there are: default"):
        bundle_manifest(using(state, "mine"))
    with pytest.raises(ConfigError, match="holds no model"):
        bundle_manifest(using(state, str(state / "mine")))
    with pytest.raises(DaemonError, match="no bundle"):
        shelf.manifest_of(state, "mine")


def test_a_folder_may_be_named_in_place_of_a_name(state):
    assert bundle_manifest(using(state, str(default_folder()))).name
    assert bundle_folder(using(state, "./mine")) == Path("mine")


def test_a_name_in_a_configuration_stays_a_name_wherever_the_file_lies(tmp_path, state):
    file = tmp_path / "etc" / "fringewatch.toml"
    file.parent.mkdir()
    file.write_text('[analysis]\nbundle = "mine"\n')
    assert bundle_folder(settings(file, state, [])) == state / "bundles" / "mine"


def test_a_state_folder_takes_no_harm_from_models_that_came_first(state, made_zip):
    shelf.take(state, made_zip, "mine")
    prepare(state)
    assert shelf.names(state) == ["default", "mine"]


def test_what_was_interrupted_is_not_listed(state, made, made_zip):
    shelf.take(state, made_zip, "mine")
    half = state / "bundles" / ".taking-x" / "bundle"
    half.mkdir(parents=True)
    shutil.copy(made / MANIFEST_NAME, half)
    shutil.copy(made / MANIFEST_NAME, half.parent)
    assert shelf.names(state) == ["default", "mine"]
