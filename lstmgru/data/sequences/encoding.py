"""The inputs of a sequence network: scaled numbers or token codes, fitted on training sequences only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.scaling import moments
from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.specs import LabelSpec, SequenceModelSpec
from lstmgru.specs.fields import single_precision

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EncodedSequences:
    """Encoded sequences, concatenated.

    Attributes:
        values: (rows, F) float32 scaled numbers, or (rows,) int64 codes of tokens.
        offsets: (n + 1,) sequence ``i`` has the rows ``offsets[i]:offsets[i + 1]``, at least one.
    """

    values: npt.NDArray[Any]
    offsets: Indices

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Indices:
        """(n,) steps or tokens of each sequence."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class ChannelScaler:
    """``(x - mean) / scale`` for each channel; a constant one has scale 1.

    Attributes:
        mean: (F,) in original units.
        scale: (F,) likewise; never 0.
    """

    mean: Array
    scale: Array

    @classmethod
    def fit(cls, sequences: LabeledSequences, train: Indices, model: SequenceModelSpec) -> Self:
        """Fit the scaler for an architecture: over all training steps with the normalization ``fold``.

        Args:
            sequences: Sequences of numbers.
            train: (sequences,) indices of the training sequences; no other sequence is read.
            model: The architecture. Other normalizations get mean 0 and scale 1.
        """
        channels = sequences.values.shape[1]
        if model.normalization != "fold":
            return cls(np.zeros(channels, np.float32), np.ones(channels, np.float32))
        chosen = np.zeros(len(sequences), bool)
        chosen[train] = True
        mean, scale = moments(sequences.values[np.repeat(chosen, sequences.lengths)].astype(np.float64))
        return cls(mean.astype(np.float32), scale.astype(np.float32))

    def transform(self, values: Array) -> Array:
        """(…, F) in original units → scaled."""
        return (values - self.mean) / self.scale

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The scaler that :meth:`to_dict` wrote.

        Raises:
            SpecError: A number does not fit single precision.
        """
        return cls(*(single_precision(name, values[name]) for name in ("mean", "scale")))


@dataclass(frozen=True)
class Encoding:
    """The encoding of sequences and labels for a network, and its inverse for labels.

    Attributes:
        scaler: Of numbers; ``None`` for texts.
        vocabulary: Of texts; ``None`` for numbers.
        label_mean: Of the training labels; 0 for classes.
        label_scale: Their deviation; 1 for classes.
    """

    scaler: ChannelScaler | None
    vocabulary: Vocabulary | None
    label_mean: float = 0.0
    label_scale: float = 1.0

    @classmethod
    def fit(cls, sequences: LabeledSequences, train: Indices, model: SequenceModelSpec, task: LabelSpec) -> Self:
        """Fit on training sequences.

        Args:
            sequences: The data.
            train: (sequences,) indices of the training sequences; no other sequence is read.
            model: The architecture.
            task: The labels.
        """
        mean, scale = 0.0, 1.0
        if task.task == "regression":
            of_labels = moments(sequences.labels[train].astype(np.float64)[:, None])
            mean, scale = (float(part[0]) for part in of_labels)
        if model.tokens is None:
            return cls(ChannelScaler.fit(sequences, train, model), None, mean, scale)
        texts = sequences.texts[train]
        return cls(None, Vocabulary.fit(texts, model.tokens, min_count=model.min_count), mean, scale)

    @property
    def vocabulary_size(self) -> int:
        """Number of codes of tokens; 0 for numbers."""
        return 0 if self.vocabulary is None else self.vocabulary.size

    def subwords(self, model: SequenceModelSpec) -> Indices | None:
        """The character n-grams of the tokens, see :meth:`Vocabulary.subwords`; ``None`` if the model reads none."""
        return None if self.vocabulary is None or not model.subwords else self.vocabulary.subwords()

    def inputs(self, sequences: LabeledSequences, max_length: int) -> EncodedSequences:
        """Encode all sequences.

        Args:
            sequences: The data.
            max_length: T; longer sequences are truncated.
        """
        if self.vocabulary is not None:
            return EncodedSequences(*self.vocabulary.encode(sequences.texts, max_length))
        assert self.scaler is not None
        kept = np.minimum(sequences.lengths, max_length)
        offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        rows = np.arange(offsets[-1]) + np.repeat(sequences.offsets[:-1] - offsets[:-1], kept)
        return EncodedSequences(self.scaler.transform(sequences.values[rows]), offsets)

    def scale_labels(self, labels: npt.NDArray[Any]) -> Array:
        """(n,) numbers in original units → scaled."""
        return ((labels.astype(np.float64) - self.label_mean) / self.label_scale).astype(np.float32)

    def restore_labels(self, values: npt.NDArray[Any]) -> Array:
        """Scaled numbers of any shape → original units."""
        return (values.astype(np.float64) * self.label_scale + self.label_mean).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return {
            "scaler": None if self.scaler is None else self.scaler.to_dict(),
            "vocabulary": None if self.vocabulary is None else self.vocabulary.to_dict(),
            "label_mean": self.label_mean,
            "label_scale": self.label_scale,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The encoding that :meth:`to_dict` wrote.

        Raises:
            SpecError: A number does not fit single precision.
        """
        for name in ("label_mean", "label_scale"):
            single_precision(name, values[name])
        scaler, vocabulary = values["scaler"], values["vocabulary"]
        return cls(
            None if scaler is None else ChannelScaler.from_dict(scaler),
            None if vocabulary is None else Vocabulary.from_dict(vocabulary),
            float(values["label_mean"]),
            float(values["label_scale"]),
        )
