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
from typing import TYPE_CHECKING

from search.config.search_config import FIRST_RUNG
from search.study.records import EpochRecord, TrialRecord

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

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
    """The rungs of a study: after 15% of the epochs of the first fold, and at its end or, of a single fold, halfway.

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
        self._arrays: dict[int, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = {}
        """Scores and costs at a rung, while they have not changed."""
        self._stopped: dict[int, tuple[int, int]] = {}
        """By candidate: the trial that was stopped, and its rung."""
        self._stopped_at: list[list[tuple[float, int, int]]] = [[] for _ in of]
        """By rung: score, trial and candidate of those that are stopped there, ascending."""

    def add(self, trial: TrialRecord, candidate: int) -> None:
        """Take a trial of an earlier run into account, in ascending order of trial numbers.

        Args:
            trial: One that ended.
            candidate: Number of the first trial of its candidate.
        """
        self._go_on(candidate)
        last = self.reach(candidate, trial.curve, ended=trial.state == "COMPLETE")
        if trial.state == "PRUNED" and last is not None and trial.reason == self.reason(last):
            self.stop(candidate, trial.number, last)

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
        self._arrays.clear()
        return last

    def passes(self, candidate: int, index: int) -> bool:
        """Whether a candidate is among the best at a rung.

        Args:
            candidate: Number of its first trial.
            index: Of the rung.
        """
        value, known = self._values[index][candidate], self._sorted[index]
        if self._by_cost:
            better, compared = self._place_among_similar(value, self._cost[candidate], index)
        else:
            better, compared = bisect_left(known, value), len(known)
        return better < math.ceil(self._rungs[index].keep * compared)

    def stop(self, candidate: int, number: int, index: int) -> None:
        """A trial of a candidate was stopped at a rung."""
        self._stopped[candidate] = (number, index)
        insort(self._stopped_at[index], (self._values[index][candidate], number, candidate))

    def discard(self, candidate: int) -> None:
        """Compare no other candidate with this one, which violates a bound."""
        self._go_on(candidate)
        for index in range(len(self._rungs)):
            self._remove(index, candidate)

    def reason(self, index: int) -> str:
        """Why trials are stopped at a rung."""
        return f"screening: {self._rungs[index].name}"

    def promotable(self) -> int | None:
        """The stopped trial to train further: of those that are among the best by now, the one that came farthest."""
        for index in reversed(range(len(self._rungs))):
            stopped = self._stopped_at[index]
            # If the best of them does not pass, none does, unless each is compared with others.
            for _, number, candidate in stopped if self._by_cost else stopped[:1]:
                if self.passes(candidate, index):
                    return number
        return None

    def promote(self, candidate: int) -> int:
        """A trial of the candidate is queued; return the rung where it was stopped."""
        return self._go_on(candidate)[1]

    def _go_on(self, candidate: int) -> tuple[int, int]:
        """Forget that a candidate is stopped, if it is; return its trial and its rung."""
        number, index = self._stopped.pop(candidate, (-1, -1))
        if number >= 0:
            stopped = self._stopped_at[index]
            del stopped[bisect_left(stopped, (self._values[index][candidate], number, candidate))]
        return number, index

    def _place_among_similar(self, value: float, cost: float, index: int) -> tuple[int, int]:
        """How many candidates at a rung are better, and how many are compared, of those whose cost is similar."""
        import numpy as np

        if index not in self._arrays:
            values = self._values[index]
            costs = [self._cost[each] for each in values]
            self._arrays[index] = np.fromiter(values.values(), float, len(values)), np.asarray(costs)
        values_there, costs_there = self._arrays[index]
        similar = np.maximum(costs_there, cost) <= _SIMILAR_COST * np.minimum(costs_there, cost)
        return int(np.count_nonzero(similar & (values_there < value))), int(np.count_nonzero(similar))

    def _remove(self, index: int, candidate: int) -> None:
        """Forget the score of a candidate at a rung, if it has one."""
        value = self._values[index].pop(candidate, None)
        self._arrays.pop(index, None)
        if value is not None:
            del self._sorted[index][bisect_left(self._sorted[index], value)]
