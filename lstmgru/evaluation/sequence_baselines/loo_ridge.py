"""Ridge regression with its leave-one-out predictions, for many features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstmgru.evaluation.sequence_baselines.base import Floats
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit

_COLUMNS_AT_ONCE = 1024
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
    coefficients, alpha, errors = solve(features, targets - mean, alphas, limit.next_part())
    return LooRidge(coefficients, mean, alpha, targets - errors)


def _by_examples(
    features: npt.NDArray[np.float32], centered: Floats, alphas: Sequence[float], limit: TimeLimit
) -> tuple[Floats, float, Floats]:
    """Coefficients, penalty and leave-one-out errors, from the products of examples."""
    count = len(features)
    products = np.zeros((count, count))
    for start in range(0, features.shape[1], _COLUMNS_AT_ONCE):
        block = features[:, start : start + _COLUMNS_AT_ONCE].astype(np.float64)
        products += block @ block.T
    limit.check(features.shape[1], features.shape[1] + _EIGENVECTORS * count)
    # The intercept has no penalty: a large eigenvalue for it keeps the others apart from it.
    products -= products.mean(axis=0)
    products -= products.mean(axis=1, keepdims=True)
    largest = max(1.0, float(np.trace(products)))
    values, vectors = np.linalg.eigh(products + largest / count)
    values, turned, squares = np.maximum(values, 0.0), vectors.T @ centered, vectors**2
    best: tuple[float, float, Floats, Floats] | None = None
    for alpha in alphas:
        inverse = 1 / (values + alpha)
        weights = vectors @ (inverse[:, None] * turned)
        diagonal = squares @ inverse - 1 / ((largest + alpha) * count)
        errors = weights / diagonal[:, None]
        loss = float((errors**2).mean())
        if best is None or loss < best[0]:
            best = loss, float(alpha), errors, weights
    assert best is not None  # there is a penalty
    _, alpha, errors, weights = best
    return (features.T @ weights).T, alpha, errors


def _by_features(
    features: npt.NDArray[np.float32], centered: Floats, alphas: Sequence[float], limit: TimeLimit
) -> tuple[Floats, float, Floats]:
    """The same from the products of features."""
    count, width = features.shape
    products = np.zeros((width, width))
    for start in range(0, count, _COLUMNS_AT_ONCE):
        block = features[start : start + _COLUMNS_AT_ONCE].astype(np.float64)
        products += block.T @ block
    limit.check(count, count + _EIGENVECTORS * width)
    values, vectors = np.linalg.eigh(products)
    values, turned = np.maximum(values, 0.0), vectors.T @ (features.T @ centered)
    rotated = features @ vectors
    squares = rotated**2
    best: tuple[float, float, Floats, Floats] | None = None
    for alpha in alphas:
        inverse = 1 / (values + alpha)
        weights = inverse[:, None] * turned
        left = 1 - 1 / count - squares @ inverse
        errors = (centered - rotated @ weights) / left[:, None]
        loss = float((errors**2).mean())
        if best is None or loss < best[0]:
            best = loss, float(alpha), errors, weights
    assert best is not None  # there is a penalty
    _, alpha, errors, weights = best
    return (vectors @ weights).T, alpha, errors
