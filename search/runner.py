"""The story of a run: plan, open the study, search, refit, score the holdout, export, track."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from search.budget import Budget
from search.driver import Driver
from search.ending import Ending
from search.errors import NotAJournal, NoTrialCompleted, SearchError
from search.executors.base import Executor
from search.journal import exclusive, journal_path, open_storage, repair
from search.objective import warm_up
from search.plan import Plan, describe_data, identity
from search.progress import Listener
from search.records import StudyRecord
from search.study import StudyStore

if TYPE_CHECKING:
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
            listener.on_note(f"starting over: {what_goes(path, plan.name)} will be removed")
            forget(path)
        store = _open(plan, path, listener)
        listener.on_plan(plan, store.record())
        budget = Budget(plan.trials, plan.config.search.timeout, store.get("elapsed", 0.0))
        with tracker:
            tracker.start(store.record())
            return _run(plan, store, budget, tracker, listener, bundle_path(folder, plan.name))


def bundle_path(folder: Path, study: str) -> Path:
    """``studies/weather.bundle`` below the working folder."""
    return folder / "studies" / f"{study}.bundle"


def what_goes(path: Path, study: str) -> str:
    """What :func:`forget` would remove."""
    try:
        repair(path)
        store = StudyStore.load(open_storage(path), study)
        trials = f"{len(store.record().trials) if store else 0} trials in {path}"
    except NotAJournal:
        trials = f"the unreadable {path}"
    bundle = path.with_suffix(".bundle")
    return " and ".join([trials, *([f"the model in {bundle}"] if bundle.exists() else [])])


def forget(path: Path) -> None:
    """Remove a study's journal and bundle; what MLflow shows of it stays there."""
    path.unlink()
    shutil.rmtree(path.with_suffix(".bundle"), ignore_errors=True)


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
    ended_now = False
    with _executor(plan) as executor:
        driver = Driver(plan, store, executor, budget, tracker, listener)
        with _interruptible(driver):
            driver.run()
            _say_why_it_ended(plan, store, budget, driver, listener)
            winner = store.winner()
            if winner is None and not driver.interrupted:
                raise NoTrialCompleted(_why_none_completed(store))
            if winner is not None and not driver.interrupted and not _is_exported(store, winner.number, bundle):
                ending = Ending(plan, store, executor, budget, listener, bundle, lambda: driver.interrupted)
                ended_now = ending.run(winner)
    if bundle.exists():
        store.set("bundle", str(bundle))
    if ended_now:
        listener.on_phase("logging the model to MLflow")
        tracker.log_model(bundle, store.record())
    status: RunStatus = "KILLED" if driver.interrupted and not ended_now else "FINISHED"
    links = tracker.finish(store.record(), status=status, optuna_study=store.study)
    if links is not None:
        store.set_links(links)
    store.set("elapsed", round(budget.elapsed, 1))
    return RunOutcome(store.record(), driver.interrupted)


def _say_why_it_ended(plan: Plan, store: StudyStore, budget: Budget, driver: Driver, listener: Listener) -> None:
    """A search that its time budget ended before all trials says so."""
    counted, waiting = store.counts()
    if budget.timeout is not None and not driver.interrupted and counted - waiting < plan.trials:
        ended = counted - waiting
        listener.on_note(
            f"the time budget of {budget.timeout:g} s ended the search after {ended} of {plan.trials} trials; "
            "a longer --timeout goes on from here"
        )


def _is_exported(store: StudyStore, winner: int, bundle: Path) -> bool:
    """Whether the study already ended with that winner, and its model is there."""
    return store.get("holdout", {}).get("trial") == winner and bundle.exists()


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
def _interruptible(driver: Driver) -> Iterator[None]:
    """Ctrl-C asks the driver to stop cleanly; a second one ends the process at once.

    Outside the main thread, where Python takes no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:
        # A handler may run in the middle of a print: it sets a flag, and the driver says so.
        driver.interrupted = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
