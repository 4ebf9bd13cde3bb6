"""How blends of forecasts are selected and calibrated: by the kept forecasts of the folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgru.evaluation.blending import Criterion
from lstmgru.evaluation.metrics import find_metric
from search.tasks.forecasting.data import ForecastBacktest

if TYPE_CHECKING:
    from lstmgru.evaluation.blending import Folds
    from search.tasks.forecasting.data import ForecastData


def criterion(data: ForecastData) -> Criterion:
    """The study's metric: mean over the folds of the scores of the kept windows.

    A metric of quantiles is taken of intervals that are calibrated on the same forecasts, as those of baselines are.
    """
    found = find_metric(data.metric, "forecast")
    scales: dict[int, Any] = {}
    if found.of_quantiles:
        return Criterion(lambda outputs: _quantile_score(data, outputs, scales), found.larger_is_better)
    return Criterion(lambda outputs: _point_score(data, outputs), found.larger_is_better)


def _point_score(data: ForecastData, outputs: Folds) -> float:
    scores = [
        evaluation.score(data.metric, values if values.ndim == 3 else values[..., values.shape[-1] // 2])
        for evaluation, values in zip(data.kept_evaluations, outputs, strict=True)
    ]
    return sum(scores) / len(scores)


def _quantile_score(data: ForecastData, outputs: Folds, scales: dict[int, Any]) -> float:
    backtest = ForecastBacktest(data, data.context_length, scales)
    backtest.add_kept(outputs)
    calibration = backtest.calibration()
    scores = [
        evaluation.score(data.metric, values, backtest.quantiles(evaluation, values, calibration))
        for evaluation, values in zip(data.kept_evaluations, outputs, strict=True)
    ]
    return sum(scores) / len(scores)
