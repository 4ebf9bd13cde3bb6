"""The tasks of the library with their losses: a new one is a line in :data:`TASKS`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Literal, get_args

ForecastLoss = Literal["mae", "mse", "huber", "quantile", "student_t", "negative_binomial", "tweedie"]
SequenceLoss = Literal["cross_entropy", "mae", "mse", "huber"]

FORECAST_LOSSES: tuple[str, ...] = get_args(ForecastLoss)
QUANTILE_LOSSES = ("quantile", "student_t", "negative_binomial")
"""Losses of networks that forecast quantiles."""
NONNEGATIVE_LOSSES = ("negative_binomial", "tweedie")
"""Losses for targets from 0, which must be normalized so that 0 stays 0; the first one is for whole numbers."""


@dataclass(frozen=True)
class TaskEntry:
    """A task, as loading a bundle and registering a metric need to know it.

    Attributes:
        bundle: The class of its bundles, which is imported when one is loaded.
        runtime: The class of its models without PyTorch, likewise.
        losses: The training losses that it has.
        metrics: The module that defines its metrics, which is imported when one is looked up.
    """

    bundle: str
    runtime: str
    losses: tuple[str, ...]
    metrics: str = "lstmgru.evaluation.metrics"


_FORECASTS = ("lstmgru.bundle.forecasting.bundle:ForecastBundle", "lstmgru.runtime.forecasting.onnx:OnnxForecaster")
_LABELS = ("lstmgru.bundle.sequences.bundle:SequenceBundle", "lstmgru.runtime.sequences.onnx:OnnxLabeler")

TASKS = {
    "forecast": TaskEntry(*_FORECASTS, FORECAST_LOSSES),
    "classification": TaskEntry(*_LABELS, ("cross_entropy",)),
    "regression": TaskEntry(*_LABELS, ("mse", "mae", "huber")),
}
"""Tasks by the name that ``bundle.json`` and metrics call them."""

LOSSES = tuple(dict.fromkeys(chain.from_iterable(entry.losses for entry in TASKS.values())))
"""The training losses of all tasks."""
