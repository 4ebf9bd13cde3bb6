"""What ``bundle.json`` says about a forecasting model."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstmgru.data.forecasting.series import SeriesSchema, check_policy, check_short_series
from lstmgru.data.tables.frequency import parse_frequency
from lstmgru.errors import SpecError
from lstmgru.specs import ForecastSpec, InputSpec
from lstmgru.specs.calibration import Calibration


def described_values(description: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a ``ForecastPredictor`` from the content of ``bundle.json``.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
    """
    data, calibration = description["data"], description["calibration"]
    parse_frequency(data["frequency"], step=data["step"])
    check_policy(data["gaps"])
    check_short_series(data["short_series"])
    return {
        "forecast": ForecastSpec.from_dict(description["forecast"]),
        "schema": SeriesSchema.from_dict(data["schema"]),
        "frequency": data["frequency"],
        "step": data["step"],
        "timezone": data["timezone"],
        "local_times": bool(data.get("local_times", False)),
        "ids": [str(name) for name in data["ids"]],
        "gaps": data["gaps"],
        "short_series": data["short_series"],
        "calibration": None if calibration is None else Calibration.from_dict(calibration),
    }


def check_calibration(calibration: Calibration | None, forecast: ForecastSpec, inputs: InputSpec) -> None:
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
