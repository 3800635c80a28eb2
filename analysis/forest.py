"""The random forest that tells the class of a particle from its features.

500 trees, Gini, as in Groschner, Choi and Scott (2021), on features that come in as an array.
Trees vote too evenly: the shares of their votes are raised to a power, `sharpness`, found on fields
the trees did not see. Stored as numbers in a zip by skops: a file that names any other type is
refused unopened.
"""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

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
MOST_LEAVES = 250  # of a tree: at most 2.6 MB on disc; see docs/decisions/0012
SMALLEST_LEAF = 2  # samples
LEAF_STEPS = 256  # shares of the classes in a leaf are rounded to this, as 500 trees need no finer
FOLDS = 3
TREES_OF_A_FOLD = 100
SHARPNESS = (0.5, 4.0)
UNLIKELY = 1e-3  # least probability in the likelihood: one odd label must not decide
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
        fields: NDArray[np.integer] | None = None,
    ) -> None:
        """Grow the trees; every class weighs the same, however many examples it has.

        Args:
            features: (N, F), finite.
            classes: (N,) integer, indices of `CLASS_NAMES`; a class may be absent.
            seed: of the bootstrap and the splits; the forest does not depend on `jobs`.
            jobs: threads.
            fields: (N,) integer, the field of each example; with it the probabilities are
                calibrated, each third of the fields on trees grown without it. Without it they
                are the votes as they are.

        Raises:
            ValueError: the arrays do not fit each other, or a class has no name.
        """
        if features.ndim != 2 or classes.shape != features.shape[:1] or not classes.size:
            raise ValueError(f"features {features.shape}, classes {classes.shape}")
        if classes.min() < 0 or classes.max() >= len(CLASS_NAMES):
            raise ValueError(f"classes from {classes.min()} to {classes.max()}")
        classifier = _grown(features, classes, TREES, seed, jobs)
        classifier.sharpness_ = 1.0
        if fields is not None:
            if fields.shape != classes.shape:
                raise ValueError(f"fields {fields.shape}, classes {classes.shape}")
            classifier.sharpness_ = _sharpness(*_unseen_votes(features, classes, fields, seed))
        self._classifier = _thinned(classifier)

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
        return _sharpened(found, self.sharpness)

    @property
    def sharpness(self) -> float:
        """Power the shares of the votes are raised to; 1 for a forest stored without one."""
        return float(getattr(self._fitted(), "sharpness_", 1.0))

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


def _grown(
    features: NDArray[np.floating], classes: NDArray[np.integer], trees: int, seed: int, jobs: int
) -> "RandomForestClassifier":
    from sklearn.ensemble import RandomForestClassifier

    classifier = RandomForestClassifier(
        trees,
        criterion="gini",
        max_leaf_nodes=MOST_LEAVES,
        min_samples_leaf=SMALLEST_LEAF,
        class_weight="balanced",
        random_state=seed,
        n_jobs=jobs,
    )
    classifier.fit(features, classes)
    return classifier.set_params(n_jobs=1)


def _unseen_votes(
    features: NDArray[np.floating],
    classes: NDArray[np.integer],
    fields: NDArray[np.integer],
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Shares of the votes (N, 5) of trees that did not see an example's field, and its class."""
    fold = np.unique(fields, return_inverse=True)[1] % FOLDS
    votes = np.zeros((len(classes), len(CLASS_NAMES)))
    for number in np.unique(fold):
        unseen = fold == number
        if not unseen.all():
            grown = _grown(features[~unseen], classes[~unseen], TREES_OF_A_FOLD, seed, jobs=1)
            votes[np.ix_(unseen, grown.classes_)] = grown.predict_proba(features[unseen])
    judged = votes.any(axis=1)
    return votes[judged], classes[judged]


def _sharpness(votes: NDArray[np.float64], classes: NDArray[np.integer]) -> float:
    """The power of the votes that makes the classes seen most likely; 1 where none was seen."""
    if not len(classes):
        return 1.0
    taken = np.arange(len(classes)), classes

    def surprise(sharpness: float) -> float:
        likelihood = np.maximum(_sharpened(votes, sharpness)[taken], UNLIKELY)
        return float(-np.log(likelihood).mean())

    return float(optimize.minimize_scalar(surprise, bounds=SHARPNESS, method="bounded").x)


def _sharpened(votes: NDArray[np.float64], sharpness: float) -> NDArray[np.float64]:
    raised = votes**sharpness
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)


def _thinned(classifier: "RandomForestClassifier") -> "RandomForestClassifier":
    """The same forest without what no prediction reads, in numbers that pack well."""
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
    sharpness = getattr(stored, "sharpness_", 1.0)
    if not isinstance(sharpness, float) or not SHARPNESS[0] <= sharpness <= SHARPNESS[1]:
        raise ValueError(f"sharpness {sharpness!r}")
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
