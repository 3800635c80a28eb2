"""Load a stored forest: nothing is built before its types are known, nothing used unlooked at.

Compiled code follows the numbers in a tree without looking; here they are looked at.
"""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.errors import BundleError

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    Trees: TypeAlias = HistGradientBoostingClassifier | RandomForestClassifier

# What skops does not trust by itself.
TRUSTED_TYPES = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
LARGEST_FILE = 2**26  # bytes, unpacked: 500 trees of 200 leaves have 16 MB
NO_CHILD = -1

# What skops and scikit-learn raise on a file that is not one of ours.
DAMAGE = (
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)


def save(trees: "Trees", path: Path) -> None:
    """Write fitted trees to a file that `load` accepts, as numbers in a zip."""
    import skops.io

    skops.io.dump(trees, path, compression=zipfile.ZIP_DEFLATED, compresslevel=9)


def load(path: Path, most_classes: int) -> "Trees":
    """The trees in a file, of classes 0 to `most_classes` - 1 at most.

    Raises:
        BundleError: the file is damaged, holds a type that no forest needs, or trees that point
            outside themselves.
    """
    try:
        return _checked(_built(path), most_classes)
    except DAMAGE as error:
        raise BundleError(f"{path} holds no forest: {error}.") from error


def _built(path: Path) -> Any:
    import skops.io

    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > LARGEST_FILE:
        raise ValueError(f"{unpacked} bytes unpacked")
    unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES))
    if unknown:
        raise ValueError(f"types that no forest needs: {', '.join(unknown)}")
    return skops.io.load(path, trusted=list(TRUSTED_TYPES))


def _checked(stored: Any, most_classes: int) -> "Trees":
    """The stored object, if it is a fitted forest of such classes whose trees are sound."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    if type(stored) not in (HistGradientBoostingClassifier, RandomForestClassifier):
        raise TypeError(f"a {type(stored).__name__}")
    if not np.isin(stored.classes_, np.arange(most_classes)).all():
        raise ValueError(f"classes {stored.classes_}")
    if isinstance(stored, RandomForestClassifier):
        _check_random(stored)
    else:
        _check_boosted(stored)
    trees: Trees = stored
    return trees


def _check_random(stored: "RandomForestClassifier") -> None:
    if stored.n_classes_ != len(stored.classes_):
        raise ValueError(f"classes {stored.classes_}")
    for estimator in stored.estimators_:
        tree = estimator.tree_
        if (tree.n_features, tree.n_outputs) != (stored.n_features_in_, 1):
            raise ValueError("a tree of other features")
        if int(tree.max_n_classes) != stored.n_classes_:
            raise ValueError("a tree of other classes")
        left, right = tree.children_left, tree.children_right
        branches = left != NO_CHILD
        if not np.array_equal(branches, right != NO_CHILD):
            raise ValueError("a tree that points outside itself")
        _check_nodes(branches, left, right, tree.feature, tree.n_features)


def _check_boosted(stored: "HistGradientBoostingClassifier") -> None:
    """One tree for each class in each round, of the features there are; none is a category."""
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    count = 1 if len(stored.classes_) == 2 else len(stored.classes_)
    if stored.n_trees_per_iteration_ != count or stored._baseline_prediction.shape != (1, count):
        raise ValueError("a tree of other classes")
    if getattr(stored, "_in_fit", False) or stored._preprocessor is not None:
        raise ValueError("trees of categories")
    for trees in stored._predictors:
        if len(trees) != count:
            raise ValueError("a tree of other classes")
        for tree in trees:
            nodes = tree.nodes
            if type(tree) is not TreePredictor or nodes.dtype != PREDICTOR_RECORD_DTYPE:
                raise ValueError("a tree of other features")
            if nodes.ndim != 1 or nodes["is_categorical"].any():
                raise ValueError("trees of categories")
            branches = nodes["is_leaf"] == 0
            left, right = (nodes[side].astype(np.int64) for side in ("left", "right"))
            _check_nodes(branches, left, right, nodes["feature_idx"], stored.n_features_in_)


def _check_nodes(
    branches: NDArray[np.bool_],
    left: NDArray[np.integer],
    right: NDArray[np.integer],
    feature: NDArray[np.integer],
    features: int,
) -> None:
    """A walk down the tree ends: every branch leads to two later nodes, over a known feature."""
    below = np.stack([left, right])[:, branches]
    sound = (
        len(branches) > 0
        and (below > np.flatnonzero(branches)).all()
        and (below < len(branches)).all()
        and (feature[branches] >= 0).all()
        and (feature[branches] < features).all()
    )
    if not sound:
        raise ValueError("a tree that points outside itself")
