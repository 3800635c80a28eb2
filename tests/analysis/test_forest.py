import io
import zipfile

import numpy as np
import pytest
import skops.io
import threadpoolctl
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.preprocessing import FunctionTransformer

from analysis.errors import BundleError
from analysis.forest import CLASS_NAMES, Forest
from analysis.metrics import expected_calibration_error, reliability
from analysis.trees import BOOSTED_LEAVES, MOST_LEAVES, ROUNDS, TREES
from schema import records

approx = pytest.approx


def examples(
    count: int, seed: int, weights: tuple[float, ...] = (0.2,) * 5, spread: float = 0.7
) -> tuple[np.ndarray, np.ndarray]:
    """Five overlapping clouds around corners one apart, and their classes."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(5, count, p=np.array(weights))
    return np.eye(5)[classes] * 2 + rng.normal(0, spread, (count, 5)), classes


@pytest.fixture(scope="module", params=["boosted", "random"])
def growth(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def forest(growth) -> Forest:
    grown = Forest()
    grown.fit(*examples(600, seed=1), seed=3, growth=growth)
    return grown


@pytest.fixture
def stored(forest, tmp_path):
    path = tmp_path / "forest.skops"
    forest.save(path)
    return path


def test_the_classes_are_those_of_the_database():
    assert CLASS_NAMES == records.CLASS_NAMES


def test_clouds_two_apart_are_told_apart(forest):
    features, classes = examples(1000, seed=2, spread=0.4)
    found = forest.probabilities(features)
    assert found.shape == (1000, 5)
    assert found.sum(axis=1) == approx(1)
    assert (found.argmax(axis=1) == classes).mean() > 0.95


def test_probabilities_are_as_sure_as_they_are_right(forest):
    features, classes = examples(3000, seed=4)
    found = forest.probabilities(features)
    # Binomial scatter of 3,000 is 1 %; a forest shrinks towards the middle by a few more.
    assert found.max(axis=1).mean() == approx((found.argmax(axis=1) == classes).mean(), abs=0.15)


@pytest.mark.parametrize(("growth", "too_sure"), [("boosted", True), ("random", False)])
def test_probabilities_calibrated_on_other_fields_are_right_as_often_as_they_say(growth, too_sure):
    """A field moves all its examples alike: without that, trees would be too sure of them."""
    features, classes = examples(900, seed=11)
    fields = np.repeat(np.arange(90), 10)
    moved = features + np.random.default_rng(12).normal(0, 0.3, (90, 1)).repeat(10, axis=0)
    unseen, truth = examples(3000, seed=13)
    unseen = unseen + np.random.default_rng(14).normal(0, 0.3, (3000, 1))
    errors = []
    for given in (None, fields):
        forest = Forest()
        forest.fit(moved, classes, seed=1, fields=given, growth=growth)
        errors.append(expected_calibration_error(reliability(forest.probabilities(unseen), truth)))
        assert (forest.sharpness == 1.0) == (given is None)
    assert (forest.sharpness < 1) == too_sure
    assert errors[1] < 0.05
    assert errors[1] < 0.6 * errors[0]


def test_calibration_changes_no_decision(forest, growth):
    features, classes = examples(600, seed=1)
    calibrated = Forest()
    calibrated.fit(features, classes, seed=3, fields=np.arange(600) // 10, growth=growth)
    assert calibrated.sharpness != 1.0
    unseen, _ = examples(500, seed=2)
    one, other = (each.probabilities(unseen) for each in (forest, calibrated))
    assert np.array_equal(one.argmax(axis=1), other.argmax(axis=1))
    assert other.sum(axis=1) == approx(1)
    surer = np.sign(calibrated.sharpness - 1) * (other.max(axis=1) - one.max(axis=1))
    assert (surer >= -1e-12).all()


def test_one_field_alone_calibrates_nothing():
    features, classes = examples(200, seed=1)
    forest = Forest()
    forest.fit(features, classes, seed=1, fields=np.zeros(200, int))
    assert forest.sharpness == 1.0


def test_what_is_rounded_away_changes_no_vote_by_more_than_half_a_step():
    features, classes = examples(300, seed=1)
    plain = RandomForestClassifier(
        TREES, max_leaf_nodes=MOST_LEAVES, min_samples_leaf=2, class_weight="balanced",
        random_state=3,
    ).fit(features, classes)  # fmt: skip
    forest = Forest()
    forest.fit(features, classes, seed=3, growth="random")
    unseen, _ = examples(500, seed=2)
    assert forest.probabilities(unseen) == approx(plain.predict_proba(unseen), abs=0.002)


def test_the_same_seed_grows_the_same_forest_on_any_number_of_threads(growth):
    features, classes = examples(300, seed=5)
    grown = []
    for seed, threads in ((1, 1), (1, 2), (2, 1)):
        forest = Forest()
        with threadpoolctl.threadpool_limits(threads):
            forest.fit(features, classes, seed, growth=growth)
        grown.append(forest.probabilities(features))
    assert np.array_equal(grown[0], grown[1])
    assert not np.array_equal(grown[0], grown[2])


@pytest.mark.parametrize("absent", [(1,), (1, 3, 4)])
def test_a_class_without_examples_keeps_its_place(growth, absent, tmp_path):
    weights = [0.0 if index in absent else 1 / (5 - len(absent)) for index in range(5)]
    features, classes = examples(300, seed=6, weights=tuple(weights))
    forest = Forest()
    forest.fit(features, classes, seed=1, growth=growth)
    found = forest.probabilities(features)
    assert (found[:, list(absent)] == 0).all()
    assert (found.argmax(axis=1) == classes).mean() > 0.9
    forest.save(tmp_path / "forest.skops")
    loaded = Forest.load(tmp_path / "forest.skops")
    assert np.array_equal(loaded.probabilities(features), found)


def test_a_rare_class_is_not_given_up_for_a_common_one(growth):
    forest = Forest()
    rare = examples(2000, seed=7, weights=(0.95, 0.05, 0, 0, 0), spread=1.0)
    forest.fit(*rare, seed=1, growth=growth)
    features, classes = examples(2000, seed=8, weights=(0, 1, 0, 0, 0), spread=1.0)
    # The clouds allow 92 %; without weights the same forest finds 55 % of the rare class.
    assert (forest.probabilities(features).argmax(axis=1) == classes).mean() > 0.7


def test_a_micrograph_without_particles_has_no_probabilities(forest):
    assert forest.probabilities(np.zeros((0, 5))).shape == (0, 5)


def test_a_stored_forest_predicts_what_it_did(forest, stored):
    features, _ = examples(500, seed=9)
    assert np.array_equal(
        Forest.load(stored).probabilities(features), forest.probabilities(features)
    )


def test_a_stored_forest_keeps_its_calibration(growth, tmp_path):
    features, classes = examples(300, seed=9)
    forest = Forest()
    forest.fit(features, classes, seed=1, fields=np.arange(300) // 5, growth=growth)
    forest.save(tmp_path / "forest.skops")
    loaded = Forest.load(tmp_path / "forest.skops")
    assert loaded.sharpness == forest.sharpness != 1.0
    assert np.array_equal(loaded.probabilities(features), forest.probabilities(features))


def test_a_forest_of_an_earlier_release_has_its_votes_as_they_are(tmp_path):
    features, classes = examples(300, seed=9)
    plain = RandomForestClassifier(20, random_state=1).fit(features, classes)
    skops.io.dump(plain, tmp_path / "forest.skops")
    loaded = Forest.load(tmp_path / "forest.skops")
    assert loaded.sharpness == 1.0
    assert loaded.probabilities(features) == approx(plain.predict_proba(features))


@pytest.mark.parametrize("sharpness", [0.0, 50.0, float("nan"), "2", [2.0]])
def test_a_calibration_that_cannot_be_is_refused(tmp_path, sharpness):
    plain = RandomForestClassifier(3, random_state=1).fit(*examples(60, seed=1))
    plain.sharpness_ = sharpness
    skops.io.dump(plain, tmp_path / "forest.skops")
    with pytest.raises(BundleError, match="sharpness"):
        Forest.load(tmp_path / "forest.skops")


def test_a_forest_of_many_overlapping_samples_stores_in_three_megabytes(growth, tmp_path):
    forest = Forest()
    forest.fit(*examples(3000, seed=10, spread=2.0), seed=1, growth=growth)
    path = tmp_path / "forest.skops"
    forest.save(path)
    assert path.stat().st_size <= 3_000_000
    stored = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    if growth == "random":
        assert len(stored.estimators_) == TREES
        assert max(tree.get_n_leaves() for tree in stored.estimators_) == MOST_LEAVES
    else:
        grown = [tree for trees in stored._predictors for tree in trees]
        assert len(grown) == 5 * ROUNDS
        assert max(tree.get_n_leaf_nodes() for tree in grown) == BOOSTED_LEAVES


def test_a_file_with_a_function_in_it_is_refused(tmp_path):
    path = tmp_path / "forest.skops"
    skops.io.dump(FunctionTransformer(func=examples), path)
    with pytest.raises(BundleError, match=r"types that no forest needs.*examples"):
        Forest.load(path)


def test_another_estimator_is_refused(tmp_path):
    path = tmp_path / "forest.skops"
    skops.io.dump(ExtraTreesClassifier(3).fit(*examples(50, seed=1)), path)
    with pytest.raises(BundleError, match="ExtraTreesClassifier"):
        Forest.load(path)


@pytest.mark.parametrize(
    "plain", [RandomForestClassifier(3), HistGradientBoostingClassifier(max_iter=2)]
)
def test_classes_beyond_the_five_are_refused(plain, tmp_path):
    features, classes = examples(50, seed=1)
    path = tmp_path / "forest.skops"
    skops.io.dump(plain.fit(features, classes + 3), path)
    with pytest.raises(BundleError, match="classes"):
        Forest.load(path)


@pytest.mark.parametrize("kept", [0, 1, 1000, 100_000])
def test_a_truncated_file_is_refused(stored, kept):
    stored.write_bytes(stored.read_bytes()[:kept])
    with pytest.raises(BundleError, match="holds no forest"):
        Forest.load(stored)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BundleError, match="holds no forest"):
        Forest.load(tmp_path / "forest.skops")


def test_a_file_that_unpacks_to_far_more_than_a_forest_is_refused(tmp_path):
    path = tmp_path / "forest.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * 2**27)
    with pytest.raises(BundleError, match="unpacked"):
        Forest.load(path)


@pytest.mark.parametrize(
    ("field", "value"), [("left_child", 10**6), ("left_child", 0), ("feature", 99)]
)
def test_a_tree_that_points_outside_itself_is_refused(tmp_path, field, value):
    """Compiled code would read memory that is not the forest's, or never come back."""
    grown = RandomForestClassifier(3, random_state=1).fit(*examples(60, seed=1))
    state = grown.estimators_[1].tree_.__getstate__()
    state["nodes"][field][0] = value
    path = tmp_path / "forest.skops"
    skops.io.dump(grown, path)
    original = grown.estimators_[1].tree_.__getstate__()["nodes"]
    path.write_bytes(rewritten_nodes(path, original, state["nodes"]))
    with pytest.raises(BundleError, match="outside itself"):
        Forest.load(path)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("left", 10**6, "outside itself"),
        ("right", 0, "outside itself"),
        ("feature_idx", 99, "outside itself"),
        ("feature_idx", -1, "outside itself"),
        ("is_categorical", 1, "categories"),
    ],
)
def test_a_boosted_tree_that_points_outside_itself_is_refused(tmp_path, field, value, said):
    plain = HistGradientBoostingClassifier(max_iter=3, random_state=1)
    nodes = plain.fit(*examples(90, seed=1))._predictors[1][2].nodes
    damaged = nodes.copy()
    damaged[field][0] = value
    path = tmp_path / "forest.skops"
    skops.io.dump(plain, path)
    path.write_bytes(rewritten_nodes(path, nodes, damaged))
    with pytest.raises(BundleError, match=said):
        Forest.load(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_trees_per_iteration_", 4),
        ("_baseline_prediction", np.zeros((1, 2))),
        ("_in_fit", True),
        ("_predictors", [[]]),
        ("n_features_in_", 1),
    ],
)
def test_boosted_trees_that_do_not_fit_each_other_are_refused(tmp_path, name, value):
    plain = HistGradientBoostingClassifier(max_iter=3, random_state=1)
    plain.fit(*examples(90, seed=1))
    setattr(plain, name, value)
    skops.io.dump(plain, tmp_path / "forest.skops")
    with pytest.raises(BundleError, match="tree"):
        Forest.load(tmp_path / "forest.skops")


def rewritten_nodes(path, original: np.ndarray, nodes: np.ndarray) -> bytes:
    """The stored file with the nodes of one tree, or of all of its size, replaced."""
    out = io.BytesIO()
    replaced = 0
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename.endswith(".npy"):
                array = np.load(io.BytesIO(content), allow_pickle=False)
                if array.dtype == original.dtype and array.shape == original.shape:
                    buffer = io.BytesIO()
                    np.save(buffer, nodes, allow_pickle=False)
                    content = buffer.getvalue()
                    replaced += 1
            target.writestr(entry.filename, content)
    assert replaced >= 1
    return out.getvalue()


def test_a_forest_that_was_never_fitted_says_so(tmp_path):
    with pytest.raises(ValueError, match="never fitted"):
        Forest().probabilities(np.zeros((1, 5)))
    with pytest.raises(ValueError, match="never fitted"):
        Forest().save(tmp_path / "forest.skops")


@pytest.mark.parametrize(
    ("features", "classes"),
    [
        (np.zeros((4, 5)), np.array([0, 1, 2, 5])),
        (np.zeros((4, 5)), np.array([0, 1, -1, 2])),
        (np.zeros((4, 5)), np.array([0, 1])),
        (np.zeros(4), np.array([0, 1, 2, 3])),
        (np.zeros((0, 5)), np.zeros(0, int)),
    ],
)
def test_training_data_that_do_not_fit_are_refused(features, classes):
    with pytest.raises(ValueError, match="classes"):
        Forest().fit(features, classes, seed=1)


def test_one_class_alone_is_refused():
    with pytest.raises(ValueError, match="of the classes only misoriented"):
        Forest().fit(np.zeros((9, 5)), np.full(9, 2), seed=1)


def test_fields_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="fields"):
        Forest().fit(*examples(50, seed=1), seed=1, fields=np.zeros(49, int))


def test_features_of_another_number_are_refused(forest):
    with pytest.raises(ValueError, match="features"):
        forest.probabilities(np.zeros((2, 3)))
