"""Which of very many trials are drawn, so that pages of long studies stay small and charts legible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

MOST_DRAWN = 500
_BEST = 100


def drawn(trials: list[FrozenTrial], best_first: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """At most :data:`MOST_DRAWN` trials in their order: the 100 best ones, and an even sample of the others.

    Args:
        trials: What could be drawn.
        best_first: Some of them, best first.
    """
    if len(trials) <= MOST_DRAWN:
        return trials
    best = {trial.number for trial, _ in zip(best_first, range(_BEST), strict=False)}
    others = [trial for trial in trials if trial.number not in best]
    places = np.unique(np.linspace(0, len(others) - 1, MOST_DRAWN - len(best)).round().astype(int))
    kept = best | {others[place].number for place in places}
    return [trial for trial in trials if trial.number in kept]


def sampled(count: int) -> list[str]:
    """A sentence on what is not drawn of so many trials, if there is any."""
    if count <= MOST_DRAWN:
        return []
    return [f"{MOST_DRAWN} of {count:,} trials are drawn: the best ones, and an even sample of the others."]
