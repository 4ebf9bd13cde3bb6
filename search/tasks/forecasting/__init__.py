"""Forecasting of time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from search.tasks.base import Task, lazy
from search.tasks.data import BaselineResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lstmgru.data.forecasting.splits import Split
    from lstmgru.specs import ModelSpec, TrainSpec
    from lstmgru.training.fit_forecasts import FitResult
    from lstmgru.training.training import Observer
    from search.config.study_config import StudyConfig
    from search.tasks.forecasting.config import ForecastStudyConfig
    from search.tasks.forecasting.data import ForecastBacktest, ForecastData
    from search.tasks.forecasting.plan import ForecastPlan


class ForecastingTask(Task["ForecastData", "Split", "ModelSpec"]):
    """Forecasts of one or many series."""

    config = lazy("search.tasks.forecasting.config:ForecastStudyConfig")
    family = lazy("search.tasks.forecasting.config:ForecastFamilyConfig")
    words = lazy("search.tasks.forecasting.words")
    pages = lazy("search.tasks.forecasting.report:PAGES")
    score_holdout = lazy("search.tasks.forecasting.refit:score_holdout")
    bundle = lazy("search.tasks.forecasting.refit:make_bundle")
    write_holdout = lazy("search.tasks.forecasting.refit:write_holdout")
    compare = lazy("search.tasks.forecasting.compare:ComparedForecasts")
    seed_result = lazy("search.tasks.forecasting.compare:ForecastSeed")
    score_seed = lazy("search.tasks.forecasting.compare:score_seed")

    def plan(self, config: StudyConfig, *, study_file: Path | None = None) -> ForecastPlan:
        """See :meth:`search.tasks.base.Task.plan`."""
        from search.tasks.forecasting.plan import forecast_plan

        return forecast_plan(cast("ForecastStudyConfig", config), study_file=study_file)

    def fit(
        self,
        data: ForecastData,
        split: Split,
        model: ModelSpec,
        train: TrainSpec,
        observer: Observer | None = None,
        *,
        validate: bool = True,
    ) -> FitResult:
        """See :meth:`search.tasks.base.Task.fit`."""
        from lstmgru.training.fit_forecasts import fit

        return fit(
            data.panel,
            split,
            model,
            train,
            data.forecast,
            evaluation=data.evaluation(split) if validate else None,
            observer=observer,
            short_series=data.short_series,
        )

    def score_baselines(self, data: ForecastData, should_stop: Callable[[], bool]) -> dict[str, BaselineResult] | None:
        """Every baseline on the folds, by name; ``None`` if it was stopped.

        A metric of quantiles is taken of intervals that are calibrated on the same forecasts, which favors them.
        """
        from lstmgru.evaluation.baselines import baseline_names, fit_baseline, forecaster
        from search.tasks.forecasting.data import ForecastBacktest

        metric = data.metric
        evaluations = [data.evaluation(fold) for fold in data.folds]
        results = {}
        for name in baseline_names(data.panel, data.forecast):
            backtest, forecasts = ForecastBacktest(data, data.context_length), []
            for number, (fold, evaluation) in enumerate(zip(data.folds, evaluations, strict=True)):
                if should_stop():
                    return None
                fitted = fit_baseline(name, data.panel, fold, data.forecast, data.context_length, data.short_series)
                forecasts.append(forecaster(data.panel, fitted)(evaluation.cutoffs))
                backtest.add(number, forecasts[-1])
            calibration = backtest.calibration()
            scores = [
                evaluation.score(metric, forecast, backtest.quantiles(evaluation, forecast, calibration))
                for evaluation, forecast in zip(evaluations, forecasts, strict=True)
            ]
            results[name] = BaselineResult(sum(scores) / len(scores), calibration, backtest.outputs())
        return results

    def backtest(self, data: ForecastData, model: ModelSpec) -> ForecastBacktest:
        """Collects the forecasts of a candidate for the folds."""
        from search.tasks.forecasting.data import ForecastBacktest

        return ForecastBacktest(data, model.context_length)


TASK = ForecastingTask()
