"""Searches of a tiny study in this process: everything of a run but its end, which takes longer than the rest."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from helpers.studies import write_study
from lstmgru.errors import BundleError
from search.executors.base import WorkerSettings
from search.executors.in_process import InProcessExecutor
from search.run.driver import Driver
from search.run.finalize import Finalizer
from search.run.kept_folds import KeptFolds
from search.run.progress import SilentListener
from search.run.resume import open_study
from search.run.workers import warm_up
from search.study.budget import Budget
from search.study.out_of_fold import Predictions
from search.study.paths import StudyPaths
from search.study.records import TrialRecord
from search.study.storages import place_of
from search.study.store import StudyStore
from search.tasks import make_plan
from search.tasks.baselines import score_baselines
from search.tasks.data import TaskData
from search.tasks.plan import Plan
from search.tasks.study_file import read_study_file
from search.tracking.base import NullTracker

NUMBERS = """\
name: tiny
data: {path: shop.csv, time: day, target: sales, calendar: none}
forecast: {horizon: 3, season_length: 7}
splits: {holdout: 20, folds: 1}
search: {trials: 4, jobs: 1}
space:
  preset: small
  n_layers: 1
  cell: gru
  hidden_size: {low: 2, high: 6}
  segment_length: 1
  decoder: linear
  normalization: fold
  context_length: 7
training: {max_epochs: 1, min_epoch_windows: 1, accelerator: cpu}
tracking: {enabled: false}
"""
"""Three ranges of numbers: hidden size, dropout, learning rate. A trial takes less than a tenth of a second."""


class Killed(BaseException):
    """The driver ends here."""


def in_process() -> InProcessExecutor:
    """An executor that runs jobs in this process."""
    return InProcessExecutor(WorkerSettings(lambda: warm_up((), {}, {})))


def without_onnx() -> AbstractContextManager[Any]:
    """What is exported has no ONNX file, which takes seconds, and says so."""
    return patch("lstmgru.bundle.onnx.export.export_onnx", side_effect=BundleError("left out"))


_scored: dict[tuple[bytes, tuple[str, ...]], Any] = {}


def _score_baselines_once(data: TaskData, names: tuple[str, ...], *arguments: Any) -> Any:
    """Of the same data and folds, which most studies here have, the baselines are scored by the first one."""
    key = pickle.dumps(data), names
    if key not in _scored:
        _scored[key] = score_baselines(data, names, *arguments)
    return _scored[key]


class Clock:
    """Seconds that pass at every look."""

    def __init__(self, per_look: float) -> None:
        self._now, self._per_look = 0.0, per_look

    def __call__(self) -> float:
        """The time."""
        self._now += self._per_look
        return self._now


class Notes(SilentListener):
    """Keeps what a user would be told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def on_message(self, text: str) -> None:
        """Kept."""
        self.notes.append(text)


class _Watch(NullTracker):
    """Calls a function at every report of a trial."""

    def __init__(self, on_update: Callable[[TrialRecord], None]) -> None:
        self._on_update = on_update

    def update(self, trial: TrialRecord) -> None:
        """Passed on."""
        self._on_update(trial)


def plan_of(folder: Path, *overrides: str, text: str = NUMBERS) -> Plan:
    """The study, with its table in the folder."""
    path = write_study(folder, text)
    loaded = read_study_file(path, overrides=overrides)
    return make_plan(loaded.config, study_file=path)


def results(store: StudyStore) -> list[Any]:
    """Everything of the trials but times."""
    found = []
    for trial in store.record().trials:
        curve = [(each.fold, each.epoch, each.train_loss, each.value) for each in trial.curve]
        steps = store.trial(trial.number).intermediate_values
        found.append((trial.number, trial.state, trial.value, trial.params, trial.fold_scores, curve, steps))
    return found


def finish(
    folder: Path,
    *overrides: str,
    text: str = NUMBERS,
    notes: Notes | None = None,
    searched: float | None = None,
    **budget: Any,
) -> StudyStore:
    """Search, or go on with it, and export the model, without MLflow and without its ONNX file, which takes seconds.

    Args:
        folder: Where the study is.
        overrides: ``key=value``.
        text: The study file.
        notes: Hears what is said.
        searched: Time limit of the search alone, in seconds.
        budget: Arguments of the :class:`~search.study.budget.Budget` of the end; by default there is no limit.
    """
    store = drive(folder, *overrides, text=text, notes=notes, timeout=searched)
    plan = plan_of(folder, *overrides, text=text)
    paths = StudyPaths(folder, plan.name)
    predictions = Predictions(paths.predictions, store.get("uid"))
    limits = Budget(**{"timeout": None, "trials": plan.trials, **budget})
    with in_process() as executor, without_onnx():
        Finalizer(plan, store, predictions, executor, limits, notes or Notes(), paths, lambda: False).run()
    return store


def drive(
    folder: Path,
    *overrides: str,
    text: str = NUMBERS,
    stop_in: int | None = None,
    notes: Notes | None = None,
    **budget: Any,
) -> StudyStore:
    """Search, or go on with it.

    Args:
        folder: Where the study is.
        overrides: ``key=value``.
        text: The study file.
        stop_in: Interrupt the search in the first epoch of that trial.
        notes: Hears what is said.
        budget: Arguments of the :class:`~search.study.budget.Budget`; by default there is no limit.
    """
    plan = plan_of(folder, *overrides, text=text)
    listener = notes or Notes()
    paths = StudyPaths(folder, plan.name)
    paths.studies.mkdir(exist_ok=True)
    place = place_of(paths, plan.config.search.storage)

    def interrupt(trial: TrialRecord) -> None:
        if trial.number == stop_in and trial.curve:
            driver.interrupted = True

    remembered = score_baselines if plan.config.search.timeout else _score_baselines_once
    with (
        place.exclusive(listener.on_message),
        in_process() as executor,
        patch("search.run.baselines.score_baselines", remembered),
    ):
        plan, store = open_study(plan, place, listener)
        predictions = Predictions(paths.predictions, store.get("uid"))
        folds = KeptFolds(paths.folds, store.get("uid"), plan.registered_code())
        limits = Budget(**{"timeout": None, "trials": plan.trials, **budget})
        driver = Driver(plan, store, executor, limits, _Watch(interrupt), listener, predictions, folds)
        driver.run()
    return store
