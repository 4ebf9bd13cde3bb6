"""Tables of the holdout of a classifier or regressor, read back: class scores, confusion matrix, predictions.

pandas is imported only where predictions are read, so that ``show`` stays fast.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstmgru.errors import DataError
from search.reports.formatting import share

if TYPE_CHECKING:
    import pandas as pd


Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NAMES, _TEXT = ["sequence", "actual", "predicted"], "text"
_COLUMNS = ("class", "support", "precision", "recall", "f1")
CLASS_HEAD = ("class", "support", "precision", "recall", "F1")
"""Column titles of :attr:`ClassScore.cells`."""


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class on the holdout.

    Attributes:
        name: Name of the class.
        support: Number of labels of the class.
        precision: Share of the predictions of the class that are right.
        recall: Share of the labels of the class that are predicted.
        f1: Harmonic mean of precision and recall.
    """

    name: str
    support: int
    precision: float
    recall: float
    f1: float

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of a table row, see :data:`CLASS_HEAD`."""
        return self.name, f"{self.support:,}", share(self.precision), share(self.recall), share(self.f1)


def read_class_scores(path: Path) -> tuple[ClassScore, ...]:
    """Read the scores of all classes.

    Raises:
        DataError: The file is not such a table.
        FileNotFoundError: The file does not exist.
    """
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = [*csv.reader(file)] or [[]]
    try:
        if tuple(head) != _COLUMNS:
            raise ValueError(f"its columns are not {', '.join(_COLUMNS)}")
        return tuple(
            ClassScore(name, int(support), float(precision), float(recall), float(f1))
            for name, support, precision, recall, f1 in rows
        )
    except ValueError as error:
        raise DataError(f"{path} is not a table of class scores: {error}") from error


@dataclass(frozen=True)
class PredictedClasses:
    """Predictions of a classifier.

    Attributes:
        names: (k,) names of the sequences.
        actual: (k,) codes of the actual classes.
        predicted: (k,) codes of the predicted classes.
        probabilities: (k, C).
        texts: (k,) what was classified; ``None``: sequences of numbers.
    """

    names: npt.NDArray[np.object_]
    actual: Counts
    predicted: Counts
    probabilities: Floats
    texts: npt.NDArray[np.object_] | None = None

    @property
    def certainty(self) -> Floats:
        """(k,) probabilities of the predicted classes."""
        return self.probabilities[np.arange(len(self.predicted)), self.predicted]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """(k,) whether the prediction is right."""
        right: npt.NDArray[np.bool_] = self.actual == self.predicted
        return right


@dataclass(frozen=True)
class PredictedValues:
    """Predictions of a regressor.

    Attributes:
        names: (k,) names of the sequences.
        actual: (k,) actual values in original units.
        predicted: (k,) predicted values in original units.
    """

    names: npt.NDArray[np.object_]
    actual: Floats
    predicted: Floats

    @property
    def errors(self) -> Floats:
        """(k,) predicted minus actual values."""
        return self.predicted - self.actual


def read_predicted_classes(path: Path, classes: Sequence[str]) -> PredictedClasses:
    """Read the predictions of a classifier.

    Args:
        path: A CSV file with ``sequence``, ``actual``, ``predicted``, ``p_<class>`` for each class, and ``text`` of
            texts.
        classes: (C,) names of the classes, in order.

    Raises:
        DataError: The file is not such a table.
        FileNotFoundError: The file does not exist.
    """
    chances = [f"p_{name}" for name in classes]
    frame = _read(path, [*_NAMES, *chances])
    codes = {name: code for code, name in enumerate(classes)}
    unknown = {*frame["actual"], *frame["predicted"]} - codes.keys()
    if unknown:
        raise DataError(f"{path} is not a table of predictions: {min(unknown)!r} is not one of the classes")
    return PredictedClasses(
        names=frame["sequence"].to_numpy(object),
        actual=np.array([codes[name] for name in frame["actual"]], np.int64),
        predicted=np.array([codes[name] for name in frame["predicted"]], np.int64),
        probabilities=_numbers(path, frame[chances]),
        texts=frame[_TEXT].to_numpy(object) if _TEXT in frame else None,
    )


def read_predicted_values(path: Path) -> PredictedValues:
    """Read the predictions of a regressor.

    Args:
        path: A CSV file with ``sequence``, ``actual`` and ``predicted``.

    Raises:
        DataError: The file is not such a table.
        FileNotFoundError: The file does not exist.
    """
    frame = _read(path, _NAMES)
    values = _numbers(path, frame[["actual", "predicted"]])
    return PredictedValues(frame["sequence"].to_numpy(object), values[:, 0], values[:, 1])


def read_confusion(path: Path, n_classes: int) -> Counts:
    """Read a confusion matrix, (C, C): actual classes in rows, predicted classes in columns.

    Raises:
        DataError: The file is not such a table.
        FileNotFoundError: The file does not exist.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    try:
        counts = np.array([row[1:] for row in rows], np.int64)
    except ValueError as error:
        raise DataError(f"{path} is not a confusion matrix: {error}") from error
    if counts.shape != (n_classes, n_classes):
        raise DataError(f"{path} is not a confusion matrix of {n_classes} classes: it has {len(rows)} rows")
    return counts


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read the cells of a table as text, so that no name is parsed as a number or a missing value."""
    import pandas as pd

    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except ValueError as error:  # the base class of pandas' parsing errors
        raise DataError(f"{path} is not a table of predictions: {' '.join(str(error).split())}") from error
    missing = [name for name in columns if name not in frame]
    if missing or not len(frame):
        what = f"column {missing[0]!r}" if missing else "rows"
        raise DataError(f"{path} is not a table of predictions: it has no {what}")
    return frame[[*columns, *([_TEXT] if _TEXT in frame else [])]]


def _numbers(path: Path, frame: pd.DataFrame) -> Any:
    try:
        return frame.to_numpy(object).astype(np.float64)
    except ValueError as error:
        raise DataError(f"{path} is not a table of predictions: {error}") from error
