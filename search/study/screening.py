"""Screening: every candidate trains for a few epochs, and the best of them are trained to their end.

A trial is compared at *rungs* with all trials that came as far. One that is not among the best there is stopped. When
later trials are worse, it may turn out to be among them after all: then its candidate is promoted, as a new trial with
the same parameters and seed. This is asynchronous successive halving (Li et al. 2020) on the first fold, with restarts
instead of paused trials.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

from search.config.search_config import FIRST_RUNG
from search.study.records import EpochRecord, TrialRecord

_SCREENED_EPOCHS = 0.15
_SIMILAR_COST = 4.0
"""Factor between the seconds per epoch of two trials up to which they count as of similar cost."""


@dataclass(frozen=True)
class Rung:
    """Where trials are compared.

    Attributes:
        epoch: Of the first fold; its best score up to there is compared.
        keep: Share of the trials that continue.
        name: For the reason of a trial that is stopped.
    """

    epoch: int
    keep: float
    name: str


def rungs(max_epochs: int, n_folds: int) -> tuple[Rung, ...]:
    """The rungs of a study: after 15 % of the epochs of the first fold, and at its end or, of a single fold, halfway.

    Args:
        max_epochs: Maximum number of epochs of a fold.
        n_folds: Number of folds.
    """
    first = max(FIRST_RUNG, math.ceil(_SCREENED_EPOCHS * max_epochs))
    second = max_epochs if n_folds > 1 else math.ceil(max_epochs / 2)
    at_end = "at the end of the first fold" if n_folds > 1 else f"after {second} epochs"
    found = [Rung(first, 1 / 3, f"not among the best third after {first} epochs")] if first < max_epochs else []
    if first < second:
        found.append(Rung(second, 1 / 2, f"not among the best half {at_end}"))
    return tuple(found)


class Screening:
    """The decisions of the screening of a study.

    Args:
        of: Its rungs, ascending.
        larger_is_better: Whether larger scores are.
        by_cost: Whether a trial is compared with trials of similar cost only, as where cost is an objective.
    """

    def __init__(self, of: tuple[Rung, ...], *, larger_is_better: bool, by_cost: bool = False) -> None:
        self._rungs, self._sign, self._by_cost = of, -1 if larger_is_better else 1, by_cost
        self._values: list[dict[int, float]] = [{} for _ in of]
        self._sorted: list[list[float]] = [[] for _ in of]
        """The values of each rung, ascending: with them, a decision takes no pass over all trials."""
        self._cost: dict[int, float] = {}
        self._stopped: dict[int, tuple[int, int]] = {}
        """By candidate: the trial that was stopped, and its rung."""

    def add(self, trial: TrialRecord, candidate: int) -> None:
        """Take a trial of an earlier run into account, in ascending order of trial numbers.

        Args:
            trial: One that ended.
            candidate: Number of the first trial of its candidate.
        """
        self._stopped.pop(candidate, None)
        last = self.reach(candidate, trial.curve, ended=trial.state == "COMPLETE")
        if trial.state == "PRUNED" and last is not None and trial.reason == self.reason(last):
            self._stopped[candidate] = (trial.number, last)

    def reach(self, candidate: int, curve: Sequence[EpochRecord], *, ended: bool = False) -> int | None:
        """Record the scores of a candidate at the rungs that it has reached; return the last of them.

        Args:
            candidate: Number of its first trial.
            curve: Its epochs so far.
            ended: Whether its first fold is over.
        """
        first = [epoch for epoch in curve if epoch.fold == 1]
        if not first:
            return None
        over = ended or curve[-1].fold > 1
        last = None
        for index, rung in enumerate(self._rungs):
            if not over and first[-1].epoch < rung.epoch:
                break
            self._remove(index, candidate)
            value = min(self._sign * each.value for each in first if each.epoch <= rung.epoch)
            self._values[index][candidate] = value
            insort(self._sorted[index], value)
            last = index
        self._cost[candidate] = curve[-1].seconds / len(curve)
        return last

    def passes(self, candidate: int, index: int) -> bool:
        """Whether a candidate is among the best at a rung.

        Args:
            candidate: Number of its first trial.
            index: Of the rung.
        """
        values, known = self._values[index], self._sorted[index]
        if self._by_cost:
            known = sorted(value for each, value in values.items() if self._alike(candidate, each))
        return bisect_left(known, values[candidate]) < math.ceil(self._rungs[index].keep * len(known))

    def stop(self, candidate: int, number: int, index: int) -> None:
        """A trial of a candidate was stopped at a rung."""
        self._stopped[candidate] = (number, index)

    def discard(self, candidate: int) -> None:
        """Compare no other candidate with this one, which violates a bound."""
        for index in range(len(self._rungs)):
            self._remove(index, candidate)
        self._stopped.pop(candidate, None)

    def reason(self, index: int) -> str:
        """Why trials are stopped at a rung."""
        return f"screening: {self._rungs[index].name}"

    def promotable(self) -> int | None:
        """The stopped trial to train further: of those that are among the best by now, the one that came farthest."""
        found = [
            (-index, self._values[index][candidate], number)
            for candidate, (number, index) in self._stopped.items()
            if self.passes(candidate, index)
        ]
        return min(found)[2] if found else None

    def promote(self, candidate: int) -> int:
        """A trial of the candidate is queued; return the rung where it was stopped."""
        return self._stopped.pop(candidate)[1]

    def _alike(self, candidate: int, other: int) -> bool:
        """Whether two candidates are compared where cost counts."""
        costs = self._cost[candidate], self._cost[other]
        return max(costs) <= _SIMILAR_COST * min(costs)

    def _remove(self, index: int, candidate: int) -> None:
        """Forget the score of a candidate at a rung, if it has one."""
        value = self._values[index].pop(candidate, None)
        if value is not None:
            del self._sorted[index][bisect_left(self._sorted[index], value)]
