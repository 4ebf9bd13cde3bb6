"""Projects a study into MLflow, synchronously: one parent run, and one child run per trial."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from search.errors import TrackingError
from search.study.paths import StudyPaths
from search.study.records import ENDED, BaselineRecord, StudyRecord, TrackingLinks, TrialRecord
from search.tracking import entries, store
from search.tracking.base import RunStatus
from search.tracking.data_sets import link_of, study_data
from search.tracking.describe import (
    description,
    experiment_note,
    write_holdout,
    write_leaderboard,
    write_report,
    write_settings,
)
from search.tracking.export import Export
from search.tracking.model_texts import Origin
from search.tracking.refits import show_champion, show_others
from search.tracking.registration import link_trials, register
from search.tracking.runs import (
    LOGGED_EPOCHS,
    MODEL_URI,
    STARTED,
    STATE,
    ModelLink,
    Point,
    Runs,
    RunState,
    leaderboard_view,
)
from search.tracking.system_metrics import monitor

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from optuna import Study


# Minimum interval between two updates of the best score.
_BEST_SECONDS = 2.0


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
        self._baseline_points: dict[str, list[Point]] = {}
        self._best_shown = float("-inf")
        known = self._runs.read(study)
        parent, self.trial_runs, self._baseline_runs = known.parent, known.trials, known.baselines
        if parent is None:
            start = _first_start(study) or time.time_ns() // 1_000_000
            parent = self._runs.create(study.study, start=start, tags=entries.study_tags(study))
        self.parent: RunState = parent
        self.model_uri = parent.tags.get(MODEL_URI)
        self.model: ModelLink | None = None
        self._trials: dict[int, TrialRecord] = {}
        self.study = study

    def show_study(self, status: RunStatus) -> None:
        """Write the parent run: settings, data, status.

        The status first: MLflow creates runs as running, and who is interrupted would leave it so.
        """
        self.end(status)
        tags = entries.study_tags(self.study)
        if changed := entries.changed_settings(self.parent.params, self.study):
            # A parameter can be logged only once; the tag records what changed when the study was resumed.
            tags["settings_changed"] = changed
        self._runs.write(self.parent, params=entries.study_params(self.study), tags=tags)
        self.client.log_inputs(self.parent.run_id, [study_data(self.study)])
        self.client.set_experiment_tag(self.experiment_id, *leaderboard_view(self.study))
        self.show_baselines(self.study.baselines)

    def show_trial(self, trial: TrialRecord) -> None:
        """Write what is missing in the run of a trial."""
        self._trials[trial.number] = trial
        run = self._run_of(trial)
        if run is None:
            return
        ended = trial.state in ENDED
        end = entries.milliseconds(trial.completed) if trial.completed else run.start
        if not (ended and run.tags.get(STATE) == trial.state):
            # The UI lists metrics in the order of their first points.
            points = entries.trial_summary(trial, time=end) if ended else []
            points += entries.trial_curve(self.study, trial, start=run.start, skip=run.logged_epochs)
            logged = max(len(trial.curve), run.logged_epochs)
            tags = entries.trial_tags(trial) | {LOGGED_EPOCHS: str(logged)}
            self._runs.write(run, params=entries.trial_params(trial), points=points, tags=tags)
        self._runs.rename(run, entries.trial_name(trial))
        self._runs.set_status(run, entries.STATUS[trial.state], end=end if ended else None)
        if trial.state == "COMPLETE" and time.monotonic() - self._best_shown > _BEST_SECONDS:
            self._show_best()

    def show_baselines(self, baselines: Mapping[str, BaselineRecord]) -> None:
        """Write the runs of the baselines, at the start of the study."""
        start = self.parent.start
        for name, baseline in baselines.items():
            points = entries.baseline_scores(self.study, baseline, time=start)
            if self._baseline_points.get(name) == points:
                continue
            run = self._baseline_runs.get(name)
            if run is None:
                identity = entries.baseline_identity(self.study, name)
                run = self._runs.create(entries.baseline_name(name), start=start, tags=identity, parent=self.parent)
                self._baseline_runs[name] = run
            self._runs.write(run, points=points)
            self._runs.set_status(run, "FINISHED", end=start)
            self._baseline_points[name] = points

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
        self._runs.write(self.parent, points=points, tags=tags, model=self.model)
        self.show_baselines(study.baselines)
        front = set(study.front)
        for trial in study.complete:
            if (run := self.trial_runs.get(trial.number)) is not None:
                standing = entries.standing_tags(study, trial, on_front=trial.number in front)
                self._runs.write(run, tags=standing)

    def show_files(self, folder: Path) -> None:
        """Log the files of a folder as artifacts of the study."""
        self.client.log_artifacts(self.parent.run_id, str(folder))

    def show_model(self, export: Export, study: StudyRecord, *, name: str) -> None:
        """Log and register the exported model once, and link it to the runs of its trials.

        Args:
            export: The model.
            study: The study, whose holdout was scored.
            name: Name of the registered model.
        """
        self.study = study
        if export.is_refit:
            # It was trained on another table: its scores and data are those of the refit.
            found = show_champion(self.client, self.experiment_id, study, export, name=name)
        else:
            found = register(self.client, self.parent.run_id, export, name=name, origin=Origin.of(study))
        self.model_uri = found.uri
        if found.model_id is not None and not export.is_refit:
            self.model = ModelLink(found.model_id, link_of(study_data(self.study)))
            runs = [self.trial_runs[trial].run_id for trial in export.trials if trial in self.trial_runs]
            link_trials(self.client, found.model_id, runs)
        self._runs.write(self.parent, tags={MODEL_URI: self.model_uri})

    def end(self, status: RunStatus) -> None:
        """Set the status of the study; one that is not running ended with its last trial."""
        if status == "RUNNING":
            self._runs.set_status(self.parent, status)
            return
        ends = [entries.milliseconds(trial.completed) for trial in self._newest_trials() if trial.completed]
        self._runs.set_status(self.parent, status, end=max(ends, default=self.parent.start))

    def _run_of(self, trial: TrialRecord) -> RunState | None:
        """The run of a trial, created if necessary; ``None`` for a trial that never ran."""
        run = self.trial_runs.get(trial.number)
        if trial.state == "WAITING":
            return run
        identity = entries.trial_identity(self.study, trial)
        if run is not None and run.tags.get(STARTED) != identity[STARTED]:
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
        points = entries.best_so_far(replace(self.study, trials=self._newest_trials()))
        self._runs.write(self.parent, points=points[self._best_points :])
        self._best_points = len(points)

    def _newest_trials(self) -> tuple[TrialRecord, ...]:
        return tuple(({trial.number: trial for trial in self.study.trials} | self._trials).values())


def _first_start(study: StudyRecord) -> int | None:
    starts = [entries.milliseconds(trial.started) for trial in study.trials if trial.started]
    return min(starts, default=None)


class MlflowProjection:
    """Shows a study in MLflow. Idempotent: existing runs are found and extended.

    Every method raises :class:`~search.errors.TrackingError` if MLflow fails. After such an error begin again with
    :meth:`start`, which reads what was delivered.

    Args:
        tracking_uri: Store or server.
        folder: The working folder.
        experiment: Name of the experiment; ``None``: the name of the study.
        registered_model: Name of the registered model; ``None``: the name of the study.
        system_metrics: Also show the use of this machine while the study runs.
    """

    def __init__(
        self,
        tracking_uri: str,
        folder: Path,
        *,
        experiment: str | None = None,
        registered_model: str | None = None,
        system_metrics: bool = False,
    ) -> None:
        self._uri, self._folder, self._system_metrics = tracking_uri, folder, system_metrics
        self._experiment, self._registered_model = experiment, registered_model
        self._session: Session | None = None

    def start(self, study: StudyRecord) -> None:
        """Show the study as running; find or create its runs."""
        self._begin(study, "RUNNING")
        if self._system_metrics:
            with store.talking_to(self._uri):
                monitor(self._open.parent.run_id, self._uri)

    def update(self, trial: TrialRecord) -> None:
        """Show the current state of a trial."""
        with store.talking_to(self._uri):
            self._open.show_trial(trial)

    def show_baselines(self, baselines: Mapping[str, BaselineRecord]) -> None:
        """Show the scores of the baselines."""
        with store.talking_to(self._uri):
            self._open.show_baselines(baselines)

    def log_model(self, bundle: Path, study: StudyRecord) -> None:
        """Log and register the exported model, unless it already is.

        Raises:
            TrackingError: Also if the directory has no model, or that of another trial than the one whose holdout score
                the study shows.
        """
        export = Export.read(bundle)
        winner = study.holdout.trial if study.holdout else None
        if study.holdout is None or export.trial != winner:
            scored = "no trial" if winner is None else f"trial {winner}"
            raise TrackingError(
                f"the model in {bundle} is not logged: it is of trial {export.trial}, but the holdout was scored for "
                f"{scored} of study '{study.study}'; run the study to its end first"
            )
        with store.talking_to(self._uri):
            self._open.show_model(export, study, name=self._registered_model or study.study)

    def finish(
        self, study: StudyRecord, *, status: RunStatus, optuna_study: Study | None = None
    ) -> TrackingLinks | None:
        """Show the outcome: scores, description, status, files and report, and the model if it is missing."""
        for trial in study.trials:
            self.update(trial)
        self._show_outcome(study)
        with store.talking_to(self._uri):
            self._open.end(status)
        self._show_files(lambda folder: write_leaderboard(folder, study))
        missing = self._open.model is None
        if study.bundle is not None and missing and (Path(study.bundle).is_dir() or self._open.model_uri is None):
            self.log_model(Path(study.bundle), study)
            self._show_outcome(study)
        name, challenger = self._registered_model or study.study, StudyPaths(self._folder, study.study).challenger
        with store.talking_to(self._uri):
            show_others(self._open.client, self._open.experiment_id, study, challenger, name=name)
        self._show_files(lambda folder: write_holdout(folder, study))
        if optuna_study is not None:
            self._show_files(lambda folder: write_report(folder, study, optuna_study))
        return self.links()

    def sync(self, study: StudyRecord, *, status: RunStatus, optuna_study: Study | None = None) -> TrackingLinks | None:
        """Show the current state of a study at once."""
        self._begin(study, status)
        return self.finish(study, status=status, optuna_study=optuna_study)

    def links(self) -> TrackingLinks | None:
        """Links to the known runs."""
        session = self._session
        if session is None:
            return None
        return TrackingLinks(
            tracking_uri=store.without_password(self._uri),
            experiment_id=session.experiment_id,
            parent_run_id=session.parent.run_id,
            trial_run_ids={number: run.run_id for number, run in sorted(session.trial_runs.copy().items())},
            model_uri=session.model_uri,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._session is not None and self._session.parent.status == "RUNNING":
            with store.talking_to(self._uri):
                self._session.end("FAILED")

    def _show_outcome(self, study: StudyRecord) -> None:
        with store.talking_to(self._uri):
            self._open.show_outcome(study, tracking_uri=store.without_password(self._uri))

    def _show_files(self, write: Callable[[Path], None]) -> None:
        with store.talking_to(self._uri), tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            self._open.show_files(Path(folder))

    def _begin(self, study: StudyRecord, status: RunStatus) -> None:
        with store.talking_to(self._uri):
            client = store.connect(self._uri)
            location = store.artifact_location(self._uri, self._folder)
            experiment_id = store.open_experiment(
                client, self._experiment or study.study, location, note=experiment_note(study)
            )
            self._session = Session(client, experiment_id, study)
            self._session.show_study(status)
        for trial in study.trials:
            self.update(trial)
        # After the trials, which are visible even if files cannot be written.
        self._show_files(lambda folder: write_settings(folder, study))

    @property
    def _open(self) -> Session:
        if self._session is None:
            raise RuntimeError("start() must be called before any other method of a projection")
        return self._session
