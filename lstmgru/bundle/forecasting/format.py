"""The description of a model that forecasts: what ``bundle.json`` holds of it, and back."""

from __future__ import annotations

from typing import Any

import torch

from lstmgru.bundle.forecasting.bundle import ForecastBundle
from lstmgru.bundle.forecasting.output import forecast_columns
from lstmgru.bundle.plain import plain
from lstmgru.data.forecasting.inputs import input_spec
from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesSchema, check_short_series
from lstmgru.data.tables.aliases import parse_frequency
from lstmgru.data.tables.gaps import check_policy
from lstmgru.evaluation.intervals import Calibration
from lstmgru.nn.network import MEDIAN, ForecastNetwork
from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec


def describe_forecaster(bundle: ForecastBundle) -> dict[str, Any]:
    """What only a model that forecasts has, as plain values; :func:`build_forecaster` is the inverse.

    Raises:
        BundleError: A name of a series is something that JSON cannot hold.
    """
    return {
        "forecast": bundle.forecast.to_dict(),
        "data": {
            "schema": bundle.schema.to_dict(),
            "frequency": bundle.frequency,
            "step": bundle.step,
            "timezone": bundle.timezone,
            "gaps": bundle.gaps,
            "short_series": bundle.short_series,
            "ids": plain(bundle.ids, "ids"),
        },
        "channels": list(bundle.channels),
        "forecast_columns": forecast_columns(bundle.schema, bundle.levels),
        "scaler": bundle.scaler.to_dict(),
        "calibration": None if bundle.calibration is None else bundle.calibration.to_dict(),
    }


def build_forecaster(description: dict[str, Any]) -> ForecastBundle:
    """The bundle of a description, its network with random weights.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, LstmGruError: A part is missing or is not what it must be.
    """
    data = description["data"]
    schema, ids = SeriesSchema.from_dict(data["schema"]), list(data["ids"])
    model, train = ModelSpec.from_dict(description["model"]), TrainSpec(**description["training"])
    forecast = ForecastSpec.from_dict(description["forecast"])
    parse_frequency(data["frequency"], step=data["step"])
    check_policy(data["gaps"])
    check_short_series(data["short_series"])
    inputs = input_spec(schema, n_series=len(ids), short_series=data["short_series"])
    quantiles = forecast.quantiles if train.loss == "quantile" else MEDIAN
    calibration = description["calibration"]
    with torch.random.fork_rng(devices=[]):
        network = ForecastNetwork(model, inputs, horizon=forecast.horizon, quantiles=quantiles)
    return ForecastBundle(
        network=network,
        scaler=Scaler.from_dict(description["scaler"]),
        model_spec=model,
        train_spec=train,
        forecast=forecast,
        schema=schema,
        frequency=data["frequency"],
        step=data["step"],
        timezone=data["timezone"],
        ids=ids,
        metrics=dict(description["metrics"]),
        provenance=dict(description["provenance"]),
        gaps=data["gaps"],
        short_series=data["short_series"],
        calibration=None if calibration is None else Calibration.from_dict(calibration),
    )
