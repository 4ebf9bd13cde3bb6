"""The comparison on disk: a journal with an Optuna study for each family and one for the whole comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from search.compare.families import Family, family_of, parameters_of
from search.compare.results import Costs
from search.config.objectives import SCORE
from search.config.types import COMPARISON_SUFFIX
from search.errors import NotAJournal, StudyMismatch
from search.executors.base import TIME_IS_UP
from search.study.paths import StudyPaths
from search.study.store import StudyStore
from search.study.trials import PROMOTED_FROM, RETRY_OF, trial_record
from search.tasks import task_of
from search.tasks.data import SeedResult
from search.tasks.plan import Plan, identity

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from search.run.progress import Listener
    from search.space.space import SearchSpace
    from search.study.places import StudyPlace
    from search.study.records import TrialRecord


ORIGIN = "inherited_from"
"""Attribute of a reused trial: uid of the original study and its number there."""
_KEPT = ("seed", "layers", "result")


def refuse_study(paths: StudyPaths) -> None:
    """Refuse to overwrite a study at the path of the comparison's journal: the name was not always reserved.

    Raises:
        StudyMismatch: There is such a study.
    """
    name = f"{paths.study}{COMPARISON_SUFFIX}"
    try:
        found = StudyStore.find(StudyPaths(paths.folder, name))
    except NotAJournal:
        return  # opening the comparison says so, and --fresh removes the file
    if found is not None:
        raise StudyMismatch(
            f"{paths.comparison_journal} holds the trials of a study named '{name}', so the comparison of study "
            f"'{paths.study}' cannot be kept there; move that file to another folder, where search.warm_start can "
            "still read it"
        )


class FamilyStore:
    """A family on disk: its trials, and the retrainings and costs of the trials that were best.

    Args:
        family: The family.
        plan: Plan of its search.
        store: Its study.
    """

    def __init__(self, family: Family, plan: Plan, store: StudyStore) -> None:
        self.family, self.plan, self.store = family, plan, store
        self.task = task_of(plan).compare(plan)

    @property
    def name(self) -> str:
        """Name of the family."""
        return self.family.name

    def ended(self) -> list[FrozenTrial]:
        """The trials that ended and count, see :func:`ended_trials`."""
        return list(ended_trials(self.store))

    def begun(self) -> int:
        """Number of trials that ended or are running."""
        counted, waiting = self.store.counts()
        return counted - waiting

    def best(self, count: int | None = None) -> FrozenTrial | None:
        """The best complete trial within the bounds among the first ``count`` that ended; ``None``: there is none."""
        trials = {trial.number: trial for trial in self.ended()[:count]}
        records = [trial_record(trial) for trial in trials.values()]
        number = self.store.goal.best(
            {each.number: self._measures(each) for each in records if each.state == "COMPLETE"}
        )
        return None if number is None else trials[number]

    def _measures(self, trial: TrialRecord) -> dict[str, float]:
        """The measures of a complete trial, for all of which smaller is better."""
        sign = -1 if self.task.terms.larger_is_better else 1
        return {**trial.measures, SCORE: sign * (trial.value or 0.0)}

    def seeds(self, trial: int) -> dict[int, SeedResult | str]:
        """Results of retraining a trial by number of the seed; of a retraining that failed, the reason."""
        prefix = f"again.{trial}."
        found = {key: value for key, value in self.store.study.user_attrs.items() if key.startswith(prefix)}
        return {
            int(key.removeprefix(prefix)): value
            if isinstance(value, str)
            else task_of(self.plan).seed_result.from_dict(value)
            for key, value in found.items()
        }

    def set_seed(self, trial: int, number: int, result: SeedResult | str) -> None:
        """Store the result of a retraining."""
        self.store.set(f"again.{trial}.{number}", result if isinstance(result, str) else result.to_dict())

    def costs(self, trial: int) -> Costs | None:
        """Costs of a trial; ``None``: not measured yet."""
        values = self.store.get(f"costs.{trial}")
        return None if values is None else Costs(**values)

    def set_costs(self, trial: int, costs: Costs) -> None:
        """Store the costs of a trial."""
        self.store.set(f"costs.{trial}", asdict(costs))


class ComparisonStore:
    """The whole comparison on disk.

    Args:
        whole: Study without trials that stores the time spent and the baselines.
        families: The families in the order of the study.
    """

    def __init__(self, whole: StudyStore, families: Sequence[FamilyStore]) -> None:
        self.whole, self.families = whole, tuple(families)

    @property
    def uid(self) -> str:
        """Unique identifier of the comparison, different after ``--fresh``."""
        return str(self.whole.get("uid"))

    def records(self) -> dict[str, list[TrialRecord]]:
        """The trials that ended and count, by family."""
        return {each.name: [trial_record(trial) for trial in each.ended()] for each in self.families}


def open_comparison(
    plan: Plan, families: Mapping[Family, Plan], study: StudyStore | None, place: StudyPlace, listener: Listener
) -> ComparisonStore:
    """Create or resume a comparison; copies the trials of the study and requeues orphaned trials.

    Call it under the place's :meth:`~search.study.places.StudyPlace.exclusive`.

    Args:
        plan: Plan of the study.
        families: The families with their plans.
        study: The study; ``None``: it has not been run.
        place: Where the comparison is stored.
        listener: Receives messages.

    Raises:
        StudyMismatch: The comparison exists with other data or settings.
        NotAJournal: The journal is damaged.
        StorageError: The database cannot be used.
    """
    storage = place.open()
    whole = _open(storage, plan, {})
    stores = [
        FamilyStore(family, own, _open(storage, own, {"mixed": family.mixed})) for family, own in families.items()
    ]
    for each in stores:
        each.store.requeue_orphans()
    comparison = ComparisonStore(whole, stores)
    listener.on_message(_reuse_trials(plan, comparison, study))
    return comparison


def existing_comparison(place: StudyPlace) -> StudyStore | None:
    """The settings of a comparison that was begun, under the name of its study; ``None``: there is none.

    Raises:
        NotAJournal: The journal is damaged.
        StorageError: The database cannot be used.
    """
    return StudyStore.at(place, place.read())


def _open(storage: BaseStorage, plan: Plan, more: Mapping[str, Any]) -> StudyStore:
    """Create or load a study of the comparison."""
    own = identity(plan).with_values(**more)
    store = StudyStore.load(storage, plan.name)
    if store is None:
        attributes = {
            "task": plan.config.task,
            "config": plan.config.to_dict(),
            "identity": own.values,
            "data": plan.describe_data(),
            "metric": plan.metric,
            "defaults": plan.defaults,
        }
        return StudyStore.create(storage, plan.name, direction=plan.direction, attributes=attributes)
    try:
        store.check_identity(own)
    except StudyMismatch as error:
        raise StudyMismatch(str(error).replace("study '", "the comparison '", 1)) from error
    store.set("config", plan.config.to_dict())
    return store


def _reuse_trials(plan: Plan, comparison: ComparisonStore, study: StudyStore | None) -> str:
    """Reuse the trials of the study if its settings are the same; returns a message."""
    if study is None:
        return f"study '{plan.name}' has not been run here; the comparison starts without trials"
    if differences := identity(plan).differences(study.get("identity", {})):
        why = f"it was run with other settings: {differences[0]}"
        return f"the trials of study '{plan.name}' are not reused, because {why}"
    families = [each.family for each in comparison.families]
    stores = {each.name: each.store for each in comparison.families}
    inside, outside = reuse_trials(study, plan.space, families, stores)
    return f"{inside} trials of study '{plan.name}' are reused by their families; {outside} belong to no family"


def ended_trials(store: StudyStore) -> Iterator[FrozenTrial]:
    """The trials that ended and count, by number.

    Trials that were retried because a worker died, trials that were promoted, and trials that a time limit stopped say
    nothing about the candidate and are left out.
    """
    trials = store.study.get_trials(deepcopy=False)
    repeated = {
        trial.user_attrs[key] for trial in trials for key in (RETRY_OF, PROMOTED_FROM) if key in trial.user_attrs
    }
    for trial in trials:
        reason = trial.user_attrs.get("result", {}).get("reason")
        if trial.state.is_finished() and trial.number not in repeated and reason != TIME_IS_UP:
            yield trial


def reuse_trials(
    study: StudyStore, space: SearchSpace, families: Sequence[Family], stores: Mapping[str, StudyStore]
) -> tuple[int, int]:
    """Copy trials of the study to their families, unless they were copied before.

    The sampler of each family learns from the copies as if it had suggested them.

    Args:
        study: The study, with the same data, splits and training as the families.
        space: Space of the study.
        families: The families; a trial belongs to the first one that contains it.
        stores: Study of each family, by name.

    Returns:
        Number of trials that belong to a family, and number of the others.
    """
    from optuna.trial import FixedTrial

    uid = study.get("uid")
    there = {
        tuple(trial.user_attrs[ORIGIN])
        for store in stores.values()
        for trial in store.study.get_trials(deepcopy=False)
        if ORIGIN in trial.user_attrs
    }
    inside = outside = 0
    for trial in ended_trials(study):
        model, settings = space.suggest(FixedTrial(trial.params))
        family = family_of(model, families)
        parameters = None if family is None else _parameters(family, parameters_of(model, settings))
        if family is None or parameters is None:
            outside += 1
            continue
        inside += 1
        if (uid, trial.number) not in there:
            stores[family.name].study.add_trial(_copy(trial, parameters, (uid, trial.number)))
    return inside, outside


def _parameters(family: Family, values: Mapping[str, Any]) -> FrozenTrial | None:
    """A trial of the family with these values; ``None``: the space of the family does not contain them."""
    from optuna.trial import FixedTrial, create_trial

    trial = FixedTrial(dict(values))
    try:
        family.space.suggest(trial)
    except ValueError:  # Optuna raises it for a value that is not among the choices
        return None
    return create_trial(value=0.0, params=trial.params, distributions=trial.distributions)


def _copy(trial: FrozenTrial, parameters: FrozenTrial, origin: tuple[str, int]) -> FrozenTrial:
    """The trial as if the sampler of the family had suggested it."""
    from optuna.trial import TrialState, create_trial

    attributes = {key: trial.user_attrs[key] for key in _KEPT if key in trial.user_attrs}
    copied = create_trial(
        state=trial.state,
        value=trial_record(trial).value if trial.state == TrialState.COMPLETE else None,
        params=parameters.params,
        distributions=parameters.distributions,
        intermediate_values=trial.intermediate_values,
        user_attrs={**attributes, ORIGIN: origin},
    )
    copied.datetime_start, copied.datetime_complete = trial.datetime_start, trial.datetime_complete
    for name, violation in trial.constraints.items():
        copied.set_constraint(name, violation)
    return copied
