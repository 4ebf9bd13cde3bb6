"""A trained forecasting model: its parts, and whether they fit together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from lstmgru.bundle.base import Bundle
from lstmgru.bundle.forecasting.servable import UnscaledForecaster
from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import GapPolicy, SeriesSchema, ShortSeries
from lstmgru.errors import SpecError
from lstmgru.evaluation.intervals import Calibration
from lstmgru.nn.network import ForecastNetwork
from lstmgru.specs import ForecastSpec, InputSpec, ModelSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastModel(Bundle):
    """The parts of a :class:`~lstmgru.bundle.ForecastBundle`, as far as tables, checks and model card need them.

    Attributes:
        network: On the CPU.
        scaler: Of all input channels, fitted on the training data.
        model_spec: The architecture.
        forecast: Horizon, season, metric, levels of the intervals.
        schema: The roles of a table's columns.
        frequency: pandas offset alias, or ``step``.
        step: Distance between two integer times, else 1.
        timezone: Of the time column; ``None`` for times without one.
        ids: Names of the training series; their codes are their positions, from 1.
        gaps: How missing rows and cells before the end of a series are handled, as in training.
        short_series: How series with less history than the context are handled, as in training.
        calibration: Of the prediction intervals; ``None`` if there are none.

    Raises:
        SpecError: Scaler, calibration, forecast and network do not fit together.
    """

    axes = {  # noqa: RUF012 as it is never changed
        "past": "batch, context, channel",
        "future": "batch, horizon, channel",
        "static": "batch, static covariate",
        "series": "batch",
        "lengths": "batch",
        "forecast": "batch, horizon, target",
        "quantiles": "batch, horizon, target, quantile",
    }
    results = "forecasts"
    renamed_weights = {"direct.": "decoder.", "going_on.": "decoder."}  # noqa: RUF012 as it is never changed

    network: ForecastNetwork
    scaler: Scaler
    model_spec: ModelSpec
    forecast: ForecastSpec
    schema: SeriesSchema
    frequency: str
    step: int = 1
    timezone: str | None = None
    ids: list[Any] = field(default_factory=list)
    gaps: GapPolicy = "error"
    short_series: ShortSeries = "error"
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        _check_scaler(self.scaler, self.model_spec, self.network.inputs)
        _check_calibration(self.calibration, self.forecast, self.network.inputs)

    @property
    def task_name(self) -> str:
        """``forecast``."""
        return "forecast"

    @cached_property
    def servable(self) -> UnscaledForecaster:
        """The network with scaler and calibration inside, in evaluation mode."""
        return UnscaledForecaster(self.network, self.scaler, self.calibration)

    @property
    def channels(self) -> tuple[str, ...]:
        """(F,) names of the network's inputs; the last K are known over the horizon."""
        return (*self.schema.value_columns, *self.schema.calendar)

    @property
    def n_future(self) -> int:
        """K."""
        return len(self.schema.future_covariates) + len(self.schema.calendar)

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels with prediction intervals, ascending."""
        if self.calibration is None:
            return ()
        of_level = zip(self.calibration.levels, self.calibration.offsets, strict=True)
        return tuple(level for level, offsets in of_level if not np.isnan(offsets).all())


def _check_scaler(scaler: Scaler, model: ModelSpec, inputs: InputSpec) -> None:
    """Refuse a scaler that does not belong to the model."""
    by_series = model.normalization in ("series", "last") and inputs.n_series > 1
    channels, static = (inputs.n_series if by_series else 1, inputs.n_inputs), (inputs.n_static,)
    for name, shape in {"mean": channels, "scale": channels, "static_mean": static, "static_scale": static}.items():
        array = getattr(scaler, name)
        if array.shape != shape:
            raise SpecError(f"{name} of the scaler must have the shape {shape} but has {array.shape}")
        if not np.isfinite(array).all():
            raise SpecError(f"{name} of the scaler must be finite numbers")
    if not ((scaler.scale > 0).all() and (scaler.static_scale > 0).all()):
        raise SpecError("the scales of the scaler must be positive")
    if (scaler.n_targets, scaler.log) != (inputs.n_targets, model.log):
        raise SpecError(
            f"the scaler has {scaler.n_targets} targets and log {scaler.log}, but the model has {inputs.n_targets} and "
            f"log {model.log}"
        )


def _check_calibration(calibration: Calibration | None, forecast: ForecastSpec, inputs: InputSpec) -> None:
    """Refuse a calibration that does not belong to the forecasts of the model."""
    if calibration is None:
        return
    if calibration.levels != forecast.levels:
        raise SpecError(
            f"the levels of the calibration must be those of the forecast, {list(forecast.levels)}, but are "
            f"{list(calibration.levels)}"
        )
    expected = (forecast.horizon, inputs.n_targets)
    if calibration.offsets.shape[1:] != expected:
        raise SpecError(
            f"the offsets of the calibration must be of {expected} steps and targets but are of "
            f"{calibration.offsets.shape[1:]}"
        )
    if np.isinf(calibration.offsets).any():
        raise SpecError("the offsets of the calibration must not be infinite")
    if not (isinstance(calibration.season_length, int) and calibration.season_length >= 1):
        raise SpecError(f"the season_length of the calibration must be at least 1 but is {calibration.season_length!r}")
