"""Scores of labels.

Of classes, where outputs are (k, C) probabilities and the class with the largest one is the predicted one:

- ``accuracy``: share of the labels that are predicted
- ``balanced_accuracy``: mean recall of the classes that occur among the labels (Brodersen et al. 2010)
- ``macro_f1``: mean over all C classes of F1 = 2 tp / (2 tp + fp + fn), 0 for a class that neither occurs nor is
  predicted (Sokolova & Lapalme 2009)
- ``log_loss``: mean -log p of the labels, p not below the precision of ``float32``, 1.2e-7
- ``auroc``: area under the ROC curve: of two classes, of the second one's probability; of more, the mean over the
  classes that occur, each against the rest (Fawcett 2006); NaN where all labels are of one class

Of numbers, where outputs are (k, 1):

- ``mae``: mean |y - ŷ|
- ``rmse``: √mean (y - ŷ)²
- ``r2``: 1 - Σ (y - ŷ)² / Σ (y - ȳ)²; NaN where all labels are the same
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.errors import DataError
from lstmgru.evaluation.significance import Interval, paired_bootstrap
from lstmgru.specs import CLASS_METRICS, LARGER_IS_BETTER, VALUE_METRICS, LabelSpec, SequenceMetric

Array = npt.NDArray[np.float32]
_Floats = npt.NDArray[np.float64]
_Labels = npt.NDArray[np.int64] | npt.NDArray[np.float32]

_SMALLEST = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class SequenceEvaluation:
    """The labels that a split is scored on, the same for every candidate and every baseline.

    Attributes:
        labels: (k,) codes of the classes, or numbers in original units.
        task: What they are.
        groups: (k,) which of them belong together; ``None``: each stands by itself.
    """

    labels: _Labels
    task: LabelSpec
    groups: Indices | None = None

    @classmethod
    def of(cls, sequences: LabeledSequences, indices: Indices, task: LabelSpec) -> Self:
        """Of (k,) numbers of sequences."""
        groups = None if sequences.groups is None else sequences.groups[indices]
        return cls(sequences.labels[indices], task, groups)

    def check(self, metric: SequenceMetric) -> None:
        """Check that a metric has a value.

        Raises:
            DataError: It has none.
        """
        if metric in ("auroc", "r2") and len(np.unique(self.labels)) < 2:
            raise DataError(
                f"{metric} has no value where all {len(self.labels)} labels that are scored are the same; choose "
                "another metric or other splits"
            )

    def score(self, metric: SequenceMetric, outputs: Array) -> float:
        """One metric; NaN where it has no value, or an output is not finite.

        Args:
            metric: Its name.
            outputs: (k, C) probabilities, or (k, 1) numbers in original units.
        """
        return float(_SCORES[metric](self.labels, outputs)) if np.isfinite(outputs).all() else float("nan")

    def scores(self, outputs: Array) -> dict[str, float]:
        """Every metric of the task by name; left out is what has no value.

        Args:
            outputs: As of :meth:`score`.
        """
        names = CLASS_METRICS if self.task.task == "classification" else VALUE_METRICS
        values = {name: self.score(name, outputs) for name in names}  # type: ignore[arg-type]  # names of metrics
        return {name: value for name, value in values.items() if np.isfinite(value)}

    def confusion(self, outputs: Array) -> Indices:
        """(C, C) how often a label (row) is predicted as what (column).

        Args:
            outputs: (k, C) probabilities.
        """
        return _confusion(self.labels, outputs)

    def per_class(self, outputs: Array) -> pd.DataFrame:
        """A row for each class: ``class``, ``support`` (labels of it), ``precision``, ``recall`` and ``f1``.

        What would be divided by 0 is 0.

        Args:
            outputs: (k, C) probabilities.
        """
        confusion = self.confusion(outputs)
        hits, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
        return pd.DataFrame(
            {
                "class": self.task.classes,
                "support": support,
                "precision": _ratio(hits, predicted),
                "recall": _ratio(hits, support),
                "f1": _f1(confusion),
            }
        )

    def difference(self, metric: SequenceMetric, outputs: Array, others: Array) -> Interval:
        """The error of one method minus the error of another: below 0, the first is better.

        A metric that is to be large counts as an error with the sign changed.

        Args:
            metric: Its name.
            outputs: Of the one, as of :meth:`score`.
            others: Of the other.
        """
        sign, score = (-1 if metric in LARGER_IS_BETTER else 1), _SCORES[metric]

        def difference(drawn: Indices) -> float:
            labels = self.labels[drawn]
            return sign * (float(score(labels, outputs[drawn])) - float(score(labels, others[drawn])))

        return paired_bootstrap(difference, np.arange(len(self.labels)) if self.groups is None else self.groups)


def _confusion(labels: _Labels, outputs: Array) -> Indices:
    n_classes = outputs.shape[1]
    cells = labels.astype(np.int64) * n_classes + outputs.argmax(axis=1)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.int64)


def _accuracy(labels: _Labels, outputs: Array) -> float:
    return float((outputs.argmax(axis=1) == labels).mean())


def _balanced_accuracy(labels: _Labels, outputs: Array) -> float:
    confusion = _confusion(labels, outputs)
    support = confusion.sum(axis=1)
    return float((np.diag(confusion)[support > 0] / support[support > 0]).mean())


def _macro_f1(labels: _Labels, outputs: Array) -> float:
    return float(_f1(_confusion(labels, outputs)).mean())


def _f1(confusion: Indices) -> _Floats:
    """(C,) F1 of each class."""
    return _ratio(2 * np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1))


def _log_loss(labels: _Labels, outputs: Array) -> float:
    chosen = np.take_along_axis(outputs, labels.astype(np.int64)[:, None], axis=1).astype(np.float64)
    return float(-np.log(chosen.clip(_SMALLEST, 1)).mean())


def _auroc(labels: _Labels, outputs: Array) -> float:
    occurring = np.unique(labels).astype(np.int64)
    if len(occurring) < 2:
        return float("nan")
    if outputs.shape[1] == 2:
        return _area(labels == 1, outputs[:, 1])
    return float(np.mean([_area(labels == code, outputs[:, code]) for code in occurring]))


def _area(positive: npt.NDArray[np.bool_], scores: Array) -> float:
    """The probability that a positive has a larger score than a negative, ties counting half (Mann & Whitney 1947)."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n_positive = int(positive.sum())
    area = (ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * (len(scores) - n_positive))
    return float(area)


def _errors(labels: _Labels, outputs: Array) -> _Floats:
    errors: _Floats = labels.astype(np.float64) - outputs[:, 0]
    return errors


def _mae(labels: _Labels, outputs: Array) -> float:
    return float(np.abs(_errors(labels, outputs)).mean())


def _rmse(labels: _Labels, outputs: Array) -> float:
    return float(np.sqrt((_errors(labels, outputs) ** 2).mean()))


def _r2(labels: _Labels, outputs: Array) -> float:
    spread = float(((labels - labels.mean(dtype=np.float64)) ** 2).sum())
    return 1 - float((_errors(labels, outputs) ** 2).sum()) / spread if spread > 0 else float("nan")


def _ratio(above: Indices, below: Indices) -> _Floats:
    """The ratio, 0 where it is divided by 0."""
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)


_SCORES: dict[SequenceMetric, Callable[[_Labels, Array], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "macro_f1": _macro_f1,
    "log_loss": _log_loss,
    "auroc": _auroc,
    "mae": _mae,
    "rmse": _rmse,
    "r2": _r2,
}
"""(k,) labels and (k, O) outputs → the score."""
