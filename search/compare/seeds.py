"""The best candidate of each family is trained again with fresh seeds, all families with one seed before the next."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from search.compare.store import FamilyStore
from search.executors.base import Executor, Job, Outcome
from search.run.driver import GRACE_SECONDS
from search.run.trial import INTERRUPTED
from search.study.samplers import derive_seed
from search.tasks.retrain import Candidate, SeedResult, train_again

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from search.run.progress import Listener
    from search.tasks.plan import Plan

FEWEST_SEEDS = 2
"""Seeds that are trained even if the time is up: a single one has no spread."""

_FIRST_SEED = 1_000_000
"""Number of the first fresh seed in the study's sequence, far behind those of the trials."""
_POLL_SECONDS = 0.2
_ATTEMPTS = 2


class Retraining:
    """Runs the trainings that are not there yet.

    Args:
        plan: The study's.
        best: The best trial of each family that has one.
        executor: Runs the trainings.
        seeds: How many.
        time_left: Seconds until the time of the comparison is up.
        note_time: Called when a training ended.
        listener: Watches.
    """

    def __init__(
        self,
        plan: Plan,
        best: Mapping[FamilyStore, FrozenTrial],
        executor: Executor,
        *,
        seeds: int,
        time_left: Callable[[], float],
        note_time: Callable[[], None],
        listener: Listener,
    ) -> None:
        self.interrupted = False
        self._plan, self._best, self._executor, self._listener = plan, best, executor, listener
        self._time_left, self._note_time = time_left, note_time
        waiting = [
            (family, number)
            for number in range(seeds)
            for family, trial in best.items()
            if number not in family.seeds(trial.number)
        ]
        self._waiting = deque(enumerate(waiting))
        self._data: Any = executor.share(plan.whole_data()) if waiting else None  # the same for all families
        self._running: dict[int, tuple[FamilyStore, int]] = {}
        self._attempts: dict[int, int] = {}

    def run(self) -> None:
        """Train. What was interrupted is trained by the next run."""
        give_up = float("inf")
        while time.monotonic() < give_up:
            while self._executor.free and self._may_begin():
                self._begin(*self._waiting.popleft())
            if not self._running:
                return
            for outcome in self._executor.poll(self, _POLL_SECONDS):
                self._take(outcome)
            if self.interrupted:
                give_up = min(give_up, time.monotonic() + GRACE_SECONDS)

    def on_report(self, key: int, message: object) -> None:
        """A training reports nothing."""

    def stop_reason(self, key: int) -> str | None:
        """Only Ctrl-C stops one."""
        return INTERRUPTED if self.interrupted else None

    def _may_begin(self) -> bool:
        if self.interrupted or not self._waiting:
            return False
        _, (_, number) = self._waiting[0]
        return number < FEWEST_SEEDS or self._time_left() > 0

    def _begin(self, key: int, training: tuple[FamilyStore, int]) -> None:
        family, number = training
        self._running[key] = training
        self._attempts[key] = self._attempts.get(key, 0) + 1
        task = replace(candidate(family, self._best[family]), data=self._data)
        seed = derive_seed(self._plan.config.search.seed, _FIRST_SEED + number)
        self._executor.submit(Job(key, train_again, (task, seed)))

    def _take(self, outcome: Outcome) -> None:
        training = self._running.pop(outcome.key)
        family, number = training
        failure, trial = outcome.failure, self._best[family].number
        if failure is not None and failure.died and self._attempts[outcome.key] < _ATTEMPTS:
            self._waiting.appendleft((outcome.key, training))
        elif failure is not None and not self.interrupted:
            family.set_seed(trial, number, failure.reason)
            self._listener.on_message(f"{family.name}, seed {number + 1}: {failure.reason}")
        elif isinstance(outcome.result, SeedResult):
            family.set_seed(trial, number, outcome.result)
            score = sum(outcome.result.fold_scores) / len(outcome.result.fold_scores)
            text = f"{family.name}, seed {number + 1}: folds {score:.4g}, holdout {outcome.result.holdout:.4g}"
            self._listener.on_phase(text)
        self._note_time()


def candidate(family: FamilyStore, trial: FrozenTrial) -> Candidate:
    """What a family's best trial tried, to be trained again.

    Args:
        family: Whose trial it is.
        trial: The trial.
    """
    from optuna.trial import FixedTrial

    model, settings = family.plan.space.suggest(FixedTrial(trial.params))
    return family.task.candidate(model, family.plan.train_spec(settings, seed=trial.user_attrs["seed"]))
