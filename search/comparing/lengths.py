"""Short, middle and long cases of the holdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lstmgru.data.labelled import Indices, LabelledSequences


def case_lengths(sequences: LabelledSequences, numbers: Indices) -> Indices:
    """(k,) steps of some sequences, or characters of texts: what a network reads of them depends on its tokens.

    Args:
        sequences: The data.
        numbers: (k,) numbers of sequences.
    """
    if sequences.is_text:
        return np.array([len(text) for text in sequences.texts[numbers]], np.int64)
    return sequences.lengths[numbers]


def length_groups(lengths: Indices) -> list[Indices]:
    """Positions of the short, the middle and the long ones: thirds, but one length is never on two sides.

    Args:
        lengths: (k,) of the cases.

    Returns:
        (group,) positions in each group, shortest first; none where all have the same length.
    """
    cuts = np.unique(np.quantile(lengths, [1 / 3, 2 / 3], method="inverted_cdf"))
    third = np.searchsorted(cuts, lengths)
    groups = [np.flatnonzero(third == code) for code in range(len(cuts) + 1)]
    groups = [group for group in groups if len(group)]
    return groups if len(groups) > 1 else []
