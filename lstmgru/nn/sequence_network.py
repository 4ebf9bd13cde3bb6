"""The sequence network: recurrent layers over numbers or tokens, pooling, and a head for the label.

The sequences of a batch are padded at the end to the length of the longest. The content of the padding affects neither
outputs nor gradients.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lstmgru.errors import SpecError
from lstmgru.nn.convolutions import Convolution
from lstmgru.nn.encoder import Encoder
from lstmgru.nn.fcn import FullyConvolutional
from lstmgru.nn.inputs import InputNoise, Segments, SequenceNormalization
from lstmgru.nn.pooling import make_pooling
from lstmgru.specs import SequenceModelSpec, TrainSpec
from lstmgru.specs.sequences import N_SUBWORDS

PADDING, UNKNOWN = 0, 1
"""Codes of padding and of a token that is not in the vocabulary."""

# Of the initial token vectors: small, so that training soon shapes them. With torch's default of 1, the vectors of rare
# tokens remain noise.
_EMBEDDING_DEVIATION = 0.1


class SequenceInputs(NamedTuple):
    """A batch of inputs of a network.

    Attributes:
        values: (B, T, F) scaled numbers, or (B, T) codes of tokens; T is at least the longest length.
        lengths: (B,) real steps of each sequence, at least 1.
    """

    values: Tensor
    lengths: Tensor


class SequenceNetwork(nn.Module):
    """Predicts the label of a sequence.

    Args:
        spec: The architecture.
        n_channels: F for sequences of numbers; 0 for texts.
        n_outputs: O, the number of classes, or 1 for regression.
        vocabulary_size: Number of token codes, including those of padding and unknown tokens; 0 for numbers.
        subwords: (vocabulary_size, n) numbers of the character n-grams of each token, 0 where there are fewer; ``None``
            if the architecture reads none.
        vectors: (vocabulary_size, embedding size) initial token vectors, NaN in rows of tokens without one; ``None``
            for random initialization.

    Raises:
        SpecError: The sizes do not fit the architecture.
    """

    def __init__(
        self,
        spec: SequenceModelSpec,
        *,
        n_channels: int,
        n_outputs: int,
        vocabulary_size: int = 0,
        subwords: npt.NDArray[np.int64] | None = None,
        vectors: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.spec, self.n_channels, self.n_outputs = spec, n_channels, n_outputs
        self.vocabulary_size = vocabulary_size
        _check_sizes(spec, n_channels, vocabulary_size, subwords)
        self.reader = _Numbers(spec) if spec.tokens is None else _Tokens(spec, vocabulary_size, subwords, vectors)
        n_features = n_channels + spec.embedding_size
        self.convolution = (
            Convolution(n_features, spec.n_filters, spec.convolution, causal=False) if spec.convolution else None
        )
        self.segments = Segments(spec.segment_length)
        n_read = spec.segment_length * (spec.n_filters if spec.convolution else n_features)
        n_embedded = spec.branches[0][0].hidden_size
        embeds = spec.segment_length > 1
        self.embedding = nn.Sequential(nn.Linear(n_read, n_embedded), nn.ReLU()) if embeds else None
        self.encoder = Encoder(spec, n_embedded if embeds else n_read)
        width = self.encoder.n_outputs
        self.pooling = make_pooling(spec, width)
        self.fcn = FullyConvolutional(n_features, spec.fcn_filters) if spec.fcn_filters else None
        width += spec.fcn_filters
        hidden = (nn.Linear(width, width), nn.ReLU(), nn.Dropout(spec.dropout)) if spec.head == "mlp" else ()
        self.head = nn.Sequential(nn.Dropout(spec.dropout), *hidden, nn.Linear(width, n_outputs))

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """Predict, see :class:`SequenceInputs`.

        Returns:
            (B, O) logits of the classes, or scaled numbers.
        """
        return self._read(SequenceInputs(values, lengths))[0]

    def loss(
        self, inputs: SequenceInputs, target: Tensor, train: TrainSpec, class_weights: Tensor | None = None
    ) -> Tensor:
        """Mean loss of a batch, a scalar.

        Args:
            inputs: The batch.
            target: (B,) codes of the classes, or scaled numbers.
            train: Provides ``loss`` and ``label_smoothing``.
            class_weights: (C,) factors for ``cross_entropy``, with mean 1 over the training labels; ``None`` for 1.

        Raises:
            SpecError: The loss is only for forecasts.
        """
        outputs = self(*inputs)
        match train.loss:
            case "cross_entropy":
                # torch's weighted mean divides by the weights of the batch, which cancels them in small batches.
                smoothing = train.label_smoothing
                return F.cross_entropy(
                    outputs, target, class_weights, reduction="none", label_smoothing=smoothing
                ).mean()
            case "mae":
                return F.l1_loss(outputs.squeeze(1), target)
            case "mse":
                return F.mse_loss(outputs.squeeze(1), target)
            case "huber":
                return F.huber_loss(outputs.squeeze(1), target)
            case _:
                raise SpecError(f"the loss of labels must be cross_entropy, mae, mse or huber but got {train.loss!r}")

    @torch.no_grad()
    def attention(self, inputs: SequenceInputs) -> Tensor:
        """The attention weights of the labels.

        Returns:
            (B, segments) weights with sum 1, 0 in the padding; with segment length 1, a segment is a step or token.

        Raises:
            SpecError: The pooling is not an attention.
        """
        weights = self._read(inputs)[1]
        if weights is None:
            raise SpecError(
                f"only a pooling of additive or multihead has attention weights, but this one is {self.spec.pooling}"
            )
        return weights.squeeze(1)

    def example_input(self, batch_size: int = 2) -> SequenceInputs:
        """Zeros or unknown tokens of the maximum length."""
        steps = self.spec.max_length
        lengths = torch.full((batch_size,), steps)
        if self.spec.tokens is None:
            return SequenceInputs(torch.zeros(batch_size, steps, self.n_channels), lengths)
        return SequenceInputs(torch.full((batch_size, steps), UNKNOWN), lengths)

    def _read(self, inputs: SequenceInputs) -> tuple[Tensor, Tensor | None]:
        """The (B, O) outputs and, for attention, the (B, 1, segments) weights."""
        values, lengths = inputs
        real = _before(lengths, values.shape[1])
        steps = self.reader(values, real)
        x = self.segments.from_start(steps if self.convolution is None else self.convolution(steps, real))
        lengths = (lengths + self.segments.length - 1) // self.segments.length
        if self.embedding is not None:
            x = self.embedding(x)
        read = self.encoder(x, lengths=lengths)
        summary, weights = read.last, None
        if self.pooling is not None:
            pooled, weights = self.pooling(read.outputs, read.last.unsqueeze(1), _before(lengths, x.shape[1]))
            summary = pooled.squeeze(1)
        if self.fcn is not None:
            summary = torch.cat([summary, self.fcn(steps, real)], dim=-1)
        return self.head(summary), weights


class _Numbers(nn.Module):
    """(B, T, F) numbers → (B, T, F), 0 in the padding."""

    def __init__(self, spec: SequenceModelSpec) -> None:
        super().__init__()
        self.normalization = SequenceNormalization() if spec.normalization == "sequence" else None
        self.noise = InputNoise(spec.input_noise)

    def forward(self, values: Tensor, real: Tensor) -> Tensor:
        """Embed; ``real`` (B, T) masks the steps that are not padding."""
        values = values.masked_fill(~real.unsqueeze(-1), 0.0)
        values = values if self.normalization is None else self.normalization(values, real)
        noisy: Tensor = self.noise(values, real)
        return noisy


class _Tokens(nn.Module):
    """(B, T) codes of tokens → (B, T, embedding size) learned vectors, 0 in the padding."""

    def __init__(
        self,
        spec: SequenceModelSpec,
        vocabulary_size: int,
        subwords: npt.NDArray[np.int64] | None,
        vectors: Tensor | None,
    ) -> None:
        super().__init__()
        self.token_dropout = spec.token_dropout
        self.embedding = nn.Embedding(vocabulary_size, spec.embedding_size, padding_idx=PADDING)
        self.subwords = None if subwords is None else _Subwords(subwords, spec.embedding_size)
        self.dropout = nn.Dropout(spec.dropout)
        nn.init.normal_(self.embedding.weight, std=_EMBEDDING_DEVIATION)
        with torch.no_grad():
            if vectors is not None:
                self.embedding.weight.copy_(torch.where(vectors.isnan(), self.embedding.weight, vectors))
            # If no unknown token occurs in training, it remains equivalent to padding.
            self.embedding.weight[: UNKNOWN + 1] = 0.0

    def forward(self, codes: Tensor, real: Tensor) -> Tensor:
        """Embed; ``real`` (B, T) masks the tokens that are not padding."""
        if self.training and self.token_dropout > 0:
            dropped = torch.rand(codes.shape, device=codes.device) < self.token_dropout
            codes = codes.masked_fill(dropped, UNKNOWN)
        codes = codes.masked_fill(~real, PADDING)
        vectors: Tensor = self.embedding(codes)
        if self.subwords is not None:
            vectors = vectors + self.subwords(codes)
        dropped_out: Tensor = self.dropout(vectors)
        return dropped_out


class _Subwords(nn.Module):
    """(B, T) codes of tokens → (B, T, embedding size) means of the vectors of their n-grams (Bojanowski et al. 2017).

    Args:
        numbers: (vocabulary size, n) numbers of the n-grams of each token, 0 where there are fewer.
        size: Features of a vector.
    """

    numbers: Tensor
    shares: Tensor

    def __init__(self, numbers: npt.NDArray[np.int64], size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(N_SUBWORDS + 1, size, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=_EMBEDDING_DEVIATION)
        with torch.no_grad():
            self.embedding.weight[0] = 0.0
        # Both follow from the vocabulary, so they are not saved.
        rows = torch.from_numpy(numbers)
        self.register_buffer("numbers", rows, persistent=False)
        self.register_buffer("shares", 1 / (rows > 0).sum(1, keepdim=True).clamp(min=1), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Look up and average."""
        numbers = self.numbers[codes]
        if self.training:
            # Twice as fast as the sum below with its gradient, but it becomes a loop in ONNX.
            means = F.embedding_bag(numbers.flatten(0, 1), self.embedding.weight, mode="mean", padding_idx=0)
            return means.reshape(*codes.shape, -1)
        total: Tensor = self.embedding(numbers).sum(-2)
        return total * self.shares[codes]


def _before(lengths: Tensor, steps: int) -> Tensor:
    """(B, steps) True before the end of each sequence."""
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)


def _check_sizes(
    spec: SequenceModelSpec, n_channels: int, vocabulary_size: int, subwords: npt.NDArray[np.int64] | None
) -> None:
    """Refuse numbers without channels, and texts whose vocabulary only holds padding."""
    if spec.tokens is None and (n_channels < 1 or vocabulary_size != 0):
        raise SpecError(
            "a network that reads numbers has at least 1 channel and a vocabulary_size of 0 but got "
            f"{n_channels} and {vocabulary_size}"
        )
    if spec.subwords != (subwords is not None):
        raise SpecError(
            f"subwords must be given for an architecture that reads them, and only then, but spec.subwords is "
            f"{spec.subwords!r}"
        )
    if subwords is not None and len(subwords) != vocabulary_size:
        raise SpecError(f"subwords must have {vocabulary_size} rows, one for each token, but has {len(subwords)}")
    if spec.tokens is not None and (n_channels != 0 or vocabulary_size < 2):
        raise SpecError(
            "a network that reads texts has 0 channels and a vocabulary_size of at least 2 but got "
            f"{n_channels} and {vocabulary_size}"
        )
