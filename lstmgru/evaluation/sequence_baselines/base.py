"""What all baselines of labels have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit
from lstmgru.specs import LabelSpec

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
State = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]
"""Plain values for JSON, and arrays, which are C-contiguous, as safetensors requires."""

MOST_NUMBERS = 6_000_000
"""Maximum size of a matrix of features or distances (48 MB in float64)."""


class FittedSequenceBaseline(ABC):
    """A simple method for labels, fitted to training sequences.

    Attributes:
        name: Its name in results.
        slow: Whether it takes more than a few seconds on large data, so that a study scores it in a job of its own.
        n_outputs: O, number of classes, or 1 for numbers.
    """

    name: ClassVar[str]
    slow: ClassVar[bool] = False
    n_outputs: int

    @classmethod
    @abstractmethod
    def fit(cls, sequences: LabeledSequences, train: Indices, task: LabelSpec, limit: TimeLimit = UNLIMITED) -> Self:
        """Fit the method.

        Args:
            sequences: The data.
            train: (sequences,) indices of the training sequences; no other sequence is read.
            task: The labels.
            limit: Of the time.

        Raises:
            DataError: The training sequences have no usable features.
            BaselineTooSlow: The time limit is exceeded.
        """

    @classmethod
    @abstractmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """The baseline that :meth:`state` described."""

    @abstractmethod
    def state(self) -> State:
        """Everything that is needed for prediction; :meth:`from_state` is the inverse."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Count of the numbers that it learned or stores."""

    @property
    @abstractmethod
    def numbers_per_sequence(self) -> int:
        """Size of the row of a sequence in its largest matrix; it limits the size of a batch."""

    @abstractmethod
    def predict_batch(self, sequences: RawSequences) -> Array:
        """(B, O) outputs for a batch, as of :meth:`predict`; B is at least 1."""

    def predict(self, sequences: RawSequences, limit: TimeLimit = UNLIMITED) -> Array:
        """Predict the labels, in batches of limited size.

        Args:
            sequences: In original units, with the channels of the training sequences.
            limit: Of the time.

        Returns:
            (n, O) probabilities of the classes, or (n, 1) numbers in original units.

        Raises:
            BaselineTooSlow: The time limit is exceeded.
        """
        limit = limit.next_part()
        size = max(1, MOST_NUMBERS // self.numbers_per_sequence)
        parts = []
        for start in range(0, len(sequences), size):
            parts.append(self.predict_batch(sequences.part(start, start + size)))
            limit.check(min(start + size, len(sequences)), len(sequences))
        return np.concatenate(parts) if parts else np.zeros((0, self.n_outputs), np.float32)


def targets(sequences: LabeledSequences, indices: Indices, task: LabelSpec) -> Floats:
    """(k, C) indicators of the classes, or (k, 1) numbers."""
    labels = sequences.labels[indices]
    if task.task == "regression":
        return labels.astype(np.float64)[:, None]
    indicators: Floats = np.eye(len(task.classes))[labels]
    return indicators
