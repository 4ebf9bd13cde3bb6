"""Forecasting of time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from search.tasks.base import Task
from search.tasks.data import BaselineResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lstmgru.bundle import Bundle, ForecastBundle
    from lstmgru.data.forecasting.splits import Split
    from lstmgru.specs import ModelSpec, TrainSpec
    from lstmgru.training.fit_forecasts import FitResult
    from lstmgru.training.training import Observer, Trained
    from search.config.space_config import FamilyConfig
    from search.config.study_config import StudyConfig
    from search.reports.task_pages import TaskPages
    from search.tasks.base import Words
    from search.tasks.data import HoldoutScores
    from search.tasks.forecasting.compare import ComparedForecasts, ForecastSeed
    from search.tasks.forecasting.config import ForecastStudyConfig
    from search.tasks.forecasting.data import ForecastBacktest, ForecastData
    from search.tasks.forecasting.plan import ForecastPlan
    from search.tasks.forecasting.refit import ForecastJob


class ForecastingTask(Task["ForecastData", "Split", "ModelSpec"]):
    """Forecasts of one or many series."""

    @property
    def config(self) -> type[StudyConfig]:
        """The study file."""
        from search.tasks.forecasting.config import ForecastStudyConfig

        return ForecastStudyConfig

    @property
    def family(self) -> type[FamilyConfig]:
        """A family of a comparison."""
        from search.tasks.forecasting.config import ForecastFamilyConfig

        return ForecastFamilyConfig

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
        from lstmgru.evaluation.baselines import BASELINES
        from search.tasks.forecasting.data import ForecastBacktest

        metric = data.metric
        evaluations = [data.evaluation(fold) for fold in data.folds]
        results = {}
        for name, baseline in BASELINES.items():
            backtest, forecasts = ForecastBacktest(data, data.context_length), []
            for fold, evaluation in zip(data.folds, evaluations, strict=True):
                if should_stop():
                    return None
                forecaster = baseline(data.panel, fold, data.forecast, data.context_length, data.short_series)
                forecasts.append(forecaster(evaluation.cutoffs))
                backtest.add_forecast(evaluation, forecasts[-1])
            calibration = backtest.calibration()
            scores = [
                evaluation.score(metric, forecast, backtest.quantiles(evaluation, forecast, calibration))
                for evaluation, forecast in zip(evaluations, forecasts, strict=True)
            ]
            results[name] = BaselineResult(sum(scores) / len(scores), calibration)
        return results

    def backtest(self, data: ForecastData, model: ModelSpec) -> ForecastBacktest:
        """Collects the forecasts of a candidate for the folds."""
        from search.tasks.forecasting.data import ForecastBacktest

        return ForecastBacktest(data, model.context_length)

    def score_holdout(self, job: ForecastJob, fitted: Trained[Any]) -> HoldoutScores:
        """See :meth:`search.tasks.base.Task.score_holdout`."""
        from search.tasks.forecasting.refit import score_holdout

        return score_holdout(job, cast("FitResult", fitted))

    def bundle(self, job: ForecastJob, fitted: Trained[Any], metrics: dict[str, Any]) -> ForecastBundle:
        """The model to export, with its origin and its metrics."""
        from search.tasks.forecasting.refit import make_bundle

        return make_bundle(job, cast("FitResult", fitted), metrics)

    def write_holdout(self, job: ForecastJob, scores: HoldoutScores, bundle: Bundle) -> None:
        """See :meth:`search.tasks.base.Task.write_holdout`."""
        from search.tasks.forecasting.refit import write_holdout

        write_holdout(job, scores, bundle)

    @property
    def words(self) -> Words:
        """What the command line says of a plan."""
        from search.tasks.forecasting import words

        return words

    @property
    def pages(self) -> TaskPages:
        """The task-specific parts of a study's report."""
        from search.tasks.forecasting.report import PAGES

        return PAGES

    def compare(self, plan: ForecastPlan) -> ComparedForecasts:
        """How families of networks are compared."""
        from search.tasks.forecasting.compare import ComparedForecasts

        return ComparedForecasts(plan)

    @property
    def seed_result(self) -> type[ForecastSeed]:
        """The scores of one seed."""
        from search.tasks.forecasting.compare import ForecastSeed

        return ForecastSeed

    def score_seed(self, data: ForecastData, holdout: Split, fitted: Trained[Any]) -> dict[str, Any]:
        """See :meth:`search.tasks.base.Task.score_seed`."""
        from search.tasks.forecasting.compare import score_seed

        return score_seed(data, holdout, cast("FitResult", fitted))


TASK = ForecastingTask()
