"""What a worker does: run one trial over the folds, score the baselines."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec
from search.records import EpochRecord

if TYPE_CHECKING:
    from lstmgru.data.series import SeriesPanel
    from lstmgru.data.splits import Split
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
    """

    panel: SeriesPanel
    folds: tuple[Split, ...]
    forecast: ForecastSpec
    context_length: int
    stride: int


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
        n_parameters: Of the network; 0 if no fold was finished.
        seconds: Wall time of the whole trial in its worker.
        stopped: Why the trial was stopped early, or ``None``.
    """

    fold_scores: tuple[float, ...]
    best_epochs: tuple[int, ...]
    fold_seconds: tuple[float, ...]
    n_parameters: int
    seconds: float
    stopped: str | None


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
    """Train one candidate on every fold, reporting each epoch.

    Raises:
        TrainingDiverged: A loss or score is not finite.
        DataError: A fold has no window for this context length.
    """
    from lstmgru.metrics import make_evaluation
    from lstmgru.nn.network import count_parameters
    from lstmgru.training.fit import fit

    start = time.perf_counter()
    scores: list[float] = []
    best_epochs: list[int] = []
    seconds: list[float] = []
    n_parameters = 0
    for number, fold in enumerate(data.folds):
        observer = _FoldObserver(channel, number, train.max_epochs, scores, start)
        evaluation = make_evaluation(
            data.panel, fold, data.forecast, context_length=data.context_length, stride=data.stride
        )
        result = fit(data.panel, fold, model, train, data.forecast, evaluation=evaluation, observer=observer)
        n_parameters = count_parameters(result.network)
        if observer.reason is None:
            scores.append(result.score)
            best_epochs.append(result.best_epoch)
            seconds.append(result.seconds)
        else:
            break
    return TrialResult(
        fold_scores=tuple(scores),
        best_epochs=tuple(best_epochs),
        fold_seconds=tuple(seconds),
        n_parameters=n_parameters,
        seconds=time.perf_counter() - start,
        stopped=observer.reason,
    )


def score_baselines(data: SearchData, channel: Channel) -> dict[str, float] | None:
    """Mean score over the folds of every baseline, by name; ``None`` if it was stopped."""
    from lstmgru.baselines import BASELINES
    from lstmgru.metrics import make_evaluation

    totals = dict.fromkeys(BASELINES, 0.0)
    for fold in data.folds:
        evaluation = make_evaluation(
            data.panel, fold, data.forecast, context_length=data.context_length, stride=data.stride
        )
        for name, baseline in BASELINES.items():
            if channel.stop_reason() is not None:
                return None
            forecaster = baseline(data.panel, fold, data.forecast, data.context_length)
            totals[name] += evaluation.score(data.forecast.metric, forecaster(evaluation.cutoffs))
    return {name: total / len(data.folds) for name, total in totals.items()}


def warm_up() -> None:
    """Import what every job needs, and keep to one torch thread."""
    import torch

    import lstmgru.training.fit  # noqa: F401

    torch.set_num_threads(1)
