"""Optuna's journal storage, which replays a long journal in seconds instead of minutes."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

from optuna.distributions import check_distribution_compatibility
from optuna.storages import JournalStorage
from optuna.storages.journal._storage import JournalStorageReplayResult

from search.study.places import distribution_of, without_garbage_collection

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial


class Journal(JournalStorage):
    """Optuna's storage in a file; a pickled one opens the file again.

    Args:
        file: Has the methods of Optuna's backends.
    """

    def __init__(self, file: Any) -> None:
        self._worker_id_prefix = f"{uuid.uuid4()}-"
        self._backend = file
        self._thread_lock = threading.Lock()
        self._replay_result = _Replay(self._worker_id_prefix)
        with self._replay_result, without_garbage_collection():
            self._sync_with_backend()

    def __reduce__(self) -> tuple[Any, ...]:
        return Journal, (self._backend,)


class _Replay(JournalStorageReplayResult):
    """Optuna's replay; as a context manager, for entries of others that nobody has seen yet.

    Optuna copies a trial for every entry, because the trial may have been handed out. Before that, it can be changed.
    """

    _unseen = False

    def __enter__(self) -> None:
        self._unseen = True
        self._first: dict[tuple[int, str], BaseDistribution] = {}

    def __exit__(self, *exc_info: object) -> None:
        self._unseen = False
        self._first.clear()

    def _apply_set_trial_param(self, log: dict[str, Any]) -> None:
        if not self._unseen:
            super()._apply_set_trial_param(log)
        elif (trial := self._unfinished(log)) is not None:
            name, distribution = log["param_name"], distribution_of(log["distribution"])
            study_id = self._trial_id_to_study_id[log["trial_id"]]
            first = self._first.setdefault((study_id, name), distribution)
            if first is not distribution:
                try:
                    check_distribution_compatibility(first, distribution)
                except ValueError:
                    return
            trial.params[name] = distribution.to_external_repr(log["param_value_internal"])
            trial.distributions[name] = distribution

    def _apply_set_trial_intermediate_value(self, log: dict[str, Any]) -> None:
        if not self._unseen:
            super()._apply_set_trial_intermediate_value(log)
        elif (trial := self._unfinished(log)) is not None:
            trial.intermediate_values[log["step"]] = log["intermediate_value"]

    def _apply_set_trial_user_attr(self, log: dict[str, Any]) -> None:
        if not self._unseen:
            super()._apply_set_trial_user_attr(log)
        elif (trial := self._unfinished(log)) is not None:
            trial.user_attrs |= log["user_attr"]

    def _apply_set_trial_system_attr(self, log: dict[str, Any]) -> None:
        if not self._unseen:
            super()._apply_set_trial_system_attr(log)
        elif (trial := self._unfinished(log)) is not None:
            trial.system_attrs |= log["system_attr"]

    def _unfinished(self, log: dict[str, Any]) -> FrozenTrial | None:
        """The trial of an entry, unless there is none or it has finished: then Optuna ignores the entry of another."""
        trial = self._trials.get(log["trial_id"])
        return None if trial is None or trial.state.is_finished() else trial
