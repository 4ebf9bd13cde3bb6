"""A model of labeled sequences or texts that predicts from raw tables."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.series import GapPolicy, check_policy
from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import Indices, LabeledSequences, SequenceSchema
from lstmgru.data.sequences.table import read_sequences
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.data.tables.archives import is_archive, read_archive
from lstmgru.data.tables.readers import check_exists, read_table
from lstmgru.errors import DataError
from lstmgru.runtime.predictor import BlockPlan, Options, Predictor, names_of_rows, no_table
from lstmgru.runtime.sequences.baselines import WeightedBaseline
from lstmgru.runtime.sequences.batches import batches, padded
from lstmgru.runtime.sequences.tables import label_frame
from lstmgru.specs import LabelSpec

if TYPE_CHECKING:
    import pandas as pd

    Table = pd.DataFrame | pd.Series[str] | Sequence[str]

Array = npt.NDArray[np.float32]


class SequenceInput(NamedTuple):
    """An input of a model, for all sequences of a table.

    Attributes:
        gather: (B,) indices → (B, T', …) the sequences, padded to the longest of them.
        lengths: (n,) steps or tokens of each.
    """

    gather: Callable[[Indices], npt.NDArray[Any]]
    lengths: Indices


def input_names(kinds: Sequence[str]) -> dict[str | None, tuple[str, str]]:
    """Names of the input and of its lengths, for each kind of tokens; for ``None``, numbers, if there are no kinds."""
    if not kinds:
        return {None: ("values", "lengths")}
    first, *others = kinds
    found: dict[str | None, tuple[str, str]] = {first: ("tokens", "lengths")}
    return found | {kind: (f"{kind}s", f"{kind}_lengths") for kind in others}


@dataclass(frozen=True, eq=False, kw_only=True)
class SequencePredictor(Predictor):
    """A model of sequences or texts with everything needed to predict from a raw table.

    Attributes:
        task: Classes or numbers, and the metric.
        schema: The roles of the columns.
        gaps: How missing cells within a sequence are handled, as in training.
        integer_ids: Whether the names of the training sequences were whole numbers.
        integer_times: Whether the times of their steps were.
    """

    results = "labels"

    task: LabelSpec
    schema: SequenceSchema
    gaps: GapPolicy = "error"
    integer_ids: bool = False
    integer_times: bool = False

    @property
    @abstractmethod
    def sources(self) -> Mapping[str | None, tuple[str, str]]:
        """Names of the input and of its lengths, for each kind of tokens, or for ``None``: numbers."""

    @property
    @abstractmethod
    def merged_vocabularies(self) -> Mapping[str, Vocabulary]:
        """The vocabulary of each kind of tokens; none for numbers."""

    @property
    @abstractmethod
    def weighted_baselines(self) -> tuple[WeightedBaseline, ...]:
        """The members that are no networks."""

    @abstractmethod
    def max_length(self, kind: str | None) -> int:
        """Steps or tokens of a kind that the networks read."""

    @abstractmethod
    def compute(self, inputs: dict[str, npt.NDArray[Any]]) -> Array:
        """The share of the networks, from the arrays of a batch by name.

        Returns:
            (B, C) weighted sum of their probabilities of the classes, or (B, 1) of their numbers.
        """

    @property
    def integer_columns(self) -> tuple[str, ...]:
        """The id column, and the times if they were whole numbers."""
        times = (self.schema.time,) if self.schema.time and self.integer_times else ()
        return ((self.schema.id,) if self.schema.id else ()) + times

    @property
    def timestamp_columns(self) -> tuple[str, ...]:
        """The time column, if there is one."""
        return (self.schema.time,) if self.schema.time else ()

    def read_table(
        self,
        path: Path | str,
        *,
        delimiter: str = ",",
        decimal: str = ".",
        encoding: str = "utf-8",
        columns: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Read a table or an archive file to predict from, see :meth:`Predictor.read_table`.

        A file of an archive, see :func:`~lstmgru.data.tables.archives.read_archive`, ends in ``.ts``, or has no header
        if the model was trained on such a file.
        """
        path = Path(path)
        check_exists(path)
        if is_archive(path) or self._lacks_header(path):
            return read_archive(path)[0]
        text = self._text_columns
        return read_table(path, delimiter=delimiter, decimal=decimal, encoding=encoding, columns=columns, text=text)

    def blocks(self, path: Path) -> BlockPlan | None:
        """Blocks of whole sequences, see :meth:`Predictor.blocks`; an archive is read as a whole."""
        check_exists(path)
        if is_archive(path) or self._lacks_header(path):
            return None
        inputs, text = self.schema.inputs, self._text_columns
        return BlockPlan(self.schema.id, sorted=False, columns=inputs, text=text, numbers=0, output_rows=1)

    @property
    def _text_columns(self) -> tuple[str, ...]:
        return tuple(column for column in (self.schema.text, self.schema.id) if column is not None)

    def checked(self, options: Options) -> Options:
        """The options, see :meth:`Predictor.checked`; there are none for labels."""
        asked = {"levels are": options.levels, "a horizon is": options.horizon, "sample paths are": options.samples}
        for name, value in asked.items():
            if value is not None:
                them = "it" if name.endswith("is") else "them"
                raise DataError(f"{name} for forecasts, but the model predicts {self.results}; remove {them}")
        return options

    def predict(
        self,
        data: Table,
        *,
        source: str = "table",
        levels: Sequence[float] | None = None,
        horizon: int | None = None,
    ) -> pd.DataFrame:
        """Predict the labels of sequences or texts.

        Args:
            data: A table with the columns of ``schema.inputs``; others are ignored. A text model also accepts the texts
                alone. A sequence longer than a network reads is truncated, as in training.
            source: Name of the table in error messages.
            levels: For forecasts only.
            horizon: Likewise.

        Returns:
            A row for each sequence, in the order of the table: the id column under its own name, or ``row``, from 1, if
            there is none; ``label``, the most probable class, or a number in original units; and for classes
            ``p_<class>``, the probability of each. If the id column already has one of these names, an underscore is
            appended to the new one.

        Raises:
            DataError: Columns or values do not fit.
        """
        options = self.checked(Options.of(levels, horizon))
        frame, schema = self._table(data)
        return self._predict_rows(frame, schema, np.arange(len(frame)), source, options)

    def _lacks_header(self, path: Path) -> bool:
        """Whether the schema has the column names of a file without a header, and the file does not contain them."""
        channels = self.schema.channels
        if self.schema.layout != "wide" or path.suffix.lower() not in (".tsv", ".txt", ".csv"):
            return False
        if channels != tuple(f"step_{number + 1}" for number in range(len(channels))):
            return False
        with path.open("rb") as file:
            return channels[0].encode() not in file.readline()

    def _table(self, data: Table) -> tuple[pd.DataFrame, SequenceSchema]:
        """The data as a table, and the roles of its columns."""
        import pandas as pd

        if isinstance(data, pd.DataFrame):
            return data, self.schema
        if self.schema.text is None:
            raise no_table(data)
        if isinstance(data, str | os.PathLike | Mapping) or not isinstance(data, Iterable):
            raise no_table(data, "a list of texts or a table")
        texts = pd.Series(list(data), dtype=object)  # unconverted, so that the reader can report what is wrong
        return pd.DataFrame({self.schema.text: texts}), replace(self.schema, id=None)

    def _names(self, frame: pd.DataFrame, schema: SequenceSchema, rows: Indices) -> npt.NDArray[np.object_]:
        if schema.id is None:
            return np.array([str(row + 1) for row in rows], object)
        return names_of_rows(frame[schema.id], rows)

    def _predict_rows(
        self, frame: pd.DataFrame, schema: SequenceSchema, rows: Indices, source: str, options: Options
    ) -> pd.DataFrame:
        sequences = read_sequences(frame, schema, gaps=self.gaps, source=source)
        ids = (rows + 1).astype(object) if schema.id is None else sequences.ids
        return label_frame(ids, self._decode(self._outputs_of(sequences)), schema, self.task)

    def _outputs_of(self, sequences: LabeledSequences) -> Array:
        """(n, C) probabilities of the classes, or (n, 1) numbers in original units, of the sequences of a table."""
        read: dict[str, SequenceInput] = {}
        for kind, (name, _) in self.sources.items():
            most = self.max_length(kind)
            rows: npt.NDArray[Any] = sequences.values
            offsets = sequences.offsets
            if kind is not None:
                rows, offsets = self.merged_vocabularies[kind].encode(sequences.texts.tolist(), most)
            lengths = np.minimum(np.diff(offsets), most)
            read[name] = SequenceInput(partial(_padded_at, rows, offsets, lengths), lengths)
        return self._outputs(read, RawSequences.of(sequences))

    def _outputs(self, read: dict[str, SequenceInput], sequences: RawSequences) -> Array:
        """Outputs for all sequences, in their order.

        Args:
            read: The inputs of the networks by name; empty if there are none.
            sequences: The same sequences in original units.
        """
        outputs = np.zeros((len(sequences), self.task.n_outputs), np.float32)
        names = dict(self.sources.values())

        def fill(indices: Indices) -> None:
            arrays: dict[str, npt.NDArray[Any]] = {}
            for name, (gather, lengths) in read.items():
                arrays |= {name: gather(indices), names[name]: lengths[indices]}
            outputs[indices] = self.compute(arrays)

        if read:
            first = next(iter(read.values()))
            self._for_each(fill, batches(self._steps(first.lengths)))
        for member in self.weighted_baselines:
            outputs += member.share(sequences)
        return outputs

    def _steps(self, lengths: Indices) -> Indices:
        """(n,) steps that are computed for sequences of these lengths, if each is alone in its batch."""
        return lengths

    def _decode(self, outputs: Array) -> list[npt.NDArray[Any]]:
        """(n,) numbers of classes and (n, C) probabilities; or (n,) values."""
        return [outputs.argmax(axis=-1), outputs] if self.task.classes else [outputs[:, 0]]


def described_values(description: dict[str, Any]) -> dict[str, Any]:
    """The attributes of :class:`SequencePredictor` from the content of ``bundle.json``.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
    """
    data = description["data"]
    check_policy(data["gaps"])
    return {
        "task": LabelSpec.from_dict({**description["labels"], "task": description["task"]}),
        "schema": SequenceSchema.from_dict(data["schema"]),
        "gaps": data["gaps"],
        "integer_ids": bool(data.get("integer_ids", False)),
        "integer_times": bool(data.get("integer_times", False)),
    }


def _padded_at(rows: npt.NDArray[Any], offsets: Indices, lengths: Indices, indices: Indices) -> npt.NDArray[Any]:
    """Some of the concatenated sequences as one array, see :func:`~lstmgru.runtime.sequences.batches.padded`."""
    return padded(rows, offsets[indices], lengths[indices])
