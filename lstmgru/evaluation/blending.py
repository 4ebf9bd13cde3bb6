"""Blends: weighted means of the outputs of several models, and the selection of their members.

Members are selected greedily with replacement (Caruana et al. 2004) by the score of their out-of-fold outputs: starting
from the best candidate, each round adds the one that makes the mean of all chosen outputs best, so a candidate that is
chosen more often has a larger weight. The scores are those of the data on which members are selected; therefore rounds
without a clear improvement are undone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Folds = Sequence[Array]
"""The outputs for each fold, (cases, …)."""
Score = Callable[[Folds], float]

ROUNDS = 20
LEAST_IMPROVEMENT = 1e-4
"""Share by which the score must improve for a longer selection to replace a shorter one."""
# The mean of the same numbers in another order differs in the last digits.
_DIGITS = 12


@dataclass(frozen=True)
class Selection:
    """The members of a blend.

    Attributes:
        weights: Position of each member among the candidates → its weight, largest first; they sum to 1.
        score: Of the blend on the outputs by which it was selected.
    """

    weights: dict[int, float]
    score: float


class Rank(NamedTuple):
    """How good outputs are; smaller is better."""

    score: float
    tie_break: float = 0.0

    def improves(self, other: Rank) -> bool:
        """Whether it is clearly better: by the score, or between equal scores by the second one."""
        if self.score == other.score:
            return _clearly_below(self.tie_break, other.tie_break)
        return _clearly_below(self.score, other.score)


@dataclass(frozen=True)
class Criterion:
    """What outputs are ranked by.

    Attributes:
        score: Of the outputs for all folds; NaN excludes a candidate.
        larger_is_better: Whether larger scores are better.
        tie_break: A second score that decides between equal ones, for metrics such as accuracy; smaller is better.
    """

    score: Score
    larger_is_better: bool = False
    tie_break: Score | None = None

    def rank(self, outputs: Folds) -> Rank:
        """The rank of the outputs of a model or a blend."""
        value = float(f"{self.score(outputs):.{_DIGITS}g}")
        if math.isnan(value):
            return Rank(math.inf, math.inf)
        return Rank(-value if self.larger_is_better else value, 0.0 if self.tie_break is None else self._tie(outputs))

    def _tie(self, outputs: Folds) -> float:
        assert self.tie_break is not None
        value = self.tie_break(outputs)
        return math.inf if math.isnan(value) else value


def select(
    candidates: Sequence[Folds],
    criterion: Criterion,
    *,
    allowed: Callable[[Collection[int]], bool] = lambda members: True,
    members: int = 8,
    rounds: int = ROUNDS,
) -> Selection | None:
    """Select the members of a blend; deterministic.

    Between equally good candidates, one that is a member already is preferred, then the first one.

    Args:
        candidates: Their outputs, the simplest candidate first; all of the same shape.
        criterion: What is best.
        allowed: Whether these positions may be the members of a blend together.
        members: Most members.
        rounds: Most rounds.

    Returns:
        ``None`` if no candidate is allowed and has a score.
    """
    chosen: list[int] = []
    sums = [np.zeros(1)] * len(candidates[0]) if candidates else []
    best, kept = Rank(math.inf, math.inf), 0
    for count in range(1, rounds + 1):
        ranks = {}
        for each, outputs in enumerate(candidates):
            together = {*chosen, each}
            if len(together) <= members and allowed(together):
                mean = [
                    ((total + values) / count).astype(np.float32) for total, values in zip(sums, outputs, strict=True)
                ]
                ranks[each] = criterion.rank(mean)
        choice = min(ranks, key=lambda each: (ranks[each], each not in chosen, each), default=None)
        if choice is None or math.isinf(ranks[choice].score):
            break
        chosen.append(choice)
        sums = [total + values.astype(np.float64) for total, values in zip(sums, candidates[choice], strict=True)]
        if ranks[choice].improves(best):
            best, kept = ranks[choice], count
    return _selection(chosen[:kept], candidates, criterion) if kept else None


def same_shapes(candidates: Sequence[Folds]) -> list[Folds]:
    """Outputs of one shape: where some candidates forecast quantiles, (…, Q), a point stands for each of its quantiles.

    Args:
        candidates: The outputs of each candidate.
    """
    shapes = {values.shape[1:] for outputs in candidates for values in outputs}
    widest = max(shapes, key=len, default=())
    return [[_widened(values, widest) for values in outputs] for outputs in candidates]


def blended(outputs: Sequence[Array], weights: Sequence[float]) -> Array:
    """The weighted mean of the outputs of several models for the same cases.

    Args:
        outputs: Of each model; all of the same shape.
        weights: Of each model; they sum to 1.
    """
    mean = sum(weight * values.astype(np.float64) for weight, values in zip(weights, outputs, strict=True))
    return np.asarray(mean, np.float32)


def blended_folds(candidates: Sequence[Folds], weights: Mapping[int, float]) -> list[Array]:
    """The outputs of a blend for each fold.

    Args:
        candidates: The outputs of each candidate.
        weights: Position of each member → its weight; they sum to 1.
    """
    members = [candidates[each] for each in weights]
    return [blended(outputs, tuple(weights.values())) for outputs in zip(*members, strict=True)]


def _selection(chosen: Sequence[int], candidates: Sequence[Folds], criterion: Criterion) -> Selection:
    times = Counter(chosen)
    ordered = sorted(times, key=lambda each: (-times[each], each))
    weights = {each: times[each] / len(chosen) for each in ordered}
    return Selection(weights, criterion.score(blended_folds(candidates, weights)))


def _widened(values: Array, shape: tuple[int, ...]) -> Array:
    if values.ndim == len(shape) + 1:
        return values
    return np.broadcast_to(values[..., None], (len(values), *shape))


def _clearly_below(value: float, other: float) -> bool:
    return value < other if math.isinf(other) else value < other - LEAST_IMPROVEMENT * abs(other)
