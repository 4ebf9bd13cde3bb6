"""How scores change with the length of the context, as far as a family's trials tell."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise

from search.compare.measures import ContextScore

MOST_GROUPS = 6
"""More different lengths than this are put together into thirds."""
_THIRDS = 3


def context_scores(trials: Sequence[tuple[int, float]]) -> tuple[ContextScore, ...]:
    """Median scores by the length of the context, shortest first.

    Trials differ in everything else, too, so a median of a few of them says little.

    Args:
        trials: Context length and score of each complete trial.
    """
    lengths = sorted({length for length, _ in trials})
    if len(lengths) <= MOST_GROUPS:
        groups = [(length, length) for length in lengths]
    else:
        cuts = [round(len(lengths) * third / _THIRDS) for third in range(_THIRDS + 1)]
        groups = [(lengths[start], lengths[end - 1]) for start, end in pairwise(cuts)]
    return tuple(_group(shortest, longest, trials) for shortest, longest in groups)


def _group(shortest: int, longest: int, trials: Sequence[tuple[int, float]]) -> ContextScore:
    scores = [score for length, score in trials if shortest <= length <= longest]
    return ContextScore(shortest, longest, len(scores), statistics.median(scores))
