"""A trained model with everything that it takes to label the sequences or texts of a raw table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from lstmgru.bundle.sequences.arrays import batches, check_sequences, padded
from lstmgru.bundle.sequences.checks import check_encoding, check_network
from lstmgru.bundle.sequences.predictor import SequencePredictor
from lstmgru.data.forecasting.series import GapPolicy
from lstmgru.data.sequences.encoding import Encoding
from lstmgru.data.sequences.sequences import Indices, LabeledSequences, SequenceSchema
from lstmgru.errors import DataError
from lstmgru.nn import kernels
from lstmgru.nn.sequence_network import SequenceNetwork
from lstmgru.specs import LabelSpec, SequenceModelSpec, TrainSpec

if TYPE_CHECKING:
    import pandas as pd

    Table = pd.DataFrame | pd.Series[str] | Sequence[str]

Array = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SequenceBundle:
    """A trained model and its origin.

    Attributes:
        network: On the CPU.
        encoding: Of sequences and labels, fitted on what the network learnt from.
        model_spec: The architecture.
        train_spec: How it was trained.
        task: What a label is, and the metric.
        schema: Which column of a table plays which part.
        gaps: What becomes of missing cells within a sequence, as in training.
        metrics: ``holdout`` (metric → value), ``baselines`` (name → value of the task's metric), ``verdict`` and
            ``classes`` (a list of rows, such as ``class``, ``support``, ``precision``), as far as they are known.
        provenance: Data and its digest, study, trial, seed, versions, time, as far as they are known.
        example: A raw table that it can label. ``None``: there is none.

    Raises:
        SpecError: Encoding, schema, task and network do not fit together.
    """

    network: SequenceNetwork
    encoding: Encoding
    model_spec: SequenceModelSpec
    train_spec: TrainSpec
    task: LabelSpec
    schema: SequenceSchema
    gaps: GapPolicy = "error"
    metrics: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    example: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        check_network(self.network, self.model_spec, self.task, self.schema)
        check_encoding(self.encoding, self.network)

    @cached_property
    def predictor(self) -> SequencePredictor:
        """The network with the encoding inside, in evaluation mode."""
        return SequencePredictor(self.network, self.encoding, self.task.task)

    def predict(self, data: Table, *, source: str = "table") -> pd.DataFrame:
        """Label sequences or texts.

        Args:
            data: A table with the columns of ``schema.inputs``; others are ignored. For a model of texts, the texts
                alone will do. Of a sequence longer than ``model_spec.max_length`` the first steps are read, as in
                training.
            source: What messages call the table.

        Returns:
            A row for each sequence, in the order of the table: the id column under its own name, or ``row``, from 1,
            where the table has none; ``label``, the name of the likeliest class, or a number in original units; and for
            classes ``p_<class>``, the probability of each. Should the id column have one of our names, an underscore
            is added to ours.

        Raises:
            DataError: Columns or values do not fit.
        """
        from lstmgru.bundle.sequences.output import label_frame
        from lstmgru.data.sequences.table import read_sequences

        frame, schema = self._table(data)
        sequences = read_sequences(frame, schema, gaps=self.gaps, source=source)
        return label_frame(sequences.ids, self._label(sequences), schema, self.task)

    def probability_array(self, inputs: Array | Codes, lengths: Codes | None = None) -> Array:
        """Probabilities of the classes, from arrays.

        Args:
            inputs: (n, T', F) sequences in original units, or (n, T') codes of the vocabulary; T' is at most
                ``model_spec.max_length``. What stands after the end of a sequence is not read.
            lengths: (n,) steps or tokens of each, from 1; ``None``: all have T'.

        Returns:
            (n, C) in the order of ``task.classes``.

        Raises:
            DataError: Labels are numbers, or the shape or a value of an array does not fit.
        """
        if not self.task.classes:
            raise DataError("the model gives numbers, which have no probabilities: use value_array")
        return self._label_arrays(inputs, lengths)[1]

    def value_array(self, inputs: Array | Codes, lengths: Codes | None = None) -> Array:
        """Labels that are numbers, from the arrays of :meth:`probability_array`.

        Returns:
            (n,) in original units.

        Raises:
            DataError: Labels are classes, or the shape or a value of an array does not fit.
        """
        if self.task.classes:
            raise DataError("the model gives classes and no numbers: use probability_array")
        return self._label_arrays(inputs, lengths)[0]

    def _table(self, data: Table) -> tuple[pd.DataFrame, SequenceSchema]:
        """What was given as a table, and the parts that its columns play."""
        import pandas as pd

        if isinstance(data, pd.DataFrame):
            return data, self.schema
        if self.schema.text is None or isinstance(data, str):
            wanted = "a list of texts or a table" if self.schema.text else "a table"
            raise DataError(f"the model labels {wanted} but got a {type(data).__name__}; give it {wanted}")
        texts = pd.Series(list(data), dtype=object)  # as they are, whatever is wrong with them
        return pd.DataFrame({self.schema.text: texts}), replace(self.schema, id=None)

    def _label(self, sequences: LabeledSequences) -> list[npt.NDArray[Any]]:
        """Outputs of the sequences of a table."""
        rows: npt.NDArray[Any] = sequences.values
        offsets = sequences.offsets
        if self.encoding.vocabulary is not None:
            rows, offsets = self.encoding.vocabulary.encode(sequences.texts.tolist(), self.model_spec.max_length)
        lengths = np.minimum(np.diff(offsets), self.model_spec.max_length)
        return self._run(lambda indices: padded(rows, offsets[indices], lengths[indices]), lengths)

    def _label_arrays(self, inputs: Array | Codes, lengths: Codes | None) -> list[npt.NDArray[Any]]:
        """Outputs of the sequences of an array."""
        checked, real = check_sequences(self.predictor, inputs, lengths)
        return self._run(lambda indices: checked[indices, : real[indices].max()], real)

    def _run(self, gather: Callable[[Indices], npt.NDArray[Any]], lengths: Indices) -> list[npt.NDArray[Any]]:
        """Outputs of all sequences, in their order; ``gather`` gives those with some numbers as (B, T', …)."""
        predictor, count = self.predictor, len(lengths)
        types = {"label": np.int64}
        shapes = predictor.output_shapes.items()
        outputs = [np.empty((count, *shape), types.get(name, np.float32)) for name, shape in shapes]
        name = next(iter(predictor.shapes))
        # Compiled kernels would be read from a cache, which unpickles.
        with torch.inference_mode(), kernels.enabled(False):
            for indices in batches(lengths):
                arrays = {name: gather(indices), "lengths": lengths[indices]}
                results = predictor(**{key: torch.from_numpy(array) for key, array in arrays.items()})
                for output, result in zip(outputs, results, strict=True):
                    output[indices] = result.numpy()
        return outputs
