"""Forecasting as a task of the search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstmgru.specs import ForecastSpec, ModelSpec
from search.tasks.base import BaselineResult, TaskData

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
    from lstmgru.data.forecasting.splits import Split
    from lstmgru.evaluation.forecasts import ForecastEvaluation
    from lstmgru.specs import TrainSpec
    from lstmgru.training.callbacks import Observer
    from lstmgru.training.fit_forecasts import FitResult
    from search.space.space import Model


@dataclass(frozen=True)
class ForecastData(TaskData):
    """What every trial of a study of forecasts shares; the holdout is hidden in it.

    Attributes:
        panel: All rows, those of the holdout hidden.
        folds: First to last.
        forecast: Horizon, season, metric.
        context_length: The longest context in the search space, so that all candidates are scored on the same windows.
        stride: Steps between two scored cutoffs.
        short_series: Whether contexts may be padded.
    """

    panel: SeriesPanel
    folds: tuple[Split, ...]
    forecast: ForecastSpec
    context_length: int
    stride: int
    short_series: ShortSeries = "error"

    @property
    def n_folds(self) -> int:
        """Folds that every candidate is trained on."""
        return len(self.folds)

    @property
    def larger_is_better(self) -> bool:
        """Every metric of forecasts is an error."""
        return False

    @cached_property
    def _evaluations(self) -> dict[str, ForecastEvaluation]:
        """By name of the split; every trial of a worker needs the same ones."""
        return {}

    def evaluation(self, split: Split) -> ForecastEvaluation:
        """The windows of a split that everyone is scored on."""
        if split.name not in self._evaluations:
            self._evaluations[split.name] = self._evaluation(split)
        return self._evaluations[split.name]

    def _evaluation(self, split: Split) -> ForecastEvaluation:
        from lstmgru.evaluation.forecasts import make_evaluation

        return make_evaluation(
            self.panel,
            split,
            self.forecast,
            context_length=self.context_length,
            stride=self.stride,
            short_series=self.short_series,
        )

    def fit(self, fold: int, model: Model, train: TrainSpec, observer: Observer) -> FitResult:
        """Train a candidate on a fold, counted from 0, scoring every epoch.

        Raises:
            TrainingDiverged: A loss or score is not finite.
            DataError: A fold has no window for this context length.
        """
        return self.fit_split(self.folds[fold], model, train, observer, self.evaluation(self.folds[fold]))

    def fit_split(
        self,
        split: Split,
        model: Model,
        train: TrainSpec,
        observer: Observer | None,
        evaluation: ForecastEvaluation | None,
    ) -> FitResult:
        """Train a candidate on the training part of any split, with or without a score for each epoch."""
        from lstmgru.training.fit_forecasts import fit

        assert isinstance(model, ModelSpec)  # a forecasting space suggests no other
        return fit(
            self.panel,
            split,
            model,
            train,
            self.forecast,
            evaluation=evaluation,
            observer=observer,
            short_series=self.short_series,
        )

    def backtest(self, model: Model) -> ForecastBacktest:
        """Where the forecasts of a candidate go."""
        assert isinstance(model, ModelSpec)
        return ForecastBacktest(self, model.context_length)

    def score_baselines(self, should_stop: Callable[[], bool]) -> dict[str, BaselineResult] | None:
        """Every baseline on the folds, by name; ``None`` if it was stopped.

        A metric of quantiles is taken of intervals that are calibrated on the same forecasts, which favors them.
        """
        from lstmgru.evaluation.baselines import BASELINES

        evaluations = [self.evaluation(fold) for fold in self.folds]
        results = {}
        for name, baseline in BASELINES.items():
            backtest, forecasts = ForecastBacktest(self, self.context_length), []
            for fold, evaluation in zip(self.folds, evaluations, strict=True):
                if should_stop():
                    return None
                forecaster = baseline(self.panel, fold, self.forecast, self.context_length, self.short_series)
                forecasts.append(forecaster(evaluation.cutoffs))
                backtest.add_forecast(evaluation, forecasts[-1])
            calibration = backtest.calibration()
            scores = [
                evaluation.score(self.forecast.metric, forecast, backtest.quantiles(evaluation, forecast, calibration))
                for evaluation, forecast in zip(evaluations, forecasts, strict=True)
            ]
            results[name] = BaselineResult(sum(scores) / len(scores), calibration)
        return results


class ForecastBacktest:
    """Collects the forecasts of the folds, to calibrate intervals with them.

    Args:
        data: Of the study.
        context_length: What the forecasts were made from.
    """

    def __init__(self, data: ForecastData, context_length: int) -> None:
        self._data, self._context_length = data, context_length
        self._scores: list[Any] = []

    def add(self, fold: int, outputs: Any) -> None:
        """The forecasts of a fold, counted from 0."""
        self.add_forecast(self._data.evaluation(self._data.folds[fold]), outputs)

    def add_forecast(self, evaluation: ForecastEvaluation, forecast: Any) -> None:
        """A fold's (windows, H, Y) point forecasts, or (windows, H, Y, Q) quantiles, which for Q = 1 are points."""
        from lstmgru.evaluation.intervals import conformity

        if self._data.forecast.levels:
            values = forecast[..., 0] if forecast.ndim == 4 and forecast.shape[-1] == 1 else forecast
            self._scores.append(conformity(evaluation.target, values, self.scale(evaluation)))

    def scale(self, evaluation: ForecastEvaluation) -> Any:
        """(windows, Y) units of the scores."""
        from lstmgru.data.forecasting.window_scale import panel_scale

        season_length = self._data.forecast.season_length
        return panel_scale(
            self._data.panel, evaluation.cutoffs, context_length=self._context_length, season_length=season_length
        )

    def calibration(self) -> dict[str, Any] | None:
        """What the forecasts say, as plain values; ``None`` where there are none."""
        from lstmgru.evaluation.intervals import calibrate

        if not self._scores:
            return None
        spec = self._data.forecast
        scaled = len(self._data.panel) > 1
        return calibrate(self._scores, spec.levels, scaled=scaled, season_length=spec.season_length).to_dict()

    def quantiles(self, evaluation: ForecastEvaluation, forecast: Any, calibration: dict[str, Any] | None) -> Any:
        """The calibrated quantiles of point forecasts, where the metric scores them; else ``None``."""
        from lstmgru.evaluation.intervals import Calibration, quantile_forecast
        from lstmgru.evaluation.metrics import find_metric

        if calibration is None or not find_metric(self._data.forecast.metric).of_quantiles:
            return None
        return quantile_forecast(Calibration.from_dict(calibration), forecast, self.scale(evaluation))
