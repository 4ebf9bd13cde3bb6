"""The interfaces of trained models: :class:`Bundle`, and :class:`Servable`, the module in it that is exported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from torch import Tensor, nn

from lstmgru.bundle.card import Card
from lstmgru.bundle.members import Member, NetworkMember
from lstmgru.errors import DataError, RowsError, SeriesError
from lstmgru.specs import Stack

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

Outputs = tuple[Tensor, ...]


class Distance(NamedTuple):
    """The difference between two results for the same inputs.

    Attributes:
        absolute: Largest difference in original units, or of a probability.
        relative: Largest difference relative to a typical size, see :attr:`Servable.unit`.
    """

    absolute: float
    relative: float


class Servable(nn.Module, ABC):
    """A module from named raw inputs to named results, each with the batch as its first axis."""

    @property
    @abstractmethod
    def branches(self) -> tuple[Stack, ...]:
        """The recurrent layers of its networks."""

    @property
    def outside(self) -> tuple[str, ...]:
        """Names of members that are computed outside of torch; with any, the module cannot be exported."""
        return ()

    @property
    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The inputs of ``forward`` with their shapes, without the batch."""

    @property
    @abstractmethod
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """The outputs of ``forward``, in order, with their shapes, without the batch."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """The unit of a relative distance, for messages."""

    @abstractmethod
    def random_inputs(self, batch_size: int, seed: int = 0) -> dict[str, Tensor]:
        """Random inputs that resemble the training data."""

    @abstractmethod
    def distance(self, found: Outputs, expected: Outputs, inputs: dict[str, Tensor]) -> Distance:
        """The difference between the results of another implementation and its own.

        Args:
            found: Results of the other implementation.
            expected: Its own results.
            inputs: The inputs of both.
        """


class Predictions(NamedTuple):
    """Predictions for what could be read of a table.

    Attributes:
        table: As from :meth:`Bundle.predict`.
        left_out: Series or sequence → why it is not among them.
    """

    table: pd.DataFrame
    left_out: dict[str, str]


@dataclass(frozen=True)
class Stored:
    """What a bundle holds beside ``bundle.json``.

    Attributes:
        vocabularies: The content of each vocabulary file.
        arrays: The content of ``weights.safetensors``: for each member, its arrays by name.
    """

    vocabularies: list[dict[str, Any]]
    arrays: list[dict[str, Tensor]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Bundle(ABC):
    """A trained model with its origin and everything needed to predict from a raw table.

    The class of a new task stands in :data:`lstmgru.specs.tasks.TASKS`.

    Attributes:
        members: What is blended; one network alone is a blend of one member.
        metrics: ``holdout`` (metric → value), ``baselines`` (name → value of the task's metric), ``single`` (``name``
            and ``score`` of the best network alone) and ``verdict``, as far as they are known; for forecasts also
            ``intervals`` (rows of ``level``, ``coverage``, ``width``), for classes ``classes`` (rows such as ``class``,
            ``support``, ``precision``).
        provenance: Data and its digest, study, trial, seed, versions, time, and ``trained_on`` (``everything`` or
            ``before_holdout``), as far as they are known.
        example: A raw table that the model can predict from; in a loaded bundle, its dates are ISO text.
    """

    axes: ClassVar[Mapping[str, str]]
    """The axes of every input and output of the ONNX model, by name: ``batch, step``."""
    results: ClassVar[str]
    """Plural noun for the predictions, such as ``forecasts``."""
    renamed_weights: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Prefixes of weights in files of earlier versions → their current names."""

    members: tuple[Member, ...]
    metrics: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    example: pd.DataFrame | None = None

    @classmethod
    @abstractmethod
    def from_description(cls, description: dict[str, Any], stored: Stored) -> Self:
        """Build a bundle from its description, its networks with random weights; the inverse of :meth:`describe`.

        Args:
            description: The content of ``bundle.json``, in the form of the current version.
            stored: The content of the other files.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
        """

    @property
    @abstractmethod
    def task_name(self) -> str:
        """The task under which the bundle is registered, such as ``forecast``."""

    @property
    @abstractmethod
    def servable(self) -> Servable:
        """The blend with all scaling inside, in evaluation mode."""

    @property
    def networks(self) -> tuple[NetworkMember, ...]:
        """The members that are networks."""
        return tuple(member for member in self.members if isinstance(member, NetworkMember))

    def arrays(self) -> list[dict[str, Tensor]]:
        """What ``weights.safetensors`` holds: for each member, its arrays by name."""
        return [member.arrays() for member in self.members]

    @property
    def vocabularies(self) -> list[dict[str, Any]]:
        """The content of each vocabulary file; none for a model that does not read text."""
        return []

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

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The part of ``bundle.json`` that is specific to the task, as plain values.

        Raises:
            BundleError: A value cannot be represented in JSON.
        """

    @abstractmethod
    def card(self, description: dict[str, Any]) -> Card:
        """The content of the model card.

        Args:
            description: The whole content of ``bundle.json``.
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
