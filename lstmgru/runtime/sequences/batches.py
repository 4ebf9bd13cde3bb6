"""Batches of sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.sequences import Indices

# Most sequences in a batch, and most steps, including padding.
_BATCH_SIZE, _BATCH_STEPS = 1024, 65536


def padded(rows: npt.NDArray[Any], starts: Indices, lengths: Indices) -> npt.NDArray[Any]:
    """Concatenated sequences as one padded array, with 0 after the end of the shorter ones.

    Args:
        rows: (rows, …) of all sequences.
        starts: (B,) first row of each.
        lengths: (B,) number of rows of each, from 1.

    Returns:
        (B, longest, …).
    """
    steps = np.arange(lengths.max())
    real = steps < lengths[:, None]
    array: npt.NDArray[Any] = rows[np.where(real, starts[:, None] + steps, 0)]
    array[~real] = 0
    return array


def batches(lengths: Indices) -> Iterator[Indices]:
    """Indices of sequences, grouped by similar length, so that little is padded.

    Args:
        lengths: (n,) number of steps of each.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        # The last one is the longest, and the others are padded to its length.
        sorted_lengths = lengths[order[start : start + _BATCH_SIZE]]
        sizes = sorted_lengths * np.arange(1, len(sorted_lengths) + 1)
        stop = start + max(1, int(np.searchsorted(sizes, _BATCH_STEPS, side="right")))
        yield order[start:stop]
        start = stop
