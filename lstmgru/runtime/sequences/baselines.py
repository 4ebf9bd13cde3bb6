"""The baselines of a blend of labels, computed by NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import SequenceSchema
from lstmgru.runtime.members import FittedMethod, weighted_baselines
from lstmgru.specs import LabelSpec

Array = npt.NDArray[np.float32]

_BASELINES = "lstmgru.evaluation.sequence_baselines:SEQUENCE_BASELINES"


class FittedLabeler(FittedMethod, Protocol):
    """A fitted baseline of labels."""

    def predict(self, sequences: RawSequences) -> Array:
        """(n, C) probabilities of the classes, or (n, 1) numbers in original units."""


@dataclass(frozen=True)
class WeightedBaseline:
    """A baseline in a blend.

    Attributes:
        weight: Its share of the outputs.
        baseline: Fitted.
    """

    weight: float
    baseline: FittedLabeler

    def share(self, sequences: RawSequences) -> Array:
        """(n, C) or (n, 1) its weighted outputs."""
        return np.float32(self.weight) * self.baseline.predict(sequences)


def stored_baselines(
    members: Sequence[dict[str, Any]],
    arrays: Sequence[Mapping[str, npt.NDArray[Any]]],
    schema: SequenceSchema,
    task: LabelSpec,
) -> tuple[WeightedBaseline, ...]:
    """The baselines among the members of a bundle.

    Args:
        members: Their entries in ``bundle.json``.
        arrays: Of each member.
        schema: Of the bundle.
        task: Likewise.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
    """
    found = weighted_baselines(_BASELINES, members, arrays, lambda each: probe(each, schema, task))
    return tuple(WeightedBaseline(weight, baseline) for weight, baseline in found)


def probe(baseline: FittedLabeler, schema: SequenceSchema, task: LabelSpec) -> tuple[npt.NDArray[Any], tuple[int, ...]]:
    """What a baseline predicts for one sequence, and the shape that it must have."""
    if schema.layout == "text":
        example = RawSequences(np.zeros((0, 0), np.float32), np.zeros(2, np.int64), np.array(["a text"], object))
    else:
        values = 1 + np.arange(12 * schema.n_channels, dtype=np.float32).reshape(12, -1) % 5
        example = RawSequences(values, np.array([0, 12]), np.zeros(0, object))
    return baseline.predict(example), (1, task.n_outputs)
