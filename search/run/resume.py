"""Open a study, new or existing, and queue its interrupted trials and known configurations."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgru.errors import did_you_mean
from search.config.search_config import COMPLETE_ONLY
from search.errors import StudyMismatch, StudyNotFound
from search.run.progress import Listener
from search.space.configurations import complete
from search.space.space import Parameters
from search.study.identity import nested
from search.study.journal import open_storage
from search.study.paths import StudyPaths, studies_in
from search.study.storages import begun_in, place_of
from search.study.store import PORTFOLIO, ROWS, StudyStore
from search.tasks import task_of
from search.tasks.plan import Plan, identity

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from search.study.places import StudyPlace
    from search.study.records import StudyRecord
    from search.study.table_rows import TableChange
    from search.tasks.plan import Plan


def open_study(plan: Plan, place: StudyPlace, listener: Listener) -> tuple[Plan, StudyStore]:
    """Create or resume a study; trials that a dead driver left running are put back into the queue.

    Call it under the place's :meth:`~search.study.places.StudyPlace.exclusive`.

    Returns:
        The plan, of an existing study with its defaults (:func:`as_begun`), and the study.

    Raises:
        StudyMismatch: The existing study has other data or settings.
        StudyNotFound: The study named by ``search.warm_start`` does not exist.
        NotAJournal: The file is not a journal.
        StorageError: The database cannot be used.
    """
    storage, folder, plan = place.open(), place.paths.folder, plan.stored_in(place.storage)
    store = StudyStore.load(storage, plan.name)
    if store is None:
        attributes: dict[str, Any] = {
            "task": plan.config.task,
            "metric": plan.metric,
            "config": plan.config.to_dict(),
            "identity": identity(plan).values,
            "data": plan.describe_data(),
            ROWS: plan.rows().fingerprint(),
            "defaults": plan.defaults,
            "notes": list(plan.notes),
        }
        known = warm_start(plan, folder)  # before anything is written, because it may not exist
        attributes["portfolio"] = _portfolio(plan, known)
        objectives = plan.config.search.objectives
        store = StudyStore.create(
            storage, plan.name, direction=plan.direction, attributes=attributes, objectives=objectives
        )
        _enqueue(plan, store, known, listener)
        return plan, store
    plan = as_begun(plan, store)
    store.check_identity(identity(plan), lambda: table_change(plan, store), _refit_command(plan, store))
    if store.get(ROWS) is None:  # begun by an earlier version
        store.set(ROWS, plan.rows().fingerprint())
    store.set("config", plan.config.to_dict())
    store.set("notes", list(plan.notes))
    queued, given_up = store.requeue_orphans()
    if queued:
        listener.on_message(f"trials {_numbers(queued)} were running when the last run ended; they will run again")
    if given_up:
        listener.on_message(f"trials {_numbers(given_up)} failed: the search ended several times while they ran")
    warmed = store.get("warm_start") == plan.config.search.warm_start
    _enqueue(plan, store, None if warmed else warm_start(plan, folder), listener)
    _warn_of_unused_trials(plan, store, listener)
    return plan, store


def check_studies(storage: BaseStorage) -> None:
    """Load every study of a storage, as its readers do.

    Raises:
        NotAJournal: See :meth:`search.study.store.StudyStore.load`.
    """
    from optuna.study import get_all_study_names

    for name in get_all_study_names(storage):
        StudyStore.load(storage, name)


def _refit_command(plan: Plan, store: StudyStore) -> str:
    """The command that trains the model of a study on the data of a plan."""
    path, own = plan.config.data.path, store.get("config", {}).get("data", {}).get("path")
    return f"python -m search refit {plan.name}" + ("" if path in (None, own) else f" --data {shlex.quote(str(path))}")


def table_change(plan: Plan, store: StudyStore) -> TableChange | None:
    """How the rows of the data differ from those that a study was begun with; ``None`` if they are not stored."""
    stored = store.get(ROWS)
    return None if stored is None else plan.rows().change_since(stored)


def as_begun(plan: Plan, store: StudyStore) -> Plan:
    """The plan with the defaults of the version with which a study was begun.

    Presets improve from version to version. A study that leaves a key open keeps the values that it was begun with, so
    that it can be resumed and its trials stay comparable.

    Args:
        plan: Of this version.
        store: The study.
    """
    config, search = store.get("config", {}), plan.config.search
    if "pruner" not in search.model_fields_set and (pruner := config.get("search", {}).get("pruner")) is not None:
        search = search.model_copy(update={"pruner": pruner})
        plan = replace(plan, config=plan.config.model_copy(update={"search": search}))
    if config.get("space", {}).get("preset") != plan.config.space.preset:
        return plan.with_defaults(store.get("defaults"))
    stored = nested(store.get("identity", {})).get("space", {})
    known = plan.space.spec_defaults() | stored
    own = plan.config.space.model_dump(exclude_none=True)
    space = type(plan.config.space).model_validate(
        {name: known[name] for name, _ in plan.space.items() if name in known} | own
    )
    begun = replace(plan, space=plan.resolved(space, plan.config.search))
    return begun.with_defaults(store.get("defaults"))


def _enqueue(plan: Plan, store: StudyStore, warm: WarmStart | None, listener: Listener) -> None:
    """Queue the configurations to try first, each once in the lifetime of a study.

    The portfolio is that of the version with which the study was begun; an earlier one had none.
    """
    for parameters in plan.try_first:
        store.enqueue(parameters, origin="search.try_first")
    if warm is not None:
        room = None if plan.trials is None else max(0, plan.trials - len(plan.try_first))
        for parameters in warm.configurations[:room]:
            store.enqueue(parameters, origin=f"study {warm.study}")
        listener.on_message(warm.note)
        store.set("warm_start", plan.config.search.warm_start)
    for parameters in store.get("portfolio", []):
        store.enqueue(parameters, origin=PORTFOLIO)


def _portfolio(plan: Plan, warm: WarmStart | None) -> list[Parameters]:
    """The candidates of the portfolio that a new study has room for after those that it tries before them."""
    if plan.trials is None or warm is None:
        return list(plan.portfolio)
    return list(plan.portfolio[: max(0, plan.trials - len(plan.try_first) - len(warm.configurations))])


def _warn_of_unused_trials(plan: Plan, store: StudyStore, listener: Listener) -> None:
    """Report existing trials that the sampler cannot use."""
    sampler = plan.config.search.sampler
    stopped = [trial.number for trial in store.record().trials if trial.state in ("PRUNED", "STOPPED")]
    if sampler in COMPLETE_ONLY and stopped:
        listener.on_message(
            f"{len(stopped)} trials of this study were stopped before their end; the sampler {sampler} uses "
            "complete trials only"
        )


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


MOST_CONFIGURATIONS = 5
"""Enough for a good start, few enough to leave the search to the study."""


@dataclass(frozen=True)
class WarmStart:
    """The configurations to try first.

    Attributes:
        study: Name of the earlier study.
        configurations: Distinct configurations of the new study's space, the best first.
        note: A message to the user.
    """

    study: str
    configurations: tuple[Parameters, ...]
    note: str


def warm_start(plan: Plan, folder: Path) -> WarmStart | None:
    """The best configurations of the study named by ``search.warm_start``; ``None`` without one.

    Scores depend on the data, the metric and the folds, so the configurations are trained again.

    Args:
        plan: The new study.
        folder: The working folder of the earlier study.

    Raises:
        StudyNotFound: The earlier study does not exist there.
        StudyMismatch: It has no complete trial, or none whose configuration is in this space.
        NotAJournal: The file is not a journal.
    """
    reference = plan.config.search.warm_start
    if reference is None:
        return None
    store = _load(reference, plan.name, folder, plan.config.search.storage)
    earlier = store.record()
    fixed = _fixed_values(plan, store.get("identity", {}))
    found: list[Parameters] = []
    reason = "it has no complete trial"
    for trial in earlier.complete:
        parameters, problems = complete(plan.space, trial.params, fixed)
        if problems:
            first, text = next(iter(problems.items()))
            reason = f"of its trial {trial.number}, {first} {text}"
        elif parameters not in found:
            found.append(parameters)
    if not found:
        raise StudyMismatch(
            f"search.warm_start is {reference!r}, but no trial of that study is a candidate of this space: {reason}; "
            "remove it, or widen the space"
        )
    chosen = tuple(found[:MOST_CONFIGURATIONS])
    return WarmStart(earlier.study, chosen, _note(plan, earlier, len(chosen)))


def _fixed_values(plan: Plan, identity: dict[str, Any]) -> dict[str, Any]:
    """The values that the earlier space fixes, by key; a key that did not exist yet has its default."""
    values = {key.removeprefix("space."): value for key, value in identity.items() if key.startswith("space.")}
    known = {key.partition(".")[0] for key in values}
    return {key: value for key, value in plan.space.spec_defaults().items() if key not in known} | values


def _load(reference: str, name: str, folder: Path, storage: str) -> StudyStore:
    """The earlier study, in the folder or in the storage of the new one.

    Raises:
        StudyNotFound: There is none, or it is the new one itself.
    """
    import optuna

    named = Path(reference).name == reference and not reference.endswith(".journal")
    paths = StudyPaths(folder, reference)
    path = paths.journal if named else folder / Path(reference).expanduser()
    if path.absolute() == StudyPaths(folder, name).journal.absolute():
        raise StudyNotFound(f"search.warm_start is {reference!r}, which is this study itself; name another one")
    place = place_of(paths, begun_in(paths) or storage)
    if named and (store := StudyStore.at(place, place.read())) is not None:
        return store
    if not path.is_file():
        missing = place.entry if named else path
        hint = did_you_mean(reference if named else path.stem, studies_in(folder))
        raise StudyNotFound(
            f"search.warm_start is {reference!r}, but there is no {missing}{hint}; run that study here, or name a "
            "journal"
        )
    opened = open_storage(path)
    for found in optuna.study.get_all_study_names(opened):
        if (store := StudyStore.load(opened, found)) is not None:
            return store
    raise StudyNotFound(f"search.warm_start is {reference!r}, but {path} holds no study yet; run that study first")


def _note(plan: Plan, earlier: StudyRecord, count: int) -> str:
    differs = [f"{what} was {then}" for what, then, now in _compared(plan, earlier) if then != now]
    why = f", where {' and '.join(differs)}," if differs else ""
    which = f"the best {count} configurations" if count > 1 else "the best configuration"
    return f"{which} of study '{earlier.study}'{why} will be tried first; their scores there do not count here"


def _compared(plan: Plan, earlier: StudyRecord) -> list[tuple[str, Any, Any]]:
    """What makes two scores comparable: name, the earlier study's value, this study's."""
    words, config = task_of(plan).words, plan.config.to_dict()
    return [
        ("the metric", earlier.metric, plan.metric),
        *((name, words.compared(earlier.config).get(name), value) for name, value in words.compared(config).items()),
        ("the data", earlier.data.get("source"), plan.source),
    ]
