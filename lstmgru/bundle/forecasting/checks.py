"""Whether the parts of a bundle fit together."""

from __future__ import annotations

import numpy as np

from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.errors import SpecError
from lstmgru.evaluation.intervals import Calibration
from lstmgru.specs import ForecastSpec, InputSpec, ModelSpec


def check_scaler(scaler: Scaler, model: ModelSpec, inputs: InputSpec) -> None:
    """Refuse a scaler that is not of this model.

    Raises:
        SpecError: Says what does not fit.
    """
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
            f"a scaler of {scaler.n_targets} targets, log {scaler.log}, for a model of {inputs.n_targets} targets, log "
            f"{model.log}"
        )


def check_calibration(calibration: Calibration | None, forecast: ForecastSpec, inputs: InputSpec) -> None:
    """Refuse a calibration that is not of this model's forecasts.

    Raises:
        SpecError: Says what does not fit.
    """
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
