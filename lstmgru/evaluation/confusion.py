"""Counts of classes, and the measures that follow from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Probabilities = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]


def area(positive: npt.NDArray[np.bool_], scores: Probabilities) -> float:
    """The probability that a positive has a larger score than a negative, ties counting half (Mann & Whitney 1947)."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n_positive = int(positive.sum())
    area = (ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * (len(scores) - n_positive))
    return float(area)


def confusion(labels: Codes, probabilities: Probabilities) -> Codes:
    """(C, C) confusion matrix, true classes in rows."""
    n_classes = probabilities.shape[1]
    cells = labels.astype(np.int64) * n_classes + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.int64)


def f1_of_classes(counts: Codes) -> Floats:
    """(C,) F1 of each class of a confusion matrix."""
    return ratio(2 * np.diag(counts), counts.sum(axis=0) + counts.sum(axis=1))


def ratio(above: Codes, below: Codes) -> Floats:
    """The ratio, 0 where the denominator is 0."""
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
