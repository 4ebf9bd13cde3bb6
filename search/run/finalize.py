"""The end of a study: has a worker refit the winner, score the holdout and export the model, and records the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.config.objectives import measure_text
from search.errors import RefitFailed
from search.executors.base import Executor, Failure, Job, Outcome
from search.executors.loop import JobSource, run_jobs
from search.run.progress import Listener
from search.study.budget import Budget
from search.study.paths import report_path
from search.study.records import BaselineRecord, HoldoutRecord, StudyRecord
from search.study.store import StudyStore
from search.tasks import task_of
from search.tasks.base import Task
from search.tasks.data import FinalJob, Winner
from search.tasks.plan import Plan
from search.tasks.refit import FinalResult, finalize, refit_epochs

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


class Finalizer:
    """Refits the winner, scores the holdout and exports the model.

    Args:
        plan: The study's.
        store: Where the result is recorded.
        executor: Idle; runs the job.
        budget: Remaining time.
        listener: Receives progress and messages.
        bundle: Directory of the exported model.
        interrupted: Whether Ctrl-C was pressed.
    """

    def __init__(
        self,
        plan: Plan,
        store: StudyStore,
        executor: Executor,
        budget: Budget,
        listener: Listener,
        bundle: Path,
        interrupted: Callable[[], bool],
    ) -> None:
        self._plan, self._store, self._executor = plan, store, executor
        self._budget, self._listener, self._bundle = budget, listener, bundle
        self._interrupted = interrupted

    def run(self, trial: FrozenTrial) -> bool:
        """Finish the study; ``False`` if it was interrupted first.

        Args:
            trial: The winner.

        Raises:
            RefitFailed: The refit or the export failed.
        """
        winner = self._winner(trial)
        architecture = winner.model.architecture
        self._listener.on_phase(f"refitting trial {winner.number}, {architecture}, and scoring the holdout")
        self._executor.scale_down(1)  # the other workers have nothing left to do, and their data take memory
        refit = _Refit(
            task_of(self._plan), lambda: self._job(winner), self._executor, self._listener, self._interrupted
        )
        run_jobs(self._executor, refit)
        outcome = refit.outcome
        if outcome is None or (outcome.failure is not None and self._interrupted()):
            return False
        if outcome.failure is not None:
            raise RefitFailed(f"the refit of trial {winner.number} failed: {outcome.failure.reason}")
        self._record(winner, outcome.result)
        for note in outcome.result.notes:
            self._listener.on_message(note)
        return True

    def _job(self, winner: Winner[Any]) -> FinalJob[Any, Any, Any]:
        plan = self._plan
        return FinalJob(
            data=plan.whole_data(),
            holdout=plan.holdout,
            winner=winner,
            refit=plan.config.training.refit,
            baseline_calibrations=self._store.get("calibrations", {}),
            seconds=max(1.0, self._budget.refit_seconds_left()),
            bundle=self._bundle,
            report=report_path(self._bundle),
            gaps=plan.config.data.gaps,
            provenance=self._provenance(winner),
        )

    def _winner(self, trial: FrozenTrial) -> Winner[Any]:
        """The trial's specs, with the number of epochs of its refit."""
        from optuna.trial import FixedTrial

        model, settings = self._plan.space.suggest(FixedTrial(trial.params))
        train = self._plan.train_spec(settings, seed=trial.user_attrs["seed"])
        result = trial.user_attrs["result"]
        # A trial that was stopped within its first fold has no finished fold: use its best epoch so far.
        best_epochs = result["best_epochs"] or [self._best_epoch(result["curve"])]
        if self._plan.config.training.refit == "all":
            train = replace(train, max_epochs=refit_epochs(best_epochs))
        return Winner(trial.number, model, train, trial.user_attrs.get("calibration"))

    def _best_epoch(self, curve: list[list[Any]]) -> int:
        """The epoch with the best score, of the rows of a trial's curve."""
        best = min if self._plan.direction == "minimize" else max
        return int(best(curve, key=lambda epoch: epoch[3])[1])

    def _provenance(self, winner: Winner[Any]) -> dict[str, Any]:
        return {
            "study": self._plan.name,
            "study_uid": self._store.get("uid"),
            "trial": winner.number,
            "seed": winner.train.seed,
            "data": self._plan.describe_data(),
            "accelerator": self._plan.accelerator,
            "refit": self._plan.config.training.refit,
        }

    def _record(self, winner: Winner[Any], result: FinalResult) -> None:
        if result.cut:
            self._listener.on_message(
                f"the time budget cut the refit to {result.epochs} of {winner.train.max_epochs} epochs; "
                "rerun with a longer --timeout"
            )
        folds = {name: baseline.folds for name, baseline in self._store.record().baselines.items()}
        holdout = HoldoutRecord(
            trial=winner.number,
            score=result.metrics[self._plan.metric],
            metrics=result.metrics,
            verdict=result.verdict,
            beats_baselines=result.beats_baselines,
            intervals=result.intervals,
            looks=self._store.get("holdout", {}).get("looks", 0) + 1,
        )
        baselines = {name: BaselineRecord(folds.get(name), score) for name, score in result.baselines.items()}
        self._store.set("baselines", {name: asdict(baseline) for name, baseline in baselines.items()})
        self._store.set("bundle", str(self._bundle))
        # Last: a study that has it is finished.
        self._store.set("holdout", asdict(holdout))


class _Refit(JobSource):
    """The job that refits the winner.

    Args:
        task: Of the study.
        make_job: What to refit, after its task; called again for a retry, which has less time left.
        executor: Runs the job.
        listener: Receives a message about a retry.
        interrupted: Whether to stop.
    """

    def __init__(
        self,
        task: Task[Any, Any, Any],
        make_job: Callable[[], FinalJob[Any, Any, Any]],
        executor: Executor,
        listener: Listener,
        interrupted: Callable[[], bool],
    ) -> None:
        self.outcome: Outcome | None = None
        self._task, self._make_job = task, make_job
        self._executor, self._listener = executor, listener
        self._interrupted = interrupted
        self._submitted = False

    def next_job(self) -> Job | None:
        if self._submitted:
            return None
        self._submitted = True
        return self._job()

    def on_retry(self, job: Job, failure: Failure) -> Job:
        self._listener.on_message(f"the refit failed: {failure.reason}; retrying")
        return self._job()

    def on_outcome(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def stopping(self) -> bool:
        return self._interrupted()

    def _job(self) -> Job:
        return Job(0, finalize, (self._task, self._executor.data.share(self._make_job())), retries=1)


def why_nothing_to_export(record: StudyRecord) -> str:
    """The reason a finished study has no winner."""
    if record.complete:
        return _why_none_is_within_the_bounds(record)
    reasons = [trial.reason for trial in record.trials if trial.reason]
    if not reasons:
        return "no trial ended within the budget; rerun with a longer --timeout"
    most = max(set(reasons), key=reasons.count)
    return f"no trial of {len(reasons)} completed; the most frequent reason ({reasons.count(most)} times): {most}"


def _why_none_is_within_the_bounds(record: StudyRecord) -> str:
    """The reason, with the trial closest to the bounds."""
    goal = record.goal
    nearest = min(
        record.complete,
        key=lambda trial: max(bound.violation(trial.measures[bound.name]) for bound in goal.broken(trial.measures)),
    )
    broken = goal.broken(nearest.measures)
    bounds = " and ".join(map(str, broken))
    has = " and ".join(f"{bound.name} {measure_text(bound.name, nearest.measures[bound.name])}" for bound in broken)
    return (
        f"none of {len(record.complete)} complete trials satisfies {bounds}: the closest is trial {nearest.number}, "
        f"{nearest.layers}, with {has}; run more --trials, search smaller networks, or relax search.bounds under "
        "another name (--set name=... --set search.warm_start="
        f"{record.study})"
    )
