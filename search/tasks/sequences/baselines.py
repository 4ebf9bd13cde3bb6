"""Baselines of labels: their scores on the folds, and the end of a study."""

from __future__ import annotations

from collections.abc import Callable

from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.splits import SequenceSplit
from lstmgru.evaluation.sequence_baselines import FittedSequenceBaseline, fit_sequence_baseline
from lstmgru.evaluation.sequences import Array
from lstmgru.evaluation.time_limit import TimeLimit
from search.tasks.baselines import fold_limits
from search.tasks.data import BaselineResult
from search.tasks.sequences.data import SequenceBacktest, SequenceData


def score_baseline(name: str, data: SequenceData, seconds: float, should_stop: Callable[[], bool]) -> BaselineResult:
    """A baseline on every fold.

    Args:
        name: Of the baseline.
        data: Of the study.
        seconds: Time limit of all folds.
        should_stop: Asks whether to stop.

    Raises:
        BaselineTooSlow: It takes longer.
        InterruptedError: It was stopped.
    """
    scores, backtest = [], SequenceBacktest(data)
    limits = fold_limits(len(data.folds), seconds, should_stop)
    for number, (fold, limit) in enumerate(zip(data.folds, limits, strict=True)):
        fitted = fit_sequence_baseline(name, data.sequences, fold.train, data.labels, limit)
        outputs = fitted.predict(RawSequences.of(data.sequences, fold.evaluation), limit)
        backtest.add(number, outputs)
        scores.append(data.evaluation(fold).score(data.metric, outputs))
    return BaselineResult(sum(scores) / len(scores), outputs=backtest.outputs())


def fit(data: SequenceData, split: SequenceSplit, name: str, limit: TimeLimit) -> FittedSequenceBaseline:
    """A baseline, fitted to the training part of a split; see :attr:`search.tasks.base.Task.fit_baseline`."""
    return fit_sequence_baseline(name, data.sequences, split.train, data.labels, limit)


def predict(data: SequenceData, split: SequenceSplit, fitted: FittedSequenceBaseline, limit: TimeLimit) -> Array:
    """(k, O) outputs for a split; see :attr:`search.tasks.base.Task.predict_baseline`."""
    return fitted.predict(RawSequences.of(data.sequences, split.evaluation), limit)
