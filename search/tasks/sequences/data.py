"""Labels of sequences and texts as a task of the search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lstmgru.specs import LabelSpec, SequenceModelSpec
from search.tasks.base import BaselineResult, TaskData

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmgru.data.sequences.sequences import LabeledSequences
    from lstmgru.data.sequences.splits import SequenceSplit
    from lstmgru.data.sequences.word_vectors import WordVectors
    from lstmgru.evaluation.sequences import SequenceEvaluation
    from lstmgru.specs import TrainSpec
    from lstmgru.training.callbacks import Observer
    from lstmgru.training.fit_sequences import SequenceFitResult
    from search.space.space import Model


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
    def n_folds(self) -> int:
        """Folds that every candidate is trained on."""
        return len(self.folds)

    @property
    def larger_is_better(self) -> bool:
        """Whether the score is maximized."""
        from lstmgru.evaluation.metrics import find_metric

        return find_metric(self.labels.metric).larger_is_better

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

    def fit(self, fold: int, model: Model, train: TrainSpec, observer: Observer) -> SequenceFitResult:
        """Train a candidate on a fold, counted from 0, scoring every epoch.

        Raises:
            TrainingDiverged: A loss or score is not finite.
        """
        return self.fit_split(self.folds[fold], model, train, observer, validate=True)

    def fit_split(
        self, split: SequenceSplit, model: Model, train: TrainSpec, observer: Observer | None, *, validate: bool
    ) -> SequenceFitResult:
        """Train a candidate on the training part of any split, with or without a score for each epoch."""
        from lstmgru.training.fit_sequences import fit_sequences

        assert isinstance(model, SequenceModelSpec)  # a space of labels suggests no other
        return fit_sequences(
            self.sequences,
            split,
            model,
            train,
            self.labels,
            validate=validate,
            observer=observer,
            vectors=self.vectors,
        )

    def score_baselines(self, should_stop: Callable[[], bool]) -> dict[str, BaselineResult] | None:
        """Every baseline on the folds, by name; ``None`` if it was stopped."""
        from lstmgru.evaluation.sequence_baselines import sequence_baselines

        results = {}
        for name, baseline in sequence_baselines(self.sequences, self.labels).items():
            scores = []
            for fold in self.folds:
                if should_stop():
                    return None
                outputs = baseline(self.sequences, fold.train, self.labels)(fold.evaluation)
                scores.append(self.evaluation(fold).score(self.labels.metric, outputs))
            results[name] = BaselineResult(sum(scores) / len(scores))
        return results
