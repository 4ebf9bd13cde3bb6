"""The beginning of a run: open the study, take up what was left, queue what is to be tried first."""

from __future__ import annotations

from search.config.search_config import COMPLETE_ONLY
from search.run.progress import Listener
from search.run.warm_start import WarmStart, warm_start
from search.study.journal import open_storage, repair
from search.study.paths import StudyPaths
from search.study.store import StudyStore
from search.tasks.plan import Plan, identity


def open_study(plan: Plan, paths: StudyPaths, listener: Listener) -> StudyStore:
    """The study, new or resumed: nothing is left running by a dead driver, and what is to be tried first is queued.

    Call it under :func:`search.study.journal.exclusive`.

    Raises:
        StudyMismatch: What is there of the study has other data or settings.
        StudyNotFound: The study that it is to be warmed with is not there.
        NotAJournal: The file in the place of the journal is something else.
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
        known = warm_start(plan, paths.folder)  # before anything is written, should there be no such study
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
    _say_what_is_not_learnt(plan, store, listener)
    return store


def _enqueue(plan: Plan, store: StudyStore, warm: WarmStart | None, listener: Listener) -> None:
    """Queue what is to be tried first, once in the life of a study."""
    for parameters in plan.try_first:
        store.enqueue(parameters, origin="search.try_first")
    if warm is not None:
        room = max(0, plan.trials - len(plan.try_first))
        for parameters in warm.configurations[:room]:
            store.enqueue(parameters, origin=f"study {warm.study}")
        listener.on_message(warm.note)
        store.set("warm_start", plan.config.search.warm_start)


def _say_what_is_not_learnt(plan: Plan, store: StudyStore, listener: Listener) -> None:
    """A sampler that a study is resumed with may have no use for what is there."""
    sampler = plan.config.search.sampler
    stopped = [trial.number for trial in store.record().trials if trial.state == "PRUNED"]
    if sampler in COMPLETE_ONLY and stopped:
        listener.on_message(
            f"{len(stopped)} trials of this study were stopped before their end; the sampler {sampler} learns from "
            "complete trials only"
        )


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
