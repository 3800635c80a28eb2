"""The forest that tells the class of a particle from its features, and how sure it is.

Trees are too sure, or not sure enough: their probabilities are raised to a power, `sharpness`,
found on fields that the trees did not see.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from analysis import forest_file, trees
from analysis.errors import BundleError
from analysis.trees import Growth

if TYPE_CHECKING:
    from analysis.forest_file import Trees

CLASS_NAMES = (
    "stacking_fault",
    "no_stacking_fault",
    "misoriented",
    "agglomeration",
    "background",
)

FOLDS = 3
TREES_OF_A_FOLD = 100  # of those grown at random
SHARPNESS = (0.5, 4.0)
UNLIKELY = 1e-3  # least probability in the likelihood: one odd label must not decide


class Forest:
    """Five class probabilities for each row of features, in the order of `CLASS_NAMES`."""

    def __init__(self) -> None:
        self._trees: Trees | None = None

    def fit(
        self,
        features: NDArray[np.floating],
        classes: NDArray[np.integer],
        seed: int,
        fields: NDArray[np.integer] | None = None,
        growth: Growth = "boosted",
    ) -> None:
        """Grow the trees; every class weighs the same, however many examples it has.

        Args:
            features: (N, F), finite.
            classes: (N,) integer, indices of `CLASS_NAMES`; a class may be absent, not four.
            seed: of everything that is drawn; equal seeds grow equal trees.
            fields: (N,) integer, the field of each example; with it the probabilities are
                calibrated, each third of the fields on trees grown without it. Without it they
                are those of the trees.
            growth: boosted, or 500 trees at random as in the paper.

        Raises:
            ValueError: the arrays do not fit each other, a class has no name, or there is but one.
        """
        if features.ndim != 2 or classes.shape != features.shape[:1] or not classes.size:
            raise ValueError(f"features {features.shape}, classes {classes.shape}")
        if classes.min() < 0 or classes.max() >= len(CLASS_NAMES):
            raise ValueError(f"classes from {classes.min()} to {classes.max()}")
        if classes.min() == classes.max():
            raise ValueError(f"of the classes only {CLASS_NAMES[classes[0]]}")
        if fields is not None and fields.shape != classes.shape:
            raise ValueError(f"fields {fields.shape}, classes {classes.shape}")
        if growth == "boosted":
            grown: Trees = trees.boosted(features, classes, seed)
        else:
            grown = trees.random(features, classes, seed)
        grown.sharpness_ = 1.0
        if fields is not None:
            grown.sharpness_ = _sharpness(*_unseen(features, classes, fields, seed, growth))
        self._trees = grown

    def probabilities(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probability of each class, (N, 5) float64; rows add up to 1, absent classes are 0.

        Args:
            features: (N, F), finite; N may be 0.

        Raises:
            ValueError: the forest was never fitted, or F is not what it was fitted to.
        """
        grown = self._fitted()
        found = np.zeros((len(features), len(CLASS_NAMES)))
        if len(features):
            found[:, grown.classes_] = grown.predict_proba(features)
        return _sharpened(found, self.sharpness)

    @property
    def sharpness(self) -> float:
        """Power the probabilities are raised to; 1 for a forest stored without one."""
        return float(getattr(self._fitted(), "sharpness_", 1.0))

    def save(self, path: Path) -> None:
        """Write the forest to a file that `load` accepts, at most 3 MB.

        Raises:
            ValueError: the forest was never fitted.
        """
        forest_file.save(self._fitted(), path)

    @classmethod
    def load(cls, path: Path) -> "Forest":
        """The forest in a file, looked through before any of it is built.

        Raises:
            BundleError: the file is damaged, holds a type that no forest needs, or trees that
                point outside themselves.
        """
        forest = cls()
        forest._trees = forest_file.load(path, len(CLASS_NAMES))
        sharpness = getattr(forest._trees, "sharpness_", 1.0)
        if not isinstance(sharpness, float) or not SHARPNESS[0] <= sharpness <= SHARPNESS[1]:
            raise BundleError(f"{path} holds no forest: sharpness {sharpness!r}.")
        return forest

    def _fitted(self) -> "Trees":
        if self._trees is None:
            raise ValueError("this forest was never fitted")
        return self._trees


def _unseen(
    features: NDArray[np.floating],
    classes: NDArray[np.integer],
    fields: NDArray[np.integer],
    seed: int,
    growth: Growth,
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Probabilities (N, 5) by trees that did not see an example's field, and its class."""
    fold = np.unique(fields, return_inverse=True)[1] % FOLDS
    found = np.zeros((len(classes), len(CLASS_NAMES)))
    for number in np.unique(fold):
        unseen = fold == number
        there = features[~unseen], classes[~unseen]
        if len(np.unique(there[1])) < 2:
            continue
        if growth == "boosted":
            grown: Trees = trees.boosted(*there, seed)
        else:
            grown = trees.random(*there, seed, TREES_OF_A_FOLD)
        found[np.ix_(unseen, grown.classes_)] = grown.predict_proba(features[unseen])
    judged = found.any(axis=1)
    return found[judged], classes[judged]


def _sharpness(found: NDArray[np.float64], classes: NDArray[np.integer]) -> float:
    """The power that makes the classes seen most likely; 1 where none was seen."""
    if not len(classes):
        return 1.0
    taken = np.arange(len(classes)), classes

    def surprise(sharpness: float) -> float:
        likelihood = np.maximum(_sharpened(found, sharpness)[taken], UNLIKELY)
        return float(-np.log(likelihood).mean())

    return float(optimize.minimize_scalar(surprise, bounds=SHARPNESS, method="bounded").x)


def _sharpened(found: NDArray[np.float64], sharpness: float) -> NDArray[np.float64]:
    raised = found**sharpness
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)
