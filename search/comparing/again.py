"""What a worker does for a family: train its best candidate again with a fresh seed, and score the holdout."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lstmgru.specs import ModelSpec, TrainSpec
from search.finishing.task import refit_epochs
from search.tasks.forecasting import ForecastData

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmgru.data.splits import Split
    from lstmgru.metrics import Array, Evaluation
    from lstmgru.training.callbacks import EpochResult
    from lstmgru.training.fit import FitResult
    from search.executors.base import Channel


@dataclass(frozen=True)
class Candidate:
    """What is trained again.

    Attributes:
        data: What the trials saw, and the rows of the holdout, too.
        holdout: The split that is scored last.
        model: The architecture.
        train: The training settings, but for the seed.
        refit: ``all``: on everything before the holdout; ``last_fold``: as in the last fold.
    """

    data: ForecastData
    holdout: Split
    model: ModelSpec
    train: TrainSpec
    refit: str


@dataclass(frozen=True)
class SeedResult:
    """What one seed gave.

    Attributes:
        seed: Of the training.
        fold_scores: Best score of each fold.
        best_epochs: The epochs of those scores.
        epoch_seconds: Mean over the folds of the seconds of an epoch.
        best_seconds: Mean over the folds of the seconds until the best epoch was over.
        holdout: Score on the holdout.
        steps: (H,) scores of each step of the horizon there.
        by_time: (cutoffs,) mean error of the windows of each cutoff there, in the order of time.
        by_series: (series,) mean error of the windows of each series there, in the order of the panel.
    """

    seed: int
    fold_scores: tuple[float, ...]
    best_epochs: tuple[int, ...]
    epoch_seconds: float
    best_seconds: float
    holdout: float
    steps: tuple[float, ...]
    by_time: tuple[float, ...]
    by_series: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The result that :meth:`to_dict` wrote."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**plain)


def train_again(candidate: Candidate, seed: int, channel: Channel) -> SeedResult | None:
    """Train on every fold, refit, and score the holdout; ``None`` if it was stopped.

    Raises:
        TrainingDiverged: A loss or score is not finite.
    """
    data, train = candidate.data, replace(candidate.train, seed=seed)
    fits: list[FitResult] = []
    for fold in data.folds:
        fits.append(_fit(candidate, fold, train, data.evaluation(fold), channel))
        if fits[-1].stopped:
            return None
    best_epochs = [each.best_epoch for each in fits]
    if candidate.refit == "all":
        fitted = _fit(candidate, candidate.holdout, replace(train, max_epochs=refit_epochs(best_epochs)), None, channel)
        if fitted.stopped:
            return None
    else:
        fitted = fits[-1]  # the same training part, the same seed
    folds = {
        "seed": seed,
        "fold_scores": [each.score for each in fits],
        "best_epochs": best_epochs,
        "epoch_seconds": statistics.mean(each.epochs[-1].seconds / len(each.epochs) for each in fits),
        "best_seconds": statistics.mean(each.epochs[each.best_epoch - 1].seconds for each in fits),
    }
    return SeedResult.from_dict(folds | _holdout(candidate, fitted))


class _Stop:
    """Stops a training when the channel says so."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def on_epoch(self, result: EpochResult) -> None:
        """Nothing to tell."""

    def should_stop(self) -> bool:
        return self._channel.stop_reason() is not None


def _fit(
    candidate: Candidate, split: Split, train: TrainSpec, evaluation: Evaluation | None, channel: Channel
) -> FitResult:
    from lstmgru.training.fit import fit

    data = candidate.data
    return fit(
        data.panel,
        split,
        candidate.model,
        train,
        data.forecast,
        evaluation=evaluation,
        observer=_Stop(channel),
        short_series=data.short_series,
    )


def _holdout(candidate: Candidate, fitted: FitResult) -> dict[str, Any]:
    """The scores on the holdout, as :class:`SeedResult` has them."""
    from lstmgru.training.fit import point_forecast, predict, quantile_forecast

    data, metric = candidate.data, candidate.data.forecast.metric
    evaluation = data.evaluation(candidate.holdout)
    forecast = predict(fitted.network, fitted.scaler, data.panel, evaluation.cutoffs, data.forecast)
    point, quantiles = point_forecast(forecast), quantile_forecast(forecast)
    errors = evaluation.window_errors(metric, point, quantiles)
    return {
        "holdout": evaluation.score(metric, point, quantiles),
        "steps": step_scores(evaluation, metric, point, quantiles),
        "by_time": _means(errors, data.panel.times[evaluation.cutoffs].astype("int64")),
        "by_series": _means(errors, evaluation.series),
    }


def step_scores(evaluation: Evaluation, metric: Any, point: Array, quantiles: Array | None) -> tuple[float, ...]:
    """(H,) the metric of each step of the horizon alone.

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
    return tuple(scores)


def _means(values: npt.NDArray[np.float64], keys: npt.NDArray[np.int64]) -> tuple[float, ...]:
    """(groups,) means by key, in the order of the keys."""
    _, group = np.unique(keys, return_inverse=True)
    return tuple((np.bincount(group, weights=values) / np.bincount(group)).tolist())
