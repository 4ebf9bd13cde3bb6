"""The labels that a split is scored on, and the scores of their predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.errors import DataError
from lstmgru.evaluation.confusion import confusion, f1_of_classes, ratio
from lstmgru.evaluation.metrics import Metric, find_metric, metric_names
from lstmgru.evaluation.significance import Interval, paired_bootstrap
from lstmgru.specs import LabelSpec

Array = npt.NDArray[np.float32]
_Labels = npt.NDArray[np.int64] | npt.NDArray[np.float32]


@dataclass(frozen=True)
class SequenceEvaluation:
    """The labels that a split is scored on, the same for all candidates and baselines.

    Attributes:
        labels: (k,) codes of the classes, or numbers in original units.
        task: Their task.
        groups: (k,) groups of the labels, if there are any.
    """

    labels: _Labels
    task: LabelSpec
    groups: Indices | None = None

    @classmethod
    def of(cls, sequences: LabeledSequences, indices: Indices, task: LabelSpec) -> Self:
        """The evaluation of the sequences with (k,) indices."""
        groups = None if sequences.groups is None else sequences.groups[indices]
        return cls(sequences.labels[indices], task, groups)

    def check(self, metric: str) -> None:
        """Check that a metric is defined for the labels.

        Raises:
            DataError: It is not.
            SpecError: The task has no such metric.
        """
        if find_metric(metric, self.task.task).needs_variation and len(np.unique(self.labels)) < 2:
            raise DataError(
                f"{metric} is undefined, because all {len(self.labels)} scored labels are the same; choose another "
                "metric or other splits"
            )

    def score(self, metric: str, outputs: Array) -> float:
        """The score of a metric; NaN where it is undefined, or an output is not finite.

        Args:
            metric: Its name.
            outputs: (k, C) probabilities, or (k, 1) numbers in original units.

        Raises:
            SpecError: The task has no such metric.
        """
        found = find_metric(metric, self.task.task)
        return self._score(found, self.labels, outputs) if np.isfinite(outputs).all() else float("nan")

    def scores(self, outputs: Array) -> dict[str, float]:
        """The scores of all metrics of the task by name, without those that are undefined.

        Args:
            outputs: As of :meth:`score`.
        """
        values = {name: self.score(name, outputs) for name in metric_names(self.task.task)}
        return {name: value for name, value in values.items() if np.isfinite(value)}

    def confusion(self, outputs: Array) -> Indices:
        """(C, C) confusion matrix: labels in rows, predictions in columns.

        Args:
            outputs: (k, C) probabilities.
        """
        return confusion(self.labels.astype(np.int64), outputs)

    def per_class(self, outputs: Array) -> pd.DataFrame:
        """A row for each class: ``class``, ``support`` (labels of it), ``precision``, ``recall`` and ``f1``.

        Ratios with a denominator of 0 are 0.

        Args:
            outputs: (k, C) probabilities.
        """
        counts = self.confusion(outputs)
        hits, support, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
        return pd.DataFrame(
            {
                "class": self.task.classes,
                "support": support,
                "precision": ratio(hits, predicted),
                "recall": ratio(hits, support),
                "f1": f1_of_classes(counts),
            }
        )

    def difference(self, metric: str, outputs: Array, others: Array) -> Interval:
        """The error of one method minus the error of another; negative if the first is better.

        Maximized metrics count with the opposite sign.

        Args:
            metric: Its name.
            outputs: Of the one, as of :meth:`score`.
            others: Of the other.
        """
        found = find_metric(metric, self.task.task)
        sign = -1 if found.larger_is_better else 1

        def difference(drawn: Indices) -> float:
            labels = self.labels[drawn]
            return sign * (self._score(found, labels, outputs[drawn]) - self._score(found, labels, others[drawn]))

        return paired_bootstrap(difference, self.units, self.kind_of_units)

    def interval(self, metric: str, outputs: Array) -> Interval:
        """The score of a method with its 95% interval, from a bootstrap over the units.

        Args:
            metric: Its name.
            outputs: As of :meth:`score`.
        """
        found = find_metric(metric, self.task.task)
        return paired_bootstrap(
            lambda drawn: self._score(found, self.labels[drawn], outputs[drawn]), self.units, self.kind_of_units
        )

    @property
    def units(self) -> Indices:
        """(k,) the unit of each sequence: its group, or the sequence itself without groups."""
        return np.arange(len(self.labels)) if self.groups is None else self.groups

    @property
    def kind_of_units(self) -> str:
        """What the units are, in the plural."""
        return "labels" if self.groups is None else "groups"

    def _score(self, metric: Metric, labels: _Labels, outputs: Array) -> float:
        if self.task.task == "regression":
            mean = float(np.mean(metric.function(labels.astype(np.float64), outputs[:, 0])))
        else:
            mean = float(np.mean(metric.function(labels, outputs)))
        return float(np.sqrt(mean)) if metric.root else mean
