"""Ridge regression (Hoerl & Kennard 1970) from sums over blocks of examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Float = npt.NDArray[np.float64]
Blocks = Callable[[], Iterable[tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]]]
"""Yields blocks of (examples, width) inputs and (examples, outputs) targets, the same ones in each call."""

# Largest first: a small penalty that interpolates the training windows has leave-one-out errors of 0/0, and RidgeCV
# never replaces a finite error by NaN, but would keep a NaN that comes first.
ALPHAS = np.logspace(5, -1, 13)


@dataclass(frozen=True)
class Ridge:
    """A fitted regression.

    Attributes:
        coefficients: (width, outputs).
        intercept: (outputs,).
        alpha: The penalty.
    """

    coefficients: _Float
    intercept: _Float
    alpha: float

    def predict(self, inputs: npt.NDArray[np.floating]) -> _Float:
        """(examples, outputs) of (examples, width)."""
        return inputs @ self.coefficients + self.intercept


def fit_ridge(blocks: Blocks, alphas: Sequence[float]) -> Ridge:
    """Fit ridge regression with the penalty that minimizes the mean squared leave-one-out error.

    Args:
        blocks: More examples than inputs.
        alphas: Positive penalties; ties are resolved in favor of the first.
    """
    count, center, of_targets = _means(blocks)
    squares, products = _products(blocks, center, of_targets)
    values, vectors = np.linalg.eigh(squares)
    values, turned = np.maximum(values, 0.0), vectors.T @ products
    errors = np.zeros(len(alphas))
    for inputs, targets in blocks():
        z, y = (inputs - center) @ vectors, targets - of_targets
        z_squared = z**2
        for number, alpha in enumerate(alphas):
            shrunk = 1 / (values + alpha)
            left = 1 - 1 / count - z_squared @ shrunk
            with np.errstate(divide="ignore", invalid="ignore"):  # interpolated examples, see ALPHAS
                errors[number] += (((y - z @ (shrunk[:, None] * turned)) / left[:, None]) ** 2).sum()
    alpha = float(alphas[int(np.argmin(np.where(np.isnan(errors), np.inf, errors)))])
    coefficients: _Float = vectors @ (turned / (values + alpha)[:, None])
    return Ridge(coefficients, of_targets - center @ coefficients, alpha)


def _means(blocks: Blocks) -> tuple[int, _Float, _Float]:
    """The number of examples, and the (width,) and (outputs,) means of inputs and targets."""
    sums = [(len(x), x.sum(axis=0, dtype=np.float64), y.sum(axis=0, dtype=np.float64)) for x, y in blocks()]
    counts, inputs, targets = zip(*sums, strict=True)
    count = sum(counts)
    return count, sum(inputs) / count, sum(targets) / count


def _products(blocks: Blocks, center: _Float, of_targets: _Float) -> tuple[_Float, _Float]:
    """XᵀX and XᵀY of centered inputs and targets."""
    squares: _Float = np.zeros((len(center), len(center)))
    products: _Float = np.zeros((len(center), len(of_targets)))
    for inputs, targets in blocks():
        x = inputs - center
        squares += x.T @ x
        products += x.T @ (targets - of_targets)
    return squares, products


def fit_ridge_of_few(inputs: npt.NDArray[np.floating], targets: npt.NDArray[np.floating]) -> Ridge:
    """Fit ridge regression with fewer examples than inputs, solved in the space of examples.

    Args:
        inputs: (examples, width).
        targets: (examples, outputs).
    """
    from sklearn.linear_model import RidgeCV

    with np.errstate(divide="ignore", invalid="ignore"):
        found = RidgeCV(alphas=ALPHAS).fit(inputs, targets)
    return Ridge(np.atleast_2d(found.coef_).T, np.atleast_1d(found.intercept_), float(found.alpha_))
