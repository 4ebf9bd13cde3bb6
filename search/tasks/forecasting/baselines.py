"""Baselines of forecasts: their scores on the folds, and the end of a study."""

from __future__ import annotations

from collections.abc import Callable

from lstmgru.data.forecasting.splits import Split
from lstmgru.evaluation.baselines import FittedBaseline, fit_baseline, forecaster
from lstmgru.evaluation.forecasts import Array
from lstmgru.evaluation.time_limit import TimeLimit
from search.tasks.baselines import fold_limits
from search.tasks.data import BaselineResult
from search.tasks.forecasting.data import ForecastBacktest, ForecastData


def score_baseline(name: str, data: ForecastData, seconds: float, should_stop: Callable[[], bool]) -> BaselineResult:
    """A baseline on every fold.

    A metric of quantiles is taken of intervals that are calibrated on the same forecasts, which favors them.

    Args:
        name: Of the baseline.
        data: Of the study.
        seconds: Time limit of all folds.
        should_stop: Asks whether to stop.

    Raises:
        BaselineTooSlow: It takes longer.
        InterruptedError: It was stopped.
    """
    backtest, forecasts = ForecastBacktest(data, data.context_length), []
    evaluations = [data.evaluation(fold) for fold in data.folds]
    limits = fold_limits(len(data.folds), seconds, should_stop)
    for number, (fold, evaluation, limit) in enumerate(zip(data.folds, evaluations, limits, strict=True)):
        fitted = fit_baseline(name, data.panel, fold, data.forecast, data.context_length, data.short_series, limit)
        forecasts.append(forecaster(data.panel, fitted, limit)(evaluation.cutoffs))
        backtest.add(number, forecasts[-1])
    calibration = backtest.calibration()
    scores = [
        evaluation.score(data.metric, forecast, backtest.quantiles(evaluation, forecast, calibration))
        for evaluation, forecast in zip(evaluations, forecasts, strict=True)
    ]
    return BaselineResult(sum(scores) / len(scores), calibration, backtest.outputs())


def fit(data: ForecastData, split: Split, name: str, limit: TimeLimit) -> FittedBaseline:
    """A baseline, fitted to the training part of a split; see :attr:`search.tasks.base.Task.fit_baseline`."""
    return fit_baseline(name, data.panel, split, data.forecast, data.context_length, data.short_series, limit)


def predict(data: ForecastData, split: Split, fitted: FittedBaseline, limit: TimeLimit) -> Array:
    """(windows, H, Y) forecasts of a split; see :attr:`search.tasks.base.Task.predict_baseline`."""
    return forecaster(data.panel, fitted, limit)(data.evaluation(split).cutoffs)
