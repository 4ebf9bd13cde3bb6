"""The contract of a baseline: fitted to a training part, it forecasts from arrays and is stored without code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.arrays import WindowArrays, window_arrays
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit

if TYPE_CHECKING:
    from torch import nn

    from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
    from lstmgru.data.forecasting.splits import Rows, Split
    from lstmgru.specs import ForecastSpec

__all__ = [
    "UNLIMITED",
    "Array",
    "BaselineData",
    "FittedBaseline",
    "Forecaster",
    "State",
    "TimeLimit",
    "forecaster",
]

Array = npt.NDArray[np.float32]
Forecaster = Callable[["Rows"], Array]
"""(windows,) cutoffs → (windows, H, Y) forecasts in original units."""
State = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]
"""Plain values for JSON, and arrays by name."""

# Maximum size of a block of windows.
_NUMBERS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class BaselineData:
    """What a baseline is fitted to.

    Attributes:
        panel: The data.
        split: Its training part is used.
        forecast: Horizon and season.
        context_length: T, rows that networks read before a cutoff.
        short_series: With ``pad``, windows with fewer rows before the cutoff are also used for training.
        limit: Of the time.
    """

    panel: SeriesPanel
    split: Split
    forecast: ForecastSpec
    context_length: int
    short_series: ShortSeries = "error"
    limit: TimeLimit = UNLIMITED


class FittedBaseline(ABC):
    """A simple method, fitted to a training part.

    It forecasts from windows with at least one real row of context.

    Attributes:
        name: What it is called everywhere.
        slow: Whether it takes more than a few seconds on large data, so that a study scores it in a job of its own.
        context_length: Rows of context that it reads at most.
        horizon: H.
    """

    name: ClassVar[str]
    slow: ClassVar[bool] = False
    context_length: int
    horizon: int

    @classmethod
    @abstractmethod
    def fit(cls, data: BaselineData) -> Self:
        """Fit the method.

        Args:
            data: What to fit it to.

        Raises:
            DataError: No training window fits.
            BaselineTooSlow: The time limit is exceeded.
        """

    @property
    def n_parameters(self) -> int:
        """Numbers that it stores."""
        return 0

    @abstractmethod
    def predict(self, windows: WindowArrays, limit: TimeLimit = UNLIMITED) -> Array:
        """(n, H, Y) forecasts in original units.

        Args:
            windows: With at least :attr:`context_length` rows of context, real or not.
            limit: Of the time.

        Raises:
            SpecError: An array that it reads is missing or too short.
            BaselineTooSlow: The time limit is exceeded.
        """

    def state(self) -> State:
        """Everything that was learned, as plain values and arrays; by default the fields of a data class as values."""
        return asdict(self), {}  # type: ignore[call-overload]

    @classmethod
    def from_state(cls, values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The baseline whose :meth:`state` this is."""
        return cls(**values)

    def module(self) -> nn.Module | None:
        """The same function as a torch module, in single precision; ``None`` if there is none.

        It takes :class:`~lstmgru.nn.forecast_network.Inputs` in original units, with contexts of at least
        :attr:`context_length` rows, and returns (B, H, Y).
        """
        return None


def forecaster(
    panel: SeriesPanel, baseline: FittedBaseline, limit: TimeLimit = UNLIMITED, *, forecast: ForecastSpec | None = None
) -> Forecaster:
    """Forecasts of the windows of a panel in blocks, so that memory is constant.

    Args:
        panel: The data.
        baseline: Fitted to this panel, or another one with the same columns.
        limit: Of the time.
        forecast: Its bounds are those of the forecasts; ``None`` for none.
    """

    def predict(cutoffs: Rows) -> Array:
        horizon = baseline.horizon
        at_once = max(1, _NUMBERS_AT_ONCE // ((baseline.context_length + horizon) * panel.values.shape[1]))
        blocks = np.split(cutoffs, range(at_once, len(cutoffs), at_once))
        parts = []
        for block in blocks:
            windows = window_arrays(panel, block, context_length=baseline.context_length, horizon=horizon)
            parts.append(baseline.predict(windows, limit))
        forecasts = np.concatenate(parts)
        return forecasts if forecast is None else forecast.clip(forecasts)

    return predict
