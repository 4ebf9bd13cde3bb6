"""How well each class was recognized on the holdout: the table that the end of a study of classes writes, read back.

Needs neither pandas nor numpy, so that ``show`` answers at once.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgru.errors import DataError
from search.reports.formatting import share
from search.study.paths import CLASSES_TABLE, report_path

if TYPE_CHECKING:
    from search.study.records import StudyRecord

_COLUMNS = ("class", "support", "precision", "recall", "f1")
CLASS_HEAD = ("class", "support", "precision", "recall", "F1")
"""Titles of the columns of :attr:`ClassScore.cells`."""


@dataclass(frozen=True)
class ClassScore:
    """One class on the holdout.

    Attributes:
        name: Of the class.
        support: Labels that are of it.
        precision: Share of what was given this label that is of the class.
        recall: Share of the class that was given this label.
        f1: Harmonic mean of the two.
    """

    name: str
    support: int
    precision: float
    recall: float
    f1: float

    @property
    def cells(self) -> tuple[str, ...]:
        """What a table says of it, see :data:`CLASS_HEAD`."""
        return self.name, f"{self.support:,}", share(self.precision), share(self.recall), share(self.f1)


def read_classes(path: Path) -> tuple[ClassScore, ...]:
    """The classes of a table, in its order.

    Raises:
        DataError: The file is no such table.
        FileNotFoundError: There is none.
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
        raise DataError(f"{path} is no table of classes: {error}") from error


def classes_of(study: StudyRecord) -> tuple[ClassScore, ...]:
    """The classes of a study, best effort: none where its holdout was not scored, or the table is not there any more.

    Raises:
        DataError: The file is no such table.
    """
    if study.bundle is None or study.holdout is None or study.task != "classification":
        return ()
    try:
        return read_classes(report_path(Path(study.bundle)) / CLASSES_TABLE)
    except FileNotFoundError:
        return ()
