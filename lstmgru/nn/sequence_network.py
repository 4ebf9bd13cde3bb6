"""The sequence network: recurrent layers over numbers or tokens, pooling, and a head for the label.

Sequences of a batch are padded at their ends to the longest of them. Whatever stands in the padding, it changes neither
an output nor a gradient.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lstmgru.errors import SpecError
from lstmgru.nn.encoder import Encoder
from lstmgru.nn.inputs import Segments, SequenceNormalization
from lstmgru.nn.pooling import make_pooling
from lstmgru.specs import SequenceModelSpec, TrainSpec

PADDING, UNKNOWN = 0, 1
"""Codes of no token, and of one that the vocabulary does not hold."""

# Of the tokens' first vectors: so small that training soon shapes them. With torch's 1, those of rare ones stay noise.
_EMBEDDING_DEVIATION = 0.1


class SequenceInputs(NamedTuple):
    """A batch of inputs of a network.

    Attributes:
        values: (B, T, F) numbers, scaled, or (B, T) codes of tokens; T is the longest length or more.
        lengths: (B,) steps of each that are real, at least 1.
    """

    values: Tensor
    lengths: Tensor


class SequenceNetwork(nn.Module):
    """Reads a sequence, labels it.

    Args:
        spec: The architecture.
        n_channels: F of sequences of numbers; 0 for texts.
        n_outputs: O: the classes, or 1 for a number.
        vocabulary_size: Codes of tokens, those of padding and of unknown tokens included; 0 for numbers.
        vectors: (vocabulary_size, embedding size) what the tokens' vectors begin with, NaN in rows of tokens without
            one; ``None``: with random numbers.

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
        vectors: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.spec, self.n_channels, self.n_outputs = spec, n_channels, n_outputs
        self.vocabulary_size = vocabulary_size
        _check_sizes(spec, n_channels, vocabulary_size)
        self.reader = _Numbers(spec) if spec.tokens is None else _Tokens(spec, vocabulary_size, vectors)
        self.segments = Segments(spec.segment_length)
        n_read = spec.segment_length * (n_channels + spec.embedding_size)
        n_embedded = spec.branches[0][0].hidden_size
        embeds = spec.segment_length > 1
        self.embedding = nn.Sequential(nn.Linear(n_read, n_embedded), nn.ReLU()) if embeds else None
        self.encoder = Encoder(spec, n_embedded if embeds else n_read)
        width = self.encoder.n_outputs
        self.pooling = make_pooling(spec, width)
        hidden = (nn.Linear(width, width), nn.ReLU(), nn.Dropout(spec.dropout)) if spec.head == "mlp" else ()
        self.head = nn.Sequential(nn.Dropout(spec.dropout), *hidden, nn.Linear(width, n_outputs))

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """Label; see :class:`SequenceInputs`.

        Returns:
            (B, O) logits of the classes, or scaled numbers.
        """
        return self._read(SequenceInputs(values, lengths))[0]

    def loss(
        self, inputs: SequenceInputs, target: Tensor, train: TrainSpec, class_weights: Tensor | None = None
    ) -> Tensor:
        """Mean loss of a batch, a scalar.

        Args:
            inputs: What is read.
            target: (B,) codes of the classes, or scaled numbers.
            train: Its ``loss`` and ``label_smoothing`` are used.
            class_weights: (C,) factors of ``cross_entropy``, with mean 1 over the training labels; ``None``: all are 1.

        Raises:
            SpecError: The loss is one of forecasts.
        """
        outputs = self(*inputs)
        match train.loss:
            case "cross_entropy":
                # torch's own mean divides by the weights of the batch, which takes them away where it is small.
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
            (B, segments) weights with sum 1, 0 in the padding; of steps or tokens, for a segment length of 1.

        Raises:
            SpecError: The pooling is no attention.
        """
        weights = self._read(inputs)[1]
        if weights is None:
            raise SpecError(
                f"only a pooling of additive or multihead has attention weights, but this one is {self.spec.pooling}"
            )
        return weights.squeeze(1)

    def example_input(self, batch_size: int = 2) -> SequenceInputs:
        """Zeros, or unknown tokens, of the shapes that :meth:`forward` takes, as long as they may be."""
        steps = self.spec.max_length
        lengths = torch.full((batch_size,), steps)
        if self.spec.tokens is None:
            return SequenceInputs(torch.zeros(batch_size, steps, self.n_channels), lengths)
        return SequenceInputs(torch.full((batch_size, steps), UNKNOWN), lengths)

    def _read(self, inputs: SequenceInputs) -> tuple[Tensor, Tensor | None]:
        """The (B, O) outputs and, of an attention, its (B, 1, segments) weights."""
        values, lengths = inputs
        x = self.segments.from_start(self.reader(values, _before(lengths, values.shape[1])))
        lengths = (lengths + self.segments.length - 1) // self.segments.length
        if self.embedding is not None:
            x = self.embedding(x)
        read = self.encoder(x, lengths=lengths)
        summary, weights = read.last, None
        if self.pooling is not None:
            pooled, weights = self.pooling(read.outputs, read.last.unsqueeze(1), _before(lengths, x.shape[1]))
            summary = pooled.squeeze(1)
        return self.head(summary), weights


class _Numbers(nn.Module):
    """(B, T, F) numbers → (B, T, F), 0 in the padding."""

    def __init__(self, spec: SequenceModelSpec) -> None:
        super().__init__()
        self.normalization = SequenceNormalization() if spec.normalization == "sequence" else None

    def forward(self, values: Tensor, real: Tensor) -> Tensor:
        """Embed; ``real`` (B, T) masks the steps that are not padding."""
        values = values.masked_fill(~real.unsqueeze(-1), 0.0)
        return values if self.normalization is None else self.normalization(values, real)


class _Tokens(nn.Module):
    """(B, T) codes of tokens → (B, T, embedding size) learned vectors, 0 in the padding."""

    def __init__(self, spec: SequenceModelSpec, vocabulary_size: int, vectors: Tensor | None) -> None:
        super().__init__()
        self.token_dropout = spec.token_dropout
        self.embedding = nn.Embedding(vocabulary_size, spec.embedding_size, padding_idx=PADDING)
        self.dropout = nn.Dropout(spec.dropout)
        nn.init.normal_(self.embedding.weight, std=_EMBEDDING_DEVIATION)
        with torch.no_grad():
            if vectors is not None:
                self.embedding.weight.copy_(torch.where(vectors.isnan(), self.embedding.weight, vectors))
            # Where training meets no unknown token, an unknown one stays as good as none.
            self.embedding.weight[: UNKNOWN + 1] = 0.0

    def forward(self, codes: Tensor, real: Tensor) -> Tensor:
        """Embed; ``real`` (B, T) masks the tokens that are not padding."""
        if self.training and self.token_dropout > 0:
            dropped = torch.rand(codes.shape, device=codes.device) < self.token_dropout
            codes = codes.masked_fill(dropped, UNKNOWN)
        vectors: Tensor = self.dropout(self.embedding(codes.masked_fill(~real, PADDING)))
        return vectors


def _before(lengths: Tensor, steps: int) -> Tensor:
    """(B, steps) whether a step comes before the end of its sequence."""
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)


def _check_sizes(spec: SequenceModelSpec, n_channels: int, vocabulary_size: int) -> None:
    """Numbers have channels, texts a vocabulary that holds more than padding."""
    if spec.tokens is None and (n_channels < 1 or vocabulary_size != 0):
        raise SpecError(
            "a network that reads numbers has at least 1 channel and a vocabulary_size of 0 but got "
            f"{n_channels} and {vocabulary_size}"
        )
    if spec.tokens is not None and (n_channels != 0 or vocabulary_size < 2):
        raise SpecError(
            "a network that reads texts has 0 channels and a vocabulary_size of at least 2 but got "
            f"{n_channels} and {vocabulary_size}"
        )
