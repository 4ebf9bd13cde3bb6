"""Forecasting as a task of the search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstmgru.evaluation.metrics import find_metric
from lstmgru.specs import ForecastSpec
from search.study.out_of_fold import Outputs
from search.tasks.data import MOST_KEPT, TaskData, kept_cases

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
    from lstmgru.data.forecasting.splits import Split
    from lstmgru.evaluation.blending import Criterion, Folds
    from lstmgru.evaluation.forecast_baselines.base import FittedBaseline
    from lstmgru.evaluation.forecasts import ForecastEvaluation
    from lstmgru.evaluation.time_limit import TimeLimit
    from lstmgru.specs import ModelSpec
    from lstmgru.specs.calibration import Calibration

    Floats = npt.NDArray[np.float32]


_MOST_SCORED = 200_000
"""Numbers to keep if the metric is of quantiles: every blend is calibrated before it is scored."""


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
    def metric(self) -> str:
        """Name of the score."""
        return self.forecast.metric

    @property
    def targets(self) -> tuple[str, ...]:
        """(Y,) names."""
        return self.panel.schema.targets

    @cached_property
    def _evaluations(self) -> dict[str, ForecastEvaluation]:
        """By name of the split; every trial of a worker needs the same ones."""
        return {}

    def evaluation(self, split: Split) -> ForecastEvaluation:
        """The windows of a split that everyone is scored on."""
        if split.name not in self._evaluations:
            self._evaluations[split.name] = self._evaluation(split)
        return self._evaluations[split.name]

    @cached_property
    def kept(self) -> tuple[npt.NDArray[np.int64], ...]:
        """The windows of each fold whose forecasts are kept, with all quantiles that a network may forecast."""
        counts = [len(self.evaluation(fold).cutoffs) for fold in self.folds]
        width = self.forecast.horizon * self.panel.n_targets * max(1, len(self.forecast.quantiles))
        return kept_cases(counts, width, most=_MOST_SCORED if find_metric(self.metric).of_quantiles else MOST_KEPT)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(H, Y)."""
        return self.forecast.horizon, self.panel.n_targets

    @cached_property
    def kept_evaluations(self) -> tuple[ForecastEvaluation, ...]:
        """The kept windows of each fold."""
        return tuple(
            evaluation.some(cases)
            for evaluation, cases in zip(map(self.evaluation, self.folds), self.kept, strict=True)
        )

    @property
    def baselines(self) -> dict[str, bool]:
        """See :attr:`search.tasks.data.TaskData.baselines`."""
        from lstmgru.evaluation.forecast_baselines import BASELINES, baseline_names

        return {name: BASELINES[name].slow for name in baseline_names(self.panel)}

    def fit_baseline(self, split: Split, name: str, limit: TimeLimit) -> FittedBaseline:
        """A baseline, fitted to the training part of a split."""
        from lstmgru.evaluation.forecast_baselines import fit_baseline

        return fit_baseline(name, self.panel, split, self.forecast, self.context_length, self.short_series, limit)

    def predict_baseline(self, split: Split, fitted: FittedBaseline, limit: TimeLimit) -> Floats:
        """(windows, H, Y) forecasts of the scored part of a split."""
        from lstmgru.evaluation.forecast_baselines import forecaster

        return forecaster(self.panel, fitted, limit, forecast=self.forecast)(self.evaluation(split).cutoffs)

    def backtest(self, model: ModelSpec | None = None) -> ForecastBacktest:
        """Collects the forecasts of a candidate for the folds; ``None``: of a baseline."""
        return ForecastBacktest(self, self.context_length if model is None else model.context_length)

    def criterion(self) -> Criterion:
        """What blends are selected by: the mean over the folds of the scores of the kept windows.

        A metric of quantiles is taken of intervals that are calibrated on the same forecasts, as those of baselines
        are.
        """
        from lstmgru.evaluation.blending import Criterion

        scales: dict[tuple[int, bool], Any] = {}

        def score(outputs: Folds) -> float:
            backtest = ForecastBacktest(self, self.context_length, scales)
            if backtest.of_quantiles:
                backtest.add_kept(outputs)
            return backtest.mean_score(self.kept_evaluations, outputs)

        return Criterion(score, find_metric(self.metric).larger_is_better)

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


class ForecastBacktest:
    """Collects the forecasts of the folds: some are kept, and intervals are calibrated with all of them.

    Args:
        data: Of the study.
        context_length: What the forecasts were made from.
        scales: Known units of evaluations, by their identity and whether they are scaled; more are added.
    """

    def __init__(
        self, data: ForecastData, context_length: int, scales: dict[tuple[int, bool], Any] | None = None
    ) -> None:
        self._data, self._context_length = data, context_length
        self._scales = {} if scales is None else scales
        self._scores: list[Any] = []
        self._outputs: list[Any] = []
        self.of_quantiles = find_metric(data.metric).of_quantiles

    def add(self, fold: int, outputs: Any) -> None:
        """A fold's (windows, H, Y) point forecasts, or (windows, H, Y, Q) quantiles, which for Q = 1 are points."""
        values = outputs[..., 0] if outputs.ndim == 4 and outputs.shape[-1] == 1 else outputs
        self._outputs.append(values[self._data.kept[fold]])
        self._add_errors(self._data.evaluation(self._data.folds[fold]), values)

    def add_kept(self, outputs: Sequence[Any]) -> None:
        """The kept forecasts of all folds."""
        self._outputs += outputs
        for evaluation, values in zip(self._data.kept_evaluations, outputs, strict=True):
            self._add_errors(evaluation, values)

    def outputs(self) -> Outputs:
        """The kept forecasts of the folds so far."""
        return tuple(self._outputs)

    def _add_errors(self, evaluation: ForecastEvaluation, values: Any) -> None:
        from lstmgru.evaluation.intervals import conformity

        if self._data.forecast.levels:
            self._scores.append(conformity(evaluation.target, values, self.scale(evaluation)))

    def scale(self, evaluation: ForecastEvaluation, calibration: Calibration | None = None) -> Any:
        """(windows, Y) units of the scores; those of a calibration, whatever the number of series it is from."""
        from lstmgru.data.forecasting.windows import panel_scale

        scaled = len(self._data.panel) > 1 if calibration is None else calibration.scaled
        key = id(evaluation), scaled
        if key not in self._scales:
            self._scales[key] = panel_scale(
                self._data.panel,
                evaluation.cutoffs,
                context_length=self._context_length,
                season_length=self._data.forecast.season_length,
                scaled=scaled,
            )
        return self._scales[key]

    def calibration(self) -> dict[str, Any] | None:
        """What the forecasts say, as plain values; ``None`` where there are none."""
        calibrated = self._calibrated()
        return None if calibrated is None else calibrated.to_dict()

    def _calibrated(self) -> Calibration | None:
        from lstmgru.evaluation.intervals import calibrate

        if not self._scores:
            return None
        spec = self._data.forecast
        scaled = len(self._data.panel) > 1
        return calibrate(self._scores, spec.levels, scaled=scaled, season_length=spec.season_length)

    def normal_scores(self, outputs: Sequence[Any], calibration: Calibration) -> Floats | None:
        """The normal scores of the kept forecasts of all folds; ``None`` if the calibration has no intervals."""
        from lstmgru.runtime.forecasting.conformal import quantile_forecast
        from lstmgru.runtime.forecasting.predictive import PredictiveDistribution, kept_scores

        predictive, parts = PredictiveDistribution(calibration), []
        if not predictive.levels:
            return None
        for evaluation, values in zip(self._data.kept_evaluations, outputs, strict=True):
            quantiles = quantile_forecast(calibration, values, self.scale(evaluation, calibration))
            parts.append(predictive.scored(evaluation.target, self._data.forecast.clip(quantiles, axis=-2)))
        return kept_scores(parts)

    def quantiles(self, evaluation: ForecastEvaluation, forecast: Any, calibration: Calibration | None) -> Any:
        """The calibrated quantiles of point forecasts, where the metric scores them; else ``None``."""
        from lstmgru.runtime.forecasting.conformal import quantile_forecast

        if calibration is None or not self.of_quantiles:
            return None
        quantiles = quantile_forecast(calibration, forecast, self.scale(evaluation, calibration))
        return self._data.forecast.clip(quantiles, axis=-2)

    def score(self, outputs: Sequence[Any]) -> float:
        """The mean score of the forecasts of all folds, which were added before."""
        return self.mean_score([self._data.evaluation(fold) for fold in self._data.folds], outputs)

    def mean_score(self, evaluations: Sequence[ForecastEvaluation], outputs: Sequence[Any]) -> float:
        """The mean over some windows of each fold of the scores of their forecasts; intervals are of what was added."""
        calibration = self._calibrated() if self.of_quantiles else None
        scores = [
            evaluation.score(self._data.metric, _points(values), self.quantiles(evaluation, values, calibration))
            for evaluation, values in zip(evaluations, outputs, strict=True)
        ]
        return sum(scores) / len(scores)


def _points(forecast: Any) -> Any:
    """(windows, H, Y): the median of (windows, H, Y, Q) quantiles."""
    return forecast if forecast.ndim == 3 else forecast[..., forecast.shape[-1] // 2]
