"""The baselines of a study on its folds: groups, time limits, and what happens to slow ones."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lstmgru.errors import BaselineTooSlow
from lstmgru.evaluation.time_limit import TimeLimit
from search.tasks.data import BaselineResult, DroppedBaseline, TaskData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from search.executors.base import JobContext


def baseline_groups(data: TaskData) -> tuple[tuple[str, ...], ...]:
    """The names of the baselines for the data, simplest first: quick ones together, then each slow one."""
    known = data.baselines
    quick = tuple(name for name, slow in known.items() if not slow)
    return (quick, *((name,) for name, slow in known.items() if slow))


def score_baselines(
    data: TaskData, names: tuple[str, ...], seconds: float, context: JobContext
) -> dict[str, BaselineResult | DroppedBaseline] | None:
    """Score some baselines on the folds, by name; a job. ``None`` if it was stopped.

    Args:
        data: Of the study.
        names: The baselines.
        seconds: Time limit of each; one that takes longer is dropped.
        context: Of the job.
    """
    results: dict[str, BaselineResult | DroppedBaseline] = {}
    for name in names:
        try:
            results[name] = _score(data, name, _fold_limits(len(data.folds), seconds, context))
        except BaselineTooSlow as error:
            results[name] = DroppedBaseline(str(error))
        except InterruptedError:
            return None
    return results


def _score(data: TaskData, name: str, limits: Iterator[TimeLimit]) -> BaselineResult:
    """A baseline on every fold.

    A metric of quantiles is taken of intervals that are calibrated on the same forecasts, which favors them.
    """
    backtest, outputs = data.backtest(), []
    for number, (fold, limit) in enumerate(zip(data.folds, limits, strict=True)):
        fitted = data.fit_baseline(fold, name, limit)
        outputs.append(data.predict_baseline(fold, fitted, limit))
        backtest.add(number, outputs[-1])
    return BaselineResult(backtest.score(outputs), backtest.calibration(), backtest.outputs())


def _fold_limits(n_folds: int, seconds: float, context: JobContext) -> Iterator[TimeLimit]:
    """The time limit of each fold, begun when it is asked for.

    Every fold has an equal share of the time that is left, so that a baseline that is too slow is noticed in the first.

    Args:
        n_folds: Number of folds.
        seconds: Of all folds.
        context: Asked whether to stop.

    Raises:
        BaselineTooSlow: No time is left.
        InterruptedError: It should stop.
    """
    end = time.monotonic() + seconds
    for number in range(n_folds):
        limit = TimeLimit((end - time.monotonic()) / (n_folds - number), lambda: context.stop_reason() is not None)
        limit.check()
        yield limit
