"""What was said of the holdout of a study of labels: the tables that its end writes, read back."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstmgru.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NAMES = ["sequence", "actual", "predicted"]


@dataclass(frozen=True)
class PredictedClasses:
    """Sequences or texts, their classes, and the probabilities of these.

    Attributes:
        names: (k,) of the sequences.
        actual: (k,) codes of their classes.
        predicted: (k,) codes of the classes that they were given.
        probabilities: (k, C).
    """

    names: npt.NDArray[np.object_]
    actual: Counts
    predicted: Counts
    probabilities: Floats

    @property
    def certainty(self) -> Floats:
        """(k,) probabilities of the classes that were given."""
        chosen: Floats = self.probabilities[np.arange(len(self.predicted)), self.predicted]
        return chosen

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """(k,) whether the right one was given."""
        right: npt.NDArray[np.bool_] = self.actual == self.predicted
        return right


@dataclass(frozen=True)
class PredictedValues:
    """Sequences or texts, and numbers.

    Attributes:
        names: (k,) of the sequences.
        actual: (k,) in original units.
        predicted: Likewise.
    """

    names: npt.NDArray[np.object_]
    actual: Floats
    predicted: Floats

    @property
    def errors(self) -> Floats:
        """(k,) by how much what was predicted is too large."""
        return self.predicted - self.actual


def read_predicted_classes(path: Path, classes: Sequence[str]) -> PredictedClasses:
    """The labels of a table of probabilities.

    Args:
        path: A CSV file with ``sequence``, ``actual``, ``predicted`` and ``p_<class>`` for each class.
        classes: (C,) their names, in order.

    Raises:
        DataError: The file is no such table.
        FileNotFoundError: There is none.
    """
    frame = _read(path, [*_NAMES, *(f"p_{name}" for name in classes)])
    codes = {name: code for code, name in enumerate(classes)}
    unknown = {*frame["actual"], *frame["predicted"]} - codes.keys()
    if unknown:
        raise DataError(f"{path} is no table of labels: {min(unknown)!r} is none of the classes")
    return PredictedClasses(
        names=frame["sequence"].to_numpy(object),
        actual=np.array([codes[name] for name in frame["actual"]], np.int64),
        predicted=np.array([codes[name] for name in frame["predicted"]], np.int64),
        probabilities=_numbers(path, frame.iloc[:, len(_NAMES) :]),
    )


def read_predicted_values(path: Path) -> PredictedValues:
    """The labels of a table of numbers.

    Args:
        path: A CSV file with ``sequence``, ``actual`` and ``predicted``.

    Raises:
        DataError: The file is no such table.
        FileNotFoundError: There is none.
    """
    frame = _read(path, _NAMES)
    values = _numbers(path, frame[["actual", "predicted"]])
    return PredictedValues(frame["sequence"].to_numpy(object), values[:, 0], values[:, 1])


def read_confusion(path: Path, n_classes: int) -> Counts:
    """(C, C) how often a class (row) was given as what (column).

    Raises:
        DataError: The file is no such table.
        FileNotFoundError: There is none.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    try:
        counts = np.array([row[1:] for row in rows], np.int64)
    except ValueError as error:
        raise DataError(f"{path} is no table of counts: {error}") from error
    if counts.shape != (n_classes, n_classes):
        raise DataError(f"{path} is no table of counts of {n_classes} classes: it has {len(rows)} rows")
    return counts


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    """The cells of a table, as text: no name is taken for a number or for nothing."""
    import pandas as pd

    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except ValueError as error:  # pandas' errors of parsing are all of this kind
        raise DataError(f"{path} is no table of labels: {' '.join(str(error).split())}") from error
    missing = [name for name in columns if name not in frame]
    if missing or not len(frame):
        raise DataError(f"{path} is no table of labels: it has no {f'column {missing[0]!r}' if missing else 'rows'}")
    return frame[columns]


def _numbers(path: Path, frame: pd.DataFrame) -> Any:
    try:
        return frame.to_numpy(object).astype(np.float64)
    except ValueError as error:
        raise DataError(f"{path} is no table of labels: {error}") from error
