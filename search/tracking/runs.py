"""The runs of a study on a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from search.study.records import StudyRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# Tags that identify a run, and tags of its progress.
STUDY_UID, TRIAL, STARTED = "study_uid", "trial", "started"
STATE, LOGGED_EPOCHS, MODEL_URI = "state", "logged_epochs", "model_uri"
# MLflow takes 1,000 points, parameters and tags at once.
_ONE_REQUEST = 800


@dataclass(frozen=True)
class Point:
    """One value of a metric.

    Attributes:
        key: Name of the metric.
        value: May be NaN or infinite.
        timestamp: Milliseconds since 1970.
        step: Of the metric's curve.
    """

    key: str
    value: float
    timestamp: int
    step: int


@dataclass
class RunState:
    """The known contents of a run.

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
        """Number of epochs of the trial's curve that are logged."""
        return int(self.tags.get(LOGGED_EPOCHS, 0))


class Runs:
    """Reads and writes the runs of one experiment.

    Args:
        client: Client of the server.
        experiment_id: Id of the experiment.
    """

    def __init__(self, client: MlflowClient, experiment_id: str) -> None:
        self._client, self._experiment_id = client, experiment_id

    def read(self, study: StudyRecord) -> tuple[RunState | None, dict[int, RunState]]:
        """The study's parent run, or ``None``, and its trials' runs by trial number.

        Of several runs of one trial, which a lost response may leave behind, the fullest is kept and the others are
        deleted.
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

    def find(self, tag: str, value: str) -> RunState | None:
        """The run with that tag, or ``None``; of several, which a lost response may leave behind, the first."""
        found = [_state(run) for run in self._search(f"tags.{tag} = '{value}'")]
        return min(found, key=lambda run: run.start, default=None)

    def create(self, name: str, *, start: int, tags: dict[str, str], parent: RunState | None = None) -> RunState:
        """Create a run, nested below ``parent`` if there is one."""
        family = {"mlflow.parentRunId": parent.run_id} if parent else {}
        origin = {"mlflow.source.name": "search", "mlflow.source.type": "LOCAL"}
        run = self._client.create_run(self._experiment_id, start, {**tags, **origin, **family}, name)
        return RunState(run.info.run_id, run.info.status, start, tags=dict(tags))

    def write(self, run: RunState, *, params: dict[str, str], points: list[Point], tags: dict[str, str]) -> None:
        """Add what is missing in the run: parameters never change, tags may, and points are appended."""
        from mlflow.entities import Metric, Param, RunTag

        params = {key: value for key, value in params.items() if key not in run.params}
        tags = {key: value for key, value in tags.items() if run.tags.get(key) != value}
        metrics = [Metric(point.key, point.value, point.timestamp, point.step) for point in points]
        if len(metrics) > _ONE_REQUEST:
            # MLflow would send the tags with the first points, but the tags mark the points as complete.
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
        """Set the status of a run, and the end of a finished one in milliseconds since 1970."""
        if run.status == status:
            return
        if end is None:
            self._client.update_run(run.run_id, status)
        else:
            self._client.set_terminated(run.run_id, status, end)
        run.status = status

    def delete(self, run: RunState) -> None:
        """Delete a run; it can be restored in MLflow."""
        self._client.delete_run(run.run_id)

    def _search(self, condition: str) -> Iterator[Run]:
        token: str | None = None
        while True:
            page = self._client.search_runs([self._experiment_id], condition, max_results=500, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def _state(run: Run) -> RunState:
    return RunState(run.info.run_id, run.info.status, run.info.start_time, dict(run.data.params), dict(run.data.tags))


def _fullness(run: RunState) -> tuple[int, int, str]:
    return len(run.params) + len(run.tags), run.logged_epochs, run.run_id
