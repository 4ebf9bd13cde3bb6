"""How blends of forecasts are selected and calibrated: by the kept forecasts of the folds."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    score = _quantile_score if found.of_quantiles else _point_score
    return Criterion(lambda outputs: score(data, outputs), larger_is_better=found.larger_is_better)


def _point_score(data: ForecastData, outputs: Folds) -> float:
    scores = [
        evaluation.score(data.metric, values if values.ndim == 3 else values[..., values.shape[-1] // 2])
        for evaluation, values in zip(data.kept_evaluations, outputs, strict=True)
    ]
    return sum(scores) / len(scores)


def _quantile_score(data: ForecastData, outputs: Folds) -> float:
    backtest = ForecastBacktest(data, data.context_length)
    backtest.add_kept(outputs)
    calibration = backtest.calibration()
    scores = [
        evaluation.score(data.metric, values, backtest.quantiles(evaluation, values, calibration))
        for evaluation, values in zip(data.kept_evaluations, outputs, strict=True)
    ]
    return sum(scores) / len(scores)
