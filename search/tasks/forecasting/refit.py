"""The end of a study of forecasts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from search.errors import NoTrialCompleted
from search.study.paths import ATTENTION_TABLE, FORECASTS_PAGE, FORECASTS_TABLE
from search.study.records import IntervalRecord
from search.tasks.forecasting.data import ForecastBacktest, ForecastData
from search.tasks.refit import Deadline, FinalResult, FinalTask, check_interrupted, final_result
from search.tasks.verdict import best_baseline, describe

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmgru.bundle import ForecastBundle
    from lstmgru.data.forecasting.splits import Split
    from lstmgru.evaluation.forecasts import ForecastEvaluation
    from lstmgru.evaluation.intervals import Calibration
    from lstmgru.evaluation.significance import Interval
    from lstmgru.specs import ForecastSpec
    from lstmgru.training.fit_forecasts import FitResult
    from search.executors.base import JobContext

    Floats = npt.NDArray[np.float32]
    Errors = npt.NDArray[np.float64]

    ForecastTask = FinalTask[ForecastData, Split]


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


def finish_forecasts(task: ForecastTask, channel: JobContext) -> FinalResult:
    """Refit the winner, score it and the baselines on the holdout, save the bundle and the forecasts of the holdout."""
    from lstmgru.bundle import save_bundle
    from lstmgru.evaluation.intervals import Calibration

    spec, evaluation = task.data.forecast, task.data.evaluation(task.holdout)
    fitted = _refit(task, channel)
    calibration = Calibration.from_dict(task.winner.calibration) if task.winner.calibration else None
    winner = _winner_forecasts(task, fitted, evaluation, calibration)
    metrics = evaluation.scores(winner.point, winner.quantiles)
    if spec.metric not in metrics:
        raise NoTrialCompleted(
            f"trial {task.winner.number} was stopped before it had forecast enough of the folds for its "
            f"{spec.metric}; give the study more --timeout"
        )
    scores, errors = _score_baselines(task, evaluation)
    best = best_baseline(spec.metric, scores)
    interval = _interval(task.data, evaluation, winner, errors[best])
    verdict = describe(spec.metric, metrics[spec.metric], best, scores[best], interval)
    intervals = _coverage(spec, evaluation, winner)
    known: dict[str, object] = {
        "holdout": metrics,
        "baselines": scores,
        "verdict": verdict[0],
        "intervals": [asdict(each) for each in intervals],
    }
    bundle = _bundle(task, fitted, calibration, known)
    saved = save_bundle(task.bundle, bundle, onnx="try")
    _write_report(task, evaluation, winner)
    _write_attention(task, bundle)
    return final_result(metrics, scores, verdict, fitted, saved.onnx_problem, intervals)


def _refit(task: ForecastTask, channel: JobContext) -> FitResult:
    """Train the winner once more.

    Raises:
        InterruptedError: The channel said so.
    """
    data, last_fold = task.data, task.data.folds[-1]
    on_fold = task.refit == "last_fold"
    fitted = data.fit_split(
        last_fold if on_fold else task.holdout,
        task.winner.model,
        task.winner.train,
        Deadline(task.seconds, channel),
        data.evaluation(last_fold) if on_fold else None,
    )
    check_interrupted(channel)
    return fitted


def _bundle(
    task: ForecastTask, fitted: FitResult, calibration: Calibration | None, metrics: dict[str, object]
) -> ForecastBundle:
    """The model with its origin."""
    from lstmgru.bundle import ForecastBundle, example_frame

    panel, model, spec = task.data.panel, fitted.network.spec, task.data.forecast
    return ForecastBundle(
        network=fitted.network,
        scaler=fitted.scaler,
        model_spec=model,
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
        metrics=metrics,
        provenance=task.provenance,
        example=example_frame(panel, model.context_length, spec.horizon, short_series=task.data.short_series),
    )


def _winner_forecasts(
    task: ForecastTask, fitted: FitResult, evaluation: ForecastEvaluation, calibration: Calibration | None
) -> Forecasts:
    from lstmgru.training.fit_forecasts import predict

    data, context_length = task.data, fitted.network.spec.context_length
    forecast = predict(fitted.network, fitted.scaler, data.panel, evaluation.cutoffs, data.forecast)
    return _forecasts(data, evaluation, forecast, calibration, context_length)


def _forecasts(
    data: ForecastData,
    evaluation: ForecastEvaluation,
    forecast: Floats,
    calibration: Calibration | None,
    context_length: int,
) -> Forecasts:
    """Forecasts (windows, H, Y) or (windows, H, Y, Q) with their intervals."""
    from lstmgru.evaluation.intervals import apply, quantile_forecast

    if forecast.ndim == 4 and forecast.shape[-1] == 1:
        forecast = forecast[..., 0]
    point = forecast if forecast.ndim == 3 else forecast[..., forecast.shape[-1] // 2]
    if calibration is None:
        none = np.empty((0, *point.shape), np.float32)
        return Forecasts(point, forecast if forecast.ndim == 4 else None, none, none)
    scale = ForecastBacktest(data, context_length).scale(evaluation)
    return Forecasts(point, quantile_forecast(calibration, forecast, scale), *apply(calibration, forecast, scale))


def _score_baselines(task: ForecastTask, evaluation: ForecastEvaluation) -> tuple[dict[str, float], dict[str, Errors]]:
    """Every baseline's score on the holdout, and its (windows,) errors there, by name.

    Their forecasts with all quantiles are let go of one after the other.
    """
    from lstmgru.evaluation.baselines import BASELINES
    from lstmgru.evaluation.intervals import Calibration

    data, metric = task.data, task.data.forecast.metric
    scores: dict[str, float] = {}
    errors: dict[str, Errors] = {}
    for name, baseline in BASELINES.items():
        forecaster = baseline(data.panel, task.holdout, data.forecast, data.context_length, data.short_series)
        forecast = forecaster(evaluation.cutoffs)
        values = task.baseline_calibrations.get(name)
        calibration = Calibration.from_dict(values) if values else None
        its = _forecasts(data, evaluation, forecast, calibration, data.context_length)
        scores[name] = evaluation.score(metric, its.point, its.quantiles)
        errors[name] = evaluation.window_errors(metric, its.point, its.quantiles)
    return scores, errors


def _coverage(spec: ForecastSpec, evaluation: ForecastEvaluation, winner: Forecasts) -> tuple[IntervalRecord, ...]:
    """What the intervals cover, of the levels that have them."""
    from lstmgru.evaluation.intervals import coverage, mean_width

    if not len(winner.lower):
        return ()
    shares = coverage(evaluation.target, winner.lower, winner.upper)
    widths = mean_width(winner.lower, winner.upper)
    return tuple(
        IntervalRecord(level, float(share), float(width))
        for level, share, width in zip(spec.levels, shares, widths, strict=True)
        if np.isfinite(share)
    )


def _write_report(task: ForecastTask, evaluation: ForecastEvaluation, winner: Forecasts) -> None:
    """The forecasts of the holdout, as a table and drawn."""
    from search.reports.holdout.forecast_table import forecast_table
    from search.reports.holdout.forecasts import forecasts_html

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


def _write_attention(task: ForecastTask, bundle: ForecastBundle) -> None:
    """What a forecast looks at, if the winner has an attention; the table of an earlier winner goes."""
    from search.reports.holdout.attention import attention_table

    path = task.report / ATTENTION_TABLE
    path.unlink(missing_ok=True)
    if bundle.model_spec.pooling in ("additive", "multihead"):
        attention_table(bundle).to_csv(path, index=False)


def _interval(data: ForecastData, evaluation: ForecastEvaluation, winner: Forecasts, others: Errors) -> Interval:
    from lstmgru.evaluation.significance import paired_interval

    metric = data.forecast.metric
    errors = evaluation.window_errors(metric, winner.point, winner.quantiles)
    times = data.panel.times[evaluation.cutoffs].astype("int64")
    overlap = math.ceil(data.forecast.horizon / data.stride)
    return paired_interval(errors - others, times, evaluation.series, overlap=overlap)
