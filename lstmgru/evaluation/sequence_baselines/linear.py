"""Linear models as plain arrays, and probabilities from their outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lstmgru.evaluation.sequence_baselines.base import Array, Floats

ALPHAS = np.logspace(5, -3, 17)
"""The penalties of ridge regression."""
# Shared equally by all classes, so that no probability of the linear model is 0.
_LEAST_PROBABILITY = 0.01


@dataclass(frozen=True)
class Linear:
    """A fitted linear model.

    Attributes:
        coefficients: (O, features).
        intercept: (O,).
    """

    coefficients: Floats
    intercept: Floats

    @classmethod
    def of(cls, model: Any) -> Self:
        """The arrays of a fitted linear model of scikit-learn."""
        return cls(np.ascontiguousarray(np.atleast_2d(model.coef_)), np.atleast_1d(model.intercept_))

    @property
    def n_outputs(self) -> int:
        """O."""
        return len(self.coefficients)

    @property
    def n_parameters(self) -> int:
        """Count of coefficients and intercepts."""
        return int(self.coefficients.size + self.intercept.size)

    def __call__(self, features: Any) -> Floats:
        """(n, O) outputs for (n, features), dense or sparse."""
        outputs: Floats = features @ self.coefficients.T + self.intercept
        return outputs


def simplex(outputs: Floats) -> Array:
    """(n, C) outputs of a linear model → the nearest probabilities, none of which is 0."""
    n_classes = outputs.shape[1]
    falling = -np.sort(-outputs, axis=1)
    # Projection onto the probabilities (Duchi et al. 2008): subtract what makes the positive parts sum to 1.
    excess = (np.cumsum(falling, axis=1) - 1) / np.arange(1, n_classes + 1)
    kept = (falling > excess).sum(axis=1, keepdims=True)
    nearest = np.maximum(outputs - np.take_along_axis(excess, kept - 1, axis=1), 0)
    least = _LEAST_PROBABILITY / n_classes
    probabilities: Array = ((1 - _LEAST_PROBABILITY) * nearest + least).astype(np.float32)
    return probabilities


def softmax(outputs: Floats) -> Floats:
    """(n, C) logits → probabilities."""
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
