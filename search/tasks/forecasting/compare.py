"""How forecasts are compared: the errors of the windows of the holdout, and those of each step of the horizon."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.evaluation.significance import Interval, paired_interval
from search.tasks.compare import BATCH, BaselineScores, ComparedTask, ContextScore, median_seconds, seed_mean
from search.tasks.data import SeedResult
from search.tasks.forecasting.data import ForecastBacktest, ForecastData

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmgru.data.forecasting.splits import Split
    from lstmgru.evaluation.forecasts import Array, ForecastEvaluation
    from lstmgru.evaluation.time_limit import TimeLimit
    from lstmgru.training.fit_forecasts import FitResult
    from search.study.records import TrialRecord
    from search.tasks.forecasting.plan import ForecastPlan


MOST_GROUPS = 6
"""More different lengths than this are put together into thirds."""
_THIRDS = 3


@dataclass(frozen=True)
class ForecastSeed(SeedResult):
    """What one seed gave.

    Attributes:
        steps: (H,) scores of each step of the horizon on the holdout.
        by_time: (cutoffs,) mean error of the windows of each cutoff there, in the order of time.
    """

    steps: tuple[float, ...]
    by_time: tuple[float, ...]


def score_seed(data: ForecastData, holdout: Split, fitted: FitResult) -> dict[str, Any]:
    """The scores on the holdout, as :class:`ForecastSeed` holds them."""
    from lstmgru.training.fit_forecasts import point_forecast, predict, quantile_forecast

    evaluation = data.evaluation(holdout)
    forecast = predict(fitted.network, fitted.scaler, data.panel, evaluation.cutoffs, data.forecast)
    return _scores(data, evaluation, point_forecast(forecast), quantile_forecast(forecast))


def score_compared_baseline(
    data: ForecastData, holdout: Split, name: str, calibration: dict[str, Any] | None, limit: TimeLimit
) -> BaselineScores:
    """A baseline on the holdout, see :attr:`~search.tasks.base.Task.score_compared_baseline`."""
    from lstmgru.evaluation.forecast_baselines import forecaster
    from lstmgru.specs.calibration import Calibration

    start = time.perf_counter()
    fitted = data.fit_baseline(holdout, name, limit)
    fit_seconds, evaluation = time.perf_counter() - start, data.evaluation(holdout)
    predict = forecaster(data.panel, fitted, limit, forecast=data.forecast)
    point = predict(evaluation.cutoffs)
    calibrated = None if calibration is None else Calibration.from_dict(calibration)
    quantiles = ForecastBacktest(data, data.context_length).quantiles(evaluation, point, calibrated)
    one, batch = (np.resize(evaluation.cutoffs, count) for count in (1, BATCH))
    return BaselineScores(
        scores=_scores(data, evaluation, point, quantiles),
        n_parameters=fitted.n_parameters,
        fit_seconds=fit_seconds,
        latency=median_seconds(lambda: predict(one)),
        batch_latency=median_seconds(lambda: predict(batch)),
    )


def _scores(
    data: ForecastData, evaluation: ForecastEvaluation, point: Array, quantiles: Array | None
) -> dict[str, Any]:
    """What :class:`ForecastSeed` holds of forecasts of the holdout."""
    metric = data.metric
    errors = evaluation.window_errors(metric, point, quantiles)
    return {
        "holdout": evaluation.score(metric, point, quantiles),
        "steps": step_scores(evaluation, metric, point, quantiles),
        "by_time": _means(errors, data.panel.times[evaluation.cutoffs].astype("int64")),
    }


class ComparedForecasts(ComparedTask):
    """Forecasts.

    Args:
        plan: Of the study, or of one of its families.
    """

    def __init__(self, plan: ForecastPlan) -> None:
        super().__init__(plan, "windows")
        self._plan = plan

    @property
    def horizon(self) -> int:
        """Steps that are forecast."""
        return self._plan.forecast.horizon

    def interval(self, ours: Sequence[ForecastSeed], theirs: Sequence[ForecastSeed]) -> Interval:
        """The difference of the errors on the holdout between two families, the first minus the second."""
        overlap = math.ceil(self._plan.forecast.horizon / self._plan.splits.stride)
        return error_interval(ours, theirs, overlap=overlap)

    def findings(self, seeds: Sequence[ForecastSeed]) -> dict[str, Any]:
        """The scores of each step of the horizon, mean over the seeds."""
        return {"steps": tuple(seed_mean([each.steps for each in seeds]).tolist())}

    def contexts(self, trials: Sequence[TrialRecord]) -> tuple[ContextScore, ...]:
        """Scores of complete trials by the length of their contexts."""
        # A context that the space fixes is no parameter of a trial.
        longest = self._plan.longest_context
        return context_scores(
            [
                (int(trial.params.get("context_length") or longest), trial.value)
                for trial in trials
                if trial.state == "COMPLETE" and trial.value is not None
            ]
        )


def error_interval(ours: Sequence[ForecastSeed], theirs: Sequence[ForecastSeed], *, overlap: int) -> Interval:
    """The difference of the errors of two families, averaged over their seeds first.

    It is that of :func:`lstmgru.evaluation.significance.paired_interval`, which needs only the means by cutoff.

    Args:
        ours: What the seeds of the one gave.
        theirs: What those of the other gave.
        overlap: Neighboring cutoffs that share a target: the horizon over the stride.
    """
    by_time = seed_mean([each.by_time for each in ours]) - seed_mean([each.by_time for each in theirs])
    return paired_interval(by_time, np.arange(len(by_time)), overlap=overlap)


def step_scores(
    evaluation: ForecastEvaluation, metric: Any, point: Array, quantiles: Array | None
) -> tuple[float, ...]:
    """(H,) the metric of each step of the horizon alone; empty if one of them has no score.

    Args:
        evaluation: The windows.
        metric: Its name.
        point: (windows, H, Y) forecasts.
        quantiles: (windows, H, Y, Q) forecasts, if there are any.
    """
    scores = []
    for step in range(point.shape[1]):
        alone = slice(step, step + 1)
        part = replace(evaluation, target=evaluation.target[:, alone])
        scores.append(part.score(metric, point[:, alone], None if quantiles is None else quantiles[:, alone]))
    return tuple(scores) if np.isfinite(scores).all() else ()


def _means(values: npt.NDArray[np.float64], keys: npt.NDArray[np.int64]) -> tuple[float, ...]:
    """(groups,) means by key, in the order of the keys."""
    _, group = np.unique(keys, return_inverse=True)
    return tuple((np.bincount(group, weights=values) / np.bincount(group)).tolist())


def context_scores(trials: Sequence[tuple[int, float]]) -> tuple[ContextScore, ...]:
    """Median scores by the length of the context, shortest first.

    Trials differ in everything else, too, so a median of a few of them says little.

    Args:
        trials: Context length and score of each complete trial.
    """
    lengths = sorted({length for length, _ in trials})
    if len(lengths) <= MOST_GROUPS:
        groups = [(length, length) for length in lengths]
    else:
        cuts = [round(len(lengths) * third / _THIRDS) for third in range(_THIRDS + 1)]
        groups = [(lengths[start], lengths[end - 1]) for start, end in pairwise(cuts)]
    return tuple(_group(shortest, longest, trials) for shortest, longest in groups)


def _group(shortest: int, longest: int, trials: Sequence[tuple[int, float]]) -> ContextScore:
    scores = [score for length, score in trials if shortest <= length <= longest]
    return ContextScore(shortest, longest, len(scores), statistics.median(scores))
