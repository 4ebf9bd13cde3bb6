"""The end of a study, in a worker: refit the winner, score the holdout once, write the bundle."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec

if TYPE_CHECKING:
    from lstmgru.comparison import Interval
    from lstmgru.data.series import GapPolicy, SeriesPanel
    from lstmgru.data.splits import Split
    from lstmgru.metrics import Evaluation
    from lstmgru.training.callbacks import EpochResult
    from search.executors.base import Channel


@dataclass(frozen=True)
class Winner:
    """The trial that is exported.

    Attributes:
        number: Its trial number.
        model: The architecture.
        train: Its training settings; ``max_epochs`` is what the refit takes.
    """

    number: int
    model: ModelSpec
    train: TrainSpec


@dataclass(frozen=True)
class FinalTask:
    """Everything that the end of a study needs.

    Attributes:
        panel: All rows, the holdout too.
        holdout: The split that is scored.
        forecast: Horizon, season, metric.
        context_length: The longest context in the search space.
        stride: Steps between two scored cutoffs.
        winner: What is refitted.
        seconds: What the refit may take.
        bundle: Directory to write.
        gaps: What the bundle does about missing rows and cells.
        provenance: What the bundle says about its origin.
    """

    panel: SeriesPanel
    holdout: Split
    forecast: ForecastSpec
    context_length: int
    stride: int
    winner: Winner
    seconds: float
    bundle: Path
    gaps: GapPolicy
    provenance: dict[str, Any]


@dataclass(frozen=True)
class FinalResult:
    """What the holdout says.

    Attributes:
        metrics: Of the winner, every metric by name.
        baselines: The study's metric of every baseline.
        verdict: One sentence.
        beats_baselines: Whether the whole interval of the difference is on the winner's side.
        epochs: Epochs that the refit trained.
    """

    metrics: dict[str, float]
    baselines: dict[str, float]
    verdict: str
    beats_baselines: bool
    epochs: int


class _Deadline:
    """Stops the refit when its time is up, or when it is asked to."""

    def __init__(self, seconds: float, channel: Channel) -> None:
        self._end, self._channel = time.monotonic() + seconds, channel
        self.epochs = 0

    def on_epoch(self, result: EpochResult) -> None:
        self.epochs = result.epoch

    def should_stop(self) -> bool:
        return time.monotonic() > self._end or self._channel.stop_reason() is not None


def refit_epochs(best_epochs: list[int]) -> int:
    """How long the refit trains, having no validation part: the median of the folds' best epochs."""
    return max(1, round(statistics.median(best_epochs)))


def finalize(task: FinalTask, channel: Channel) -> FinalResult:
    """Refit on everything before the holdout, score winner and baselines on the holdout, save the bundle."""
    from lstmgru.baselines import BASELINES
    from lstmgru.bundle import Bundle, example_frame, save_bundle
    from lstmgru.metrics import make_evaluation
    from lstmgru.training.fit import fit, predict

    panel, spec = task.panel, task.forecast
    evaluation = make_evaluation(panel, task.holdout, spec, context_length=task.context_length, stride=task.stride)
    fitted = fit(
        panel,
        task.holdout,
        task.winner.model,
        task.winner.train,
        spec,
        observer=_Deadline(task.seconds, channel),
    )
    if channel.stop_reason() is not None:
        raise InterruptedError("the refit was interrupted")
    forecast = predict(fitted.network, fitted.scaler, panel, evaluation.cutoffs, spec)
    forecasts = {
        name: baseline(panel, task.holdout, spec, task.context_length)(evaluation.cutoffs)
        for name, baseline in BASELINES.items()
    }
    scores = {name: evaluation.score(spec.metric, values) for name, values in forecasts.items()}
    metrics = evaluation.scores(forecast)
    best = min(scores, key=scores.__getitem__)
    interval = _interval(panel, evaluation, spec, task.stride, forecast, forecasts[best])
    verdict, beats = describe(spec.metric, metrics[spec.metric], best, scores[best], interval)
    bundle = Bundle(
        network=fitted.network,
        scaler=fitted.scaler,
        model_spec=task.winner.model,
        train_spec=replace(task.winner.train, max_epochs=max(1, len(fitted.epochs))),
        forecast=spec,
        schema=panel.schema,
        frequency=panel.frequency,
        step=panel.step,
        timezone=panel.timezone,
        ids=panel.ids.tolist(),
        gaps=task.gaps,
        metrics={"holdout": metrics, "baselines": scores, "verdict": verdict},
        provenance=task.provenance,
        example=example_frame(panel, task.winner.model.context_length, spec.horizon),
    )
    save_bundle(task.bundle, bundle)
    return FinalResult(metrics, scores, verdict, beats, len(fitted.epochs))


def _interval(
    panel: SeriesPanel, evaluation: Evaluation, spec: ForecastSpec, stride: int, winner: Any, baseline: Any
) -> Interval:
    from lstmgru.comparison import paired_interval

    difference = evaluation.window_errors(spec.metric, winner) - evaluation.window_errors(spec.metric, baseline)
    times = panel.times[evaluation.cutoffs].astype("int64")
    return paired_interval(difference, times, evaluation.series, overlap=math.ceil(spec.horizon / stride))


def describe(metric: str, winner: float, baseline_name: str, baseline: float, interval: Interval) -> tuple[str, bool]:
    """One sentence on whether the winner really beats the best baseline, and that as a truth value.

    Args:
        metric: Name of the score.
        winner: Its score on the holdout.
        baseline_name: The best baseline.
        baseline: Its score.
        interval: Of the difference of their errors, window by window.
    """
    name = baseline_name.replace("_", " ")
    change = abs(winner - baseline) / baseline if baseline else float("inf")
    direction = "lower" if winner < baseline else "higher"
    numbers = f"{metric.upper()} {winner:.4g} against {baseline:.4g}, {change:.1%} {direction}"
    if interval.high < 0 and winner < baseline:
        return f"The winner beats the best baseline ({name}) on the holdout: {numbers}.", True
    if interval.low > 0 and winner > baseline:
        return f"A simple baseline is better: {name} beats the winner on the holdout ({numbers}). Use {name}.", False
    known = bool(np.isfinite(interval.low))
    why = "a difference that these data cannot tell from chance" if known else "in too few windows to tell from chance"
    if winner < baseline:
        return f"The winner does not clearly beat the best baseline ({name}) on the holdout: {numbers}, {why}.", False
    return (
        f"The winner does not beat the best baseline ({name}) on the holdout: {numbers}, {why}. Prefer {name}.",
        False,
    )
