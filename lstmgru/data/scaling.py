"""Standardisation of channels, fitted on training rows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.splits import Rows

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StandardScaler:
    """``(x - mean) / scale`` for each channel; a constant channel has scale 1.

    Attributes:
        mean: (channels,) in original units.
        scale: (channels,) standard deviations in original units, never 0.
    """

    mean: Array
    scale: Array

    @classmethod
    def fit(cls, values: Array, train: Rows) -> Self:
        """Mean and deviation of the training rows.

        Args:
            values: (rows, channels) in original units.
            train: (series, 2) rows ``[start, end)`` to learn from; no other row is read.
        """
        part = np.concatenate([values[start:end] for start, end in train]).astype(np.float64)
        mean, scale = part.mean(axis=0), part.std(axis=0)
        # A spread that is only the rounding of float32 would blow noise up to unit variance.
        constant = scale <= 1e-6 * np.maximum(np.abs(mean), 1e-30)
        return cls(mean.astype(np.float32), np.where(constant, 1.0, scale).astype(np.float32))

    def transform(self, values: Array) -> Array:
        """(…, channels) in original units → scaled."""
        return (values - self.mean) / self.scale

    def inverse_targets(self, values: Array) -> Array:
        """(…, Y) scaled → original units; the targets are the first channels."""
        n_targets = values.shape[-1]
        return values * self.scale[:n_targets] + self.mean[:n_targets]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The scaler that :meth:`to_dict` wrote."""
        return cls(np.asarray(values["mean"], np.float32), np.asarray(values["scale"], np.float32))
