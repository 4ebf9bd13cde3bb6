"""The trials that TPE learns from: all of them, or of many the best and the latest, so that asking takes no longer."""

from __future__ import annotations

import math
from bisect import insort
from typing import TYPE_CHECKING, Any

from search.study.trials import TrialIndex

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from optuna import Study
    from optuna.trial import FrozenTrial, TrialState

MOST = 400
"""Finished trials that TPE learns from, beside those of a Pareto front."""
_BEST = 25
"""Of these, the best: as many as Optuna's TPE models the good candidates on, at most."""
_MOST_OF_A_FRONT = 250
"""Of several objectives, in place of the best: the latest trials of the Pareto front."""


class History:
    """What the samplers of a study's trials share; a finished trial is looked at once.

    TPE models the good candidates on the best trials, which are kept whatever their age, and the others on all that are
    left, whose weights fall with their age. What is selected depends on the history alone, so a resumed study continues
    with the suggestions that it would have had.

    Attributes:
        spaces: Cache of the parameters that all trials have in common.
    """

    def __init__(self) -> None:
        from optuna.search_space import IntersectionSearchSpace

        self.spaces = IntersectionSearchSpace(include_pruned=True)
        self._index: TrialIndex | None = None
        self._looked_at = self._count = 0
        self._signs: list[int] = []
        self._latest: list[int] = []
        self._best: list[tuple[tuple[float, ...], int]] = []
        self._front: dict[int, tuple[float, ...]] = {}
        self._trials: dict[int, FrozenTrial] = {}
        """Those that are kept, by number."""

    def of(self, study: Study) -> RecentStudy:
        """The study as TPE sees it, always the same one."""
        from optuna.study import StudyDirection
        from optuna.trial import TrialState

        if self._index is None:
            self._index = TrialIndex(study)
            self._signs = [-1 if direction == StudyDirection.MAXIMIZE else 1 for direction in study.directions]
        trials = [trial for trial in self._index.update() if trial.state == TrialState.RUNNING]
        new = self._index.finished[self._looked_at :]
        self._looked_at += len(new)
        for trial in new:
            if trial.state != TrialState.FAIL:
                self._add(trial)
        latest = self._latest if self._count <= MOST else self._latest[_BEST - MOST :]
        kept = {*latest, *(number for _, number in self._best), *sorted(self._front)[-_MOST_OF_A_FRONT:]}
        self._trials = {number: trial for number, trial in self._trials.items() if number in kept}
        return RecentStudy(study, sorted([*self._trials.values(), *trials], key=lambda trial: trial.number))

    def _add(self, trial: FrozenTrial) -> None:
        self._count += 1
        self._trials[trial.number] = trial
        insort(self._latest, trial.number)
        del self._latest[:-MOST]
        rank = self._rank(trial)
        if len(self._signs) == 1:
            insort(self._best, (rank, trial.number))
            del self._best[_BEST:]
        elif rank[0] == 0 and not any(_dominates(other, rank) for other in self._front.values()):
            self._front = {number: other for number, other in self._front.items() if not _dominates(rank, other)}
            self._front[trial.number] = rank

    def _rank(self, trial: FrozenTrial) -> tuple[float, ...]:
        """The order in which Optuna's TPE counts trials as good: complete ones, pruned ones, those beyond a bound."""
        from optuna.trial import TrialState

        violation = sum(each for each in trial.constraints.values() if each > 0)
        if violation > 0:
            return 2, violation
        if trial.state == TrialState.COMPLETE:
            return 0, *(sign * value for sign, value in zip(self._signs, trial.values, strict=True))
        if trial.intermediate_values:
            step, value = max(trial.intermediate_values.items())
            return 1, -step, math.inf if math.isnan(value) else self._signs[0] * value
        return 1, 1, 0


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether a trial is at least as good in everything and better in something; less is better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)


class RecentStudy:
    """A view of a study for samplers, with a part of its trials."""

    def __init__(self, study: Study, trials: list[FrozenTrial]) -> None:
        self._study, self._trials = study, trials

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self, deepcopy: bool = False, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        return [trial for trial in self._trials if states is None or trial.state in states]
