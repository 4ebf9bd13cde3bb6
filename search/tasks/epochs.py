"""Epochs that the folds of a trial choose: for a refit, and for the score of each fold."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

_OWN, _OTHERS = "own best epochs", "best epochs of the other folds"


def refit_epochs(best_epochs: Sequence[int]) -> int:
    """Epochs of a refit, which has no validation part: the median of the folds' best epochs."""
    return max(1, round(statistics.median(best_epochs)))


def scored_epochs(best_epochs: Sequence[int]) -> list[int]:
    """The epoch after which each fold is scored: the one of a refit, as the other folds choose it.

    The best epoch of a fold is chosen by the very score that it is to stand for, so that score is too good, the more so
    the fewer cases it has; baselines, which choose nothing, would be at a disadvantage. A single fold has no other one
    and is scored after its best epoch.

    Args:
        best_epochs: Of each fold, from 1.
    """
    if len(best_epochs) == 1:
        return list(best_epochs)
    return [refit_epochs([*best_epochs[:fold], *best_epochs[fold + 1 :]]) for fold in range(len(best_epochs))]


def scoring_rules(n_folds: int) -> tuple[str, str]:
    """The rule of :func:`scored_epochs` in words, and that of studies which do not say by which they were scored."""
    return _OTHERS if n_folds > 1 else _OWN, _OWN
