"""The search of a study: one driver asks, receives reports, prunes and tells; executors only run trials."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from search.executors.base import INTERRUPTED, TIME_IS_UP, Executor, Failure, Job, Outcome
from search.executors.loop import JobSource, run_jobs
from search.run.baselines import FAILED, QUICK, BaselineJobs
from search.run.progress import Listener, Progress
from search.run.state import AskedTrial, SearchState
from search.run.trial import FinishedFold, FoldCheckpoint, Resumption, TrialReport, run_trial
from search.study.budget import expected_export
from search.study.records import BaselineRecord
from search.study.store import StudyStore
from search.study.trials import first_attempt
from search.tasks import task_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from search.run.kept_folds import KeptFolds, TrialFolds
    from search.study.blend_records import Candidate
    from search.study.budget import Budget
    from search.study.out_of_fold import Outputs, Predictions
    from search.study.records import TrialRecord
    from search.tasks.plan import Plan
    from search.tracking.base import Tracker


CHECKPOINT_SECONDS = 60.0
"""Minimum training time between two checkpoints of a fold: what an interruption costs, besides the rest of an epoch."""
_SHOW_SECONDS = 0.1
_NOTE_SECONDS = 10.0
_STOPPING = "stopping: running trials go back into the queue (press Ctrl-C again to quit immediately)"


class Driver(JobSource):
    """Runs the baselines and the trials until the budget is spent or the search is interrupted.

    Args:
        plan: What to search.
        store: The study.
        executor: Runs the trials.
        budget: Time and number of trials.
        tracker: Mirrors the study.
        listener: Receives progress and messages.
        predictions: Keeps the out-of-fold outputs, from which a blend is selected; ``None``: they are not needed.
        folds: Keeps the finished folds and the checkpoints of running trials; ``None``: an interrupted trial begins
            again.
        data: Handle of what the trials see, which several drivers may share; ``None``: this one has its own.
        interrupted: Whether to stop.
    """

    def __init__(
        self,
        plan: Plan,
        store: StudyStore,
        executor: Executor,
        budget: Budget,
        tracker: Tracker,
        listener: Listener,
        predictions: Predictions | None = None,
        folds: KeptFolds | None = None,
        data: Any = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._plan, self._store, self._executor, self._interrupted = plan, store, executor, interrupted
        self._budget, self._tracker, self._listener = budget, tracker, listener
        self._predictions, self._folds = predictions, folds
        if folds is not None:
            folds.remove_others(map(first_attempt, store.waiting()))
        self._state = SearchState(plan, store)
        self._onnx_networks = self._state.estimates.onnx_networks
        self._data = share_search_data(plan, executor) if data is None else data
        self._kept: dict[int, TrialFolds] = {}
        self._not_kept: set[str] = set()
        self._began: dict[int, float] = {}
        self._seconds: list[float] = []
        self._started = self._elapsed_noted = self._shown = time.monotonic()
        self._stop_announced = False
        self._best_baseline: tuple[str, float] | None = None
        self._note_baselines()

    def run(self) -> None:
        """Search. No trial is left running: interrupted ones wait for the next run."""
        run_jobs(self._executor, self)
        self._announce_stop()

    def next_job(self) -> Job | None:
        """Baselines that are not scored yet, one job at a time, and trials while the budget allows."""
        baselines = self._baselines.next_job(slow=self._state.seconds_left(self._budget) > 0)
        if baselines is not None:
            return baselines
        if not self._state.may_ask(self._budget):
            return None
        trial = self._state.ask_within(self._budget)
        return None if trial is None else self._job(trial)

    def ask(self) -> Job:
        """The next trial, whatever the budget."""
        return self._job(self._state.ask())

    def _job(self, trial: AskedTrial) -> Job:
        self._began[trial.number] = time.monotonic()
        resumption = self._resume(trial)
        self._tracker.update(self._state.record(trial.number))
        return Job(trial.number, run_trial, (task_of(self._plan), self._data, trial.model, trial.train, resumption))

    def _resume(self, trial: AskedTrial) -> Resumption:
        """What an earlier attempt at a trial has trained: it is not trained again."""
        if self._folds is None:
            return Resumption()
        number = trial.number
        attempt = first_attempt(self._store.trial(number))
        kept = self._kept[number] = self._folds.of(attempt, trial.model, trial.train)
        finished: list[FinishedFold] = []
        checkpoint = None
        try:
            while (found := kept.read(fold := len(finished) + 1)) is not None:
                finished.append(found)
            checkpoint = kept.read_checkpoint(fold)
        except ValueError as error:
            self._listener.on_message(
                f"what is kept of fold {fold} of trial {number} {error}, so the fold is trained from its beginning"
            )
        resumption = Resumption(tuple(finished), checkpoint, CHECKPOINT_SECONDS)
        if resumption.epochs:
            self._state.resume(number, resumption.epochs)
            after = f"fold {len(finished)}" if checkpoint is None else f"epoch {len(checkpoint.epochs)} of fold {fold}"
            self._listener.on_message(f"trial {number} resumes after {after} of {self._plan.n_folds}")
        return resumption

    def on_report(self, key: int, message: TrialReport | FinishedFold | FoldCheckpoint) -> None:
        """Record an epoch of a trial, or keep a fold or a checkpoint."""
        if not isinstance(message, TrialReport):
            self._keep_training(key, message)
            return
        self._state.report(key, message)
        self._tracker.update(self._state.record(key))
        self._show_progress()

    def on_outcome(self, outcome: Outcome) -> None:
        """A trial ended, or some baselines are scored."""
        if outcome.key < 0:
            for message in self._baselines.take(outcome, keep=self._keep):
                self._listener.on_message(message)
            self._tracker.show_baselines(self._note_baselines())
        else:
            self._on_trial(outcome)
        self._onnx_networks = self._state.estimates.onnx_networks

    def _on_trial(self, outcome: Outcome) -> None:
        number, result, failure = outcome.key, outcome.result, outcome.failure
        if failure is None and result.stopped == INTERRUPTED:
            self.on_interrupted(number)
            return
        seconds = time.monotonic() - self._began.pop(number)
        if failure is None:
            # First: a trial that is complete has its outputs, whenever this process is killed.
            self._keep(number, result.outputs)
            self._state.tell(number, result, seconds)
        kept = self._kept.pop(number, None)
        if failure is not None and self._state.fail(number, failure, seconds):
            self._listener.on_message(f"trial {number}: {failure.reason}; retrying its parameters")
        elif kept is not None:
            kept.remove()
        self._seconds.append(seconds)
        record = self._state.record(number)
        self._tracker.update(record)
        self._listener.on_trial(record, self.progress())

    def on_retry(self, job: Job, failure: Failure) -> Job:
        """The worker that scored the baselines died; trials are retried by the study itself, under a new number."""
        self._listener.on_message(FAILED.format(failure.reason))
        return job

    def on_lost(self, job: Job, failure: Failure) -> Job | None:
        """A trial goes back into the queue, however often; the baselines are scored again."""
        if job.key < 0:
            return self.on_retry(job, failure)
        self._listener.on_message(f"trial {job.key}: {failure.reason}; it goes back into the queue")
        self.on_interrupted(job.key)
        return None

    def on_interrupted(self, key: int) -> None:
        """A trial goes back into the queue; the baselines are scored by the next run."""
        if key >= 0:
            del self._began[key]
            self._kept.pop(key, None)
            self._state.requeue(key)
            self._tracker.update(self._state.record(key))

    def stop_reason(self, key: int) -> str | None:
        """The time is up, or the trial is pruned; the quick baselines are scored however little time there is."""
        if key == QUICK:
            return None
        return TIME_IS_UP if self._state.seconds_left(self._budget) <= 0 else self._state.stop_reason(key)

    def stopping(self) -> bool:
        """Whether a signal told the program to end."""
        return self.interrupted or self._interrupted()

    def tick(self) -> None:
        """Record the time spent, should this process be killed, and show progress."""
        self._announce_stop()
        if self._budget.timeout is not None:
            self._budget.export_seconds = expected_export(self._executor.startup_seconds, self._onnx_networks)
        if time.monotonic() - self._elapsed_noted > _NOTE_SECONDS:
            self._elapsed_noted = time.monotonic()
            self._store.set("elapsed", round(self._budget.elapsed, 1))
        self._show_progress()

    def progress(self) -> Progress:
        """The progress of the search."""
        counted, waiting = self._store.counts()
        running = self._state.running()
        total = self._plan.trials
        done = counted - waiting - len(running)
        seconds_left = None
        if self._seconds:
            mean = sum(self._seconds) / len(self._seconds)
            jobs = max(self._plan.jobs, self._executor.ready)  # a cluster may have grown
            expected = float("inf") if total is None else max(0.0, mean * (total - done) / jobs)
            seconds_left = min(expected, max(0.0, self._state.seconds_left(self._budget)))
        best, trials = self._store.best(), self._store.trials
        return Progress(
            done=done,
            total=total,
            running=running,
            best=best,
            elapsed=time.monotonic() - self._started,
            seconds_left=seconds_left,
            workers=self._plan.jobs,
            ready=self._executor.ready,
            baseline=self._best_baseline,
            ahead=self._is_ahead(best),
            pruned=trials.pruned,
            promoted=trials.promoted,
        )

    @cached_property
    def _baselines(self) -> BaselineJobs:
        return BaselineJobs(self._plan, self._store, self._data)

    def _note_baselines(self) -> dict[str, BaselineRecord]:
        """The baselines that are scored; the best of them is kept, because progress is shown many times a second."""
        known = {name: BaselineRecord(**scores) for name, scores in self._store.get("baselines", {}).items()}
        scored = [(name, each.folds) for name, each in known.items() if each.folds is not None]
        choose = max if self._plan.direction == "maximize" else min
        self._best_baseline = choose(scored, key=lambda each: each[1], default=None)
        return known

    def _is_ahead(self, best: TrialRecord | None) -> bool:
        """Whether a trial is better than the best baseline."""
        if best is None or best.value is None or self._best_baseline is None:
            return False
        sign = -1 if self._plan.direction == "maximize" else 1
        return sign * best.value < sign * self._best_baseline[1]

    def _keep(self, candidate: Candidate, outputs: Outputs | None) -> None:
        """Write the out-of-fold outputs of a trial or baseline; without them it cannot be a member of a blend."""
        if self._predictions is None or outputs is None:
            return
        try:
            self._predictions.write(candidate, outputs)
        except OSError as error:
            what = f"trial {candidate}" if isinstance(candidate, int) else f"the baseline {candidate}"
            reason = error.strerror or str(error)
            self._listener.on_message(f"the predictions of {what} cannot be kept, so no blend can hold it: {reason}")

    def _keep_training(self, number: int, report: FinishedFold | FoldCheckpoint) -> None:
        """Write a fold of a running trial, or its checkpoint; without it, an interrupted trial repeats the fold.

        Nothing is written after an epoch by which the trial is pruned: what is before it has passed.
        """
        kept, checkpoint = self._kept.get(number), isinstance(report, FoldCheckpoint)
        if kept is None or self._state.stop_reason(number) is not None:
            return
        try:
            if isinstance(report, FoldCheckpoint):
                kept.write_checkpoint(report)
            else:
                kept.write(report)
            self._store.has_progressed(number)
        except OSError as error:
            reason = error.strerror or str(error)
            what = f"{'the checkpoint of ' if checkpoint else ''}fold {report.fold} of trial {number}"
            if what not in self._not_kept:
                self._not_kept.add(what)
                self._listener.on_message(
                    f"{what} cannot be kept, so the trial repeats the fold if it is interrupted: {reason}"
                )

    def _announce_stop(self) -> None:
        if self.stopping() and not self._stop_announced:
            self._stop_announced = True
            self._listener.on_message(_STOPPING)

    def _show_progress(self) -> None:
        """At most several times a second: 64 workers may send hundreds of reports."""
        if time.monotonic() - self._shown >= _SHOW_SECONDS:
            self._shown = time.monotonic()
            self._listener.on_progress(self.progress())


def share_search_data(plan: Plan, executor: Executor) -> Any:
    """A handle of what the trials of a study see; large data leave the memory of this process."""
    for large in plan.large_data:
        executor.data.offload(large)
    return executor.data.share(plan.search_data())
