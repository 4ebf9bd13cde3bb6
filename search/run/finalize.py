"""The end of a study as the driver sees it: have the winner refitted, scored and exported, and note the outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.config.objectives import measure_text
from search.errors import RefitFailed
from search.executors.base import Executor, Job, Outcome
from search.run.driver import GRACE_SECONDS
from search.run.progress import Listener
from search.run.trial import INTERRUPTED
from search.study.budget import Budget
from search.study.paths import report_path
from search.study.records import BaselineRecord, HoldoutRecord, StudyRecord
from search.study.store import StudyStore
from search.tasks.finalize import finalize
from search.tasks.plan import Plan
from search.tasks.refit import FinalResult, FinalTask, Winner, refit_epochs

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_JOB = 0
_POLL_SECONDS = 0.2


class Ending:
    """Refits the winner, scores the holdout, exports the model.

    Args:
        plan: The study's.
        store: Where the outcome is noted.
        executor: Idle; runs the job.
        budget: What the refit may take.
        listener: Watches.
        bundle: Directory of the exported model.
        interrupted: Whether someone pressed Ctrl-C.
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
        """Bring the study to its end; ``False`` if someone interrupted it first.

        Args:
            trial: The winner.

        Raises:
            RefitFailed: The refit or the export failed.
        """
        winner = self._winner(trial)
        architecture = winner.model.architecture
        self._listener.on_phase(f"refitting trial {winner.number}, {architecture}, and scoring the holdout")
        outcome = self._outcome(winner)
        if outcome is not None and outcome.failure is not None and outcome.failure.died and not self._interrupted():
            self._listener.on_message(f"the refit: {outcome.failure.reason}; it is tried once more")
            outcome = self._outcome(winner)
        if outcome is None or (outcome.failure is not None and self._interrupted()):
            return False
        if outcome.failure is not None:
            raise RefitFailed(f"the refit of trial {winner.number} failed: {outcome.failure.reason}")
        self._note(winner, outcome.result)
        for note in outcome.result.notes:
            self._listener.on_message(note)
        return True

    def on_report(self, key: int, message: object) -> None:
        """The job reports nothing."""

    def stop_reason(self, key: int) -> str | None:
        """Only Ctrl-C stops it."""
        return INTERRUPTED if self._interrupted() else None

    def _outcome(self, winner: Winner) -> Outcome | None:
        """What became of the job; ``None`` if it did not stop in time after Ctrl-C."""
        task = self._executor.share(self._task(winner))
        self._executor.scale_down(1)  # the others have nothing left to do, and hold what they read
        self._executor.submit(Job(_JOB, finalize, (task,)))
        give_up = float("inf")
        while time.monotonic() < give_up:
            for outcome in self._executor.poll(self, _POLL_SECONDS):
                return outcome
            if self._interrupted():
                give_up = min(give_up, time.monotonic() + GRACE_SECONDS)
        return None

    def _task(self, winner: Winner) -> FinalTask[Any, Any]:
        plan = self._plan
        return FinalTask(
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

    def _winner(self, trial: FrozenTrial) -> Winner:
        """The trial's specs, with the epochs that its refit takes."""
        from optuna.trial import FixedTrial

        model, settings = self._plan.space.suggest(FixedTrial(trial.params))
        train = self._plan.train_spec(settings, seed=trial.user_attrs["seed"])
        result = trial.user_attrs["result"]
        # A trial that was stopped within its first fold has no finished fold: its best epoch so far stands in.
        best_epochs = result["best_epochs"] or [self._best_epoch(result["curve"])]
        if self._plan.config.training.refit == "all":
            train = replace(train, max_epochs=refit_epochs(best_epochs))
        return Winner(trial.number, model, train, trial.user_attrs.get("calibration"))

    def _best_epoch(self, curve: list[list[Any]]) -> int:
        """The epoch with the best score, of the epochs as a study keeps them."""
        best = min if self._plan.direction == "minimize" else max
        return int(best(curve, key=lambda epoch: epoch[3])[1])

    def _provenance(self, winner: Winner) -> dict[str, Any]:
        return {
            "study": self._plan.name,
            "study_uid": self._store.get("uid"),
            "trial": winner.number,
            "seed": winner.train.seed,
            "data": self._plan.describe_data(),
            "accelerator": self._plan.accelerator,
            "refit": self._plan.config.training.refit,
        }

    def _note(self, winner: Winner, result: FinalResult) -> None:
        if result.cut:
            self._listener.on_message(
                f"the time budget cut the refit to {result.epochs} of {winner.train.max_epochs} epochs; "
                "give the study more --timeout"
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
        # Last: a study that has it has come to its end.
        self._store.set("holdout", asdict(holdout))


def why_nothing_to_export(record: StudyRecord) -> str:
    """Why a study that came to its end has no winner."""
    if record.complete:
        return _why_none_keeps_the_bounds(record)
    reasons = [trial.reason for trial in record.trials if trial.reason]
    if not reasons:
        return "no trial ended within the budget; give the study more time with --timeout"
    most = max(set(reasons), key=reasons.count)
    return f"no trial of {len(reasons)} completed; the most frequent reason ({reasons.count(most)} times): {most}"


def _why_none_keeps_the_bounds(record: StudyRecord) -> str:
    """It names the trial that comes nearest, and what it would take."""
    goal = record.goal
    nearest = min(
        record.complete,
        key=lambda trial: max(bound.violation(trial.measures[bound.name]) for bound in goal.broken(trial.measures)),
    )
    broken = goal.broken(nearest.measures)
    bounds = " and ".join(map(str, broken))
    has = " and ".join(f"{bound.name} {measure_text(bound.name, nearest.measures[bound.name])}" for bound in broken)
    return (
        f"no complete trial of {len(record.complete)} keeps {bounds}: the nearest is trial {nearest.number}, "
        f"{nearest.layers}, with {has}; ask for more --trials, search smaller networks, or loosen search.bounds under "
        "another name (--set name=... --set search.warm_start="
        f"{record.study})"
    )
