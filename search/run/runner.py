"""Run a study end to end: open it, search, refit the winner, score the holdout, export, track."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import SearchError
from search.executors.interruption import Interrupt, interruptible
from search.executors.sharing import give_back_memory
from search.run.driver import Driver
from search.run.finalize import Finalizer
from search.run.kept_folds import KeptFolds
from search.run.progress import Listener
from search.run.resume import check_studies, open_study
from search.run.workers import check_executor, make_study_executor
from search.study.budget import Budget
from search.study.out_of_fold import Predictions
from search.study.paths import StudyPaths
from search.study.records import StudyRecord
from search.study.storages import begun_in, chosen_place, place_of
from search.study.store import StudyStore
from search.tasks.plan import Plan

if TYPE_CHECKING:
    from search.study.places import StudyPlace
    from search.tracking.base import RunStatus, Tracker


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        study: The current state of the study.
        interrupted: Whether Ctrl-C was pressed, or another signal told the program to end.
    """

    study: StudyRecord
    interrupted: bool


def run(plan: Plan, *, folder: Path, fresh: bool, listener: Listener) -> RunOutcome:
    """Run or resume a study until its budget is spent.

    Args:
        plan: The study.
        folder: Where ``studies/`` and ``mlruns/`` are written.
        fresh: Delete an existing study of that name first.
        listener: Receives progress and messages.

    Raises:
        StudyBusy: Another process runs the study.
        StudyMismatch: The existing study has other data or settings, or is stored elsewhere.
        StorageError: The database of the study cannot be used.
        NoTrialCompleted: There is nothing to export.
        StudyNotFound: The study named by ``search.warm_start`` does not exist.
        TrackingError: MLflow cannot use the store that the study names.
        SearchError: The folder cannot be written to, workers cannot import a registered cell, or no cluster answers at
            its address.
    """
    from search.tracking.factory import make_tracker

    check_executor(plan)
    paths = StudyPaths(folder, plan.name)
    if paths.studies.exists() and not paths.studies.is_dir():
        raise SearchError(
            f"{paths.studies} is a file, but a run keeps its trials in a folder of that name; move it away"
        )
    # A store that cannot be used is refused before anything is written.
    tracker = make_tracker(plan.config, folder, on_problem=listener.on_message)
    place = chosen_place(paths, plan.config.search, move=fresh)
    with place.exclusive(listener.on_message):
        if fresh:
            _start_over(place, listener)
        place.remember()
        plan, store = open_study(plan, place, listener)
        listener.on_plan(plan, store.record())
        budget = Budget(plan.config.search.timeout, store.get("elapsed", 0.0), trials=plan.trials)
        with tracker:
            tracker.start(store.record())
            return _run(plan, store, budget, tracker, listener, paths)


def _start_over(place: StudyPlace, listener: Listener) -> None:
    """Remove the study where it was begun, and what there is where it begins now."""
    folders, begun = _folders(place.paths), begun_in(place.paths)
    if begun not in (None, place.storage):
        former = place_of(place.paths, begun)
        with former.exclusive(listener.on_message):
            former.start_over(folders, check_studies, listener.on_message)
    place.start_over(folders, check_studies, listener.on_message)


def _folders(paths: StudyPaths) -> dict[str, Path]:
    """What a study has besides its trials."""
    return {
        "the predictions": paths.predictions,
        "the finished folds": paths.folds,
        "the model": paths.bundle,
        "the former champion": paths.former,
        "the challenger": paths.challenger,
        "the reports": paths.report,
    }


def _run(
    plan: Plan, store: StudyStore, budget: Budget, tracker: Tracker, listener: Listener, paths: StudyPaths
) -> RunOutcome:
    give_back_memory()  # reading a table has taken several times its size
    finished_now, bundle, interrupted = False, paths.bundle, Interrupt()
    predictions = Predictions(paths.predictions, store.get("uid"))
    folds = KeptFolds(paths.folds, store.get("uid"), plan.registered_code())
    with make_study_executor(plan) as executor, interruptible(interrupted):
        # The driver is not kept: its data would be in memory beside those of the refits.
        Driver(
            plan, store, executor, budget, tracker, listener, predictions=predictions, folds=folds,
            interrupted=interrupted,
        ).run()  # fmt: skip
        if not interrupted():
            _say_why_it_ended(plan, store, budget, listener)
            finalizer = Finalizer(plan, store, predictions, executor, budget, listener, paths, interrupted)
            finished_now = finalizer.run()
    if bundle.exists():
        store.set("bundle", str(bundle))
    if finished_now:
        if plan.config.tracking.enabled:
            listener.on_phase("logging the model to MLflow")
        tracker.log_model(bundle, store.record())
    status: RunStatus = "KILLED" if interrupted() and not finished_now else "FINISHED"
    links = tracker.finish(store.record(), status=status, optuna_study=store.study)
    if links is not None:
        store.set_links(links)
    store.set("elapsed", round(budget.elapsed, 1))
    return RunOutcome(store.record(), interrupted())


def _say_why_it_ended(plan: Plan, store: StudyStore, budget: Budget, listener: Listener) -> None:
    """Report that the time budget ended the search before all requested trials were run."""
    counted, waiting = store.counts()
    ended = counted - waiting
    if plan.trials is not None and budget.timeout is not None and ended < plan.trials:
        listener.on_message(
            f"the time budget of {budget.timeout:g} s ended the search after {ended} of {plan.trials} trials; "
            "rerun with a longer --timeout to resume"
        )
