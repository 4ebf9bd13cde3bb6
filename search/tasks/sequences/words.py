"""A study of sequence labels in words, for the command line and MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.data.sequences.sequences import SequenceSchema
from lstmgru.errors import counted, shorten
from search.study.paths import CLASSES_TABLE, CONFUSION_TABLE, PREDICTIONS_TABLE
from search.tasks.data import ColumnType, ModelColumns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgru.data.sequences.sequences import Indices
    from lstmgru.data.sequences.splits import SequenceSplit
    from search.study.records import StudyRecord
    from search.tasks.sequences.plan import SequencePlan

_MOST_CLASSES = 20


predict = "label"
holdout_tables = (PREDICTIONS_TABLE, CONFUSION_TABLE, CLASSES_TABLE)
drawn = None


def compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """What scores of two studies must have in common besides metric and data."""
    del config
    return {}


def subject(plan: SequencePlan) -> str:
    """What is predicted."""
    what = "texts" if plan.sequences.is_text else "sequences"
    target = plan.sequences.schema.target
    if plan.labels.classes:
        return f"classify {what} into {len(plan.labels.classes)} classes of {target}"
    return f"predict {target} of {what}"


def data_line(plan: SequencePlan) -> str:
    """The size of the data."""
    sequences = plan.sequences
    if sequences.is_text:
        return counted(len(sequences), "text")
    shortest, longest = sequences.lengths.min(), sequences.lengths.max()
    steps = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
    return f"{len(sequences)} sequences of {steps} steps, {counted(sequences.schema.n_channels, 'channel')}"


def holdout_line(plan: SequencePlan) -> str:
    """The holdout."""
    what = "texts" if plan.sequences.is_text else "sequences"
    where = ", the test part of the data" if plan.has_test_part else ""
    return f"a holdout of {len(plan.holdout.evaluation)} {what}{where}"


def size_line(plan: SequencePlan) -> str:
    """The longest input of a candidate."""
    values = plan.space["max_length"]
    longest = max(values.values or (1,))
    return f"at most {longest} {'tokens' if plan.sequences.is_text else 'steps'} read"


def data_lines(plan: SequencePlan) -> list[tuple[str, str]]:
    """The data in detail: names and texts."""
    sequences, schema = plan.sequences, plan.sequences.schema
    lines = []
    if sequences.classes:
        counts = np.bincount(sequences.labels, minlength=len(sequences.classes))
        shares = [f"{name} {count}" for name, count in zip(sequences.classes, counts, strict=True)]
        lines.append(("classes", shorten(shares, _MOST_CLASSES)))
    else:
        low, high = sequences.labels.min(), sequences.labels.max()
        lines.append(("labels", f"{low:g} to {high:g}, mean {sequences.labels.mean():.4g}"))
    if schema.layout == "long":
        lines.append(("channels", shorten(list(schema.channels))))
    if sequences.groups is not None:
        lines.append(("groups", f"{int(sequences.groups.max()) + 1} of {schema.group}, kept together"))
    lines += [("read whole", line) for line in _whole_lines(plan)]
    if plan.vectors is not None:
        lines.append(("vectors", f"of {counted(len(plan.vectors.vectors), 'word')}, {plan.vectors.size} features"))
    return lines


def _whole_lines(plan: SequencePlan) -> list[str]:
    """How many sequences are not truncated by any candidate, for each kind of tokens."""
    sequences, shortest = plan.sequences, int(plan.space["max_length"].low)
    if not sequences.is_text:
        return [_whole(sequences.lengths, shortest, "steps", "sequences")]
    from lstmgru.data.sequences.vocabulary import tokenize

    kinds: tuple[Any, ...] = plan.space["tokens"].values or ()
    return [
        _whole(np.array([len(tokenize(text, kind)) for text in sequences.texts]), shortest, f"{kind}s", "texts")
        for kind in kinds
    ]


def _whole(lengths: Indices, shortest: int, unit: str, what: str) -> str:
    """The share is rounded down: 100% are all."""
    share = int(1000 * np.mean(lengths <= shortest)) / 10
    return f"{share:g}% of the {what}, the longest of which has {lengths.max():,} {unit}"


def split_lines(plan: SequencePlan) -> list[tuple[str, str]]:
    """Folds and holdout."""
    return [_split_line(split) for split in (*plan.splits.folds, plan.splits.holdout)]


def _split_line(split: SequenceSplit) -> tuple[str, str]:
    return split.name, f"train on {len(split.train)}, score {len(split.evaluation)}"


def data_columns(study: StudyRecord) -> list[tuple[str, str]]:
    """The columns that the data turned out to have, with MLflow's types; numbers are the channels and a value."""
    if "columns" not in study.data:
        return []
    *inputs, target = study.data["columns"]
    data = study.config.get("data", {})
    names = {data.get(part) for part in ("id", "time", "text")}
    return [
        *((name, "string" if name in names else "double") for name in inputs),
        (target, "double" if study.task == "regression" else "string"),
    ]


def model_columns(description: Mapping[str, Any]) -> ModelColumns:
    """The outputs are the name of the sequence, its label, and the probabilities of the classes."""
    schema = SequenceSchema.from_dict(description["data"]["schema"])
    key, label, *numbers = description["label_columns"]
    classes = description["labels"]["classes"]
    kind: ColumnType = "float" if not classes else "string" if isinstance(classes[0], str) else "long"
    outputs: dict[str, ColumnType] = {key: "string" if schema.id else "long", label: kind}
    inputs: dict[str, ColumnType] = {
        column: "double" if column in schema.channels else "string" for column in schema.inputs
    }
    if schema.id is not None and description["data"].get("integer_ids"):
        inputs[schema.id] = "long"
    if schema.time is not None and description["data"].get("integer_times"):
        inputs[schema.time] = "long"
    return ModelColumns(
        inputs=inputs,
        outputs={**outputs, **dict.fromkeys(numbers, "float")},
    )
