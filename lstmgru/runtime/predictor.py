"""The interface of a trained model that predicts from raw tables, whatever computes it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypeVar

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


class BlockPlan(NamedTuple):
    """Which rows of a file belong together, and which columns are read.

    Attributes:
        column: The names of the series or sequences; ``None`` if each row is one.
        sorted: Whether predictions are in the order of their names; otherwise in that of their first rows.
        columns: Those to read; of those that the file lacks, the model tells.
        text: Columns of names, see :func:`~lstmgru.data.tables.readers.read_table`.
        numbers: What a series or sequence takes in memory beside its rows, in numbers.
        output_rows: Rows of the predictions for each.
    """

    column: str | None
    sorted: bool
    columns: tuple[str, ...]
    text: tuple[str, ...]
    numbers: int
    output_rows: int


class Options(NamedTuple):
    """What is asked of a forecast.

    Attributes:
        levels: Of the prediction intervals; ``None`` for those of the model.
        horizon: Number of steps, the first ones; ``None`` for all.
        samples: Number of sample paths of each series, instead of intervals, without levels; ``None`` for none.
        seed: Of the sample paths.
    """

    levels: tuple[float, ...] | None = None
    horizon: int | None = None
    samples: int | None = None
    seed: int = 0

    @classmethod
    def of(cls, levels: object = None, horizon: object = None, samples: object = None, seed: object = 0) -> Self:
        """The options as a caller has given them.

        Raises:
            DataError: Levels are not a list of numbers, or another one is not a whole number.
        """
        whole = {"the horizon": horizon, "the number of sample paths": samples, "the seed": seed}
        for name, value in whole.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, Integral)):
                raise DataError(f"{name} must be a whole number but got {value!r}")
        numbers: Any = (horizon, samples, seed)  # as was checked
        if numbers[-1] is None or numbers[-1] < 0:
            raise DataError(f"the seed must be a whole number from 0 but got {seed!r}")
        return cls(None if levels is None else _numbers(levels), *numbers)


class NothingPredicted(DataError):
    """All series or sequences of a table, or of a part of it, break a rule.

    Attributes:
        left_out: Series or sequence → why.
    """

    def __init__(self, message: str, left_out: dict[str, str]) -> None:
        self.left_out = left_out
        super().__init__(message)

    @classmethod
    def of(cls, left_out: dict[str, str]) -> Self:
        """The error with the first reason."""
        first, others = next(iter(left_out.values())), len(left_out) - 1
        return cls(f"{first}; the other {others} cannot be predicted either" if others else first, left_out)


class Predictor(ABC):
    """A trained model with everything needed to predict from a raw table.

    PyTorch computes it (:class:`lstmgru.bundle.Bundle`) or ONNX Runtime (:func:`lstmgru.runtime.load_model`); what it
    reads and returns is the same.
    """

    results: ClassVar[str]
    """Plural noun for the predictions, such as ``forecasts``."""

    def with_arrays(self, arrays: Mapping[str, npt.NDArray[np.float32]]) -> Self:
        """The model with the arrays that its bundle holds beside the weights.

        Args:
            arrays: By name.

        Raises:
            SpecError: An array does not fit the model.
        """
        del arrays  # there are none
        return self

    @property
    @abstractmethod
    def integer_columns(self) -> tuple[str, ...]:
        """Columns of integers that transport may have turned into floats."""

    @property
    @abstractmethod
    def timestamp_columns(self) -> tuple[str, ...]:
        """Columns of timestamps that transport may have turned into text with UTC offsets."""

    @abstractmethod
    def predict(
        self,
        data: Any,
        *,
        source: str = "table",
        levels: Sequence[float] | None = None,
        horizon: int | None = None,
    ) -> pd.DataFrame:
        """Predict from a raw table: for all series or sequences, or for none.

        Args:
            data: A table; additional columns are ignored.
            source: Name of the table in error messages.
            levels: Of the prediction intervals of forecasts; ``None`` for those of the model.
            horizon: Number of steps to forecast; ``None`` for all.

        Raises:
            DataError: The table does not fit the model, or levels or horizon do not.
        """

    def predict_available(
        self,
        data: Any,
        *,
        source: str = "table",
        levels: Sequence[float] | None = None,
        horizon: int | None = None,
    ) -> Predictions:
        """Predict from a raw table, without the series or sequences that break a rule.

        Args:
            data: As for :meth:`predict`.
            source: As for :meth:`predict`.
            levels: As for :meth:`predict`.
            horizon: As for :meth:`predict`.

        Raises:
            DataError: The table as a whole does not fit the model, or nothing in it does.
        """
        options = self.checked(Options.of(levels, horizon))
        frame, schema = self._table(data)
        return self._predict_available(frame, schema, np.arange(len(frame)), source, options)

    def predict_part(
        self,
        frame: pd.DataFrame,
        rows: npt.NDArray[np.int64],
        options: Options,
        *,
        source: str = "table",
        strict: bool = False,
    ) -> Predictions:
        """Predict from some rows of a table that is too large to be read at once, as :meth:`predict_available`.

        Args:
            frame: All rows of some series or sequences.
            rows: (rows,) their indices in the whole table, for messages.
            options: As :meth:`checked` returns them.
            source: Name of the table in error messages.
            strict: Raise the first reason instead of leaving a series or sequence out.

        Raises:
            NothingPredicted: No series or sequence of this part can be predicted.
            DataError: The table as a whole does not fit the model.
        """
        schema = self._table(frame)[1]
        if strict:
            return Predictions(self._predict_rows(frame, schema, rows, source, options), {})
        return self._predict_available(frame, schema, rows, source, options)

    @abstractmethod
    def checked(self, options: Options) -> Options:
        """The options, levels in ascending order.

        Raises:
            DataError: The model does not support one of them, or levels are given with a number of sample paths.
        """

    @abstractmethod
    def blocks(self, path: Path) -> BlockPlan | None:
        """How a file can be read in parts that are predicted one after the other; ``None`` if only as a whole."""

    def _predict_available(
        self, frame: pd.DataFrame, schema: Any, rows: npt.NDArray[np.int64], source: str, options: Options
    ) -> Predictions:
        left_out: dict[str, str] = {}
        while True:
            try:
                return Predictions(self._predict_rows(frame, schema, rows, source, options), left_out)
            except (RowsError, SeriesError) as error:
                names = self._names(frame, schema, rows)
                left_out |= _reasons(error, names, rows)
                kept = np.array([name not in left_out for name in names], bool)
                if not kept.any():
                    if len(left_out) == 1 or (isinstance(error, SeriesError) and error.summary is not None):
                        raise NothingPredicted(str(error), left_out) from error
                    raise NothingPredicted.of(left_out) from error
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
    def _predict_rows(
        self, frame: pd.DataFrame, schema: Any, rows: npt.NDArray[np.int64], source: str, options: Options
    ) -> pd.DataFrame:
        """Predict from some rows of a table, see :meth:`_names`."""

    def _for_each(self, compute: Callable[[_Batch], None], batches: Iterable[_Batch]) -> None:
        """Call a function for each batch of a table; they do not depend on each other."""
        for batch in batches:
            compute(batch)

    @abstractmethod
    def read_table(
        self,
        path: Path | str,
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


def no_table(data: object, wanted: str = "a table") -> DataError:
    """The error of data that are no table.

    Args:
        data: What was given.
        wanted: What the model predicts from.
    """
    if isinstance(data, str | os.PathLike):
        path = os.fspath(data)
        return DataError(f"the model predicts from {wanted}, but got {path!r}; read a file with .read_table({path!r})")
    return DataError(f"the model predicts from {wanted}, but got a {type(data).__name__}; pass a pandas.DataFrame")


def _numbers(levels: Any) -> tuple[float, ...]:
    try:
        found = () if isinstance(levels, str | Mapping) else tuple(levels)
        wrong = isinstance(levels, str | Mapping)
    except TypeError:
        found, wrong = (), True
    if wrong or any(isinstance(level, bool) or not isinstance(level, Real) for level in found):
        raise DataError(f"levels must be a list of numbers between 0 and 1, such as [0.5, 0.9], but got {levels!r}")
    return found


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
