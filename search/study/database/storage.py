"""The Optuna storage of a study in a database: a copy in memory, whose changes are written by its only writer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from optuna.storages import InMemoryStorage

from search.study.database.rows import (
    STUDY_SYSTEM,
    STUDY_USER,
    TRIAL_SYSTEM,
    TRIAL_USER,
    Changes,
    Ids,
    StoredStudy,
)

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial, TrialState

    from search.study.database.writer import Writer

_SECONDS = 1.0
"""Longest time that a report waits for the next one before both are written."""


class DatabaseStorage(InMemoryStorage):
    """Reads from memory, as the process is the only writer, and writes changes to the database in transactions.

    Attributes of the study and states of trials are in the database when their method returns, together with all
    changes before them. Other changes, such as intermediate values, wait at most for the first one that comes a second
    later. :meth:`together` makes one transaction of several changes.

    A pickled storage is a copy to read.

    Args:
        writer: Writes.
        remote_name: Gives the name in the database of a study of this storage.
    """

    def __init__(self, writer: Writer, remote_name: Callable[[str], str]) -> None:
        super().__init__()
        self._writer, self._remote_name = writer, remote_name
        self._changes, self._ids = Changes(), Ids()
        self._saved, self._depth = time.monotonic(), 0

    def load(self, studies: Mapping[str, StoredStudy]) -> None:
        """Take over what is in the database, by the name that a study has here."""
        self._ids.update(load(self, studies))

    def __reduce__(self) -> tuple[Any, ...]:
        contents = vars(InMemoryStorage()).keys() - {"_lock"}
        return InMemoryStorage, (), {name: getattr(self, name) for name in contents}

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write everything that changes inside in one transaction."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        self._changed(at_once=True)

    def save(self) -> None:
        """Write all changes.

        Raises:
            StorageError: The database has been away for too long, or another process has written.
        """
        if self._changes:
            self._ids.update(self._writer.write(lambda connection: self._changes.write(connection, self._ids)))
            self._changes = Changes()
        self._saved = time.monotonic()

    def _changed(self, *, at_once: bool = False) -> None:
        if not self._depth and (at_once or time.monotonic() > self._saved + _SECONDS):
            self.save()

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Create a study."""
        study_id = super().create_new_study(directions, study_name)
        name = self._remote_name(self.get_study_name_from_id(study_id))
        self._changes.add_study(study_id, name, directions)
        self._changed(at_once=True)
        return study_id

    def delete_study(self, study_id: int) -> None:
        """Refuse: :class:`~search.study.database.place.DatabasePlace` deletes studies."""
        raise NotImplementedError("a study in a database is deleted by its place")

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set a user attribute of a study."""
        super().set_study_user_attr(study_id, key, self._attribute(STUDY_USER, study_id, key, value))
        self._changed(at_once=True)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set a system attribute of a study."""
        super().set_study_system_attr(study_id, key, self._attribute(STUDY_SYSTEM, study_id, key, value))
        self._changed(at_once=True)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Create a trial."""
        trial_id = super().create_new_trial(study_id, template_trial)
        trial = self.get_trial(trial_id)
        self._changes.add_trial(study_id, trial)
        for name, value in trial.params.items():
            distribution = trial.distributions[name]
            self._changes.add_param(trial_id, name, distribution.to_internal_repr(value), distribution)
        for step, value in trial.intermediate_values.items():
            self._changes.add_intermediate_value(trial_id, step, value)
        for objective, value in enumerate(trial.values or ()):
            self._changes.add_value(trial_id, objective, value)
        trial.user_attrs = {k: self._attribute(TRIAL_USER, trial_id, k, v) for k, v in trial.user_attrs.items()}
        trial.system_attrs = {k: self._attribute(TRIAL_SYSTEM, trial_id, k, v) for k, v in trial.system_attrs.items()}
        self._changed(at_once=True)
        return trial_id

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Set a parameter of a trial."""
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        self._changes.add_param(trial_id, param_name, param_value_internal, distribution)
        self._changed()

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Set the state and values of a trial."""
        done = super().set_trial_state_values(trial_id, state, values)
        if done:
            study_id, _ = self._trial_id_to_study_id_and_number[trial_id]
            self._changes.add_trial(study_id, self.get_trial(trial_id))
            for objective, value in enumerate(values or ()):
                self._changes.add_value(trial_id, objective, value)
            self._changed(at_once=True)
        return done

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Set an intermediate value of a trial."""
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)
        self._changes.add_intermediate_value(trial_id, step, intermediate_value)
        self._changed()

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set a user attribute of a trial."""
        super().set_trial_user_attr(trial_id, key, self._attribute(TRIAL_USER, trial_id, key, value))
        self._changed()

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set a system attribute of a trial."""
        super().set_trial_system_attr(trial_id, key, self._attribute(TRIAL_SYSTEM, trial_id, key, value))
        self._changed()

    def _attribute(self, table: Any, owner: int, key: str, value: Any) -> Any:
        """Note the change of an attribute; returns its value as it would be read again."""
        text = json.dumps(value)
        self._changes.add_attribute(table, owner, key, text)
        return json.loads(text)


def load(storage: InMemoryStorage, studies: Mapping[str, StoredStudy]) -> Ids:
    """Take studies over into memory.

    Args:
        storage: An empty one.
        studies: By the name that they get there.

    Returns:
        Their ids in the database.
    """
    ids = Ids()
    for name, study in studies.items():
        study_id = InMemoryStorage.create_new_study(storage, study.directions, name)
        ids.studies[study_id] = study.study_id
        for key, value in study.user_attrs.items():
            InMemoryStorage.set_study_user_attr(storage, study_id, key, value)
        for key, value in study.system_attrs.items():
            InMemoryStorage.set_study_system_attr(storage, study_id, key, value)
        for trial in study.trials:
            trial_id = InMemoryStorage.create_new_trial(storage, study_id)
            ids.trials[trial_id], trial._trial_id = trial._trial_id, trial_id
            storage._set_trial(trial_id, trial)
            storage._update_cache(trial_id, study_id)
    return ids
