"""Retrains the best candidate of each family with new seeds, all families with one seed before the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgru.evaluation.decimals import fixed
from search.executors.base import Executor, Failure, Job, Outcome
from search.executors.loop import JobSource, run_jobs
from search.reports.formatting import decimals_of_scores
from search.study.samplers import derive_seed
from search.tasks.data import SeedResult
from search.tasks.final_steps import RefitCandidate, retrain

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from search.compare.store import FamilyStore
    from search.run.progress import Listener
    from search.tasks.plan import Plan

FEWEST_SEEDS = 2
"""Seeds that are trained even if the time is up: a single one has no spread."""

_FIRST_SEED = 1_000_000
"""Number of the first new seed in the study's sequence, far behind those of the trials."""


class Retraining(JobSource):
    """Runs the trainings that are missing.

    Args:
        plan: The study's.
        best: The best trial of each family that has one.
        executor: Runs the trainings.
        seeds: How many.
        time_left: Seconds until the time of the comparison is up.
        note_time: Called when a training ended.
        listener: Receives progress and messages.
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
        self._plan, self._best, self._executor, self._listener = plan, best, executor, listener
        self._time_left, self._note_time = time_left, note_time
        self._trainings = [
            (family, number)
            for number in range(seeds)
            for family, trial in best.items()
            if number not in family.seeds(trial.number)
        ]
        self._waiting = deque(range(len(self._trainings)))
        # The same for all families.
        self._data: Any = executor.data.share(plan.whole_data()) if self._trainings else None

    def run(self) -> None:
        """Train. Interrupted trainings are left to the next run; workers that have nothing to do end."""
        self._executor.scale_down(max(1, len(self._trainings)))
        run_jobs(self._executor, self)

    def next_job(self) -> Job | None:
        """The next training, unless the time is up."""
        return self._job(self._waiting.popleft()) if self._waiting and self._may_start(self._waiting[0]) else None

    def on_outcome(self, outcome: Outcome) -> None:
        """Record the result of a training, or why there is none."""
        family, number = self._trainings[outcome.key]
        failure, trial = outcome.failure, self._best[family].number
        if failure is not None and not self.interrupted:
            family.set_seed(trial, number, failure.reason)
            self._listener.on_message(f"{family.name}, seed {number + 1}: {failure.reason}")
        elif isinstance(outcome.result, SeedResult):
            family.set_seed(trial, number, outcome.result)
            holdout, folds = outcome.result.holdout, outcome.result.fold_scores
            decimals = decimals_of_scores(self._plan.metric, holdout)
            scores = f"folds {fixed(sum(folds) / len(folds), decimals)}, holdout {fixed(holdout, decimals)}"
            self._listener.on_phase(f"{family.name}, seed {number + 1}: {scores}")
        self._note_time()

    def on_retry(self, job: Job, failure: Failure) -> Job | None:
        """Train it again, unless the time is up."""
        return job if self._may_start(job.key) else None

    def _may_start(self, key: int) -> bool:
        return self._trainings[key][1] < FEWEST_SEEDS or self._time_left() > 0

    def _job(self, key: int) -> Job:
        family, number = self._trainings[key]
        task = replace(candidate(family, self._best[family]), data=self._data)
        seed = derive_seed(self._plan.config.search.seed, _FIRST_SEED + number)
        return Job(key, retrain, (task, seed), retries=1)


def candidate(family: FamilyStore, trial: FrozenTrial) -> RefitCandidate:
    """The candidate of a family's trial, to be retrained.

    Args:
        family: Of the trial.
        trial: A trial of the family.
    """
    from optuna.trial import FixedTrial

    model, settings = family.plan.space.suggest(FixedTrial(trial.params))
    return RefitCandidate.of_plan(family.plan, model, family.plan.train_spec(settings, seed=trial.user_attrs["seed"]))
