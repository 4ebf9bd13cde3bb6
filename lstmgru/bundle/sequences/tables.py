"""An example to predict from, for a sequence model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.bundle.files import shortest_decimals
from lstmgru.data.sequences.sequences import Indices, LabeledSequences

_MOST_EXAMPLES = 3


def example_sequences(sequences: LabeledSequences, train: Indices, *, max_length: int | None = None) -> pd.DataFrame:
    """A raw table to predict from: the first sequences of different labels, with the columns that a model reads.

    Sequences do not keep the times of a long table; the times of the example are numbers from 1.

    Args:
        sequences: The data.
        train: (sequences,) indices to choose from.
        max_length: Number of steps to keep of each; ``None`` to keep all.
    """
    _, firsts = np.unique(sequences.labels[train], return_index=True)
    chosen = train[np.sort(firsts)[:_MOST_EXAMPLES]]
    match sequences.schema.layout:
        case "text":
            return pd.DataFrame(_ids(sequences, chosen) | {sequences.schema.text: sequences.texts[chosen].tolist()})
        case "wide":
            return _wide(sequences, chosen, max_length)
        case "long":
            return _long(sequences, chosen, max_length)


def _wide(sequences: LabeledSequences, chosen: Indices, most: int | None) -> pd.DataFrame:
    """A row for each sequence; cells after its end are empty."""
    columns = sequences.schema.channels
    cells = np.full((len(chosen), len(columns)), np.nan)
    for row, values in enumerate(_values(sequences, chosen, most)):
        cells[row, : len(values)] = values[:, 0]
    return pd.DataFrame(_ids(sequences, chosen) | dict(zip(columns, cells.T, strict=True)))


def _long(sequences: LabeledSequences, chosen: Indices, most: int | None) -> pd.DataFrame:
    """A row for each step."""
    schema, values = sequences.schema, _values(sequences, chosen, most)
    lengths = [len(part) for part in values]
    columns: dict[Any, Any] = {}
    if schema.id is not None:
        columns[schema.id] = np.repeat(sequences.ids[chosen], lengths).tolist()
    if schema.time is not None:
        columns[schema.time] = np.concatenate([np.arange(1, length + 1) for length in lengths])
    return pd.DataFrame(columns | dict(zip(schema.channels, np.concatenate(values).T, strict=True)))


def _ids(sequences: LabeledSequences, chosen: Indices) -> dict[Any, Any]:
    name = sequences.schema.id
    return {} if name is None else {name: sequences.ids[chosen].tolist()}


def _values(sequences: LabeledSequences, chosen: Indices, most: int | None) -> list[npt.NDArray[np.float64]]:
    """The (steps, F) values of each sequence."""
    starts, ends = sequences.offsets[chosen], sequences.offsets[chosen + 1]
    return [shortest_decimals(sequences.values[start:end][:most]) for start, end in zip(starts, ends, strict=True)]
