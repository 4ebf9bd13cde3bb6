"""The table of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.sequences.sequences import SequenceSchema
from lstmgru.runtime.predictor import free_name
from lstmgru.specs import LabelSpec

ROW = "row"
"""Column of sequence numbers, from 1, for a table without an id column."""


def label_columns(schema: SequenceSchema, task: LabelSpec) -> list[str]:
    """Names of the columns of :func:`label_frame`.

    Args:
        schema: Names of the columns of the input table.
        task: Names of the classes.
    """
    columns = [schema.id or ROW]
    for name in ("label", *(f"p_{name}" for name in task.classes)):
        columns.append(free_name(name, columns))
    return columns


def label_frame(
    ids: npt.NDArray[np.object_], outputs: Sequence[npt.NDArray[Any]], schema: SequenceSchema, task: LabelSpec
) -> pd.DataFrame:
    """Predictions, a row for each sequence.

    Args:
        ids: (n,) names of the sequences.
        outputs: (n,) numbers of classes and (n, C) probabilities; or (n,) values.
        schema: Names of the columns of the input table.
        task: Names of the classes.
    """
    labels: list[Any] | npt.NDArray[Any] = outputs[0]
    if task.classes:
        labels = [task.classes[number] for number in outputs[0]]
    values = [ids.tolist(), labels, *(outputs[-1].T if task.classes else ())]
    return pd.DataFrame(dict(zip(label_columns(schema, task), values, strict=True)))
