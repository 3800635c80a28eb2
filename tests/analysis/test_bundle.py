"""A model is loaded whole and unchanged, or not at all."""

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.bundle import (
    FOREST_CHECK_NAME,
    FOREST_NAME,
    MANIFEST_NAME,
    UNET_NAME,
    Manifest,
    default_folder,
    load,
    read_manifest,
    restated,
    verified,
    write,
)
from analysis.errors import BundleError
from analysis.features import (
    FEATURE_NAMES,
    FEATURE_SET_VERSION,
    PROFILE_FEATURE_NAMES,
    PUBLISHED_FEATURE_NAMES,
    PUBLISHED_FEATURES,
)
from analysis.forest import CLASS_NAMES, Forest
from tests.analysis.brightness_network import FILTERS, brightness_weights

SHIPPED_BYTES = 4 * 2**20


def draft(**changes) -> Manifest:
    stated = {
        "name": "test",
        "version": "1",
        "architecture": "default",
        "filters": FILTERS,
        "model_pixel_size_nm": 0.04,
        "pixel_size_range_nm": (0.01, 0.06),
        "reliable_diameter_nm": 1.5,
        "imaging_modes": ("TEM",),
        "preprocess_recipe": "default",
        "threshold": 0.5,
        "feature_set": FEATURE_SET_VERSION,
        "feature_names": FEATURE_NAMES,
        "class_names": CLASS_NAMES,
        "libraries": {"scikit-learn": "1"},
        "training": {},
        "metrics": {},
        "licence": "GPL-3.0-or-later",
    }
    return Manifest(**{**stated, **changes})


@pytest.fixture(scope="module")
def forest_and_features():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(200, len(FEATURE_NAMES)))
    forest = Forest()
    forest.fit(features, rng.integers(0, len(CLASS_NAMES), 200), 1)
    return forest, features


@pytest.fixture
def folder(tmp_path, forest_and_features):
    forest, features = forest_and_features
    write(tmp_path, draft(), brightness_weights(3), forest, features)
    return tmp_path


def test_a_model_comes_back_as_it_was_written(folder, forest_and_features):
    forest, features = forest_and_features
    bundle = load(folder, "cpu")
    assert bundle.manifest.pixel_size_range_nm == (0.01, 0.06)
    assert bundle.manifest.feature_names == FEATURE_NAMES
    assert np.allclose(bundle.forest.probabilities(features), forest.probabilities(features))
    stored = np.load(folder / UNET_NAME, allow_pickle=False)
    for name, weight in zip(sorted(stored.files), brightness_weights(3), strict=True):
        assert np.array_equal(stored[name], weight)


def test_two_models_have_two_names(folder, tmp_path_factory):
    other = write(tmp_path_factory.mktemp("other"), draft(), brightness_weights(4))
    assert read_manifest(folder).sha256 != other.sha256


@pytest.mark.parametrize("name", [UNET_NAME, FOREST_NAME, FOREST_CHECK_NAME])
def test_one_changed_byte_is_noticed(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match="SHA-256"):
        load(folder, "cpu")


@pytest.mark.parametrize("name", [UNET_NAME, FOREST_NAME, FOREST_CHECK_NAME, MANIFEST_NAME])
def test_a_missing_file_is_noticed(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError):
        load(folder, "cpu")


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 2.0},
        {"pixel_size_range_nm": [0.06, 0.01]},
        {"model_pixel_size_nm": float("nan")},
        {"surprise": 1},
        {"files": {"../../etc/passwd": "0"}},
        {"files": ["unet.npz"]},
        {"name": "../../etc"},
        {"name": "two words"},
        {"filters": 1000},
        {"filters": 2.5},
        {"licence": None},
        {"metrics": []},
        {"preprocess_recipe": "other"},
    ],
)
def test_a_manifest_that_cannot_be_is_refused(folder, change):
    stated = json.loads((folder / MANIFEST_NAME).read_text())
    (folder / MANIFEST_NAME).write_text(json.dumps({**stated, **change}))
    with pytest.raises(BundleError, match="manifest"):
        read_manifest(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"name": "x"}', b"[" * 100_000])
def test_what_is_no_manifest_is_refused(tmp_path, content):
    (tmp_path / MANIFEST_NAME).write_bytes(content)
    with pytest.raises(BundleError, match="manifest"):
        read_manifest(tmp_path)


def test_weights_of_another_network_are_refused(tmp_path):
    write(tmp_path, draft(filters=2), brightness_weights(3))
    with pytest.raises(BundleError, match="network"):
        load(tmp_path, "cpu")


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    weights = brightness_weights(3)
    weights[0] = np.full_like(weights[0], np.nan)
    write(tmp_path, draft(), weights)
    with pytest.raises(BundleError, match="not finite"):
        load(tmp_path, "cpu")


def test_a_file_too_large_for_a_model_is_not_read(folder):
    with (folder / UNET_NAME).open("ab") as stream:
        stream.truncate(2**28)
    with pytest.raises(BundleError, match="so many"):
        verified(folder)


def test_what_a_model_is_reliable_for_is_optional(tmp_path):
    written = write(tmp_path, draft(domain={"dose_e_per_a2": [200, 3000]}), brightness_weights(3))
    assert written.domain == {"dose_e_per_a2": [200, 3000]}
    assert draft().domain == {}


def test_a_forest_that_predicts_otherwise_is_refused(tmp_path, forest_and_features):
    forest, features = forest_and_features
    write(tmp_path, draft(), brightness_weights(3), forest, features)
    with np.load(tmp_path / FOREST_CHECK_NAME) as stored:
        moved = {"features": stored["features"], "probabilities": stored["probabilities"][::-1]}
    np.savez(tmp_path / FOREST_CHECK_NAME, **moved)
    rehash(tmp_path, FOREST_CHECK_NAME)
    with pytest.raises(BundleError, match="scikit-learn"):
        load(tmp_path, "cpu")


def rehash(folder, name):
    import hashlib

    stated = json.loads((folder / MANIFEST_NAME).read_text())
    stated["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / MANIFEST_NAME).write_text(json.dumps(stated))


def test_a_forest_of_features_nobody_computes_is_refused(tmp_path, forest_and_features):
    forest, features = forest_and_features
    names = ("moon_phase", *FEATURE_NAMES[1:])
    write(tmp_path, draft(feature_names=names), brightness_weights(3), forest, features)
    with pytest.raises(BundleError, match="'moon_phase'"):
        load(tmp_path, "cpu")


@pytest.mark.parametrize(
    "stated",
    [
        {"feature_set": "fringewatch-9", "feature_names": ("intensity_mean", "moon_phase")},
        {"feature_set": PUBLISHED_FEATURES, "feature_names": ("intensity_mean",)},
        {"feature_names": PUBLISHED_FEATURE_NAMES},
    ],
)
def test_features_of_another_set_are_refused_without_a_forest_too(tmp_path, stated):
    write(tmp_path, draft(**stated), brightness_weights(3))
    with pytest.raises(BundleError, match="which this release does not compute"):
        load(tmp_path, "cpu")


def test_a_forest_of_the_first_feature_set_is_still_a_forest(tmp_path):
    rows = np.random.default_rng(1).normal(size=(100, len(PROFILE_FEATURE_NAMES)))
    forest = Forest()
    forest.fit(rows, np.arange(100) % len(CLASS_NAMES), 1)
    stated = draft(feature_set="fringewatch-1", feature_names=PROFILE_FEATURE_NAMES)
    write(tmp_path, stated, brightness_weights(3), forest, rows)
    bundle = load(tmp_path, "cpu")
    assert np.array_equal(bundle.forest.probabilities(rows), forest.probabilities(rows))


def test_a_model_may_only_segment(tmp_path):
    write(tmp_path, draft(), brightness_weights(3))
    assert load(tmp_path, "cpu").forest is None


def test_the_shipped_model_loads_and_is_small():
    bundle = load(default_folder(), "cpu")
    assert bundle.forest is not None
    assert bundle.manifest.class_names == CLASS_NAMES
    assert set(bundle.manifest.feature_names) <= set(FEATURE_NAMES)
    confusion = bundle.manifest.metrics["forest_held_out"]["confusion_rows_are_truth"]
    assert np.shape(confusion) == (len(CLASS_NAMES), len(CLASS_NAMES))
    assert sum(path.stat().st_size for path in default_folder().iterdir()) < SHIPPED_BYTES


def test_a_manifest_is_written_anew_beside_the_same_files(folder):
    before, model = read_manifest(folder), (folder / FOREST_NAME).read_bytes()
    after = restated(folder, replace(before, metrics={"dice": 0.9}))
    assert (after.metrics, after.files) == ({"dice": 0.9}, before.files)
    assert after.sha256 != before.sha256
    assert (folder / FOREST_NAME).read_bytes() == model
    assert load(folder, "cpu").manifest == after
