"""The end of a study, in a worker: refit the winner, score the holdout once, write the bundle."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec
from search.errors import NoTrialCompleted
from search.objective import Backtest, SearchData
from search.records import IntervalRecord

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmgru.bundle import Bundle
    from lstmgru.comparison import Interval
    from lstmgru.data.series import GapPolicy
    from lstmgru.data.splits import Split
    from lstmgru.intervals import Calibration
    from lstmgru.metrics import Evaluation
    from lstmgru.training.callbacks import EpochResult
    from lstmgru.training.fit import FitResult
    from search.executors.base import Channel

    Floats = npt.NDArray[np.float32]

FORECASTS_TABLE, FORECASTS_PAGE = "forecasts.csv", "forecasts.html"
"""Files of the report's directory."""


@dataclass(frozen=True)
class Winner:
    """The trial that is exported.

    Attributes:
        number: Its trial number.
        model: The architecture.
        train: Its training settings; ``max_epochs`` is what the refit takes at most.
        calibration: Of its intervals, as plain values; ``None``: it has none.
    """

    number: int
    model: ModelSpec
    train: TrainSpec
    calibration: dict[str, Any] | None


@dataclass(frozen=True)
class FinalTask:
    """Everything that the end of a study needs.

    Attributes:
        data: What the trials saw, and the rows of the holdout, too.
        holdout: The split that is scored.
        winner: What is refitted.
        refit: ``all``: on everything before the holdout; ``last_fold``: as in the last fold.
        baseline_calibrations: Of the intervals of the baselines, by name.
        seconds: What the refit may take.
        bundle: Directory to write.
        report: Directory for the forecasts of the holdout.
        gaps: What the bundle does about missing rows and cells.
        provenance: What the bundle says about its origin.
    """

    data: SearchData
    holdout: Split
    winner: Winner
    refit: str
    baseline_calibrations: dict[str, Any]
    seconds: float
    bundle: Path
    report: Path
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
        intervals: What the winner's prediction intervals cover.
        epochs: Epochs that the refit trained.
        cut: Whether its time was up before it was done.
        notes: What else a user should know, a sentence each.
    """

    metrics: dict[str, float]
    baselines: dict[str, float]
    verdict: str
    beats_baselines: bool
    intervals: tuple[IntervalRecord, ...]
    epochs: int
    cut: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of the holdout in original units.

    Attributes:
        point: (windows, H, Y).
        quantiles: (windows, H, Y, Q) with both ends of the calibrated intervals; ``None``: there are no intervals.
        lower: (levels, windows, H, Y), NaN at a level without an interval; no levels where there are no intervals.
        upper: Likewise.
    """

    point: Floats
    quantiles: Floats | None
    lower: Floats
    upper: Floats


class _Deadline:
    """Stops the refit when its time is up, or when it is asked to."""

    def __init__(self, seconds: float, channel: Channel) -> None:
        self._end, self._channel = time.monotonic() + seconds, channel
        self.epochs = 0

    def on_epoch(self, result: EpochResult) -> None:
        self.epochs = result.epoch

    def should_stop(self) -> bool:
        return time.monotonic() > self._end or self._channel.stop_reason() is not None


def report_path(bundle: Path) -> Path:
    """``studies/weather.report`` beside ``studies/weather.bundle``."""
    return bundle.with_suffix(".report")


def refit_epochs(best_epochs: list[int]) -> int:
    """How long the refit trains, having no validation part: the median of the folds' best epochs."""
    return max(1, round(statistics.median(best_epochs)))


def finalize(task: FinalTask, channel: Channel) -> FinalResult:
    """Refit the winner, score it and the baselines on the holdout, save the bundle and the forecasts of the holdout."""
    from lstmgru.bundle import Bundle, example_frame, save_bundle
    from lstmgru.intervals import Calibration
    from lstmgru.training.fit import predict

    panel, spec = task.data.panel, task.data.forecast
    evaluation = task.data.evaluation(task.holdout)
    fitted = _refit(task, channel)
    forecast = predict(fitted.network, fitted.scaler, panel, evaluation.cutoffs, spec)
    calibration = Calibration.from_dict(task.winner.calibration) if task.winner.calibration else None
    winner = _forecasts(task, evaluation, forecast, calibration, task.winner.model.context_length)
    baselines = _baseline_forecasts(task, evaluation)
    scores = {name: evaluation.score(spec.metric, each.point, each.quantiles) for name, each in baselines.items()}
    metrics = evaluation.scores(winner.point, winner.quantiles)
    if spec.metric not in metrics:
        raise NoTrialCompleted(
            f"trial {task.winner.number} was stopped before it had forecast enough of the folds for its "
            f"{spec.metric}; give the study more --timeout"
        )
    best = min(scores, key=scores.__getitem__)
    interval = _interval(task.data, evaluation, winner, baselines[best])
    verdict, beats = describe(spec.metric, metrics[spec.metric], best, scores[best], interval)
    intervals = _coverage(spec, evaluation, winner)
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
        short_series=task.data.short_series,
        calibration=calibration,
        metrics={
            "holdout": metrics,
            "baselines": scores,
            "verdict": verdict,
            "intervals": [asdict(each) for each in intervals],
        },
        provenance=task.provenance,
        example=example_frame(
            panel, task.winner.model.context_length, spec.horizon, short_series=task.data.short_series
        ),
    )
    saved = save_bundle(task.bundle, bundle, onnx="try")
    _write_report(task, evaluation, winner)
    _write_attention(task, bundle)
    return FinalResult(
        metrics=metrics,
        baselines=scores,
        verdict=verdict,
        beats_baselines=beats,
        intervals=intervals,
        epochs=len(fitted.epochs),
        cut=fitted.stopped,
        notes=(f"the model was exported without ONNX: {saved.onnx_problem}",) if saved.onnx_problem else (),
    )


def _refit(task: FinalTask, channel: Channel) -> FitResult:
    """Train the winner once more.

    Raises:
        InterruptedError: The channel said so.
    """
    from lstmgru.training.fit import fit

    data, last_fold = task.data, task.data.folds[-1]
    on_fold = task.refit == "last_fold"
    fitted = fit(
        data.panel,
        last_fold if on_fold else task.holdout,
        task.winner.model,
        task.winner.train,
        data.forecast,
        evaluation=data.evaluation(last_fold) if on_fold else None,
        observer=_Deadline(task.seconds, channel),
        short_series=data.short_series,
    )
    if channel.stop_reason() is not None:
        raise InterruptedError("the refit was interrupted")
    return fitted


def _forecasts(
    task: FinalTask, evaluation: Evaluation, forecast: Floats, calibration: Calibration | None, context_length: int
) -> Forecasts:
    """Forecasts (windows, H, Y) or (windows, H, Y, Q) with their intervals."""
    from lstmgru.intervals import apply, quantile_forecast

    if forecast.ndim == 4 and forecast.shape[-1] == 1:
        forecast = forecast[..., 0]
    point = forecast if forecast.ndim == 3 else forecast[..., forecast.shape[-1] // 2]
    if calibration is None:
        none = np.empty((0, *point.shape), np.float32)
        return Forecasts(point, forecast if forecast.ndim == 4 else None, none, none)
    scale = Backtest(task.data, context_length).scale(evaluation)
    return Forecasts(point, quantile_forecast(calibration, forecast, scale), *apply(calibration, forecast, scale))


def _baseline_forecasts(task: FinalTask, evaluation: Evaluation) -> dict[str, Forecasts]:
    """Every baseline's forecasts of the holdout, by name."""
    from lstmgru.baselines import BASELINES
    from lstmgru.intervals import Calibration

    data, forecasts = task.data, {}
    for name, baseline in BASELINES.items():
        forecaster = baseline(data.panel, task.holdout, data.forecast, data.context_length, data.short_series)
        forecast = forecaster(evaluation.cutoffs)
        values = task.baseline_calibrations.get(name)
        calibration = Calibration.from_dict(values) if values else None
        forecasts[name] = _forecasts(task, evaluation, forecast, calibration, data.context_length)
    return forecasts


def _coverage(spec: ForecastSpec, evaluation: Evaluation, winner: Forecasts) -> tuple[IntervalRecord, ...]:
    """What the intervals cover, of the levels that have them."""
    from lstmgru.intervals import coverage, mean_width

    if not len(winner.lower):
        return ()
    shares = coverage(evaluation.target, winner.lower, winner.upper)
    widths = mean_width(winner.lower, winner.upper)
    return tuple(
        IntervalRecord(level, float(share), float(width))
        for level, share, width in zip(spec.levels, shares, widths, strict=True)
        if np.isfinite(share)
    )


def _write_report(task: FinalTask, evaluation: Evaluation, winner: Forecasts) -> None:
    """The forecasts of the holdout, as a table and drawn."""
    from search.reports.forecast_table import forecast_table
    from search.reports.forecasts import forecasts_html

    spec = task.data.forecast
    table = forecast_table(
        task.data.panel,
        evaluation.cutoffs,
        evaluation.target,
        winner.point,
        winner.lower,
        winner.upper,
        spec.levels if len(winner.lower) else (),
    )
    task.report.mkdir(parents=True, exist_ok=True)
    table.to_csv(task.report / FORECASTS_TABLE, index=False)
    page = forecasts_html(table, title=f"{task.provenance['study']}: forecasts of the holdout")
    (task.report / FORECASTS_PAGE).write_text(page, encoding="utf-8")


def _write_attention(task: FinalTask, bundle: Bundle) -> None:
    """What a forecast looks at, if the winner has an attention; the table of an earlier winner goes."""
    from search.reports.attention import ATTENTION_TABLE, attention_table

    path = task.report / ATTENTION_TABLE
    path.unlink(missing_ok=True)
    if bundle.model_spec.pooling in ("additive", "multihead"):
        attention_table(bundle).to_csv(path, index=False)


def _interval(data: SearchData, evaluation: Evaluation, winner: Forecasts, baseline: Forecasts) -> Interval:
    from lstmgru.comparison import paired_interval

    metric = data.forecast.metric
    errors, others = (evaluation.window_errors(metric, each.point, each.quantiles) for each in (winner, baseline))
    times = data.panel.times[evaluation.cutoffs].astype("int64")
    overlap = math.ceil(data.forecast.horizon / data.stride)
    return paired_interval(errors - others, times, evaluation.series, overlap=overlap)


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
