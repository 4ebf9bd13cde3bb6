"""The baselines of a blended forecast, computed by NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.arrays import WindowArrays
from lstmgru.errors import SpecError
from lstmgru.runtime.members import FittedMethod, weighted_baselines
from lstmgru.specs import ForecastSpec, InputSpec

Array = npt.NDArray[np.float32]

_BASELINES = "lstmgru.evaluation.forecast_baselines:BASELINES"
# More than any baseline reads; a damaged file may hold any number.
_MOST_ROWS = 1_000_000


class FittedForecaster(FittedMethod, Protocol):
    """A fitted baseline of forecasts."""

    context_length: int

    def predict(self, windows: WindowArrays) -> Array:
        """(n, H, Y) forecasts in original units."""


@dataclass(frozen=True)
class WeightedBaseline:
    """A baseline in a blend.

    Attributes:
        weight: Its share of the forecast.
        baseline: Fitted.
    """

    weight: float
    baseline: FittedForecaster

    def share(self, inputs: Mapping[str, npt.NDArray[Any]], forecast: ForecastSpec) -> Array:
        """(n, H, Y) its weighted forecasts, within the bounds.

        Args:
            inputs: The arrays of a blend by name, see
                :class:`~lstmgru.runtime.forecasting.signature.ForecastSignature`.
            forecast: Horizon and bounds.
        """
        rows, past, lengths = self.baseline.context_length, inputs["past"], inputs.get("lengths")
        windows = WindowArrays(
            past=past[:, past.shape[1] - rows :],
            future=inputs.get("future", np.zeros((len(past), forecast.horizon, 0), np.float32)),
            lengths=np.full(len(past), rows) if lengths is None else np.minimum(lengths, rows),
            static=inputs.get("static"),
            series=inputs.get("series"),
        )
        return np.float32(self.weight) * forecast.clip(self.baseline.predict(windows))


def stored_baselines(
    members: Sequence[dict[str, Any]],
    arrays: Sequence[Mapping[str, npt.NDArray[Any]]],
    inputs: InputSpec,
    forecast: ForecastSpec,
) -> tuple[WeightedBaseline, ...]:
    """The baselines among the members of a bundle.

    Args:
        members: Their entries in ``bundle.json``.
        arrays: Of each member.
        inputs: Of the bundle.
        forecast: Likewise.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
    """
    found = weighted_baselines(_BASELINES, members, arrays, lambda each: probe(each, inputs, forecast))
    return tuple(WeightedBaseline(weight, baseline) for weight, baseline in found)


def probe(
    baseline: FittedForecaster, inputs: InputSpec, forecast: ForecastSpec
) -> tuple[npt.NDArray[Any], tuple[int, ...]]:
    """What a baseline forecasts from one window of positive numbers, and the shape that it must have."""
    steps = baseline.context_length
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= _MOST_ROWS:
        raise SpecError(f"context_length must be a whole number from 1 to {_MOST_ROWS} but is {steps!r}")
    past = np.ones((1, steps, inputs.n_inputs), np.float32)
    past[..., : inputs.n_targets] += np.arange(steps)[:, None] % 3
    windows = WindowArrays(
        past,
        np.ones((1, forecast.horizon, inputs.n_future), np.float32),
        np.array([steps]),
        np.ones((1, inputs.n_static), np.float32) if inputs.n_static else None,
        np.ones(1, np.int64),
    )
    return baseline.predict(windows), (1, forecast.horizon, inputs.n_targets)
