"""A trained sequence model that predicts from raw tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lstmgru.bundle.base import Stored
from lstmgru.bundle.card import Card
from lstmgru.bundle.files import plain
from lstmgru.bundle.sequences.card import sequence_card
from lstmgru.bundle.sequences.members import SequenceNetworkMember, member_of
from lstmgru.bundle.sequences.model import SequenceModel
from lstmgru.bundle.sequences.validation import check_sequences
from lstmgru.bundle.sequences.vocabularies import CODES, codes_in
from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.data.sequences.table import build_sequences
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.errors import DataError
from lstmgru.nn import kernels
from lstmgru.runtime.sequences.predictor import Array, SequenceInput, described_values
from lstmgru.runtime.sequences.tables import label_columns

if TYPE_CHECKING:
    from lstmgru.runtime.sequences.predictor import Table

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class SequenceBundle(SequenceModel):
    """A trained sequence model with its origin and everything needed to predict from a raw table.

    Its parts are the attributes of :class:`~lstmgru.bundle.base.Bundle`,
    :class:`~lstmgru.bundle.sequences.model.SequenceModel` and
    :class:`~lstmgru.runtime.sequences.predictor.SequencePredictor`.
    """

    @classmethod
    def from_description(cls, description: dict[str, Any], stored: Stored) -> Self:
        """Build a bundle from its description, see :meth:`Bundle.from_description`."""
        known = described_values(description)
        schema, task = known["schema"], known["task"]
        whole = [Vocabulary.from_dict(content) for content in stored.vocabularies]
        entries = zip(description["members"], stored.arrays, strict=True)
        return cls(
            **known,
            members=tuple(member_of(values, arrays, schema, task, whole) for values, arrays in entries),
            metrics=dict(description["metrics"]),
            provenance=dict(description["provenance"]),
        )

    def describe(self) -> dict[str, Any]:
        """The part of ``bundle.json`` that is specific to sequences, see :meth:`Bundle.describe`."""
        task = self.task.to_dict()
        return {
            "labels": {name: plain(task[name], name) for name in ("metric", "classes")},
            "data": {
                "schema": self.schema.to_dict(),
                "gaps": self.gaps,
                "integer_ids": self.integer_ids,
                "integer_times": self.integer_times,
            },
            "label_columns": label_columns(self.schema, self.task),
        }

    def card(self, description: dict[str, Any]) -> Card:
        """The content of the model card, see :meth:`Bundle.card`."""
        return sequence_card(self, description)

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
        return self._outputs_of_arrays(inputs, lengths)

    def value_array(self, inputs: Array | Codes, lengths: Codes | None = None) -> Array:
        """Numeric labels, from the arrays of :meth:`probability_array`.

        Returns:
            (n,) in original units.

        Raises:
            DataError: The labels are classes, or the shape or a value of an array is invalid.
        """
        if self.task.classes:
            raise DataError("the model predicts classes, not numbers; use probability_array")
        return self._outputs_of_arrays(inputs, lengths)[:, 0]

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
            frame,
            **roles,
            task=self.task.task,
            gaps=self.gaps,
            source=source,
            classes=self.task.classes,
            of_study=False,
        )

    def outputs(self, sequences: LabeledSequences) -> Array:
        """(n, C) probabilities of the classes, or (n, 1) numbers in original units, of sequences or texts."""
        return self._outputs_of(sequences)

    def _outputs_of_arrays(self, inputs: Array | Codes, lengths: Codes | None) -> Array:
        """Outputs for the sequences of an array."""
        servable = self.servable
        names = [name for name, _ in servable.sources.values()]
        if self.schema.layout == "text" and (self.baselines or len(names) > 1):
            raise DataError("the model does not read each text as one array of codes; use predict")
        most = None if self.baselines else max(servable.max_length(kind) for kind in servable.sources)
        checked, real = check_sequences(servable, inputs, lengths, most)
        read: dict[str, SequenceInput] = {}
        for kind, (name, _) in servable.sources.items():
            kept = np.minimum(real, servable.max_length(kind))
            read[name] = SequenceInput(partial(_cut, checked, kept), kept)
        return self._outputs(read, RawSequences.from_padded(checked, real))

    def compute(self, inputs: dict[str, npt.NDArray[Any]]) -> Array:
        """Run the networks, see :meth:`SequencePredictor.compute`."""
        # Compiled kernels are loaded from a cache, which unpickles.
        with torch.inference_mode(), kernels.enabled(False):
            blended = self.servable.blend(**{name: torch.from_numpy(array) for name, array in inputs.items()})
        return blended.numpy()

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
