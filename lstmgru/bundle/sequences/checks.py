"""Whether the parts of a bundle that labels sequences fit together."""

from __future__ import annotations

import math

import numpy as np

from lstmgru.data.sequences.encoding import ChannelScaler, Encoding
from lstmgru.data.sequences.sequences import SequenceSchema
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.errors import SpecError
from lstmgru.nn.sequence_network import SequenceNetwork
from lstmgru.specs import LabelSpec, SequenceModelSpec


def check_network(network: SequenceNetwork, model: SequenceModelSpec, task: LabelSpec, schema: SequenceSchema) -> None:
    """Refuse a network that does not read such sequences or does not give such labels.

    Raises:
        SpecError: Says what does not fit.
    """
    if network.spec != model:
        raise SpecError(f"the network must be {model.architecture} but is {network.spec.architecture}")
    if network.n_outputs != task.n_outputs:
        classes = f"{task.n_outputs} classes" if task.classes else "one number"
        raise SpecError(f"a network of {network.n_outputs} outputs for labels of {classes}")
    if (schema.layout == "text") != (model.tokens is not None):
        raise SpecError(f"a model of tokens {model.tokens} for a table of layout {schema.layout}")
    if network.n_channels != schema.n_channels:
        raise SpecError(f"a network of {network.n_channels} channels for a table of {schema.n_channels}")


def check_encoding(encoding: Encoding, network: SequenceNetwork) -> None:
    """Refuse an encoding of other sequences, texts or labels than the network's.

    Raises:
        SpecError: Says what does not fit.
    """
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
        raise SpecError("the encoding of sequences of numbers must have a scaler but has none")
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
        raise SpecError(f"a vocabulary of {vocabulary.kind}s for a network that reads {network.spec.tokens}s")
    if vocabulary.size != network.vocabulary_size:
        raise SpecError(f"a vocabulary of {vocabulary.size} codes for an embedding of {network.vocabulary_size}")
