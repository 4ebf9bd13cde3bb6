"""The end of a study of forecasts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from search.errors import NoTrialCompleted
from search.study.paths import ATTENTION_TABLE, FORECASTS_PAGE, FORECASTS_TABLE
from search.study.records import IntervalRecord
from search.tasks.data import FinalJob, HoldoutScores
from search.tasks.forecasting.data import ForecastBacktest, ForecastData

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmgru.bundle import Bundle, ForecastBundle
    from lstmgru.data.forecasting.splits import Split
    from lstmgru.evaluation.forecasts import ForecastEvaluation
    from lstmgru.evaluation.intervals import Calibration
    from lstmgru.evaluation.significance import Interval
    from lstmgru.specs import ForecastSpec, ModelSpec
    from lstmgru.training.fit_forecasts import FitResult

    Floats = npt.NDArray[np.float32]
    Errors = npt.NDArray[np.float64]

    ForecastJob = FinalJob[ForecastData, Split, ModelSpec]


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


def score_holdout(job: ForecastJob, fitted: FitResult) -> HoldoutScores:
    """Score the refitted winner and every baseline on the holdout.

    Raises:
        NoTrialCompleted: The metric scores quantiles, and the winner was stopped before its intervals were calibrated.
    """
    data, metric = job.data, job.data.metric
    evaluation = data.evaluation(job.holdout)
    winner = _winner_forecasts(job, fitted, evaluation)
    metrics = evaluation.scores(winner.point, winner.quantiles)
    if metric not in metrics:
        raise NoTrialCompleted(
            f"trial {job.winner.number} was stopped before it had forecast enough of the folds for its "
            f"{metric}; rerun with a longer --timeout"
        )
    baselines, errors = _score_baselines(job, evaluation)
    intervals = _coverage(data.forecast, evaluation, winner)
    return HoldoutScores(
        metrics=metrics,
        baselines=baselines,
        difference=lambda baseline: _difference(data, evaluation, winner, errors[baseline]),
        outputs=winner,
        intervals=intervals,
        details={"intervals": [asdict(each) for each in intervals]},
    )


def write_holdout(job: ForecastJob, scores: HoldoutScores, bundle: Bundle) -> None:
    """Write the forecasts of the holdout, as a table and drawn, and the weights of an attention if there is one."""
    _write_forecasts(job, job.data.evaluation(job.holdout), scores.outputs)
    _write_attention(job, cast("ForecastBundle", bundle))


def make_bundle(job: ForecastJob, fitted: FitResult, metrics: dict[str, Any]) -> ForecastBundle:
    """The model with its origin."""
    from lstmgru.bundle import ForecastBundle, ForecastNetworkMember, example_frame

    panel, model, spec = job.data.panel, fitted.network.spec, job.data.forecast
    member = ForecastNetworkMember(
        network=fitted.network,
        scaler=fitted.scaler,
        model_spec=model,
        train_spec=replace(job.winner.train, max_epochs=max(1, len(fitted.epochs))),
    )
    return ForecastBundle(
        members=(member,),
        forecast=spec,
        schema=panel.schema,
        frequency=panel.frequency,
        step=panel.step,
        timezone=panel.timezone,
        ids=panel.ids.tolist(),
        gaps=job.gaps,
        short_series=job.data.short_series,
        calibration=_calibration(job.winner.calibration),
        metrics=metrics,
        provenance=job.provenance,
        example=example_frame(panel, model.context_length, spec.horizon, short_series=job.data.short_series),
    )


def _calibration(values: dict[str, Any] | None) -> Calibration | None:
    from lstmgru.evaluation.intervals import Calibration

    return Calibration.from_dict(values) if values else None


def _winner_forecasts(job: ForecastJob, fitted: FitResult, evaluation: ForecastEvaluation) -> Forecasts:
    from lstmgru.training.fit_forecasts import predict

    data, context_length = job.data, fitted.network.spec.context_length
    forecast = predict(fitted.network, fitted.scaler, data.panel, evaluation.cutoffs, data.forecast)
    return _forecasts(data, evaluation, forecast, _calibration(job.winner.calibration), context_length)


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


def _score_baselines(job: ForecastJob, evaluation: ForecastEvaluation) -> tuple[dict[str, float], dict[str, Errors]]:
    """Score on the holdout and (windows,) errors there, by name, of the baselines that were scored on the folds.

    Their forecasts with all quantiles are let go of one after the other.
    """
    from lstmgru.evaluation.baselines import BASELINES, baseline_names, fit_baseline, forecaster

    data, metric = job.data, job.data.forecast.metric
    scores: dict[str, float] = {}
    errors: dict[str, Errors] = {}
    names = job.baseline_calibrations or [
        name for name in baseline_names(data.panel, data.forecast) if not BASELINES[name].slow
    ]
    for name in names:
        fitted = fit_baseline(name, data.panel, job.holdout, data.forecast, data.context_length, data.short_series)
        forecast = forecaster(data.panel, fitted)(evaluation.cutoffs)
        calibration = _calibration(job.baseline_calibrations.get(name))
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


def _write_forecasts(job: ForecastJob, evaluation: ForecastEvaluation, winner: Forecasts) -> None:
    """The forecasts of the holdout, as a table and drawn."""
    from search.reports.holdout.forecast_table import forecast_table
    from search.reports.holdout.forecasts import forecasts_html

    spec = job.data.forecast
    table = forecast_table(
        job.data.panel,
        evaluation.cutoffs,
        evaluation.target,
        winner.point,
        winner.lower,
        winner.upper,
        spec.levels if len(winner.lower) else (),
    )
    job.report.mkdir(parents=True, exist_ok=True)
    table.to_csv(job.report / FORECASTS_TABLE, index=False)
    page = forecasts_html(table, title=f"{job.provenance['study']}: forecasts of the holdout")
    (job.report / FORECASTS_PAGE).write_text(page, encoding="utf-8")


def _write_attention(job: ForecastJob, bundle: ForecastBundle) -> None:
    """Write the attention weights of the winner, if it has any; the table of an earlier winner is removed."""
    from search.reports.holdout.forecasts import attention_table

    path = job.report / ATTENTION_TABLE
    path.unlink(missing_ok=True)
    if any(member.has_attention for member in bundle.networks):
        attention_table(bundle).to_csv(path, index=False)


def _difference(data: ForecastData, evaluation: ForecastEvaluation, winner: Forecasts, others: Errors) -> Interval:
    from lstmgru.evaluation.significance import paired_interval

    metric = data.forecast.metric
    errors = evaluation.window_errors(metric, winner.point, winner.quantiles)
    times = data.panel.times[evaluation.cutoffs].astype("int64")
    overlap = math.ceil(data.forecast.horizon / data.stride)
    return paired_interval(errors - others, times, overlap=overlap)
