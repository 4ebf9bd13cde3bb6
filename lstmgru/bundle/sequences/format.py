"""The description of a model that labels: what ``bundle.json`` holds of it, and back."""

from __future__ import annotations

from typing import Any

import torch

from lstmgru.bundle.plain import plain
from lstmgru.bundle.sequences.bundle import SequenceBundle
from lstmgru.bundle.sequences.output import label_columns
from lstmgru.data.sequences.encoding import Encoding
from lstmgru.data.sequences.sequences import SequenceSchema
from lstmgru.data.tables.gaps import check_policy
from lstmgru.nn.sequence_network import SequenceNetwork
from lstmgru.specs import LabelSpec, SequenceModelSpec, TrainSpec


def describe_predictor(bundle: SequenceBundle) -> dict[str, Any]:
    """What only a model that labels has, as plain values; :func:`build_predictor` is the inverse.

    The vocabulary is left out: it has a file of its own.
    """
    task, encoding = bundle.task.to_dict(), bundle.encoding.to_dict()
    return {
        "labels": {name: plain(task[name], name) for name in ("metric", "classes")},
        "data": {"schema": bundle.schema.to_dict(), "gaps": bundle.gaps},
        "label_columns": label_columns(bundle.schema, bundle.task),
        "encoding": {name: value for name, value in encoding.items() if name != "vocabulary"},
    }


def build_predictor(description: dict[str, Any], vocabulary: dict[str, Any] | None) -> SequenceBundle:
    """The bundle of a description, its network with random weights.

    Args:
        description: What :func:`describe_predictor` gave, within the whole.
        vocabulary: Of a model of texts, as plain values.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, LstmGruError: A part is missing or is not what it must be.
    """
    data = description["data"]
    schema = SequenceSchema.from_dict(data["schema"])
    model, train = SequenceModelSpec.from_dict(description["model"]), TrainSpec(**description["training"])
    task = LabelSpec.from_dict({**description["labels"], "task": description["task"]})
    encoding = Encoding.from_dict({**description["encoding"], "vocabulary": vocabulary})
    check_policy(data["gaps"])
    with torch.random.fork_rng(devices=[]):
        network = SequenceNetwork(
            model,
            n_channels=schema.n_channels,
            n_outputs=task.n_outputs,
            vocabulary_size=encoding.vocabulary_size,
        )
    return SequenceBundle(
        network=network,
        encoding=encoding,
        model_spec=model,
        train_spec=train,
        task=task,
        schema=schema,
        gaps=data["gaps"],
        metrics=dict(description["metrics"]),
        provenance=dict(description["provenance"]),
    )
