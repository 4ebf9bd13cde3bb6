"""The runs of one study on a server: what is there, and how to add to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from search.errors import TrackingError
from search.study.records import StudyRecord
from search.tracking.entries import LOGGED_EPOCHS, STUDY_UID, TRIAL, Point

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# MLflow takes 1,000 points, parameters and tags at once.
_ONE_REQUEST = 800


@dataclass
class RunState:
    """What a run is known to hold.

    Attributes:
        run_id: MLflow's.
        status: MLflow's.
        start: In milliseconds since 1970.
        params: By name.
        tags: By name.
    """

    run_id: str
    status: str
    start: int
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def logged_epochs(self) -> int:
        """How many epochs of the trial's curve are there."""
        return int(self.tags.get(LOGGED_EPOCHS, 0))


class Runs:
    """Reads and writes the runs of one experiment.

    Args:
        client: Of the server.
        experiment_id: MLflow's.
    """

    def __init__(self, client: MlflowClient, experiment_id: str) -> None:
        self._client, self._experiment_id = client, experiment_id

    def read(self, study: StudyRecord) -> tuple[RunState | None, dict[int, RunState]]:
        """The study's parent run, or ``None``, and its trials' runs by trial number.

        Of several runs of one trial, as a lost answer of a server may leave them behind, the fullest is kept;
        the others are deleted.
        """
        kept: dict[str | None, RunState] = {}
        for run in self._search(f"tags.{STUDY_UID} = '{study.uid}'"):
            state = _state(run)
            key = state.tags.get(TRIAL)
            if key in kept:
                state, spare = sorted([state, kept[key]], key=_fullness, reverse=True)
                self.delete(spare)
            kept[key] = state
        parent = kept.pop(None, None)
        return parent, {int(number): state for number, state in kept.items() if number is not None}

    def create(self, name: str, *, start: int, tags: dict[str, str], parent: RunState | None = None) -> RunState:
        """A new run, below ``parent`` if there is one."""
        family = {"mlflow.parentRunId": parent.run_id} if parent else {}
        origin = {"mlflow.source.name": "search", "mlflow.source.type": "LOCAL"}
        run = self._client.create_run(self._experiment_id, start, {**tags, **origin, **family}, name)
        return RunState(run.info.run_id, run.info.status, start, tags=dict(tags))

    def write(self, run: RunState, *, params: dict[str, str], points: list[Point], tags: dict[str, str]) -> None:
        """Add what the run lacks: parameters never change, tags do, and points are added as they are."""
        from mlflow.entities import Metric, Param, RunTag

        params = {key: value for key, value in params.items() if key not in run.params}
        tags = {key: value for key, value in tags.items() if run.tags.get(key) != value}
        metrics = [Metric(point.key, point.value, point.timestamp, point.step) for point in points]
        if len(metrics) > _ONE_REQUEST:
            # MLflow would send the tags with the first part of the points, but they say that all of them are there.
            self._client.log_batch(run.run_id, metrics)
            metrics = []
        if metrics or params or tags:
            self._client.log_batch(
                run.run_id,
                metrics,
                [Param(*item) for item in params.items()],
                [RunTag(*item) for item in tags.items()],
            )
        run.params |= params
        run.tags |= tags

    def set_status(self, run: RunState, status: str, *, end: int | None = None) -> None:
        """Make it so, with the time of the end (milliseconds since 1970) of a run that ended."""
        if run.status == status:
            return
        if end is None:
            self._client.update_run(run.run_id, status)
        else:
            self._client.set_terminated(run.run_id, status, end)
        run.status = status

    def delete(self, run: RunState) -> None:
        """Take a run out of sight; MLflow keeps it among the deleted ones."""
        self._client.delete_run(run.run_id)

    def _search(self, condition: str) -> Iterator[Run]:
        token: str | None = None
        while True:
            page = self._client.search_runs([self._experiment_id], condition, max_results=500, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def open_experiment(client: MlflowClient, name: str, location: str | None) -> str:
    """The id of the experiment, created if there is none.

    Args:
        client: Of the server.
        name: Of the experiment.
        location: Where the files of a new one go; ``None`` leaves that to the server.

    Raises:
        TrackingError: It is in MLflow's bin.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return str(client.create_experiment(name, location))
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"MLflow's experiment '{name}' was deleted; restore it with 'mlflow experiments restore -x "
            f"{experiment.experiment_id}', or choose another with --set tracking.experiment=..."
        )
    return str(experiment.experiment_id)


def _state(run: Run) -> RunState:
    return RunState(run.info.run_id, run.info.status, run.info.start_time, dict(run.data.params), dict(run.data.tags))


def _fullness(run: RunState) -> tuple[int, int, str]:
    return len(run.params) + len(run.tags), run.logged_epochs, run.run_id
