"""Trials of a study that count for its families: they are copied, so that each family's sampler learns from its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search.compare.families import Family, family_of, parameters_of
from search.run.driver import TIME_IS_UP
from search.study.store import StudyStore, trial_record

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from search.space.space import SearchSpace

ORIGIN = "inherited_from"
"""Attribute of a copied trial: the uid of its study and its number there."""
_KEPT = ("seed", "layers", "result")


def ended_trials(store: StudyStore) -> Iterator[FrozenTrial]:
    """The trials that came to their own end, by number.

    Left out are those that waited or ran, those whose parameters were tried once more because a worker died, and those
    that a time budget ended: they say nothing about the candidate.
    """
    trials = store.study.get_trials(deepcopy=False)
    retried = {trial.user_attrs["retry_of"] for trial in trials if "retry_of" in trial.user_attrs}
    for trial in trials:
        reason = trial.user_attrs.get("result", {}).get("reason")
        if trial.state.is_finished() and trial.number not in retried and reason != TIME_IS_UP:
            yield trial


def inherit(
    study: StudyStore, space: SearchSpace, families: Sequence[Family], stores: Mapping[str, StudyStore]
) -> tuple[int, int]:
    """Copy the study's trials to the families that they belong to, those that are not there yet.

    Args:
        study: The study; data, forecast, splits and training are those of the families.
        space: Its space.
        families: In the order in which they are asked.
        stores: Each family's own study.

    Returns:
        How many trials of the study are with a family, and how many belong to none.
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
    """A trial of the family with these values; ``None`` if its space does not have them."""
    from optuna.trial import FixedTrial, create_trial

    trial = FixedTrial(dict(values))
    try:
        family.space.suggest(trial)
    except ValueError:  # Optuna's, of a value that is not among those that can be suggested
        return None
    return create_trial(value=0.0, params=trial.params, distributions=trial.distributions)


def _copy(trial: FrozenTrial, parameters: FrozenTrial, origin: tuple[str, int]) -> FrozenTrial:
    """The trial as the family's own sampler would have suggested it."""
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
