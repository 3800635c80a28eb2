"""The random forest that tells the class of a particle from its features.

500 trees, Gini, as in Groschner, Choi and Scott (2021), on features that come in as an array.
Stored as numbers in a zip by skops: a file that names any other type is refused unopened.
"""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import BundleError

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

CLASS_NAMES = (
    "stacking_fault",
    "no_stacking_fault",
    "misoriented",
    "agglomeration",
    "background",
)

TREES = 500
MOST_LEAVES = 40  # of a tree: 2.8 MB on disc at 20,000 samples; see docs/decisions/0003
DEEPEST = 16
SMALLEST_LEAF = 3  # samples
TRUSTED_TYPES = ("sklearn.tree._tree.Tree",)  # what skops does not trust by itself
LARGEST_FILE = 2**26  # bytes, unpacked: the forest has 12 MB

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


class Forest:
    """Five class probabilities for each row of features, in the order of `CLASS_NAMES`."""

    def __init__(self) -> None:
        self._classifier: RandomForestClassifier | None = None

    def fit(
        self,
        features: NDArray[np.floating],
        classes: NDArray[np.integer],
        seed: int,
        jobs: int = 1,
    ) -> None:
        """Grow the trees; every class weighs the same, however many examples it has.

        Args:
            features: (N, F), finite.
            classes: (N,) integer, indices of `CLASS_NAMES`; a class may be absent.
            seed: of the bootstrap and the splits; the forest does not depend on `jobs`.
            jobs: threads.

        Raises:
            ValueError: the arrays do not fit each other, or a class has no name.
        """
        from sklearn.ensemble import RandomForestClassifier

        if features.ndim != 2 or classes.shape != features.shape[:1] or not classes.size:
            raise ValueError(f"features {features.shape}, classes {classes.shape}")
        if classes.min() < 0 or classes.max() >= len(CLASS_NAMES):
            raise ValueError(f"classes from {classes.min()} to {classes.max()}")
        classifier = RandomForestClassifier(
            TREES,
            criterion="gini",
            max_depth=DEEPEST,
            max_leaf_nodes=MOST_LEAVES,
            min_samples_leaf=SMALLEST_LEAF,
            class_weight="balanced",
            random_state=seed,
            n_jobs=jobs,
        )
        classifier.fit(features, classes)
        self._classifier = classifier.set_params(n_jobs=1)

    def probabilities(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probability of each class, (N, 5) float64; rows add up to 1, absent classes are 0.

        Args:
            features: (N, F), finite; N may be 0.

        Raises:
            ValueError: the forest was never fitted, or F is not what it was fitted to.
        """
        classifier = self._fitted()
        found = np.zeros((len(features), len(CLASS_NAMES)))
        if len(features):
            found[:, classifier.classes_] = classifier.predict_proba(features)
        return found

    def save(self, path: Path) -> None:
        """Write the forest to a file that `load` accepts, at most 3 MB.

        Raises:
            ValueError: the forest was never fitted.
        """
        import skops.io

        skops.io.dump(self._fitted(), path, compression=zipfile.ZIP_DEFLATED, compresslevel=9)

    @classmethod
    def load(cls, path: Path) -> "Forest":
        """The forest in a file, looked through before any of it is built.

        Raises:
            BundleError: the file is damaged, holds a type that no forest needs, or trees that
                point outside themselves.
        """
        forest = cls()
        try:
            forest._classifier = _checked(_built(path))
        except DAMAGE as error:
            raise BundleError(f"{path} holds no forest: {error}.") from error
        return forest

    def _fitted(self) -> "RandomForestClassifier":
        if self._classifier is None:
            raise ValueError("this forest was never fitted")
        return self._classifier


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


def _checked(stored: Any) -> "RandomForestClassifier":
    """The stored object, if it is a fitted forest of our classes whose trees are sound."""
    from sklearn.ensemble import RandomForestClassifier

    if type(stored) is not RandomForestClassifier:
        raise TypeError(f"a {type(stored).__name__}")
    known = np.arange(len(CLASS_NAMES))
    if not np.isin(stored.classes_, known).all() or stored.n_classes_ != len(stored.classes_):
        raise ValueError(f"classes {stored.classes_}")
    for estimator in stored.estimators_:
        tree = estimator.tree_
        if (tree.n_features, tree.n_outputs) != (stored.n_features_in_, 1):
            raise ValueError("a tree of other features")
        if int(tree.max_n_classes) != stored.n_classes_:
            raise ValueError("a tree of other classes")
        _check_nodes(tree)
    return stored


def _check_nodes(tree: Any) -> None:
    """A walk down the tree ends: every branch leads to two later nodes, over a known feature.

    Compiled code follows these numbers without looking.
    """
    left, right = tree.children_left, tree.children_right
    branches = left != -1
    own = np.arange(tree.node_count)
    below = np.stack([left, right])[:, branches]
    sound = (
        tree.node_count > 0
        and np.array_equal(branches, right != -1)
        and (below > own[branches]).all()
        and (below < tree.node_count).all()
        and (tree.feature[branches] >= 0).all()
        and (tree.feature[branches] < tree.n_features).all()
    )
    if not sound:
        raise ValueError("a tree that points outside itself")
