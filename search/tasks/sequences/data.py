"""Labels of sequences and texts as a task of the search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstmgru.evaluation.metrics import find_metric
from lstmgru.specs import LabelSpec
from search.study.out_of_fold import Outputs
from search.tasks.data import TaskData, kept_cases

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from lstmgru.data.sequences.sequences import LabeledSequences
    from lstmgru.data.sequences.splits import SequenceSplit
    from lstmgru.data.sequences.vocabulary import WordVectors
    from lstmgru.evaluation.blending import Criterion
    from lstmgru.evaluation.sequence_baselines import FittedSequenceBaseline
    from lstmgru.evaluation.sequences import SequenceEvaluation
    from lstmgru.evaluation.time_limit import TimeLimit
    from lstmgru.specs import SequenceModelSpec

    Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SequenceData(TaskData):
    """What every trial of a study of labels shares; the holdout is hidden in it.

    Attributes:
        sequences: All of them, those of the holdout hidden.
        folds: First to last.
        labels: The task, its metric and classes.
        vectors: Word vectors to begin with, if any.
    """

    sequences: LabeledSequences
    folds: tuple[SequenceSplit, ...]
    labels: LabelSpec
    vectors: WordVectors | None = None

    @property
    def metric(self) -> str:
        """Name of the score."""
        return self.labels.metric

    @property
    def targets(self) -> tuple[str, ...]:
        """The name of the labels; empty if their file has none."""
        return (self.sequences.schema.target,) if self.sequences.schema.target else ()

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(O,)."""
        return (self.labels.n_outputs,)

    @cached_property
    def kept_evaluations(self) -> tuple[SequenceEvaluation, ...]:
        """The kept labels of each fold."""
        return tuple(
            replace(evaluation, labels=evaluation.labels[cases], groups=None)
            for evaluation, cases in zip(map(self.evaluation, self.folds), self.kept, strict=True)
        )

    @cached_property
    def kept(self) -> tuple[npt.NDArray[np.int64], ...]:
        """The sequences of each fold whose outputs are kept."""
        return kept_cases([len(fold.evaluation) for fold in self.folds], self.labels.n_outputs)

    @cached_property
    def _evaluations(self) -> dict[str, SequenceEvaluation]:
        """By name of the split."""
        return {}

    def evaluation(self, split: SequenceSplit) -> SequenceEvaluation:
        """The labels of a split that everyone is scored on."""
        from lstmgru.evaluation.sequences import SequenceEvaluation

        if split.name not in self._evaluations:
            groups = self.sequences.groups
            self._evaluations[split.name] = SequenceEvaluation(
                self.sequences.labels[split.evaluation],
                self.labels,
                groups=None if groups is None else groups[split.evaluation],
            )
        return self._evaluations[split.name]

    @property
    def baselines(self) -> dict[str, bool]:
        """See :attr:`search.tasks.data.TaskData.baselines`."""
        from lstmgru.evaluation.sequence_baselines import SEQUENCE_BASELINES, sequence_baseline_names

        names = sequence_baseline_names(self.sequences, self.labels)
        return {name: SEQUENCE_BASELINES[name].slow for name in names}

    def fit_baseline(self, split: SequenceSplit, name: str, limit: TimeLimit) -> FittedSequenceBaseline:
        """A baseline, fitted to the training part of a split."""
        from lstmgru.evaluation.sequence_baselines import fit_sequence_baseline

        return fit_sequence_baseline(name, self.sequences, split.train, self.labels, limit)

    def predict_baseline(self, split: SequenceSplit, fitted: FittedSequenceBaseline, limit: TimeLimit) -> Floats:
        """(sequences, O) outputs for the scored part of a split."""
        from lstmgru.data.sequences.raw import RawSequences

        return fitted.predict(RawSequences.of(self.sequences, split.evaluation), limit)

    def backtest(self, model: SequenceModelSpec | None = None) -> SequenceBacktest:
        """Collects the outputs of a candidate or baseline for the folds."""
        return SequenceBacktest(self)

    def criterion(self) -> Criterion:
        """What blends are selected by: the mean over the folds of the scores of the kept sequences.

        Between equal scores of classes, as those of accuracy often are, the log loss decides; it is its own tie break.
        """
        from lstmgru.evaluation.blending import Criterion

        return Criterion(
            lambda outputs: _mean_score(self.kept_evaluations, self.metric, outputs),
            larger_is_better=find_metric(self.metric).larger_is_better,
            tie_break=(lambda outputs: _mean_score(self.kept_evaluations, "log_loss", outputs))
            if self.labels.classes and self.metric != "log_loss"
            else None,
        )


class SequenceBacktest:
    """Collects the outputs of the folds, of which some are kept.

    Args:
        data: Of the study.
    """

    def __init__(self, data: SequenceData) -> None:
        self._data = data
        self._outputs: list[Any] = []

    def add(self, fold: int, outputs: Any) -> None:
        """A fold's (sequences, O) probabilities, or values in original units."""
        self._outputs.append(outputs[self._data.kept[fold]])

    def calibration(self) -> dict[str, Any] | None:
        """Labels have no prediction intervals."""
        return None

    def outputs(self) -> Outputs:
        """The kept outputs of the folds so far."""
        return tuple(self._outputs)

    def score(self, outputs: Sequence[Any]) -> float:
        """The mean score of the outputs for all folds."""
        return _mean_score([self._data.evaluation(fold) for fold in self._data.folds], self._data.metric, outputs)


def _mean_score(evaluations: Sequence[SequenceEvaluation], metric: str, outputs: Sequence[Any]) -> float:
    """The mean over the folds of a score of some sequences of each."""
    scores = [evaluation.score(metric, values) for evaluation, values in zip(evaluations, outputs, strict=True)]
    return sum(scores) / len(scores)
