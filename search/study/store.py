"""A study in Optuna's storage: create or resume it, queue trials, and read it as a record.

Parameters, intermediate values and states of trials are stored as Optuna stores them. The user attribute ``result`` of
a trial has its other results; user attributes of the study have its configuration, data, baselines and outcome. Nothing
is stored elsewhere.
"""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from search.config.objectives import SCORE, Goal
from search.study.blend_records import BlendRecord
from search.study.identity import check_same
from search.study.journal import unchecked_file
from search.study.journal.entries import check_types
from search.study.places import together, without_garbage_collection
from search.study.records import BaselineRecord, HoldoutRecord, StudyRecord, TrackingLinks, TrialRecord
from search.study.refit_records import REFITS, RefitRecord
from search.study.storages import place_of
from search.study.trials import PROMOTED_FROM, RETRY_OF, TrialIndex, trial_record, without_driver

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial, Trial

    from search.study.identity import Identity
    from search.study.paths import StudyPaths
    from search.study.places import StudyPlace
    from search.study.table_rows import TableChange

# A trial whose driver died is restarted this often without finishing a fold before it counts as failed.
MAX_RESTARTS = 2

# Written last when a study is created; without it, the creation was interrupted.
_CREATED = "uid"
ROWS = "rows"
"""Study attribute: the fingerprint of the rows of its table."""
PORTFOLIO = "portfolio"
"""Origin of a configuration of the portfolio."""


class StudyStore:
    """A study in Optuna's storage.

    Args:
        study: The Optuna study.
        storage: Its storage.

    Attributes:
        place: Where it was found; ``None`` for a storage of another origin.
        trials: Its trials by state.
    """

    def __init__(self, study: Study, storage: BaseStorage) -> None:
        self.study = study
        self._storage = storage
        self.place: StudyPlace | None = None
        self._goal: Goal | None = None
        self.trials = TrialIndex(study)
        self._judged: dict[int, dict[str, float]] = {}
        self._judged_until = 0
        self._best: int | None = None

    @classmethod
    def load(cls, storage: BaseStorage, name: str) -> StudyStore | None:
        """The study of that name, or ``None`` if there is none or its creation was interrupted.

        Raises:
            NotAJournal: The storage is a journal without checksums, and the study has values of wrong types.
        """
        import optuna

        if name not in optuna.study.get_all_study_names(storage):
            return None
        study = optuna.load_study(study_name=name, storage=storage)
        if _CREATED not in study.user_attrs:
            return None
        store = cls(study, storage)
        if (journal := unchecked_file(storage)) is not None:
            check_types(journal, name, store.record)
        return store

    @classmethod
    def find(cls, paths: StudyPaths, storage: str | None = None) -> StudyStore | None:
        """The study where it is, see :func:`search.study.storages.place_of`, to read it; ``None``: it was not run.

        Raises:
            NotAJournal: The file is not a journal, or damaged.
            StorageError: The database cannot be used.
        """
        place = place_of(paths, storage)
        return cls.at(place, place.read())

    @classmethod
    def at(cls, place: StudyPlace, storage: BaseStorage | None) -> StudyStore | None:
        """The study in the storage of a place; ``None``: it is not there."""
        store = None if storage is None else cls.load(storage, place.paths.study)
        if store is not None:
            store.place = place
        return store

    @classmethod
    def create(
        cls,
        storage: BaseStorage,
        name: str,
        *,
        direction: Literal["minimize", "maximize"],
        attributes: dict[str, Any],
        objectives: Sequence[str] = (SCORE,),
    ) -> StudyStore:
        """Create a study; what an interrupted creation left is removed first.

        ``direction`` is that of the score, and every other objective is minimized; ``attributes`` are ``config``,
        ``identity``, ``data``, ``task`` and ``metric``, and others that :meth:`get` returns.
        """
        import optuna

        if name in optuna.study.get_all_study_names(storage):
            optuna.delete_study(study_name=name, storage=storage)
        directions = [direction if name == SCORE else "minimize" for name in objectives]
        with together(storage):
            study = optuna.create_study(study_name=name, storage=storage, directions=directions)
            if len(objectives) > 1:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                    study.set_metric_names(list(objectives))
            for key, value in {**attributes, _CREATED: uuid.uuid4().hex}.items():
                study.set_user_attr(key, value)
        return cls(study, storage)

    def together(self) -> AbstractContextManager[object]:
        """All changes inside are stored in one transaction, where the storage has transactions."""
        return together(self._storage)

    def get(self, key: str, default: Any = None) -> Any:
        """A study attribute."""
        return self._attributes.get(key, default)

    @property
    def _attributes(self) -> dict[str, Any]:
        """Without a copy: Optuna's ``user_attrs`` copies everything, including calibrations and links."""
        return self._storage.get_study_user_attrs(self.study._study_id)

    def set(self, key: str, value: Any) -> None:
        """Write a study attribute, unless it already has the value."""
        if self._attributes.get(key) != value:
            self.study.set_user_attr(key, value)
            if key == "config":  # has the preference and the bounds
                self._goal, self._best = None, None
                self._judged.clear()
                self._judged_until = 0

    @property
    def goal(self) -> Goal:
        """Objectives, bounds and preference, which determine the best trial."""
        if self._goal is None:
            self._goal = Goal.of_study(self.get("config", {}))
        return self._goal

    @property
    def direction(self) -> str:
        """Direction of the score: ``minimize`` or ``maximize``."""
        return self.study.directions[self.goal.objectives.index(SCORE)].name.lower()

    def _measures(self, trial: TrialRecord) -> dict[str, float]:
        """Values by objective, all of them to be minimized."""
        sign = 1 if self.direction == "minimize" else -1
        return trial.measures | {SCORE: sign * (trial.value or 0.0)}

    def set_links(self, links: TrackingLinks) -> None:
        """Store the links to MLflow."""
        self.set("mlflow", json.loads(json.dumps(asdict(links))))

    def check_identity(
        self, identity: Identity, change: Callable[[], TableChange | None] = lambda: None, refit: str = ""
    ) -> None:
        """Check that the stored study has the same data and settings, see :func:`search.study.identity.check_same`."""
        name, stored = self.study.study_name, self.get("identity", {})
        scored = any(trial.state.name == "COMPLETE" for trial in self.study.get_trials(deepcopy=False))
        self.set("identity", check_same(name, identity, stored, change, refit, scored=scored))

    def requeue(self, number: int) -> None:
        """Put a running trial back into the queue; the next ask returns it under its own number."""
        from optuna.trial import TrialState

        self._storage.set_trial_state_values(self._trial_id(number), TrialState.WAITING)

    def requeue_orphans(self) -> tuple[list[int], list[int]]:
        """Queue the trials that a dead driver left running; return the numbers of queued and of failed ones."""
        from optuna.trial import TrialState

        queued, given_up = [], []
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            restarts = trial.user_attrs.get("restarts", 0) + 1
            self._storage.set_trial_user_attr(trial._trial_id, "restarts", restarts)
            if restarts <= MAX_RESTARTS:
                self.requeue(trial.number)
                queued.append(trial.number)
            else:
                result = {"reason": f"the search ended {restarts} times during the trial"}
                self._storage.set_trial_user_attr(trial._trial_id, "result", result)
                self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
                given_up.append(trial.number)
        return queued, given_up

    def has_progressed(self, number: int) -> None:
        """A running trial has finished a fold or sent a checkpoint, so it is not what ended the drivers before."""
        if self.trial(number).user_attrs.get("restarts"):
            self._storage.set_trial_user_attr(self._trial_id(number), "restarts", 0)

    def enqueue(self, params: dict[str, Any], *, origin: str) -> bool:
        """Queue known values; other parameters are suggested. Returns ``False`` if some run already queued them."""
        trials = self.study.get_trials(deepcopy=False)
        if any(trial.user_attrs.get("known", {}).get("parameters") == params for trial in trials):
            return False
        self.study.enqueue_trial(params, user_attrs={"known": {"origin": origin, "parameters": params}})
        return True

    def retry(self, number: int) -> bool:
        """Queue a failed trial again, with its seed; return ``False`` if the trial already was a retry."""
        if RETRY_OF in self.trial(number).user_attrs:
            return False
        self._repeat(self.trial(number), RETRY_OF)
        return True

    def promote(self, number: int) -> None:
        """Queue the candidate of a stopped trial, to be trained again and further."""
        self._repeat(self.trial(number), PROMOTED_FROM)

    def _repeat(self, trial: FrozenTrial, why: str) -> None:
        kept = {key: value for key, value in trial.user_attrs.items() if key in ("layers", "seed")}
        self.study.enqueue_trial(trial.params, user_attrs={**kept, why: trial.number})

    def candidate(self, number: int) -> int:
        """The first trial of a trial's candidate: itself, unless it was promoted."""
        while (origin := self.trial(number).user_attrs.get(PROMOTED_FROM)) is not None:
            number = origin
        return number

    def trial(self, number: int) -> FrozenTrial:
        """The current state of a trial; read-only."""
        return self._storage.get_trial(self._trial_id(number))

    def best(self) -> TrialRecord | None:
        """The complete trial that would be exported now: the best or preferred one that satisfies the bounds."""
        from optuna.trial import TrialState

        self.trials.update()
        ended = self.trials.finished[self._judged_until :]
        self._judged_until += len(ended)
        # Called many times per second; finished trials do not change.
        if new := {t.number: self._measures(trial_record(t)) for t in ended if t.state == TrialState.COMPLETE}:
            self._judged |= new
            # With one objective, the best is the best so far or a new one; with several, any trial may be.
            asked = {self._best, *new} - {None} if self.goal.single else self._judged.keys()
            self._best = self.goal.best({number: each for number, each in self._judged.items() if number in asked})
        return None if self._best is None else trial_record(self.trial(self._best))

    def winner(self) -> FrozenTrial | None:
        """The trial to export: the best complete one, or, if there is none, the best pruned one.

        Trials that are known to violate a bound are excluded.
        """
        from optuna.trial import TrialState

        if (best := self.best()) is not None:
            return self.trial(best.number)
        if self._judged:
            return None
        stopped = map(trial_record, self.study.get_trials(deepcopy=False, states=(TrialState.PRUNED,)))
        values = {
            trial.number: trial.value
            for trial in stopped
            if trial.value is not None and not self.goal.broken(trial.measures)
        }
        choose = min if self.direction == "minimize" else max
        return self.trial(choose(values, key=values.__getitem__)) if values else None

    def waiting(self) -> list[FrozenTrial]:
        """The waiting trials, by number; read-only."""
        return [trial for trial in self.trials.update() if trial.state.name == "WAITING"]

    def new_number(self) -> int:
        """The number of the next trial that is new."""
        self.trials.update()
        return self.trials.count

    def begin(self, number: int) -> Trial:
        """Start a waiting trial, or a new one with the next number, as ``Study.ask`` does with the first that waits."""
        from optuna.trial import Trial, TrialState

        self.study._thread_local.cached_all_trials = None  # of samplers
        if number == self.new_number():
            return Trial(self.study, self._storage.create_new_trial(self.study._study_id))
        self._storage.set_trial_state_values(self._trial_id(number), TrialState.RUNNING)
        return Trial(self.study, self._trial_id(number))

    def counts(self) -> tuple[int, int]:
        """Number of trials that count against the budget, and of waiting ones.

        Failed trials that are retried and stopped ones that are promoted do not count: the next ones do.
        """
        waiting = len(self.waiting())
        return self.trials.count - len(self.trials.repeated), waiting

    @without_garbage_collection()
    def record(self) -> StudyRecord:
        """The study as plain values; of a study that was moved with its folder, the model is where it is now.

        Trials that a killed run left running wait for the next run.
        """
        bundle = self.get("bundle")
        if self.place is not None and (found := self.place.paths.find_bundle(bundle)):
            bundle = str(found)
        links = TrackingLinks.from_dict(self.get("mlflow")) if self.get("mlflow") else None
        runs = links.trial_run_ids if links is not None else {}
        holdout, blend = self.get("holdout"), self.get("blend")
        frozen = self.study.get_trials(deepcopy=False)
        trials = tuple(trial_record(trial, mlflow_run_id=runs.get(trial.number)) for trial in frozen)
        if self.place is not None and not self.place.is_being_run():
            trials = without_driver(trials)
        return StudyRecord(
            study=self.study.study_name,
            uid=self.get("uid"),
            task=self.get("task"),
            metric=self.get("metric") or self.get("config")["forecast"]["metric"],
            direction=self.direction,
            config=self.get("config"),
            data=self.get("data"),
            trials=trials,
            baselines={name: BaselineRecord(**values) for name, values in self.get("baselines", {}).items()},
            holdout=HoldoutRecord.from_dict(holdout) if holdout else None,
            bundle=bundle,
            mlflow=links,
            blend=BlendRecord.from_dict(blend) if blend else None,
            refits=tuple(RefitRecord.from_dict(each) for each in self.get(REFITS, [])),
        )

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)
