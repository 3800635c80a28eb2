"""How well a prediction agrees with the truth: pixels, particles, classes.

Empty against empty is perfect agreement, 1, for all three pixel scores. A class without examples
has no recall: NaN, and it does not enter the balanced accuracy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True, kw_only=True)
class PixelCounts:
    """Pixels that are particle in the truth, in the prediction, and in both."""

    overlap: int
    true: int
    found: int

    @property
    def dice(self) -> float:
        """2·TP / (2·TP + FP + FN), in [0, 1]; 1 if both are empty."""
        return 2 * self.overlap / (self.true + self.found) if self.true + self.found else 1.0

    @property
    def precision(self) -> float:
        """TP / (TP + FP), in [0, 1]; where nothing is predicted 1 if nothing is to be found."""
        return self.overlap / self.found if self.found else float(not self.true)

    @property
    def recall(self) -> float:
        """TP / (TP + FN), in [0, 1]; where nothing is to be found 1 if nothing is predicted."""
        return self.overlap / self.true if self.true else float(not self.found)


def pixel_counts(truth: NDArray[np.generic], predicted: NDArray[np.generic]) -> PixelCounts:
    """The pixels of two masks and of their common part.

    Args:
        truth: any shape; what is not 0 is particle.
        predicted: the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth {truth.shape}, predicted {predicted.shape}")
    true, found = truth != 0, predicted != 0
    return PixelCounts(
        overlap=int(np.count_nonzero(true & found)),
        true=int(np.count_nonzero(true)),
        found=int(np.count_nonzero(found)),
    )


def dice(truth: NDArray[np.generic], predicted: NDArray[np.generic]) -> float:
    """Dice coefficient of two masks, in [0, 1]; see `pixel_counts`."""
    return pixel_counts(truth, predicted).dice


def precision(truth: NDArray[np.generic], predicted: NDArray[np.generic]) -> float:
    """Share of the predicted pixels that are particle, in [0, 1]; see `pixel_counts`."""
    return pixel_counts(truth, predicted).precision


def recall(truth: NDArray[np.generic], predicted: NDArray[np.generic]) -> float:
    """Share of the particle pixels that were predicted, in [0, 1]; see `pixel_counts`."""
    return pixel_counts(truth, predicted).recall


@dataclass(frozen=True, kw_only=True)
class Matching:
    """Which particles were found: pairs of labels (truth, predicted), and what is left over."""

    pairs: tuple[tuple[int, int], ...]
    ious: tuple[float, ...]
    missed: tuple[int, ...]
    invented: tuple[int, ...]

    @property
    def precision(self) -> float:
        """Share of the predicted particles that are matched; 1 if there are none at all."""
        return self._share(len(self.invented), len(self.missed))

    @property
    def recall(self) -> float:
        """Share of the true particles that are matched; 1 if there are none at all."""
        return self._share(len(self.missed), len(self.invented))

    def _share(self, left_over: int, other: int) -> float:
        matched = len(self.pairs)
        if matched + left_over == 0:
            return float(other == 0)
        return matched / (matched + left_over)


def match_instances(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], iou: float = 0.5
) -> Matching:
    """Match particles one to one where their intersection over union is at least `iou`.

    The matching with the most pairs and, among those, the largest sum of IoU (Hungarian method);
    above 0.5 there is never a choice.

    Args:
        truth: (H, W) labels, 0 is background.
        predicted: (H, W) labels, 0 is background.
        iou: least intersection over union of a pair, in (0, 1].

    Raises:
        ValueError: the shapes differ, or `iou` is outside (0, 1].
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth {truth.shape}, predicted {predicted.shape}")
    if not 0 < iou <= 1:
        raise ValueError(f"intersection over union {iou!r}")
    true_labels, overlaps, found_labels = _overlaps(truth, predicted)
    inside = overlaps[1:, 1:]
    unions = overlaps.sum(axis=1)[1:, None] + overlaps.sum(axis=0)[None, 1:] - inside
    ious = inside / np.maximum(unions, 1)
    possible = ious >= iou
    # A pair is worth more than any gain of IoU elsewhere.
    worth = np.where(possible, ious + 1 + min(ious.shape), 0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    kept = [(i, j) for i, j in zip(rows, columns, strict=True) if possible[i, j]]
    matched_true = {i for i, _ in kept}
    matched_found = {j for _, j in kept}
    return Matching(
        pairs=tuple((int(true_labels[i]), int(found_labels[j])) for i, j in kept),
        ious=tuple(float(ious[i, j]) for i, j in kept),
        missed=tuple(int(n) for i, n in enumerate(true_labels) if i not in matched_true),
        invented=tuple(int(n) for j, n in enumerate(found_labels) if j not in matched_found),
    )


def _overlaps(
    truth: NDArray[np.integer], predicted: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.int64], NDArray[np.integer]]:
    """Labels of both, and the pixels each pair shares; row and column 0 are the background."""
    rows, row_of = _numbered(truth)
    columns, column_of = _numbered(predicted)
    shared = sparse.coo_array(
        (np.ones(truth.size, np.int64), (row_of, column_of)),
        shape=(len(rows) + 1, len(columns) + 1),
    )
    return rows, np.asarray(shared.toarray(), np.int64), columns


def _numbered(labels: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.intp]]:
    """The labels present, without 0, and the number of each pixel's: 0 for background."""
    present = np.flatnonzero(np.bincount(labels.ravel()))
    present = present[present > 0]
    number = np.zeros(int(labels.max(initial=0)) + 1, np.intp)
    number[present] = np.arange(1, len(present) + 1)
    return present, number[labels.ravel()]


def confusion(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], class_count: int
) -> NDArray[np.int64]:
    """How often each class was taken for each: (C, C) int64, rows are truth, in class order.

    Args:
        truth: (N,) class indices in [0, class_count).
        predicted: (N,) class indices in [0, class_count).
        class_count: C.

    Raises:
        ValueError: the lengths differ, or an index is outside its range.
    """
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f"truth {truth.shape}, predicted {predicted.shape}")
    for indices in (truth, predicted):
        if indices.size and not 0 <= indices.min() <= indices.max() < class_count:
            raise ValueError(f"classes from {indices.min()} to {indices.max()} of {class_count}")
    matrix = np.zeros((class_count, class_count), np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def per_class_recall(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each class that was recognised, (C,) in [0, 1]; NaN without an example."""
    examples = matrix.sum(axis=1)
    recognised = np.full(len(matrix), np.nan)
    np.divide(matrix.diagonal(), examples, out=recognised, where=examples > 0)
    return recognised


def balanced_accuracy(matrix: NDArray[np.int64]) -> float:
    """Mean recall of the classes that have examples, in [0, 1]; NaN where none has.

    The paper's weights by class frequency favour common classes; this favours none.
    """
    recognised = per_class_recall(matrix)
    present = recognised[~np.isnan(recognised)]
    return float(present.mean()) if present.size else float("nan")


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Predictions of about one confidence: how sure they were, how often they were right."""

    count: int
    mean_confidence: float
    share_right: float


def reliability(
    probabilities: NDArray[np.floating], truth: NDArray[np.integer], bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """How often the most probable class was right, in bins of equal width; empty bins left out.

    Args:
        probabilities: (N, C), rows in [0, 1].
        truth: (N,) class indices.
        bins: of the confidence, over [0, 1].

    Raises:
        ValueError: the lengths differ.
    """
    if probabilities.ndim != 2 or truth.shape != probabilities.shape[:1]:
        raise ValueError(f"probabilities {probabilities.shape}, truth {truth.shape}")
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    numbers = np.minimum((confidence * bins).astype(int), bins - 1)
    return tuple(
        ReliabilityBin(
            count=int(np.count_nonzero(chosen)),
            mean_confidence=float(confidence[chosen].mean()),
            share_right=float(right[chosen].mean()),
        )
        for chosen in (numbers == number for number in range(bins))
        if chosen.any()
    )


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Mean |confidence - share right| over all predictions, in [0, 1]; NaN without any.

    ECE = Σ n_b/N·|acc_b − conf_b| (Naeini, Cooper and Hauskrecht, AAAI 2015).
    """
    count = sum(each.count for each in bins)
    if not count:
        return float("nan")
    gaps = (each.count * abs(each.mean_confidence - each.share_right) for each in bins)
    return sum(gaps) / count
