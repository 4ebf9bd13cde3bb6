"""Baselines that ignore the sequence."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.evaluation.sequence_baselines.base import Array, FittedSequenceBaseline, Floats, State, targets
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit
from lstmgru.specs import LabelSpec


class Constant(FittedSequenceBaseline):
    """The same outputs for every sequence.

    Args:
        outputs: (O,) the outputs.
    """

    def __init__(self, outputs: Floats) -> None:
        self.outputs = outputs
        self.n_outputs = len(outputs)

    @classmethod
    def fit(cls, sequences: LabeledSequences, train: Indices, task: LabelSpec, limit: TimeLimit = UNLIMITED) -> Self:
        """See :meth:`FittedSequenceBaseline.fit`."""
        return cls(targets(sequences, train, task).mean(axis=0))

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """See :meth:`FittedSequenceBaseline.from_state`."""
        return cls(arrays["outputs"])

    def state(self) -> State:
        """See :meth:`FittedSequenceBaseline.state`."""
        return {}, {"outputs": self.outputs}

    @property
    def n_parameters(self) -> int:
        """See :attr:`FittedSequenceBaseline.n_parameters`."""
        return len(self.outputs)

    @property
    def numbers_per_sequence(self) -> int:
        """See :attr:`FittedSequenceBaseline.numbers_per_sequence`."""
        return self.n_outputs

    def predict_batch(self, sequences: RawSequences) -> Array:
        """See :meth:`FittedSequenceBaseline.predict_batch`."""
        return np.repeat(self.outputs[None], len(sequences), axis=0).astype(np.float32)


class Majority(Constant):
    """The frequencies of the classes."""

    name = "majority"


class Mean(Constant):
    """The mean label."""

    name = "mean"
