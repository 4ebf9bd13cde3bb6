"""A trained sequence model that predicts from raw tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lstmgru.bundle.base import Stored, names_of_rows
from lstmgru.bundle.card import Card
from lstmgru.bundle.files import plain
from lstmgru.bundle.sequences.batches import batches, check_sequences, padded
from lstmgru.bundle.sequences.card import sequence_card
from lstmgru.bundle.sequences.members import SequenceNetworkMember, member_of
from lstmgru.bundle.sequences.model import SequenceModel
from lstmgru.bundle.sequences.tables import label_columns, label_frame
from lstmgru.bundle.sequences.vocabularies import CODES, codes_in
from lstmgru.data.forecasting.series import check_policy
from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import Indices, LabeledSequences, SequenceSchema
from lstmgru.data.sequences.table import build_sequences, read_sequences
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.data.tables.archives import is_archive, read_archive
from lstmgru.data.tables.readers import check_exists, read_table
from lstmgru.errors import DataError
from lstmgru.nn import kernels
from lstmgru.specs import LabelSpec

if TYPE_CHECKING:
    import pandas as pd

    Table = pd.DataFrame | pd.Series[str] | Sequence[str]

Array = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
Gather = Callable[[Indices], npt.NDArray[Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class SequenceBundle(SequenceModel):
    """A trained sequence model with its origin and everything needed to predict from a raw table.

    Its parts are the attributes of :class:`~lstmgru.bundle.base.Bundle` and
    :class:`~lstmgru.bundle.sequences.model.SequenceModel`.
    """

    @classmethod
    def from_description(cls, description: dict[str, Any], stored: Stored) -> Self:
        """Build a bundle from its description, see :meth:`Bundle.from_description`."""
        data = description["data"]
        schema = SequenceSchema.from_dict(data["schema"])
        task = LabelSpec.from_dict({**description["labels"], "task": description["task"]})
        check_policy(data["gaps"])
        whole = [Vocabulary.from_dict(content) for content in stored.vocabularies]
        entries = zip(description["members"], stored.arrays, strict=True)
        return cls(
            members=tuple(member_of(values, arrays, schema, task, whole) for values, arrays in entries),
            task=task,
            schema=schema,
            gaps=data["gaps"],
            metrics=dict(description["metrics"]),
            provenance=dict(description["provenance"]),
        )

    def describe(self) -> dict[str, Any]:
        """The part of ``bundle.json`` that is specific to sequences, see :meth:`Bundle.describe`."""
        task = self.task.to_dict()
        return {
            "labels": {name: plain(task[name], name) for name in ("metric", "classes")},
            "data": {"schema": self.schema.to_dict(), "gaps": self.gaps},
            "label_columns": label_columns(self.schema, self.task),
        }

    def card(self, description: dict[str, Any]) -> Card:
        """The content of the model card, see :meth:`Bundle.card`."""
        return sequence_card(self, description)

    @property
    def integer_columns(self) -> tuple[str, ...]:
        """The id column."""
        return (self.schema.id,) if self.schema.id else ()

    @property
    def timestamp_columns(self) -> tuple[str, ...]:
        """The time column, if there is one."""
        return (self.schema.time,) if self.schema.time else ()

    def read_table(
        self,
        path: Path,
        *,
        delimiter: str = ",",
        decimal: str = ".",
        encoding: str = "utf-8",
        columns: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Read a table or an archive file to predict from, see :meth:`Bundle.read_table`.

        A file of an archive, see :func:`~lstmgru.data.tables.archives.read_archive`, ends in ``.ts``, or has no header
        if the model was trained on such a file.
        """
        check_exists(path)
        if is_archive(path) or self._lacks_header(path):
            return read_archive(path)[0]
        text = [column for column in (self.schema.text, self.schema.id) if column is not None]
        return read_table(path, delimiter=delimiter, decimal=decimal, encoding=encoding, columns=columns, text=text)

    def predict(self, data: Table, *, source: str = "table") -> pd.DataFrame:
        """Predict the labels of sequences or texts.

        Args:
            data: A table with the columns of ``schema.inputs``; others are ignored. A text model also accepts the texts
                alone. A sequence longer than a network reads is truncated, as in training.
            source: Name of the table in error messages.

        Returns:
            A row for each sequence, in the order of the table: the id column under its own name, or ``row``, from 1, if
            there is none; ``label``, the most probable class, or a number in original units; and for classes
            ``p_<class>``, the probability of each. If the id column already has one of these names, an underscore is
            appended to the new one.

        Raises:
            DataError: Columns or values do not fit.
        """
        frame, schema = self._table(data)
        return self._predict_rows(frame, schema, np.arange(len(frame)), source)

    def probability_array(self, inputs: Array | Codes, lengths: Codes | None = None) -> Array:
        """Probabilities of the classes, from arrays.

        Args:
            inputs: (n, T', F) sequences in original units, or (n, T') codes of the vocabulary; without baselines, T' is
                at most what the longest network reads. Values after the end of a sequence are ignored.
            lengths: (n,) number of steps or tokens of each sequence, from 1; ``None`` if all have T'.

        Returns:
            (n, C) in the order of ``task.classes``.

        Raises:
            DataError: The labels are numbers, texts are not read as one array of codes, or the shape or a value of an
                array is invalid.
        """
        if not self.task.classes:
            raise DataError("the model predicts numbers, which have no probabilities; use value_array")
        return self._predict_arrays(inputs, lengths)[1]

    def value_array(self, inputs: Array | Codes, lengths: Codes | None = None) -> Array:
        """Numeric labels, from the arrays of :meth:`probability_array`.

        Returns:
            (n,) in original units.

        Raises:
            DataError: The labels are classes, or the shape or a value of an array is invalid.
        """
        if self.task.classes:
            raise DataError("the model predicts classes, not numbers; use probability_array")
        return self._predict_arrays(inputs, lengths)[0]

    def sequences(self, data: Table, *, source: str = "table") -> LabeledSequences:
        """The sequences of a table that carries the labels, for :meth:`outputs`.

        Args:
            data: A table with the columns of the schema; the column of groups may be missing.
            source: Name of the table in error messages.

        Raises:
            DataError: Columns or values do not fit, or a label is a class that the model does not know.
        """
        frame, schema = self._table(data)
        group = schema.group if schema.group in frame.columns else None
        roles = {**asdict(schema), "group": group}
        return build_sequences(
            frame, **roles, task=self.task.task, gaps=self.gaps, source=source, classes=self.task.classes
        )

    def outputs(self, sequences: LabeledSequences) -> Array:
        """(n, C) probabilities of the classes, or (n, 1) numbers in original units, of sequences or texts."""
        outputs: Array = self._predict_sequences(sequences)[-1]
        return outputs if self.task.classes else outputs[:, None]

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
        if self.schema.text is None or isinstance(data, str):
            wanted = "a list of texts or a table" if self.schema.text else "a table"
            raise DataError(f"the model predicts from {wanted}, but got a {type(data).__name__}")
        texts = pd.Series(list(data), dtype=object)  # unconverted, so that the reader can report what is wrong
        return pd.DataFrame({self.schema.text: texts}), replace(self.schema, id=None)

    def _names(self, frame: pd.DataFrame, schema: SequenceSchema, rows: Indices) -> npt.NDArray[np.object_]:
        if schema.id is None:
            return np.array([str(row + 1) for row in rows], object)
        return names_of_rows(frame[schema.id], rows)

    def _predict_rows(self, frame: pd.DataFrame, schema: SequenceSchema, rows: Indices, source: str) -> pd.DataFrame:
        sequences = read_sequences(frame, schema, gaps=self.gaps, source=source)
        ids = (rows + 1).astype(object) if schema.id is None else sequences.ids
        return label_frame(ids, self._predict_sequences(sequences), schema, self.task)

    def _predict_sequences(self, sequences: LabeledSequences) -> list[npt.NDArray[Any]]:
        """Outputs for the sequences of a table."""
        servable = self.servable
        read: dict[str, tuple[Gather, Indices]] = {}
        for kind, (name, _) in servable.sources.items():
            most = servable.max_length(kind)
            rows: npt.NDArray[Any] = sequences.values
            offsets = sequences.offsets
            if kind is not None:
                rows, offsets = self.merged_vocabularies[kind].encode(sequences.texts.tolist(), most)
            lengths = np.minimum(np.diff(offsets), most)
            read[name] = partial(_padded_at, rows, offsets, lengths), lengths
        return self._blend(read, RawSequences.of(sequences))

    def _predict_arrays(self, inputs: Array | Codes, lengths: Codes | None) -> list[npt.NDArray[Any]]:
        """Outputs for the sequences of an array."""
        names = [name for name, _ in self.servable.sources.values()]
        if self.schema.layout == "text" and (self.baselines or len(names) > 1):
            raise DataError("the model does not read each text as one array of codes; use predict")
        servable = self.servable
        most = None if self.baselines else max(servable.max_length(kind) for kind in servable.sources)
        checked, real = check_sequences(servable, inputs, lengths, most)
        read: dict[str, tuple[Gather, Indices]] = {}
        for kind, (name, _) in servable.sources.items():
            kept = np.minimum(real, servable.max_length(kind))
            read[name] = partial(_cut, checked, kept), kept
        return self._blend(read, RawSequences.from_padded(checked, real))

    def _blend(self, read: dict[str, tuple[Gather, Indices]], sequences: RawSequences) -> list[npt.NDArray[Any]]:
        """Predictions for all sequences, in their order.

        Args:
            read: For each input of the networks, a function from (B,) indices to (B, T', …), and (n,) lengths.
            sequences: What the baselines read.
        """
        outputs = np.zeros((len(sequences), self.task.n_outputs), np.float32)
        if read:
            self._add_networks(outputs, read)
        for member in self.baselines:
            outputs += np.float32(member.weight) * member.baseline.predict(sequences)
        return [result.numpy() for result in self.servable.decode(torch.from_numpy(outputs))]

    def _add_networks(self, outputs: Array, read: dict[str, tuple[Gather, Indices]]) -> None:
        servable = self.servable
        _, first_lengths = next(iter(read.values()))
        names = dict(servable.sources.values())
        # Compiled kernels are loaded from a cache, which unpickles.
        with torch.inference_mode(), kernels.enabled(False):
            for indices in batches(first_lengths):
                arrays: dict[str, npt.NDArray[Any]] = {}
                for name, (gather, lengths) in read.items():
                    arrays |= {name: gather(indices), names[name]: lengths[indices]}
                given = {key: torch.from_numpy(array) for key, array in arrays.items()}
                outputs[indices] = servable.blend(**given).numpy()

    def arrays(self) -> list[dict[str, Tensor]]:
        """The weights of each member and, if its vocabulary is a part of the blend's, its codes there."""
        parts = super().arrays()
        for part, member in zip(parts, self.members, strict=True):
            own = member.encoding.vocabulary if isinstance(member, SequenceNetworkMember) else None
            codes = None if own is None else codes_in(own, self.merged_vocabularies[own.kind])
            if codes is not None:
                part[CODES] = codes
        return parts


def _cut(padded_sequences: npt.NDArray[Any], lengths: Indices, indices: Indices) -> npt.NDArray[Any]:
    """Some of the sequences of an array, up to the end of the longest."""
    return padded_sequences[indices, : lengths[indices].max()]


def _padded_at(rows: npt.NDArray[Any], offsets: Indices, lengths: Indices, indices: Indices) -> npt.NDArray[Any]:
    """Some of the concatenated sequences as one array, see :func:`~lstmgru.bundle.sequences.batches.padded`."""
    return padded(rows, offsets[indices], lengths[indices])
