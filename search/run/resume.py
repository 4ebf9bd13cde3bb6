"""Open a study, new or existing, and queue its interrupted trials and known configurations."""

from __future__ import annotations

from search.config.search_config import COMPLETE_ONLY
from search.run.progress import Listener
from search.run.warm_start import WarmStart, warm_start
from search.study.journal import open_storage, repair
from search.study.paths import StudyPaths
from search.study.store import StudyStore
from search.tasks.plan import Plan, identity


def open_study(plan: Plan, paths: StudyPaths, listener: Listener) -> StudyStore:
    """Create or resume a study; trials that a dead driver left running are put back into the queue.

    Call it under :func:`search.study.journal.exclusive`.

    Raises:
        StudyMismatch: The existing study has other data or settings.
        StudyNotFound: The study named by ``search.warm_start`` does not exist.
        NotAJournal: The file is not a journal.
    """
    if cut := repair(paths.journal):
        listener.on_message(f"repaired {paths.journal}: an unfinished last line of {cut} bytes was cut off")
    storage = open_storage(paths.journal)
    store = StudyStore.load(storage, plan.name)
    if store is None:
        attributes = {
            "task": plan.config.task,
            "metric": plan.metric,
            "config": plan.config.to_dict(),
            "identity": identity(plan).values,
            "data": plan.describe_data(),
        }
        known = warm_start(plan, paths.folder)  # before anything is written, because it may not exist
        objectives = plan.config.search.objectives
        store = StudyStore.create(
            storage, plan.name, direction=plan.direction, attributes=attributes, objectives=objectives
        )
        _enqueue(plan, store, known, listener)
        return store
    store.check_identity(identity(plan))
    store.set("config", plan.config.to_dict())
    queued, given_up = store.requeue_orphans()
    if queued:
        listener.on_message(f"trials {_numbers(queued)} were running when the last run ended; they are run again")
    if given_up:
        listener.on_message(f"trials {_numbers(given_up)} failed: the search ended several times while they ran")
    warmed = store.get("warm_start") == plan.config.search.warm_start
    _enqueue(plan, store, None if warmed else warm_start(plan, paths.folder), listener)
    _warn_of_unused_trials(plan, store, listener)
    return store


def _enqueue(plan: Plan, store: StudyStore, warm: WarmStart | None, listener: Listener) -> None:
    """Queue the configurations to try first, each once in the lifetime of a study."""
    for parameters in plan.try_first:
        store.enqueue(parameters, origin="search.try_first")
    if warm is not None:
        room = max(0, plan.trials - len(plan.try_first))
        for parameters in warm.configurations[:room]:
            store.enqueue(parameters, origin=f"study {warm.study}")
        listener.on_message(warm.note)
        store.set("warm_start", plan.config.search.warm_start)


def _warn_of_unused_trials(plan: Plan, store: StudyStore, listener: Listener) -> None:
    """Say so if the sampler cannot learn from some of the existing trials."""
    sampler = plan.config.search.sampler
    stopped = [trial.number for trial in store.record().trials if trial.state == "PRUNED"]
    if sampler in COMPLETE_ONLY and stopped:
        listener.on_message(
            f"{len(stopped)} trials of this study were stopped before their end; the sampler {sampler} learns from "
            "complete trials only"
        )


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
