"""Labels of sequences and texts as a task of the search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lstmgru.specs import LabelSpec
from search.tasks.data import TaskData

if TYPE_CHECKING:
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
