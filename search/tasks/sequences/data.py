"""Labels of sequences and texts as a task of the search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstmgru.specs import LabelSpec
from search.study.predictions import Outputs
from search.tasks.data import TaskData, kept_cases

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lstmgru.data.sequences.sequences import LabeledSequences
    from lstmgru.data.sequences.splits import SequenceSplit
    from lstmgru.data.sequences.vocabulary import WordVectors
    from lstmgru.evaluation.sequences import SequenceEvaluation


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
