"""Projects a study into MLflow, synchronously: one parent run, and one child run per trial."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from search.errors import TrackingError
from search.study.records import StudyRecord, TrackingLinks, TrialRecord
from search.tracking import store
from search.tracking.base import RunStatus
from search.tracking.describe import write_holdout, write_leaderboard, write_report, write_settings
from search.tracking.model import Export
from search.tracking.runs import open_experiment
from search.tracking.session import Session

if TYPE_CHECKING:
    from optuna import Study


class MlflowProjection:
    """Shows a study in MLflow. Idempotent: existing runs are found and extended.

    Every method raises :class:`~search.errors.TrackingError` if MLflow fails. After such an error begin again with
    :meth:`start`, which reads what was delivered.

    Args:
        tracking_uri: Store or server.
        folder: The working folder.
        experiment: Name of the experiment; ``None``: the name of the study.
        registered_model: Name of the registered model; ``None``: the name of the study.
    """

    def __init__(
        self,
        tracking_uri: str,
        folder: Path,
        *,
        experiment: str | None = None,
        registered_model: str | None = None,
    ) -> None:
        self._uri, self._folder = tracking_uri, folder
        self._experiment, self._registered_model = experiment, registered_model
        self._session: Session | None = None

    def start(self, study: StudyRecord) -> None:
        """Show the study as running; find or create its runs."""
        self._begin(study, running=True)

    def update(self, trial: TrialRecord) -> None:
        """Show the current state of a trial."""
        with store.talking_to(self._uri):
            self._open.show_trial(trial)

    def log_model(self, bundle: Path, study: StudyRecord) -> None:
        """Log and register the exported model, unless it already is.

        Raises:
            TrackingError: Also if the directory has no model, or that of another trial than the one whose holdout score
                the study shows.
        """
        export = Export.read(bundle)
        winner = study.holdout.trial if study.holdout else None
        if winner is None or export.trial != winner:
            scored = "no trial" if winner is None else f"trial {winner}"
            raise TrackingError(
                f"the model in {bundle} is not logged: it is of trial {export.trial}, but the holdout was scored for "
                f"{scored} of study '{study.study}'; run the study to its end first"
            )
        with store.talking_to(self._uri):
            self._open.show_model(export, name=self._registered_model or study.study, trial=winner)

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
        if study.bundle is not None and (Path(study.bundle).is_dir() or self._open.model_uri is None):
            self.log_model(Path(study.bundle), study)
            self._show_outcome(study)
        self._show_files(lambda folder: write_holdout(folder, study))
        if optuna_study is not None:
            self._show_files(lambda folder: write_report(folder, study, optuna_study))
        return self.links()

    def sync(self, study: StudyRecord, *, status: RunStatus, optuna_study: Study | None = None) -> TrackingLinks | None:
        """Show the current state of a study at once."""
        self._begin(study, running=False)
        return self.finish(study, status=status, optuna_study=optuna_study)

    def links(self) -> TrackingLinks | None:
        """Links to the runs, as far as they are known."""
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

    def _begin(self, study: StudyRecord, *, running: bool) -> None:
        with store.talking_to(self._uri):
            client = store.connect(self._uri)
            location = store.artifact_location(self._uri, self._folder)
            experiment_id = open_experiment(client, self._experiment or study.study, location)
            self._session = Session(client, experiment_id, study)
            self._session.show_study(running=running)
        for trial in study.trials:
            self.update(trial)
        # After the trials, which are visible even if files cannot be written.
        self._show_files(lambda folder: write_settings(folder, study))

    @property
    def _open(self) -> Session:
        if self._session is None:
            raise RuntimeError("start() must be called before any other method of a projection")
        return self._session
