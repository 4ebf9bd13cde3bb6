"""The search loop: one driver asks, hears the reports, prunes and tells; executors only run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from search.config.objectives import SCORE
from search.executors.base import Executor, Failure, Job, Outcome
from search.run.progress import Listener, Progress
from search.run.trial import (
    INTERRUPTED,
    TrialReport,
    TrialResult,
    run_trial,
    score_baselines,
)
from search.study.pruners import make_pruner, pass_last_rungs, prune_reason, should_prune
from search.study.records import EpochRecord, TrialRecord
from search.study.samplers import derive_seed, make_sampler, search_spaces
from search.study.store import StudyStore, curve_rows, longest_fold_seconds, trial_record
from search.tasks.base import BaselineResult

if TYPE_CHECKING:
    from optuna.trial import Trial

    from search.study.budget import Budget
    from search.tasks.plan import Plan
    from search.tracking import Tracker

TIME_IS_UP = "the time budget ended"

_BASELINES = -1
_POLL_SECONDS = 0.2
_SHOW_SECONDS = 0.1
_NOTE_SECONDS = 10.0
_STOPPING = "stopping: running trials are put back into the queue (Ctrl-C again ends at once)"
GRACE_SECONDS = 3.0
"""What workers may take to stop after Ctrl-C before they are ended."""


@dataclass
class _Running:
    """A trial on its way."""

    trial: Trial
    started: float
    curve: list[EpochRecord] = field(default_factory=list)
    value: float | None = None
    stop: str | None = None
    record: TrialRecord | None = None


class Driver:
    """Runs trials until the budget is spent or someone interrupts.

    Args:
        plan: What to search.
        store: The study.
        executor: Runs the trials.
        budget: What may be spent.
        tracker: Mirrors the study.
        listener: Watches.
    """

    def __init__(
        self,
        plan: Plan,
        store: StudyStore,
        executor: Executor,
        budget: Budget,
        tracker: Tracker,
        listener: Listener,
    ) -> None:
        self.interrupted = False
        self._plan, self._store, self._executor = plan, store, executor
        self._budget, self._tracker, self._listener = budget, tracker, listener
        self._running: dict[int, _Running] = {}
        self._baselines_running = False
        self._baselines_tried = 0
        self._started = time.monotonic()
        self._ended_here: list[float] = []
        self._data = executor.share(plan.search_data())
        executor.offload(plan.large_data)
        self._grid = plan.space.grid() if plan.config.search.sampler == "grid" else None
        self._spaces = search_spaces()
        self._elapsed_noted = self._shown = time.monotonic()
        search, epochs = plan.config.search, plan.max_epochs * plan.n_folds
        self._store.study.pruner = make_pruner(search.pruner, percentile=search.percentile, epochs=epochs)

    def run(self) -> None:
        """Search. Afterwards no trial is left running: what was interrupted waits for the next run."""
        if not self._store.get("baselines"):
            self._submit_baselines()
        give_up = float("inf")
        while time.monotonic() < give_up:
            while self._executor.free and self._may_ask():
                self.ask()
            if not self._running and not self._baselines_running:
                return
            for outcome in self._executor.poll(self, _POLL_SECONDS):
                self.take(outcome)
            if self.interrupted and give_up == float("inf"):
                give_up = time.monotonic() + GRACE_SECONDS
                self._listener.on_message(_STOPPING)
            self._keep_time()
            self._show_progress()
        for number in self._running:
            self._store.requeue(number)
        self._running.clear()

    def progress(self) -> Progress:
        """How far the search is."""
        counted, waiting = self._store.counts()
        total = self._plan.trials
        done = counted - waiting - len(self._running)
        seconds_left = None
        if self._ended_here:
            mean = sum(self._ended_here) / len(self._ended_here)
            seconds_left = max(0.0, mean * (total - done) / self._plan.jobs)
            seconds_left = min(seconds_left, max(0.0, self._search_seconds_left()))
        running = tuple(trial.record or self._noted(trial) for _, trial in sorted(self._running.items()))
        return Progress(done, total, running, self._store.best(), time.monotonic() - self._started, seconds_left)

    def on_report(self, key: int, message: TrialReport) -> None:
        """An epoch ended somewhere: keep it, decide on pruning."""
        running = self._running[key]
        running.curve.append(message.epoch)
        running.value = message.value
        if self._store.goal.single:  # Optuna takes no intermediate values of several objectives
            self._report(running, message)
        self._tracker.update(self._noted(running))
        self._show_progress()

    def stop_reason(self, key: int) -> str | None:
        """Why job ``key`` should stop now."""
        if self.interrupted:
            return INTERRUPTED
        if self._search_seconds_left() <= 0:
            return TIME_IS_UP
        running = self._running.get(key)
        return running.stop if running else None

    def _report(self, running: _Running, message: TrialReport) -> None:
        number = running.trial.number
        # A trial that is taken up again after a crash repeats the steps that it had reported before it.
        if message.step not in self._store.trial(number).intermediate_values:
            running.trial.report(message.value, message.step)
        search, max_epochs = self._plan.config.search, self._plan.max_epochs
        if should_prune(self._store.study, self._store.trial(number), step=message.step, max_epochs=max_epochs):
            running.stop = prune_reason(search.pruner, percentile=search.percentile)

    def _keep_time(self) -> None:
        """Learn how fast the machine is, and note now and then how long the study has taken, should it be killed."""
        if self._executor.startup_seconds is not None:
            self._budget.calibrate(self._executor.startup_seconds)
        if time.monotonic() - self._elapsed_noted > _NOTE_SECONDS:
            self._elapsed_noted = time.monotonic()
            self._store.set("elapsed", round(self._budget.elapsed, 1))

    def _may_ask(self) -> bool:
        counted, waiting = self._store.counts()
        left = counted - waiting < self._budget.trials and self._search_seconds_left() > 0
        return not self.interrupted and left

    def ask(self) -> None:
        """Start the next trial; only while the executor has room."""
        study, plan = self._store.study, self._plan
        number = self._store.next_number()
        search = plan.config.search
        study.sampler = make_sampler(
            search.sampler, seed=search.seed, number=number, grid=self._grid, spaces=self._spaces
        )
        trial = study.ask()
        suggested = "seed" in trial.user_attrs  # then it is run again, as it was
        if not suggested:
            self._store.discard_params(trial)
        model, settings = plan.space.suggest(trial)
        if not suggested:
            trial.set_user_attr("layers", model.architecture)
            trial.set_user_attr("seed", derive_seed(search.seed, trial.number))
        train = plan.train_spec(settings, seed=trial.user_attrs["seed"])
        self._running[trial.number] = running = _Running(trial, time.monotonic())
        self._executor.submit(Job(trial.number, run_trial, (self._data, model, train)))
        self._tracker.update(self._noted(running))

    def take(self, outcome: Outcome) -> None:
        """A job ended: tell the study."""
        if outcome.key == _BASELINES:
            self._take_baselines(outcome)
            return
        running = self._running.pop(outcome.key)
        result, failure = outcome.result, outcome.failure
        if (isinstance(result, TrialResult) and result.stopped == INTERRUPTED) or (
            failure is not None and failure.died and self.interrupted
        ):
            self._store.requeue(outcome.key)
        else:
            self._tell(running, result, failure)
        record = trial_record(self._store.trial(outcome.key))
        self._tracker.update(record)
        if record.state != "WAITING":
            self._ended_here.append(time.monotonic() - running.started)
            self._listener.on_trial(record, self.progress())

    def _submit_baselines(self) -> None:
        self._executor.submit(Job(_BASELINES, score_baselines, (self._data,)))
        self._baselines_running = True
        self._baselines_tried += 1

    def _take_baselines(self, outcome: Outcome) -> None:
        self._baselines_running = False
        if outcome.failure is not None:
            self._listener.on_message(f"the baselines could not be scored: {outcome.failure.reason}")
            if outcome.failure.died and self._baselines_tried < 2 and not self.interrupted:
                self._submit_baselines()
        elif outcome.result is not None:
            results: dict[str, BaselineResult] = outcome.result
            self._store.set("calibrations", {name: result.calibration for name, result in results.items()})
            # Last: a study that has it does not score the baselines again.
            self._store.set("baselines", {name: {"folds": result.score} for name, result in results.items()})

    def _tell(self, running: _Running, result: TrialResult | None, failure: Failure | None) -> None:
        from optuna.trial import TrialState

        trial, study = running.trial, self._store.study
        details: dict[str, object] = {
            "seconds": round(time.monotonic() - running.started, 3),
            "curve": curve_rows(running.curve),
        }
        if failure is not None:
            trial.set_user_attr("result", details | {"reason": failure.reason, "traceback": failure.details})
            study.tell(trial, state=TrialState.FAIL)
            if failure.died and self._store.retry(trial.number):
                self._listener.on_message(f"trial {trial.number}: {failure.reason}; its parameters are tried once more")
        elif result is not None:
            self._tell_result(running, result, details)

    def _tell_result(self, running: _Running, result: TrialResult, details: dict[str, object]) -> None:
        from optuna.trial import TrialState

        trial, study, goal = running.trial, self._store.study, self._store.goal
        stopped = result.stopped is not None
        details |= result.details() | ({} if goal.single else {SCORE: running.value if stopped else result.score})
        trial.set_user_attr("result", details)
        # Beside the rest, which is read again and again: this is needed once, for the winner.
        trial.set_user_attr("calibration", result.calibration)
        for bound in goal.bounds:
            if bound.name not in trial.constraints:  # else a run that was killed right here has said so
                trial.set_constraint(bound.name, bound.violation(result.measures[bound.name]))
        if stopped:
            study.tell(trial, state=TrialState.PRUNED)
            return
        folds, max_epochs = len(result.fold_scores), self._plan.max_epochs
        pass_last_rungs(study, self._store.trial(trial.number), folds=folds, max_epochs=max_epochs)
        values = {SCORE: result.score, **result.measures}
        study.tell(trial, [values[name] for name in goal.objectives])

    def _noted(self, running: _Running) -> TrialRecord:
        """The record of a trial as it is now, which it keeps until there is something new."""
        running.record = trial_record(self._store.trial(running.trial.number), curve=tuple(running.curve))
        return running.record

    def _show_progress(self) -> None:
        """Several times a second; of 64 workers there may be hundreds of reports."""
        if time.monotonic() - self._shown >= _SHOW_SECONDS:
            self._shown = time.monotonic()
            self._listener.on_progress(self.progress())

    def _search_seconds_left(self) -> float:
        """Seconds until the search must stop; asked for all the time, and only a limit needs a look at the trials."""
        return self._budget.search_seconds_left(0.0 if self._budget.timeout is None else self._refit_seconds())

    def _refit_seconds(self) -> float:
        """What a refit is expected to take: the winner's longest fold, or a running trial's before there is one."""
        known = self._store.longest_fold_seconds()
        return known or max((longest_fold_seconds(trial.curve) for trial in self._running.values()), default=0.0)
