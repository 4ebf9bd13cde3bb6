"""What a worker does: run one trial over the folds, score the baselines."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec
from search.records import EpochRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgru.data.series import SeriesPanel, ShortSeries
    from lstmgru.data.splits import Split
    from lstmgru.metrics import Evaluation
    from lstmgru.training.callbacks import EpochResult
    from search.executors.base import Channel


INTERRUPTED = "interrupted"
"""The reason of a stop after which a trial is run again from its beginning."""


@dataclass(frozen=True)
class SearchData:
    """What every trial of a study shares; the holdout is hidden in it.

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

    def evaluation(self, split: Split) -> Evaluation:
        """The windows of a split that everyone is scored on."""
        from lstmgru.metrics import make_evaluation

        return make_evaluation(
            self.panel,
            split,
            self.forecast,
            context_length=self.context_length,
            stride=self.stride,
            short_series=self.short_series,
        )


@dataclass(frozen=True)
class TrialReport:
    """One epoch as the driver hears of it.

    Attributes:
        step: ``fold * max_epochs + epoch``, both counted from 0, plus 1.
        value: Mean of the finished folds' best scores and the best so far of the current fold.
        epoch: The epoch itself.
    """

    step: int
    value: float
    epoch: EpochRecord


@dataclass(frozen=True)
class TrialResult:
    """What a trial found.

    Attributes:
        fold_scores: Best score of each fold that was trained to its end.
        best_epochs: The epochs of those scores.
        fold_seconds: Wall time of those folds.
        n_parameters: Of the network.
        latency: Seconds of one forecast of the last fold's network.
        train_seconds: Wall time of all folds, also of one that was not finished.
        seconds: Wall time of the whole trial in its worker.
        calibration: What its forecasts of the folds, also of one that was not finished, say of its intervals
            (:class:`lstmgru.intervals.Calibration` as plain values); ``None`` where it has none.
        stopped: Why the trial was stopped early, or ``None``.
    """

    fold_scores: tuple[float, ...]
    best_epochs: tuple[int, ...]
    fold_seconds: tuple[float, ...]
    n_parameters: int
    latency: float
    train_seconds: float
    seconds: float
    calibration: dict[str, Any] | None
    stopped: str | None

    @property
    def score(self) -> float:
        """Mean of the folds' scores, of a trial that was not stopped."""
        return sum(self.fold_scores) / len(self.fold_scores)

    @property
    def measures(self) -> dict[str, float]:
        """What the network costs, by objective; of a trial that was stopped, as far as it came."""
        return {
            "latency": self.latency,
            "n_parameters": self.n_parameters,
            "train_seconds": round(self.train_seconds, 3),
        }

    def details(self) -> dict[str, Any]:
        """What a study keeps of it beside the score."""
        return {
            **self.measures,
            "seconds": round(self.seconds, 3),
            "fold_scores": self.fold_scores,
            "best_epochs": self.best_epochs,
            "fold_seconds": self.fold_seconds,
            "reason": self.stopped,
        }


@dataclass(frozen=True)
class BaselineResult:
    """What a simple method found.

    Attributes:
        score: Mean over the folds.
        calibration: What its forecasts of the folds say of its intervals, as plain values.
    """

    score: float
    calibration: dict[str, Any] | None


class _FoldObserver:
    """Turns the epochs of one fold into reports about the trial."""

    def __init__(self, channel: Channel, fold: int, max_epochs: int, earlier: list[float], start: float) -> None:
        self.reason: str | None = None
        self._channel, self._fold, self._max_epochs = channel, fold, max_epochs
        self._earlier, self._start = earlier, start
        self._best = float("inf")

    def on_epoch(self, result: EpochResult) -> None:
        if self.reason == INTERRUPTED:
            return  # the epoch was cut short, and will be run again as a whole
        self._best = min(self._best, result.score)
        scores = [*self._earlier, self._best]
        seconds = time.perf_counter() - self._start
        epoch = EpochRecord(self._fold + 1, result.epoch, result.train_loss, result.score, seconds)
        step = self._fold * self._max_epochs + result.epoch
        self._channel.report(TrialReport(step, sum(scores) / len(scores), epoch))

    def should_stop(self) -> bool:
        self.reason = self.reason or self._channel.stop_reason()
        return self.reason is not None


def run_trial(data: SearchData, model: ModelSpec, train: TrainSpec, channel: Channel) -> TrialResult:
    """Train one candidate on every fold, reporting each epoch, and measure what it costs.

    Raises:
        TrainingDiverged: A loss or score is not finite.
        DataError: A fold has no window for this context length.
    """
    from lstmgru.nn.latency import forecast_latency
    from lstmgru.nn.network import count_parameters
    from lstmgru.training.fit import fit

    start = time.perf_counter()
    scores: list[float] = []
    best_epochs: list[int] = []
    seconds: list[float] = []
    backtest = Backtest(data, model.context_length)
    train_seconds = 0.0
    for number, fold in enumerate(data.folds):
        observer = _FoldObserver(channel, number, train.max_epochs, scores, start)
        evaluation = data.evaluation(fold)
        result = fit(
            data.panel,
            fold,
            model,
            train,
            data.forecast,
            evaluation=evaluation,
            observer=observer,
            short_series=data.short_series,
        )
        train_seconds += result.seconds
        if result.outputs is not None:
            backtest.add(evaluation, result.outputs)
        if observer.reason is not None:
            break
        scores.append(result.score)
        best_epochs.append(result.best_epoch)
        seconds.append(result.seconds)
    return TrialResult(
        fold_scores=tuple(scores),
        best_epochs=tuple(best_epochs),
        fold_seconds=tuple(seconds),
        n_parameters=count_parameters(result.network),
        latency=forecast_latency(result.network),
        train_seconds=train_seconds,
        seconds=time.perf_counter() - start,
        calibration=backtest.calibration(),
        stopped=observer.reason,
    )


class Backtest:
    """Collects the forecasts of the folds, to calibrate intervals with them.

    Args:
        data: Of the study.
        context_length: What the forecasts were made from.
    """

    def __init__(self, data: SearchData, context_length: int) -> None:
        self._data, self._context_length = data, context_length
        self._scores: list[Any] = []

    def add(self, evaluation: Evaluation, forecast: Any) -> None:
        """A fold's (windows, H, Y) point forecasts, or (windows, H, Y, Q) quantiles, which for Q = 1 are points."""
        from lstmgru.intervals import conformity

        if self._data.forecast.levels:
            values = forecast[..., 0] if forecast.ndim == 4 and forecast.shape[-1] == 1 else forecast
            self._scores.append(conformity(evaluation.target, values, self.scale(evaluation)))

    def scale(self, evaluation: Evaluation) -> Any:
        """(windows, Y) units of the scores."""
        from lstmgru.data.window_scale import panel_scale

        season_length = self._data.forecast.season_length
        return panel_scale(
            self._data.panel, evaluation.cutoffs, context_length=self._context_length, season_length=season_length
        )

    def calibration(self) -> dict[str, Any] | None:
        """What the forecasts say, as plain values; ``None`` where there are none."""
        from lstmgru.intervals import calibrate

        if not self._scores:
            return None
        spec = self._data.forecast
        scaled = len(self._data.panel) > 1
        return calibrate(self._scores, spec.levels, scaled=scaled, season_length=spec.season_length).to_dict()


def score_baselines(data: SearchData, channel: Channel) -> dict[str, BaselineResult] | None:
    """Every baseline on the folds, by name; ``None`` if it was stopped.

    The weighted quantile loss is taken of intervals that are calibrated on the same forecasts, which favours them.
    """
    from lstmgru.baselines import BASELINES
    from lstmgru.intervals import Calibration, quantile_forecast

    evaluations = [data.evaluation(fold) for fold in data.folds]
    results = {}
    for name, baseline in BASELINES.items():
        backtest, forecasts = Backtest(data, data.context_length), []
        for fold, evaluation in zip(data.folds, evaluations, strict=True):
            if channel.stop_reason() is not None:
                return None
            forecaster = baseline(data.panel, fold, data.forecast, data.context_length, data.short_series)
            forecasts.append(forecaster(evaluation.cutoffs))
            backtest.add(evaluation, forecasts[-1])
        calibration = backtest.calibration()
        scores = []
        for evaluation, forecast in zip(evaluations, forecasts, strict=True):
            quantiles = None
            if data.forecast.metric == "wql" and calibration is not None:
                quantiles = quantile_forecast(Calibration.from_dict(calibration), forecast, backtest.scale(evaluation))
            scores.append(evaluation.score(data.forecast.metric, forecast, quantiles))
        results[name] = BaselineResult(sum(scores) / len(scores), calibration)
    return results


def warm_up(cells: Mapping[str, type[Any]]) -> None:
    """Import what every job needs, register cells, and keep to one torch thread.

    Args:
        cells: Those that a user registered in the driver's process, by name.
    """
    import torch

    import lstmgru.training.fit  # noqa: F401
    from lstmgru.registry import register_cell

    for name, cell in cells.items():
        register_cell(name, cell)
    torch.set_num_threads(1)
