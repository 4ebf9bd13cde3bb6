"""The story of a run: plan, open the study, search, refit, score the holdout, export, track."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from lstmgru.specs import TrainSpec
from search.budget import Budget
from search.driver import INTERRUPTED, Driver
from search.errors import NotAJournal, NoTrialCompleted, SearchError
from search.executors.base import Executor, Job, Outcome
from search.finalize import FinalResult, FinalTask, Winner, finalize, refit_epochs
from search.journal import exclusive, journal_path, open_storage, repair
from search.objective import warm_up
from search.plan import Plan, describe_data, identity
from search.progress import Listener
from search.records import BaselineRecord, HoldoutRecord, StudyRecord
from search.samplers import derive_seed
from search.study import StudyStore

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from search.tracking import RunStatus, Tracker


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        study: The study as it is now.
        interrupted: Whether someone pressed Ctrl-C.
    """

    study: StudyRecord
    interrupted: bool


def run(plan: Plan, *, folder: Path, fresh: bool, listener: Listener) -> RunOutcome:
    """Run a study, or go on with it, until its budget is spent.

    Args:
        plan: The study.
        folder: Where ``studies/`` and ``mlruns/`` are written.
        fresh: Forget what is there of the study first.
        listener: Watches.

    Raises:
        StudyBusy: Another process runs the study.
        StudyMismatch: What is there of the study has other data or settings.
        NoTrialCompleted: Every trial failed.
        TrackingError: The study names a store that MLflow cannot use.
        SearchError: The folder cannot be written to.
    """
    from search.tracking import make_tracker

    path = journal_path(folder, plan.name)
    if path.parent.exists() and not path.parent.is_dir():
        raise SearchError(f"{path.parent} is a file, but a run keeps its trials in a folder of that name; move it away")
    # A store that cannot be used is refused before anything is written.
    tracker = make_tracker(plan.config, folder, on_problem=listener.on_note)
    with exclusive(path, plan.name):
        if fresh and path.exists():
            listener.on_note(forget(path, plan.name))
        store = _open(plan, path, listener)
        listener.on_plan(plan, store.record())
        budget = Budget(plan.trials, plan.config.search.timeout, store.get("elapsed", 0.0))
        with tracker:
            tracker.start(store.record())
            return _run(plan, store, budget, tracker, listener, bundle_path(folder, plan.name))


def bundle_path(folder: Path, study: str) -> Path:
    """``studies/weather.bundle`` below the working folder."""
    return folder / "studies" / f"{study}.bundle"


def forget(path: Path, study: str) -> str:
    """Remove a study's journal and bundle, and say what went; what MLflow shows of it stays there."""
    try:
        repair(path)
        store = StudyStore.load(open_storage(path), study)
        trials = f"{len(store.record().trials) if store else 0} trials in {path}"
    except NotAJournal:
        trials = f"the unreadable {path}"
    bundle = path.with_suffix(".bundle")
    gone = [trials, *([f"the model in {bundle}"] if bundle.exists() else [])]
    path.unlink()
    shutil.rmtree(bundle, ignore_errors=True)
    return f"starting over: removed {' and '.join(gone)}"


def _open(plan: Plan, path: Path, listener: Listener) -> StudyStore:
    """The study, new or resumed, with nothing left running by a dead driver."""
    if cut := repair(path):
        listener.on_note(f"repaired {path}: an unfinished last line of {cut} bytes was cut off")
    storage = open_storage(path)
    store = StudyStore.load(storage, plan.name)
    if store is None:
        attributes = {
            "task": plan.config.task,
            "config": plan.config.to_dict(),
            "identity": identity(plan),
            "data": describe_data(plan),
        }
        return StudyStore.create(storage, plan.name, direction="minimize", attributes=attributes)
    store.check_identity(identity(plan))
    store.set("config", plan.config.to_dict())
    queued, given_up = store.requeue_orphans()
    if queued:
        listener.on_note(f"trials {_numbers(queued)} were running when the last run ended; they are run again")
    if given_up:
        listener.on_note(f"trials {_numbers(given_up)} failed: the search ended several times while they ran")
    return store


def _run(
    plan: Plan, store: StudyStore, budget: Budget, tracker: Tracker, listener: Listener, bundle: Path
) -> RunOutcome:
    final: FinalResult | None = None
    with _executor(plan) as executor:
        driver = Driver(plan, store, executor, budget, tracker, listener)
        with _interruptible(driver, listener):
            driver.run()
            winner = store.winner()
            if not driver.interrupted:
                if winner is None:
                    raise NoTrialCompleted(_why_none_completed(store))
                if store.get("holdout", {}).get("trial") != winner.number or not bundle.exists():
                    final = _finish(plan, store, winner, driver, executor, budget, listener, bundle)
    if final is not None:
        listener.on_phase("logging the model to MLflow")
        tracker.log_model(bundle, store.record(), final.example)
    status: RunStatus = "KILLED" if driver.interrupted else "FINISHED"
    links = tracker.finish(store.record(), status=status, optuna_study=store.study)
    if links is not None:
        store.set_links(links)
    store.set("elapsed", round(budget.elapsed, 1))
    return RunOutcome(store.record(), driver.interrupted)


def _finish(
    plan: Plan,
    store: StudyStore,
    winner: FrozenTrial,
    driver: Driver,
    executor: Executor,
    budget: Budget,
    listener: Listener,
    bundle: Path,
) -> FinalResult | None:
    """Refit, score the holdout, export; ``None`` if someone interrupted it."""
    chosen = _winner(plan, winner)
    listener.on_phase(f"refitting trial {chosen.number}, {chosen.model.architecture}, and scoring the holdout")
    task = FinalTask(
        panel=plan.panel,
        holdout=plan.splits.holdout,
        forecast=plan.forecast,
        context_length=plan.space.longest_context,
        stride=plan.splits.stride,
        winner=chosen,
        seconds=max(1.0, budget.refit_seconds_left()),
        bundle=bundle,
        gaps=plan.config.data.gaps,
        provenance=_provenance(plan, store, chosen),
    )
    executor.submit(Job(0, finalize, (task,)))
    outcomes: list[Outcome] = []
    while not outcomes:
        outcomes = executor.poll(_FinalSupervisor(driver), 0.2)
    outcome = outcomes[0]
    if driver.interrupted:
        return None
    if outcome.failure is not None:
        raise NoTrialCompleted(f"the refit of trial {chosen.number} failed: {outcome.failure.reason}")
    result: FinalResult = outcome.result
    baselines = store.record().baselines
    looks = store.get("holdout", {}).get("looks", 0) + 1
    holdout = HoldoutRecord(
        trial=chosen.number,
        score=result.metrics[plan.forecast.metric],
        metrics=result.metrics,
        verdict=result.verdict,
        beats_baselines=result.beats_baselines,
        looks=looks,
    )
    store.set("holdout", asdict(holdout))
    store.set("baselines", {n: asdict(BaselineRecord(b.folds, result.baselines[n])) for n, b in baselines.items()})
    store.set("bundle", str(bundle))
    return result


class _FinalSupervisor:
    """Lets the end of a study run to its end unless someone interrupts."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def on_report(self, key: int, message: object) -> None:
        """The end of a study reports nothing."""

    def stop_reason(self, key: int) -> str | None:
        return INTERRUPTED if self._driver.interrupted else None


def _winner(plan: Plan, trial: FrozenTrial) -> Winner:
    """The trial's specs, with the epochs that its refit takes."""
    from optuna.trial import FixedTrial

    model, settings = plan.space.suggest(FixedTrial(trial.params))
    train: TrainSpec = plan.train_spec(settings, seed=derive_seed(plan.config.search.seed, trial.number))
    result = trial.user_attrs["result"]
    # A trial that was stopped within its first fold has no finished fold: its best epoch so far stands in.
    best_epochs = result["best_epochs"] or [min(result["curve"], key=lambda epoch: epoch[3])[1]]
    return Winner(trial.number, model, replace(train, max_epochs=refit_epochs(best_epochs)))


def _provenance(plan: Plan, store: StudyStore, winner: Winner) -> dict[str, Any]:
    return {
        "study": plan.name,
        "study_uid": store.get("uid"),
        "trial": winner.number,
        "seed": winner.train.seed,
        "data": describe_data(plan),
        "accelerator": plan.accelerator,
    }


def _why_none_completed(store: StudyStore) -> str:
    reasons = [trial.reason for trial in store.record().trials if trial.reason]
    if not reasons:
        return "no trial ended within the budget; give the study more time with --timeout"
    most = max(set(reasons), key=reasons.count)
    return f"no trial of {len(reasons)} completed; the most frequent reason ({reasons.count(most)} times): {most}"


def _executor(plan: Plan) -> Executor:
    from search.executors.in_process import InProcessExecutor
    from search.executors.processes import ProcessExecutor

    return InProcessExecutor(warm_up) if plan.jobs == 1 else ProcessExecutor(plan.jobs, warm_up)


@contextmanager
def _interruptible(driver: Driver, listener: Listener) -> Iterator[None]:
    """Ctrl-C asks the driver to stop cleanly; a second one ends the process at once.

    Outside the main thread, where Python takes no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:
        driver.interrupted = True
        signal.signal(signal.SIGINT, before)
        listener.on_note("stopping: running trials are put back into the queue (Ctrl-C again ends at once)")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
