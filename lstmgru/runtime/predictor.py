"""The interface of a trained model that predicts from raw tables, whatever computes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import numpy as np

from lstmgru.errors import DataError, RowsError, SeriesError

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

_Batch = TypeVar("_Batch")


class Predictions(NamedTuple):
    """Predictions for what could be read of a table.

    Attributes:
        table: As from :meth:`Predictor.predict`.
        left_out: Series or sequence → why it is not among them.
    """

    table: pd.DataFrame
    left_out: dict[str, str]


class Predictor(ABC):
    """A trained model with everything needed to predict from a raw table.

    A model is computed by PyTorch (:class:`lstmgru.bundle.Bundle`) or by ONNX Runtime (:func:`lstmgru.runtime.
    load_model`). What it reads and returns is the same.
    """

    results: ClassVar[str]
    """Plural noun for the predictions, such as ``forecasts``."""

    @property
    @abstractmethod
    def integer_columns(self) -> tuple[str, ...]:
        """Columns of integers that transport may have turned into floats."""

    @property
    @abstractmethod
    def timestamp_columns(self) -> tuple[str, ...]:
        """Columns of timestamps that transport may have turned into text with UTC offsets."""

    @abstractmethod
    def predict(self, data: Any, *, source: str = "table") -> pd.DataFrame:
        """Predict from a raw table: for all series or sequences, or for none.

        Args:
            data: A table; additional columns are ignored.
            source: Name of the table in error messages.

        Raises:
            DataError: The table does not fit the model.
        """

    def predict_available(self, data: Any, *, source: str = "table") -> Predictions:
        """Predict from a raw table, without the series or sequences that break a rule.

        Args:
            data: As for :meth:`predict`.
            source: Name of the table in error messages.

        Raises:
            DataError: The table as a whole does not fit the model, or nothing in it does.
        """
        frame, schema = self._table(data)
        rows, left_out = np.arange(len(frame)), dict[str, str]()
        while True:
            try:
                return Predictions(self._predict_rows(frame, schema, rows, source), left_out)
            except (RowsError, SeriesError) as error:
                names = self._names(frame, schema, rows)
                left_out |= _reasons(error, names, rows)
                kept = np.array([name not in left_out for name in names], bool)
                if not kept.any():
                    raise _nothing_left(error, left_out) from error
                frame, rows = frame[kept], rows[kept]

    @abstractmethod
    def _table(self, data: Any) -> tuple[pd.DataFrame, Any]:
        """What :meth:`predict` accepts as a table, and the roles of its columns."""

    @abstractmethod
    def _names(self, frame: pd.DataFrame, schema: Any, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
        """(rows,) the name of each row's series or sequence, or of the row if it is missing.

        Args:
            frame: The rows.
            schema: The roles of the columns.
            rows: (rows,) their indices in the whole table.
        """

    @abstractmethod
    def _predict_rows(self, frame: pd.DataFrame, schema: Any, rows: npt.NDArray[np.int64], source: str) -> pd.DataFrame:
        """Predict from some rows of a table, see :meth:`_names`."""

    def _for_each(self, compute: Callable[[_Batch], None], batches: Iterable[_Batch]) -> None:
        """Call a function for each batch of a table; they do not depend on each other."""
        for batch in batches:
            compute(batch)

    @abstractmethod
    def read_table(
        self,
        path: Path,
        *,
        delimiter: str = ",",
        decimal: str = ".",
        encoding: str = "utf-8",
        columns: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Read a file that the model is to predict from, in the same way as the training data.

        Args:
            path: A file of a format that :func:`~lstmgru.data.tables.readers.read_table` reads.
            delimiter: Between the fields of a text file.
            decimal: Decimal mark of a text file.
            encoding: Encoding of a text file.
            columns: Names of the columns of a text file without a header.

        Raises:
            DataError: The file is missing, damaged, empty or of an unknown format.
        """


def names_of_rows(column: pd.Series, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    """(rows,) the names in a column of ids; ``row 3`` for an empty cell.

    Args:
        column: The cells.
        rows: (rows,) their indices in the whole table.
    """
    from lstmgru.data.tables.columns import read_row_names

    read = read_row_names(column, "table")
    names = np.array([*read.distinct, ""], object)[read.places]
    empty = read.places < 0
    names[empty] = [f"row {row + 1}" for row in rows[empty]]
    return names


def free_name(name: str, taken: Container[str]) -> str:
    """The name, with underscores appended until it is not taken."""
    while name in taken:
        name += "_"
    return name


def _reasons(
    error: RowsError | SeriesError, names: npt.NDArray[np.object_], rows: npt.NDArray[np.int64]
) -> dict[str, str]:
    """Series or sequences that an error is about → the message about each."""
    if isinstance(error, SeriesError):
        return {name: error.message(index) for index, name in enumerate(error.names)}
    first: dict[str, int] = {}
    for row in error.rows:
        first.setdefault(names[row], row)
    return {name: error.message(row, int(rows[row]) + 1, "") for name, row in first.items()}


def _nothing_left(error: DataError, left_out: dict[str, str]) -> DataError:
    if len(left_out) == 1:
        return error
    return DataError(f"{next(iter(left_out.values()))}; the other {len(left_out) - 1} cannot be predicted either")
