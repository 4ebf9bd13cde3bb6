"""The label of the most similar training sequence."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.evaluation.sequence_baselines.base import Array, FittedSequenceBaseline, Floats, State, targets
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit
from lstmgru.specs import LabelSpec


class NearestNeighbor(FittedSequenceBaseline):
    """The label of the nearest training sequence, by Euclidean distance.

    Each channel is scaled to mean 0 and deviation 1 over the training part. Sequences of other lengths are resampled to
    the median length of the training part by linear interpolation.

    Args:
        known: The training sequences.
        labels: (n, O) float32 indicators of their classes, or numbers.
    """

    name = "nearest_neighbor"

    def __init__(self, known: RawSequences, labels: Array) -> None:
        self.known, self.labels = known, labels
        self.n_outputs = labels.shape[1]
        self._steps = int(np.median(known.lengths))
        self._mean, self._scale = _moments(known.values.astype(np.float64))
        self._rows = self._read(known)
        self._squares = (self._rows**2).sum(axis=1)

    @classmethod
    def fit(cls, sequences: LabeledSequences, train: Indices, task: LabelSpec, limit: TimeLimit = UNLIMITED) -> Self:
        """See :meth:`FittedSequenceBaseline.fit`."""
        return cls(RawSequences.of(sequences, train), targets(sequences, train, task).astype(np.float32))

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """See :meth:`FittedSequenceBaseline.from_state`."""
        return cls(RawSequences(arrays["values"], arrays["offsets"], np.zeros(0, object)), arrays["labels"])

    def state(self) -> State:
        """See :meth:`FittedSequenceBaseline.state`."""
        return {}, {"values": self.known.values, "offsets": self.known.offsets, "labels": self.labels}

    @property
    def n_parameters(self) -> int:
        """See :attr:`FittedSequenceBaseline.n_parameters`."""
        return int(self.known.values.size + self.labels.size)

    @property
    def numbers_per_sequence(self) -> int:
        """See :attr:`FittedSequenceBaseline.numbers_per_sequence`."""
        return len(self.known)

    def predict_batch(self, sequences: RawSequences) -> Array:
        """See :meth:`FittedSequenceBaseline.predict_batch`."""
        # |x|² is omitted, as it is the same for all neighbors.
        nearest = (self._squares - 2 * self._read(sequences) @ self._rows.T).argmin(axis=1)
        found: Array = self.labels[nearest]
        return found

    def _read(self, sequences: RawSequences) -> Floats:
        """(n, steps · F) scaled sequences of one length."""
        scaled = [stretched((array - self._mean) / self._scale, self._steps) for array in sequences.arrays()]
        return np.stack(scaled).reshape(len(sequences), -1)


def _moments(values: Floats) -> tuple[Floats, Floats]:
    """(F,) mean and standard deviation of (rows, F); constant features have a deviation of 1."""
    deviation = values.std(axis=0)
    return values.mean(axis=0), np.where(deviation > 0, deviation, 1.0)


def stretched(values: Floats, steps: int) -> Floats:
    """(T, F) → (steps, F) by linear interpolation; first and last step are kept."""
    if len(values) == steps:
        return values
    place = np.linspace(0, len(values) - 1, steps)
    before = np.minimum(place.astype(np.int64), len(values) - 1)
    after = np.minimum(before + 1, len(values) - 1)
    share = (place - before)[:, None]
    between: Floats = (1 - share) * values[before] + share * values[after]
    return between
