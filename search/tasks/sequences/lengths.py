"""Short, middle and long cases of the holdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lstmgru.data.sequences.sequences import Indices, LabeledSequences


def case_lengths(sequences: LabeledSequences, numbers: Indices) -> Indices:
    """(k,) steps of some sequences, or characters of texts: what a network reads of them depends on its tokens.

    Args:
        sequences: The data.
        numbers: (k,) numbers of sequences.
    """
    if sequences.is_text:
        return np.array([len(text) for text in sequences.texts[numbers]], np.int64)
    return sequences.lengths[numbers]


def length_groups(lengths: Indices) -> list[Indices]:
    """Positions of the short, the middle and the long ones: as near to thirds as whole lengths allow.

    Args:
        lengths: (k,) of the cases.

    Returns:
        (group,) positions in each group, shortest first; none where all have the same length.
    """
    values, counts = np.unique(lengths, return_counts=True)
    up_to = np.cumsum(counts)[:-1]
    if not len(up_to):
        return []
    cuts = np.unique([values[np.abs(up_to - len(lengths) * third / 3).argmin()] for third in (1, 2)])
    group = np.searchsorted(cuts, lengths)
    return [np.flatnonzero(group == code) for code in range(len(cuts) + 1)]
