"""Ridge regression with its leave-one-out predictions, for many features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstmgru.evaluation.sequence_baselines.base import Floats
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit

_AT_ONCE = 1024
# Time that the eigenvectors of a matrix of products take, relative to the products of as many columns; measured.
_EIGENVECTORS = 10


@dataclass(frozen=True)
class LooRidge:
    """A fitted regression.

    Attributes:
        coefficients: (O, features), of centered features.
        intercept: (O,) mean targets.
        alpha: The penalty.
        left_out: (n, O) prediction for each training example by the model that is fitted to the others.
    """

    coefficients: Floats
    intercept: Floats
    alpha: float
    left_out: Floats


def fit_loo_ridge(
    features: npt.NDArray[np.float32], targets: Floats, alphas: Sequence[float], limit: TimeLimit = UNLIMITED
) -> LooRidge:
    """Fit ridge regression with the penalty that minimizes the mean squared leave-one-out error.

    It takes the cube of the number of examples or of features, whichever is smaller.

    Args:
        features: (n, features), each with the mean 0.
        targets: (n, O).
        alphas: Positive penalties; ties are resolved in favor of the first.
        limit: Of the time.

    Raises:
        BaselineTooSlow: The time limit is exceeded.
    """
    mean = targets.mean(axis=0)
    solve = _by_examples if features.shape[0] <= features.shape[1] else _by_features
    coefficients, best, errors = solve(features, targets - mean, np.asarray(alphas), limit.next_part())
    return LooRidge(coefficients, mean, float(alphas[best]), targets - errors)


def _by_examples(
    features: npt.NDArray[np.float32], centered: Floats, alphas: Floats, limit: TimeLimit
) -> tuple[Floats, int, Floats]:
    """Coefficients, number of the penalty and leave-one-out errors, from the products of examples."""
    count, width = features.shape
    products = np.zeros((count, count))
    for block in _blocks(features.T):
        products += block.T @ block
    limit.check(width, width + _EIGENVECTORS * count)
    # The intercept has no penalty: a large eigenvalue for it keeps the others apart from it.
    products -= products.mean(axis=0)
    products -= products.mean(axis=1, keepdims=True)
    largest = max(1.0, float(np.trace(products)))
    products += largest / count
    values, vectors = _eigenvectors(products)
    turned, inverses = vectors.T @ centered, 1 / (values[:, None] + alphas)
    diagonals = np.concatenate([block**2 @ inverses for block in _blocks(vectors)])
    diagonals -= 1 / ((largest + alphas) * count)
    weights = [vectors @ (inverse[:, None] * turned) for inverse in inverses.T]
    errors = [each / diagonal[:, None] for each, diagonal in zip(weights, diagonals.T, strict=True)]
    best = _least(errors)
    coefficients = np.concatenate([block @ weights[best] for block in _blocks(features.T)])
    return coefficients.T, best, errors[best]


def _by_features(
    features: npt.NDArray[np.float32], centered: Floats, alphas: Floats, limit: TimeLimit
) -> tuple[Floats, int, Floats]:
    """The same from the products of features."""
    count, width = features.shape
    products, with_targets = np.zeros((width, width)), np.zeros((width, centered.shape[1]))
    for block, targets in zip(_blocks(features), _blocks(centered), strict=True):
        products += block.T @ block
        with_targets += block.T @ targets
    limit.check(count, count + _EIGENVECTORS * width)
    values, vectors = _eigenvectors(products)
    turned, inverses = vectors.T @ with_targets, 1 / (values[:, None] + alphas)
    weights = [inverse[:, None] * turned for inverse in inverses.T]
    errors = np.empty((len(alphas), *centered.shape))
    for start, block in zip(range(0, count, _AT_ONCE), _blocks(features), strict=True):
        rotated, rows = block @ vectors, slice(start, start + _AT_ONCE)
        left = 1 - 1 / count - rotated**2 @ inverses
        for number, each in enumerate(weights):
            errors[number, rows] = (centered[rows] - rotated @ each) / left[:, number, None]
    best = _least(errors)
    return (vectors @ weights[best]).T, best, errors[best]


def _blocks(matrix: npt.NDArray[np.floating]) -> Iterator[Floats]:
    """Rows of a matrix in double precision, some at once: a copy of all would take too much memory."""
    for start in range(0, len(matrix), _AT_ONCE):
        yield matrix[start : start + _AT_ONCE].astype(np.float64)


def _eigenvectors(products: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues, at least 0, and eigenvectors of a symmetric matrix, which is overwritten."""
    from scipy.linalg import eigh

    values, vectors = eigh(products.T, overwrite_a=True, check_finite=False)
    return np.maximum(values, 0.0), vectors


def _least(errors: Iterable[Floats]) -> int:
    """Number of the smallest errors in the mean of squares; the first of equal ones."""
    return int(np.argmin([(each**2).mean() for each in errors]))
