"""The members of a sequence model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from lstmgru.bundle.members import BaselineMember, NetworkMember, check_scaler
from lstmgru.bundle.sequences.vocabularies import CODES, vocabulary_at
from lstmgru.data.sequences.encoding import Encoding
from lstmgru.data.sequences.sequences import SequenceSchema
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.errors import SpecError
from lstmgru.evaluation.sequence_baselines import SEQUENCE_BASELINES, FittedSequenceBaseline
from lstmgru.nn.sequence_network import SequenceNetwork
from lstmgru.runtime.members import NETWORK, common_values, stored_baseline
from lstmgru.runtime.sequences.baselines import probe
from lstmgru.specs import LabelSpec, SequenceModelSpec, TrainSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class SequenceNetworkMember(NetworkMember):
    """A trained sequence network.

    Attributes:
        network: On the CPU.
        encoding: Of sequences and labels, fitted on the training data.
        model_spec: The architecture.
        train_spec: How it was trained.

    Raises:
        SpecError: Encoding and network do not fit together.
    """

    network: SequenceNetwork
    encoding: Encoding
    model_spec: SequenceModelSpec

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_encoding(self.encoding, self.network)

    @classmethod
    def from_description(
        cls, values: dict[str, Any], schema: SequenceSchema, task: LabelSpec, vocabulary: Vocabulary | None
    ) -> Self:
        """Build a member with random weights; the inverse of :meth:`describe`.

        Args:
            values: Its entry in ``bundle.json``.
            schema: Of the bundle.
            task: Likewise.
            vocabulary: Its vocabulary; ``None`` for numbers.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
        """
        model, train = SequenceModelSpec.from_dict(values["model"]), TrainSpec.from_dict(values["training"])
        described = None if vocabulary is None else vocabulary.to_dict()
        encoding = Encoding.from_dict({**values["encoding"], "vocabulary": described})
        network = SequenceNetwork(
            model,
            n_channels=schema.n_channels,
            n_outputs=task.n_outputs,
            vocabulary_size=encoding.vocabulary_size,
            subwords=encoding.subwords(model),
        )
        common = common_values(values)
        return cls(**common, network=network, encoding=encoding, model_spec=model, train_spec=train)

    @property
    def reads(self) -> int:
        """The longest sequence that it reads to its end."""
        return self.model_spec.max_length

    def describe(self) -> dict[str, Any]:
        """Its entry in ``bundle.json``, as plain values, without the vocabulary, which has its own file."""
        encoding = {name: value for name, value in self.encoding.to_dict().items() if name != "vocabulary"}
        return {**super().describe(), "encoding": encoding}


@dataclass(frozen=True, eq=False, kw_only=True)
class SequenceBaselineMember(BaselineMember):
    """A fitted baseline of labels.

    Attributes:
        baseline: Fitted to the training data.
    """

    baseline: FittedSequenceBaseline

    @property
    def reads(self) -> None:
        """``None``: it reads whole sequences."""
        return None


SequenceMember = SequenceNetworkMember | SequenceBaselineMember


def member_of(
    values: dict[str, Any], arrays: dict[str, Tensor], schema: SequenceSchema, task: LabelSpec, whole: list[Vocabulary]
) -> SequenceMember:
    """A member from its entry in ``bundle.json``.

    Args:
        values: The entry.
        arrays: Of the member; those that are not weights of a network are taken out.
        schema: Of the bundle.
        task: Likewise.
        whole: The vocabularies of the bundle.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
    """
    if values["kind"] != NETWORK:
        stored = {name: tensor.numpy() for name, tensor in arrays.items()}
        baseline = stored_baseline(SEQUENCE_BASELINES, values, stored, lambda each: probe(each, schema, task))
        return SequenceBaselineMember(**common_values(values), baseline=baseline)
    vocabulary = None
    if whole and (kind := values["model"]["tokens"]):
        of_kind = next((each for each in whole if each.kind == kind), whole[0])
        vocabulary = vocabulary_at(arrays.pop(CODES, None), of_kind)
    return SequenceNetworkMember.from_description(values, schema, task, vocabulary)


def check_member(member: SequenceNetworkMember, task: LabelSpec, schema: SequenceSchema) -> None:
    """Refuse a network for other sequences or labels than those of its bundle.

    Raises:
        SpecError: They do not fit together.
    """
    network, tokens = member.network, member.model_spec.tokens
    if network.n_outputs != task.n_outputs:
        classes = f"{task.n_outputs} classes" if task.classes else "one number"
        raise SpecError(f"the network has {network.n_outputs} outputs, but labels are {classes}")
    if (schema.layout == "text") != (tokens is not None):
        raise SpecError(f"the model reads tokens {tokens}, but the table has the layout {schema.layout}")
    if network.n_channels != schema.n_channels:
        raise SpecError(f"the network has {network.n_channels} channels, but the table has {schema.n_channels}")


def _check_encoding(encoding: Encoding, network: SequenceNetwork) -> None:
    """Refuse an encoding of other sequences or labels than the network's."""
    if network.spec.tokens is None:
        if encoding.scaler is None:
            raise SpecError("the encoding of numeric sequences must have a scaler but has none")
        check_scaler(encoding.scaler, dict.fromkeys(("mean", "scale"), (network.n_channels,)))
    else:
        _check_vocabulary(encoding.vocabulary, network)
    if not (math.isfinite(encoding.label_mean) and math.isfinite(encoding.label_scale) and encoding.label_scale > 0):
        raise SpecError(
            "label_mean and label_scale of the encoding must be finite and label_scale positive but are "
            f"{encoding.label_mean!r} and {encoding.label_scale!r}"
        )


def _check_vocabulary(vocabulary: Vocabulary | None, network: SequenceNetwork) -> None:
    if vocabulary is None:
        raise SpecError("the encoding of texts must have a vocabulary but has none")
    if vocabulary.kind != network.spec.tokens:
        raise SpecError(f"the vocabulary is of {vocabulary.kind}s, but the network reads {network.spec.tokens}s")
    if vocabulary.size != network.vocabulary_size:
        raise SpecError(f"the vocabulary has {vocabulary.size} codes, but the embedding has {network.vocabulary_size}")
