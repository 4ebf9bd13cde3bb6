"""Writes the runs of one study, as far as MLflow does not have them yet."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from search.study.records import StudyRecord, TrialRecord
from search.tasks import find_task
from search.tracking import entries
from search.tracking.base import RunStatus
from search.tracking.describe import description
from search.tracking.model import Export, register
from search.tracking.runs import Runs, RunState

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

_ENDED = ("COMPLETE", "PRUNED", "FAIL")
# Minimum interval between two updates of the best score.
_BEST_SECONDS = 2.0
# MLflow accepts 36 characters and shows all of them; the profile has the whole digest.
_DIGEST = 16
# Facts that MLflow has its own names for.
_PROFILE = {"rows": "num_rows", "series": "num_series"}


class Session:
    """Writes one study to one server.

    Args:
        client: Client of the server.
        experiment_id: Experiment of the runs.
        study: The study. Its runs are looked up, and its parent run is created if there is none.
    """

    def __init__(self, client: MlflowClient, experiment_id: str, study: StudyRecord) -> None:
        self.client, self.experiment_id = client, experiment_id
        self._runs = Runs(client, experiment_id)
        self._best_points = 0
        self._best_shown = float("-inf")
        parent, self.trial_runs = self._runs.read(study)
        if parent is None:
            start = _first_start(study) or time.time_ns() // 1_000_000
            parent = self._runs.create(study.study, start=start, tags=entries.study_tags(study))
        self.parent: RunState = parent
        self.model_uri = parent.tags.get(entries.MODEL_URI)
        self._trials: dict[int, TrialRecord] = {}
        self.study = study

    def show_study(self, *, running: bool) -> None:
        """Write the parent run: settings, data, status."""
        params = entries.study_params(self.study)
        changed = [
            f"{key}: {self.parent.params[key]} → {value}"
            for key, value in params.items()
            if self.parent.params.get(key, value) != value
        ]
        tags = entries.study_tags(self.study)
        if changed:
            # A parameter can be logged only once; the tag records what changed when the study was resumed.
            tags["settings_changed"] = entries.clip("; ".join(changed), entries.MAX_TAG)
        self._runs.write(self.parent, params=params, points=[], tags=tags)
        self.client.log_inputs(self.parent.run_id, [_dataset(self.study)])
        if running:
            self._runs.set_status(self.parent, "RUNNING")

    def show_trial(self, trial: TrialRecord) -> None:
        """Write the run of a trial, as far as something is missing."""
        self._trials[trial.number] = trial
        run = self._run_of(trial)
        if run is None:
            return
        ended = trial.state in _ENDED
        end = entries.milliseconds(trial.completed) if trial.completed else run.start
        if not (ended and run.tags.get(entries.STATE) == trial.state):
            points = entries.trial_curve(self.study, trial, start=run.start, skip=run.logged_epochs)
            if ended:
                points += entries.trial_summary(trial, time=end)
            logged = max(len(trial.curve), run.logged_epochs)
            tags = entries.trial_tags(trial) | {entries.LOGGED_EPOCHS: str(logged)}
            self._runs.write(run, params=entries.trial_params(trial), points=points, tags=tags)
        self._runs.set_status(run, entries.STATUS[trial.state], end=end if ended else None)
        if trial.state == "COMPLETE" and time.monotonic() - self._best_shown > _BEST_SECONDS:
            self._show_best()

    def show_outcome(self, study: StudyRecord, *, tracking_uri: str) -> None:
        """Write scores and description of the study.

        Args:
            study: The study as it ended.
            tracking_uri: Store or server that the description tells readers to connect to.
        """
        self.study = study
        self._show_best()
        note = description(study, tracking_uri=tracking_uri, model_uri=self.model_uri)
        tags = entries.study_tags(study) | {"mlflow.note.content": entries.clip(note, entries.MAX_TAG)}
        points = entries.study_outcome(study, time=self.parent.start)
        self._runs.write(self.parent, params={}, points=points, tags=tags)
        front = set(study.front)
        for trial in study.complete:
            if (run := self.trial_runs.get(trial.number)) is not None:
                standing = entries.standing_tags(study, trial, on_front=trial.number in front)
                self._runs.write(run, params={}, points=[], tags=standing)

    def show_files(self, folder: Path) -> None:
        """Log the files of a folder as artifacts of the study."""
        self.client.log_artifacts(self.parent.run_id, str(folder))

    def show_model(self, export: Export, *, name: str, trial: int) -> None:
        """Log and register the exported model once.

        Args:
            export: The model.
            name: Name of the registered model.
            trial: Number of its trial.
        """
        origin = {entries.STUDY_UID: self.study.uid, entries.TRIAL: str(trial)}
        self.model_uri = register(self.client, self.parent.run_id, export, name=name, tags=origin)
        self._runs.write(self.parent, params={}, points=[], tags={entries.MODEL_URI: self.model_uri})

    def end(self, status: RunStatus) -> None:
        """Set the status of the study; one that is not running ended with its last trial."""
        if status == "RUNNING":
            self._runs.set_status(self.parent, status)
            return
        ends = [entries.milliseconds(trial.completed) for trial in self._trials.values() if trial.completed]
        self._runs.set_status(self.parent, status, end=max(ends, default=self.parent.start))

    def _run_of(self, trial: TrialRecord) -> RunState | None:
        """The run of a trial, created if necessary; ``None`` for a trial that never ran."""
        run = self.trial_runs.get(trial.number)
        if trial.state == "WAITING":
            return run
        identity = entries.trial_identity(self.study, trial)
        if run is not None and run.tags.get(entries.STARTED) != identity[entries.STARTED]:
            # The trial was restarted, and points of a curve cannot be deleted.
            self._runs.delete(run)
            run = None
        if run is None:
            start = entries.milliseconds(trial.started) if trial.started else self.parent.start
            run = self._runs.create(entries.trial_name(trial), start=start, tags=identity, parent=self.parent)
            self.trial_runs[trial.number] = run
        return run

    def _show_best(self) -> None:
        self._best_shown = time.monotonic()
        trials = {trial.number: trial for trial in self.study.trials} | self._trials
        points = entries.best_so_far(replace(self.study, trials=tuple(trials.values())))
        self._runs.write(self.parent, params={}, points=points[self._best_points :], tags={})
        self._best_points = len(points)


def _first_start(study: StudyRecord) -> int | None:
    starts = [entries.milliseconds(trial.started) for trial in study.trials if trial.started]
    return min(starts, default=None)


def _dataset(study: StudyRecord) -> DatasetInput:
    """The data as an input of the study's run; the table itself is not needed."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    found = find_task(study.task).words.data_columns(study)
    columns = [{"type": kind, "name": name, "required": True} for name, kind in found]
    source = str(study.data.get("source", ""))
    dataset = Dataset(
        name=entries.clip(source.replace("\\", "/").rsplit("/", 1)[-1] or study.study, 500),
        digest=str(study.data.get("digest", ""))[:_DIGEST],
        source_type="local",
        source=json.dumps({"uri": source}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({_PROFILE.get(key, key): value for key, value in study.data.items() if key != "columns"}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "search")])
