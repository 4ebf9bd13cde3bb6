"""Forecasting of time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from search.tasks.base import Task, lazy

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgru.data.forecasting.splits import Split
    from lstmgru.specs import ModelSpec, TrainSpec
    from lstmgru.training.checkpoints import Checkpoints
    from lstmgru.training.epoch_outputs import EpochOutputs
    from lstmgru.training.fit_forecasts import FitResult
    from lstmgru.training.training import Observer
    from search.config.study_config import StudyConfig
    from search.tasks.forecasting.config import ForecastStudyConfig
    from search.tasks.forecasting.data import ForecastData
    from search.tasks.forecasting.plan import ForecastPlan


class ForecastingTask(Task["ForecastData", "Split", "ModelSpec"]):
    """Forecasts of one or many series."""

    modules = ("lstmgru.training.fit_forecasts", "numba")
    config = lazy("search.tasks.forecasting.config:ForecastStudyConfig")
    family = lazy("search.tasks.forecasting.config:ForecastFamilyConfig")
    words = lazy("search.tasks.forecasting.words")
    pages = lazy("search.tasks.forecasting.report:PAGES")
    score_holdout = lazy("search.tasks.forecasting.final_steps:score_holdout")
    bundle = lazy("search.tasks.forecasting.final_steps:make_bundle")
    write_holdout = lazy("search.tasks.forecasting.holdout_tables:write_holdout")
    backtest = lazy("search.tasks.forecasting.backtest")
    compare = lazy("search.tasks.forecasting.compare:ComparedForecasts")
    seed_result = lazy("search.tasks.forecasting.compare:ForecastSeed")
    score_seed = lazy("search.tasks.forecasting.compare:score_seed")
    score_compared_baseline = lazy("search.tasks.forecasting.compare:score_compared_baseline")

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
        checkpoints: Checkpoints | None = None,
        epoch_outputs: EpochOutputs | None = None,
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
            checkpoints=checkpoints,
            epoch_outputs=epoch_outputs,
            short_series=data.short_series,
        )

    def everything(self, data: ForecastData, holdout: Split) -> Split:
        """The split whose training part are all rows; see :meth:`search.tasks.base.Task.everything`."""
        from lstmgru.data.forecasting.splits import whole_split

        return whole_split(data.panel, holdout)


TASK = ForecastingTask()
