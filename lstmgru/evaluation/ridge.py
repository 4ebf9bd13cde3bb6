"""Ridge regression of many examples, a block at a time: what is kept are sums of products.

The penalty is chosen by leave-one-out errors, which ridge regression has in closed form. With centered inputs X and
targets Y of n examples, XᵀX = V diag(s²) Vᵀ and Z = X V, a penalty α leaves the residuals Y - Z diag(1 / (s² + α)) ZᵀY,
and without the example itself they are those divided by 1 - h with h = 1/n + Σ Z² / (s² + α) (Hastie, Tibshirani &
Friedman 2009, section 7.10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Float = npt.NDArray[np.float64]
Blocks = Callable[[], Iterable[tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]]]
"""Gives (examples, width) inputs and (examples, outputs) targets, a block at a time, the same ones each time."""


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
        outputs: _Float = inputs @ self.coefficients + self.intercept
        return outputs


def fit_ridge(blocks: Blocks, alphas: Sequence[float]) -> Ridge:
    """Fit the regression with the penalty of the smallest mean squared leave-one-out error.

    Args:
        blocks: More examples than inputs.
        alphas: Penalties above 0; of equally good ones the first.
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
            with np.errstate(divide="ignore", invalid="ignore"):  # an example that is interpolated; see below
                errors[number] += (((y - z @ (shrunk[:, None] * turned)) / left[:, None]) ** 2).sum()
    alpha = float(alphas[int(np.argmin(np.where(np.isnan(errors), np.inf, errors)))])
    coefficients: _Float = vectors @ (turned / (values + alpha)[:, None])
    return Ridge(coefficients, of_targets - center @ coefficients, alpha)


def _means(blocks: Blocks) -> tuple[int, _Float, _Float]:
    """How many examples there are, and the (width,) and (outputs,) means of their inputs and targets."""
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
