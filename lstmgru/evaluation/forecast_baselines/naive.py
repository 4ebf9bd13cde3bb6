"""The last value, and the value one season earlier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.arrays import WindowArrays
from lstmgru.evaluation.forecast_baselines.base import Array, BaselineData, FittedBaseline
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Naive(FittedBaseline):
    """The last observed value, for every step.

    Attributes:
        horizon: H.
        n_targets: Y.
    """

    name: ClassVar[str] = "naive"
    horizon: int
    n_targets: int
    context_length: int = 1

    @classmethod
    def fit(cls, data: BaselineData) -> Self:
        """See :meth:`FittedBaseline.fit`."""
        return cls(data.forecast.horizon, data.panel.n_targets)

    def predict(self, windows: WindowArrays, limit: TimeLimit = UNLIMITED) -> Array:
        """See :meth:`FittedBaseline.predict`."""
        last = windows.context(1)[..., : self.n_targets]
        return np.repeat(last, self.horizon, axis=1)

    def module(self) -> nn.Module:
        """See :meth:`FittedBaseline.module`."""
        from lstmgru.evaluation.forecast_baselines.modules import Repeat

        return Repeat([-1] * self.horizon, self.n_targets)


@dataclass(frozen=True)
class SeasonalNaive(FittedBaseline):
    """The value one season earlier; for longer horizons the last season repeats.

    Within the first season of a series, the last value is used instead.

    Attributes:
        horizon: H.
        n_targets: Y.
        context_length: The steps of one season.
    """

    name: ClassVar[str] = "seasonal_naive"
    horizon: int
    n_targets: int
    context_length: int

    @classmethod
    def fit(cls, data: BaselineData) -> Self:
        """See :meth:`FittedBaseline.fit`."""
        return cls(data.forecast.horizon, data.panel.n_targets, data.forecast.season_length)

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """(H,) the repeated row of each step, from the end of the context."""
        return np.arange(self.horizon) % self.context_length - self.context_length

    def predict(self, windows: WindowArrays, limit: TimeLimit = UNLIMITED) -> Array:
        """See :meth:`FittedBaseline.predict`."""
        targets = windows.context(self.context_length)[..., : self.n_targets]
        known = -self.places <= windows.lengths[:, None]
        rows = np.where(known, self.places, -1)
        return np.take_along_axis(targets, rows[..., None] + self.context_length, axis=1)

    def module(self) -> nn.Module:
        """See :meth:`FittedBaseline.module`."""
        from lstmgru.evaluation.forecast_baselines.modules import Repeat

        return Repeat(self.places.tolist(), self.n_targets)
