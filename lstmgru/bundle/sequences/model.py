"""A trained sequence model: its parts, and whether they fit together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lstmgru.bundle.base import Bundle
from lstmgru.bundle.sequences.servable import SequenceClassifier, SequenceRegressor, UnscaledSequenceNetwork
from lstmgru.data.forecasting.series import GapPolicy
from lstmgru.data.sequences.encoding import ChannelScaler, Encoding
from lstmgru.data.sequences.sequences import SequenceSchema
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.errors import SpecError
from lstmgru.nn.sequence_network import SequenceNetwork
from lstmgru.specs import LabelSpec, SequenceModelSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class SequenceModel(Bundle):
    """The parts of a :class:`~lstmgru.bundle.SequenceBundle`, as far as the model card needs them.

    Attributes:
        network: On the CPU.
        encoding: Of sequences and labels, fitted on the training data.
        model_spec: The architecture.
        task: Classes or numbers, and the metric.
        schema: The roles of a table's columns.
        gaps: How missing cells within a sequence are handled, as in training.

    Raises:
        SpecError: Encoding, schema, task and network do not fit together.
    """

    axes = {  # noqa: RUF012 as it is never changed
        "values": "batch, step, channel",
        "tokens": "batch, step",
        "lengths": "batch",
        "label": "batch",
        "probabilities": "batch, class",
        "value": "batch",
    }
    results = "labels"

    network: SequenceNetwork
    encoding: Encoding
    model_spec: SequenceModelSpec
    task: LabelSpec
    schema: SequenceSchema
    gaps: GapPolicy = "error"

    def __post_init__(self) -> None:
        _check_network(self.network, self.model_spec, self.task, self.schema)
        _check_encoding(self.encoding, self.network)

    @property
    def task_name(self) -> str:
        """``classification`` or ``regression``."""
        return self.task.task

    @cached_property
    def servable(self) -> UnscaledSequenceNetwork:
        """The network with the encoding inside, in evaluation mode."""
        return (SequenceClassifier if self.task.classes else SequenceRegressor)(self.network, self.encoding)

    @property
    def vocabulary(self) -> dict[str, Any] | None:
        """The content of ``vocabulary.json``; ``None`` for a model that does not read text."""
        return None if self.encoding.vocabulary is None else self.encoding.vocabulary.to_dict()


def _check_network(network: SequenceNetwork, model: SequenceModelSpec, task: LabelSpec, schema: SequenceSchema) -> None:
    """Refuse a network for other sequences or labels."""
    if network.spec != model:
        raise SpecError(f"the network must be {model.architecture} but is {network.spec.architecture}")
    if network.n_outputs != task.n_outputs:
        classes = f"{task.n_outputs} classes" if task.classes else "one number"
        raise SpecError(f"the network has {network.n_outputs} outputs, but labels are {classes}")
    if (schema.layout == "text") != (model.tokens is not None):
        raise SpecError(f"the model reads tokens {model.tokens}, but the table has the layout {schema.layout}")
    if network.n_channels != schema.n_channels:
        raise SpecError(f"the network has {network.n_channels} channels, but the table has {schema.n_channels}")


def _check_encoding(encoding: Encoding, network: SequenceNetwork) -> None:
    """Refuse an encoding of other sequences or labels than the network's."""
    if network.spec.tokens is None:
        _check_scaler(encoding.scaler, network.n_channels)
    else:
        _check_vocabulary(encoding.vocabulary, network)
    if not (math.isfinite(encoding.label_mean) and math.isfinite(encoding.label_scale) and encoding.label_scale > 0):
        raise SpecError(
            "label_mean and label_scale of the encoding must be finite and label_scale positive but are "
            f"{encoding.label_mean!r} and {encoding.label_scale!r}"
        )


def _check_scaler(scaler: ChannelScaler | None, n_channels: int) -> None:
    if scaler is None:
        raise SpecError("the encoding of numeric sequences must have a scaler but has none")
    for name in ("mean", "scale"):
        array = getattr(scaler, name)
        if array.shape != (n_channels,):
            raise SpecError(f"{name} of the scaler must have the shape ({n_channels},) but has {array.shape}")
        if not np.isfinite(array).all():
            raise SpecError(f"{name} of the scaler must be finite numbers")
    if not (scaler.scale > 0).all():
        raise SpecError("the scales of the scaler must be positive")


def _check_vocabulary(vocabulary: Vocabulary | None, network: SequenceNetwork) -> None:
    if vocabulary is None:
        raise SpecError("the encoding of texts must have a vocabulary but has none")
    if vocabulary.kind != network.spec.tokens:
        raise SpecError(f"the vocabulary is of {vocabulary.kind}s, but the network reads {network.spec.tokens}s")
    if vocabulary.size != network.vocabulary_size:
        raise SpecError(f"the vocabulary has {vocabulary.size} codes, but the embedding has {network.vocabulary_size}")
