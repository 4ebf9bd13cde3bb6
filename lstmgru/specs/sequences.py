"""Specifications of sequence classification and regression: the architecture and the labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from lstmgru.errors import SpecError, at_least, one_of, probability
from lstmgru.specs.fields import check_types
from lstmgru.specs.layers import Merge, Pooling, RecurrentSpec, Stack

SequenceTask = Literal["classification", "regression"]
Head = Literal["linear", "mlp"]
SequenceNormalization = Literal["none", "fold", "sequence"]
Tokens = Literal["word", "character"]

SEQUENCE_TASKS: tuple[str, ...] = get_args(SequenceTask)
HEADS: tuple[str, ...] = get_args(Head)
SEQUENCE_NORMALIZATIONS: tuple[str, ...] = get_args(SequenceNormalization)
TOKENS: tuple[str, ...] = get_args(Tokens)
N_SUBWORDS = 8192
"""Number of learned vectors that the character n-grams of words share."""


_FCN = 16
"""Multiplications of the convolutions beside the recurrence, for a step and the square of their filters."""


@dataclass(frozen=True)
class SequenceModelSpec(RecurrentSpec):
    """The architecture of a network that predicts the label of a sequence or a text.

    Attributes:
        branches: As in :class:`~lstmgru.specs.ModelSpec`, like ``merge``, ``residual``, ``layer_norm``, ``n_heads``,
            ``dropout`` and ``recurrent_dropout``.
        max_length: T, maximum number of steps or tokens; longer sequences are truncated.
        convolution: As in :class:`~lstmgru.specs.ModelSpec`, but each step reads as many later steps as earlier ones.
        fcn_filters: Filters of a fully convolutional branch beside the recurrence (Karim et al. 2017). It reads single
            steps, and its mean over the real ones is concatenated with the pooled outputs. 0 for none.
        segment_length: Steps that are read at once; the last segment is padded with 0.
        pooling: Pooling of the encoder's outputs over the real steps.
        head: From the pooled outputs to the label: ``linear``, or ``mlp``, with a hidden layer.
        normalization: Of numbers: ``none``; ``fold``: each channel has mean 0 and deviation 1 over the training part;
            ``sequence``: over each sequence. Texts have ``none``.
        tokens: Tokens of a text, ``word`` or ``character``; ``None``: the model reads sequences of numbers.
        embedding_size: Features of a token's learned vector; 0 for numbers.
        min_count: Minimum number of occurrences of a token in the training part.
        token_dropout: Probability of replacing a token of a training text by the unknown token, in [0, 1).
        subwords: Whether the mean of learned vectors of a word's character n-grams is added to the vector of each word
            of the vocabulary (Bojanowski et al. 2017).
        input_noise: Standard deviation of Gaussian noise that is added to numbers in training, after their
            normalization; at least 0, and 0 for texts.
    """

    branches: tuple[Stack, ...]
    max_length: int
    merge: Merge = "concat"
    residual: bool = False
    layer_norm: bool = False
    convolution: int = 0
    fcn_filters: int = 0
    segment_length: int = 1
    pooling: Pooling = "last"
    n_heads: int = 1
    head: Head = "linear"
    normalization: SequenceNormalization = "fold"
    tokens: Tokens | None = None
    embedding_size: int = 0
    min_count: int = 1
    token_dropout: float = 0.0
    subwords: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    input_noise: float = 0.0

    def __post_init__(self) -> None:
        self._check("max_length", self.max_length)
        one_of("head", self.head, HEADS)
        one_of("normalization", self.normalization, SEQUENCE_NORMALIZATIONS)
        at_least("fcn_filters", self.fcn_filters, 0)
        at_least("min_count", self.min_count, 1)
        probability("token_dropout", self.token_dropout)
        if self.subwords and self.tokens != "word":
            raise SpecError(f"subwords must be false without tokens of word but got {self.subwords!r}")
        if self.tokens is None:
            if self.embedding_size != 0:
                raise SpecError(f"embedding_size must be 0 without tokens but got {self.embedding_size!r}")
            return
        one_of("tokens", self.tokens, TOKENS)
        at_least("embedding_size", self.embedding_size, 1)
        if self.normalization != "none":
            raise SpecError(f"normalization must be none for texts but got {self.normalization!r}")
        if self.input_noise != 0:
            raise SpecError(f"input_noise must be 0 for texts but got {self.input_noise!r}")

    @property
    def longest_input(self) -> int:
        """Most steps or tokens of a sequence."""
        return self.max_length

    @property
    def multiplications(self) -> int:
        """Those of the recurrence and of the convolutions beside it, see :class:`lstmgru.specs.RecurrentSpec`."""
        return super().multiplications + _FCN * self.fcn_filters**2 * self.max_length

    @property
    def architecture(self) -> str:
        """The readable form, in the order of the computation, without defaults.

        ``word(64) > bi-lstm(64) > max`` reads words as 64 features and pools the maxima of both directions;
        ``lstm(8) +fcn(32)`` is an LSTM-FCN.
        """
        before = (
            (f"{self.tokens}({self.embedding_size})", self.tokens is not None),
            ("subwords", self.subwords),
            (self.normalization, self.tokens is None and self.normalization != "fold"),
            (f"conv({self.convolution})", self.convolution > 0),
            (f"segments({self.segment_length})", self.segment_length > 1),
        )
        after = [self.head] if self.head != "linear" else []
        beside = f"fcn({self.fcn_filters})" if self.fcn_filters else ""
        return self._architecture([text for text, shown in before if shown], after, beside)


@dataclass(frozen=True)
class LabelSpec:
    """The task: the labels and their score.

    Attributes:
        task: ``classification``: a label is one of several classes; ``regression``: a number.
        metric: Name of a metric in :mod:`lstmgru.evaluation.metrics`, the score of a model.
        classes: (C,) names of the classes, text or whole numbers, ascending; empty for numbers.
    """

    task: SequenceTask
    metric: str
    classes: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        one_of("task", self.task, SEQUENCE_TASKS)
        if self.task == "classification" and len(self.classes) < 2:
            raise SpecError(f"classes must be at least 2 but got {list(self.classes)!r}")
        if self.task == "regression" and self.classes:
            raise SpecError(f"classes must be empty for regression but got {list(self.classes)!r}")

    @property
    def n_outputs(self) -> int:
        """O, network outputs per sequence: C, or 1 for regression."""
        return len(self.classes) or 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return {**asdict(self), "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The spec that :meth:`to_dict` wrote.

        Raises:
            SpecError: A value is not valid.
        """
        check_types(cls, values)
        return cls(**{**values, "classes": tuple(values["classes"])})
