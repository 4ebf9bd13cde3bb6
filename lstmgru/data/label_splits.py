"""Stratified folds and a holdout of labelled sequences; groups are kept together."""

from __future__ import annotations

from dataclasses import dataclass

from lstmgru.data.labelled import Indices


@dataclass(frozen=True)
class LabelSplit:
    """What may be learnt from, and what is scored.

    Attributes:
        name: ``fold 1``, … or ``holdout``.
        train: (sequences,) numbers of sequences to learn from, ascending.
        evaluation: (sequences,) numbers of those that are scored, ascending; none of them is in ``train``, nor, where
            there are groups, any of their groups.
    """

    name: str
    train: Indices
    evaluation: Indices


@dataclass(frozen=True)
class LabelSplits:
    """Folds for the search, and the holdout that is scored once.

    Attributes:
        folds: First to last; the holdout's evaluation part is in none of them.
        holdout: Its training part is everything else.
    """

    folds: tuple[LabelSplit, ...]
    holdout: LabelSplit
