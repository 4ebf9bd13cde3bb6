"""The end of a study of forecasts."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.errors import show_time
from lstmgru.evaluation.blending import blended, blended_folds, same_shapes
from lstmgru.evaluation.forecast_baselines import FittedBaseline
from lstmgru.evaluation.metrics import find_metric
from search.errors import NoTrialCompleted
from search.tasks.final_job import FinalJob, HoldoutScores
from search.tasks.forecasting.data import ForecastBacktest, ForecastData
from search.tasks.forecasting.holdout_tables import HoldoutForecasts
from search.tasks.forecasting.scoring import calibration_of, coverage_records, error_interval, with_intervals
from search.tasks.verdict import best_baseline

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmgru.bundle import ForecastBundle
    from lstmgru.data.forecasting.splits import Split
    from lstmgru.evaluation.forecasts import ForecastEvaluation
    from lstmgru.specs import ModelSpec
    from lstmgru.specs.calibration import Calibration
    from lstmgru.training.fit_forecasts import FitResult
    from search.study.blend_records import Candidate

    Floats = npt.NDArray[np.float32]
    Errors = npt.NDArray[np.float64]

    ForecastJob = FinalJob[ForecastData, Split, ModelSpec]


def score_holdout(job: ForecastJob) -> HoldoutScores:
    """Score a blend and every baseline on the holdout.

    Raises:
        NoTrialCompleted: The metric scores quantiles, and a network that is exported alone was stopped before its
            intervals were calibrated.
    """
    data, metric = job.data, job.data.metric
    evaluation = data.evaluation(job.holdout)
    forecasts, context_length = _member_forecasts(job, evaluation)
    widened = [each for (each,) in same_shapes([[forecasts[member.candidate]] for member in job.members])]
    calibration = job.alone.calibration if job.alone else _blend_calibration(job, context_length)
    blend = with_intervals(data, evaluation, blended(widened, job.weights), calibration, context_length)
    metrics = evaluation.scores(blend.point, blend.quantiles)
    if metric not in metrics:
        raise NoTrialCompleted(
            f"trial {job.members[0].candidate} was stopped before it had forecast enough of the folds for its "
            f"{metric}; rerun with a longer --timeout"
        )
    intervals = coverage_records(data.forecast, evaluation, blend)
    scores, errors, baseline = _score_baselines(job, evaluation)
    return HoldoutScores(
        metrics=metrics,
        single=metrics[metric] if job.alone else _single_score(job, evaluation, forecasts),
        baselines=scores,
        difference=lambda baseline: error_interval(data, evaluation, blend, errors[baseline]),
        own=lambda: error_interval(data, evaluation, blend, np.zeros(1)),
        squared=find_metric(metric).root,
        blend=blend,
        outputs=HoldoutForecasts(blend, baseline),
        calibration=calibration,
        intervals=intervals,
        details={"intervals": [asdict(each) for each in intervals]},
    )


def _member_forecasts(job: ForecastJob, evaluation: ForecastEvaluation) -> tuple[dict[Candidate, Floats], int]:
    """Forecasts of the holdout by the members, and the longest context of all of them."""
    forecasts, longest = {}, 0
    for member in job.members:
        model = member.unpack_scored()
        longest = max(longest, _reads(model))
        outputs = member.scored.outputs if member.scored else None
        forecasts[member.candidate] = _network_forecast(job.data, model, evaluation) if outputs is None else outputs
    return forecasts, longest


def _blend_calibration(job: ForecastJob, context_length: int) -> dict[str, Any] | None:
    """Calibration of the intervals of a blend by its own kept forecasts of the folds, as plain values.

    Args:
        job: Its members and their forecasts.
        context_length: T of the blend, for the scale of a window.
    """
    if job.known_calibration is not None:
        return job.known_calibration[0]
    outputs = [member.outputs for member in job.members if member.outputs is not None]
    backtest = ForecastBacktest(job.data, context_length)
    backtest.add_kept(blended_folds(same_shapes(outputs), dict(enumerate(job.weights))))
    return backtest.calibration()


def _normal_scores(job: ForecastJob, calibration: Calibration | None, context_length: int) -> Floats | None:
    """The normal scores of the kept forecasts of the folds; ``None`` if they are not known.

    Args:
        job: The members of the model, and their forecasts.
        calibration: Of the intervals of the model.
        context_length: T of the model, for the scale of a window.
    """
    if job.known_calibration is not None:
        return job.known_calibration[1]
    outputs = [member.outputs for member in job.members if member.outputs is not None]
    usable = len(outputs) == len(job.members) and all(map(job.data.fits, outputs))
    if calibration is None or not usable:
        return None
    folds = blended_folds(same_shapes(outputs), dict(enumerate(job.weights)))
    return ForecastBacktest(job.data, context_length).normal_scores(folds, calibration)


def _network_forecast(data: ForecastData, fitted: FitResult, evaluation: ForecastEvaluation) -> Floats:
    """(windows, H, Y) point forecasts or (windows, H, Y, Q) quantiles."""
    from lstmgru.training.fit_forecasts import predict

    forecast = predict(fitted.network, fitted.scaler, data.panel, evaluation.cutoffs, data.forecast)
    return forecast[..., 0] if forecast.shape[-1] == 1 else forecast


def _single_score(job: ForecastJob, evaluation: ForecastEvaluation, forecasts: dict[Candidate, Floats]) -> float | None:
    """The score of the best network alone, which need not be a member."""
    if job.single is None or job.single.scored is None or job.single.recipe is None:
        return None
    fitted: FitResult = job.single.scored.unpack()
    forecast = forecasts.get(job.single.candidate)
    if forecast is None:
        forecast = _network_forecast(job.data, fitted, evaluation)
    alone = with_intervals(job.data, evaluation, forecast, job.single.recipe.calibration, _reads(fitted))
    return evaluation.scores(alone.point, alone.quantiles).get(job.data.metric)


def _reads(model: FitResult | FittedBaseline) -> int:
    """Rows of context that a member reads."""
    return model.context_length if isinstance(model, FittedBaseline) else model.network.spec.context_length


def make_bundle(job: ForecastJob, scores: HoldoutScores, metrics: dict[str, Any]) -> ForecastBundle:
    """The model with its origin."""
    from lstmgru.bundle import ForecastBaselineMember, ForecastBundle, ForecastNetworkMember, example_frame

    panel, spec, short_series = job.data.panel, job.data.forecast, job.data.short_series
    members = tuple(
        member.bundled(ForecastNetworkMember, ForecastBaselineMember, lambda fitted: {"scaler": fitted.scaler})
        for member in job.members
    )
    longest = max(member.reads for member in members)
    calibration = calibration_of(scores.calibration)
    origin = job.provenance | {
        "learned_until": _learned_until(job),
        "scoring": {"context_length": job.data.context_length, "stride": job.data.stride},
    }
    bundle = ForecastBundle(
        members=members,
        forecast=spec,
        schema=panel.schema,
        frequency=panel.frequency,
        step=panel.step,
        timezone=panel.timezone,
        local_times=panel.local_times,
        ids=panel.ids.tolist(),
        gaps=job.gaps,
        short_series=short_series,
        calibration=calibration,
        normal_scores=_normal_scores(job, calibration, longest),
        metrics=metrics,
        provenance=origin,
    )
    rows = bundle.required_rows
    example = example_frame(panel, longest, spec.horizon, short_series=short_series, required_rows=rows)
    return replace(bundle, example=example)


def _learned_until(job: ForecastJob) -> str:
    """The last time that a member has learned from, in UTC if there is a time zone."""
    panel, train = job.data.panel, job.holdout.train
    everything = any(member.exported is not None for member in job.members)
    ends = panel.offsets[1:] if everything else train[train[:, 1] > train[:, 0], 1]
    return show_time(panel.times[ends - 1].max())


def _score_baselines(
    job: ForecastJob, evaluation: ForecastEvaluation
) -> tuple[dict[str, float], dict[str, Errors], tuple[str, Floats] | None]:
    """Every baseline's score on the holdout and its (windows,) errors there, by name, and the best one's forecasts.

    Their forecasts with all quantiles are let go of one after the other.
    """
    best: tuple[str, Floats] | None = None
    data, metric = job.data, job.data.forecast.metric
    scores: dict[str, float] = {}
    errors: dict[str, Errors] = {}
    for name, fitted in job.baselines.items():
        assert fitted.outputs is not None  # it was fitted to the data before the holdout
        calibration = job.baseline_calibrations.get(name)
        its = with_intervals(data, evaluation, fitted.outputs, calibration, data.context_length)
        scores[name] = evaluation.score(metric, its.point, its.quantiles)
        errors[name] = evaluation.window_errors(metric, its.point, its.quantiles)
        if best_baseline(metric, scores) == name:
            best = name, its.point
    return scores, errors, best
