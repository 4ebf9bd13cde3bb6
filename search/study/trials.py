"""Optuna's trials as records, and the epochs that a trial keeps of its training."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Any

from search.executors.base import TIME_IS_UP
from search.study.records import EpochRecord, TrialRecord, TrialStateName

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

RETRY_OF = "retry_of"
"""Attribute of a trial that repeats a failed one: the number of that trial."""
PROMOTED_FROM = "promoted_from"
"""Attribute of a trial that trains the candidate of a stopped one further: the number of that trial."""


class TrialIndex:
    """The trials of a study by state, without a pass over all of them: finished trials do not change.

    Args:
        study: The study.

    Attributes:
        count: Number of trials.
        finished: Trials that have finished, in the order in which that was noticed.
        repeated: Numbers of the trials that others repeat or continue.
        promoted: Number of trials that continue a stopped one.
        pruned: Number of finished trials that were stopped before their end.
    """

    def __init__(self, study: Study) -> None:
        self._study, self._storage = study, study._storage
        self._open: dict[int, int] = {}
        self.count = 0
        self.finished: list[FrozenTrial] = []
        self.repeated: set[int] = set()
        self.promoted = self.pruned = 0

    def update(self) -> list[FrozenTrial]:
        """Look at trials that are new or were not finished; returns those that are not finished, by number."""
        while (trial_id := self._id_of(self.count)) is not None:
            self._open[self.count] = trial_id
            self.count += 1
            attributes = self._storage.get_trial(trial_id).user_attrs  # it is created with these
            self.repeated |= {attributes[key] for key in (RETRY_OF, PROMOTED_FROM) if key in attributes}
            self.promoted += PROMOTED_FROM in attributes
        trials = {number: self._storage.get_trial(trial_id) for number, trial_id in sorted(self._open.items())}
        for number, trial in trials.items():
            if trial.state.is_finished():
                del self._open[number]
                self.finished.append(trial)
                self.pruned += trial.state.name == "PRUNED"
        return [trial for number, trial in trials.items() if number in self._open]

    def _id_of(self, number: int) -> int | None:
        try:
            return self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)
        except KeyError:
            return None


def first_attempt(trial: FrozenTrial) -> int:
    """The number of the trial that a trial repeats because its worker died, or its own."""
    return int(trial.user_attrs.get(RETRY_OF, trial.number))


def curve_rows(curve: list[EpochRecord]) -> list[tuple[Any, ...]]:
    """Epochs as JSON rows, which :func:`trial_record` reads."""
    return [astuple(epoch) for epoch in curve]


def state_of(trial: FrozenTrial) -> TrialStateName:
    """The state of a trial by its name in a record."""
    if trial.state.name == "PRUNED" and trial.user_attrs.get("result", {}).get("reason") == TIME_IS_UP:
        return "STOPPED"
    return trial.state.name  # type: ignore[return-value]  # the names of Optuna's states are TrialStateName


def without_driver(trials: tuple[TrialRecord, ...]) -> tuple[TrialRecord, ...]:
    """The trials of a study that no process runs: those that a killed one left running wait for the next run."""
    return tuple(replace(trial, state="WAITING") if trial.state == "RUNNING" else trial for trial in trials)


def trial_record(
    trial: FrozenTrial, *, mlflow_run_id: str | None = None, curve: tuple[EpochRecord, ...] | None = None
) -> TrialRecord:
    """A trial as plain values.

    Args:
        trial: The Optuna trial.
        mlflow_run_id: Its run in MLflow.
        curve: Epochs of a running trial so far; a finished one has them in its ``result``.
    """
    from optuna.trial import TrialState

    result = trial.user_attrs.get("result", {})
    value = None
    if trial.state == TrialState.COMPLETE:
        # With several objectives, the score need not be the first.
        value = trial.values[0] if len(trial.values) == 1 else result["score"]
    elif trial.state == TrialState.PRUNED:
        last = trial.last_step
        value = result.get("score") if last is None else trial.intermediate_values[last]
    if curve is None:
        curve = tuple(EpochRecord(*epoch) for epoch in result.get("curve", ()))
    return TrialRecord(
        number=trial.number,
        state=state_of(trial),
        value=value,
        layers=trial.user_attrs.get("layers"),
        params=dict(trial.params),
        n_parameters=result.get("n_parameters"),
        latency=result.get("latency"),
        train_seconds=result.get("train_seconds"),
        epochs=len(curve) or None,
        seconds=result.get("seconds"),
        reason=result.get("reason"),
        fold_scores=tuple(result.get("fold_scores", ())),
        curve=curve,
        started=trial.datetime_start,
        completed=trial.datetime_complete,
        mlflow_run_id=mlflow_run_id,
        origin=trial.user_attrs.get("known", {}).get("origin"),
    )
