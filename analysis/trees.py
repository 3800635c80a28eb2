"""How trees are grown: by boosting, or at random as in the paper.

Which of the two, and what was measured: docs/decisions/0013.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

Growth = Literal["boosted", "random"]
"""`boosted`: each tree mends what those before it got wrong. `random`: each votes by itself."""

ROUNDS = 200  # of boosting; a tree for each class in each
LEARNING_RATE = 0.08
BOOSTED_LEAVES = 8
SMALLEST_BOOSTED_LEAF = 10  # samples
FEATURES_OF_A_SPLIT = 0.3  # of all, drawn anew at each split
SHRINKAGE = 1.0  # L2, of the leaves

TREES = 500
MOST_LEAVES = 200  # of a tree: 2.8 MB on disc at 20,000 samples; see docs/decisions/0012
SMALLEST_LEAF = 2  # samples
LEAF_STEPS = 256  # shares of the classes in a leaf are rounded to this, as 500 trees need no finer


def boosted(
    features: NDArray[np.floating], classes: NDArray[np.integer], seed: int
) -> "HistGradientBoostingClassifier":
    """Gradient boosting on binned features; every class weighs the same.

    Friedman, Annals of Statistics 29, 2001, 1189, as scikit-learn has it after LightGBM.

    Args:
        features: (N, F), finite.
        classes: (N,) integer, at least two different ones.
        seed: of the features tried at each split.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    classifier = HistGradientBoostingClassifier(
        learning_rate=LEARNING_RATE,
        max_iter=ROUNDS,
        max_leaf_nodes=BOOSTED_LEAVES,
        min_samples_leaf=SMALLEST_BOOSTED_LEAF,
        max_features=FEATURES_OF_A_SPLIT,
        l2_regularization=SHRINKAGE,
        early_stopping=False,
        class_weight="balanced",
        random_state=seed,
    )
    return classifier.fit(features, classes)


def random(
    features: NDArray[np.floating], classes: NDArray[np.integer], seed: int, trees: int = TREES
) -> "RandomForestClassifier":
    """Gini, every class weighs the same, without what no prediction reads.

    Args:
        features: (N, F), finite.
        classes: (N,) integer.
        seed: of the bootstrap and the splits.
        trees: how many; the paper has 500.
    """
    from sklearn.ensemble import RandomForestClassifier

    classifier = RandomForestClassifier(
        trees,
        criterion="gini",
        max_leaf_nodes=MOST_LEAVES,
        min_samples_leaf=SMALLEST_LEAF,
        class_weight="balanced",
        random_state=seed,
    )
    return _thinned(classifier.fit(features, classes))


def _thinned(classifier: "RandomForestClassifier") -> "RandomForestClassifier":
    """The same forest in numbers that pack well."""
    for estimator in classifier.estimators_:
        tree = estimator.tree_
        leaves = tree.children_left == -1
        for unread in (tree.impurity, tree.n_node_samples, tree.weighted_n_node_samples):
            unread[:] = 0
        tree.threshold[:] = _single_below(tree.threshold)
        tree.value[~leaves] = 0
        tree.value[leaves] = np.rint(tree.value[leaves] * LEAF_STEPS) / LEAF_STEPS
    return classifier


def _single_below(threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest float32 that is not above; features are float32, so no decision changes."""
    single = threshold.astype(np.float32)
    lower = np.nextafter(single, np.float32(-np.inf))
    return np.where(single > threshold, lower, single).astype(np.float64)
