"""The runs of a study on a server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from search.study.records import StudyRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

WORKFLOW = "workflowType=machine_learning"
"""Without it, MLflow opens on its pages for language models."""
_VIEW_TAG, _VIEW_KEY = "mlflow.sharedViewState.", "viewStateShareKey"
# Tags that identify a run, and tags of its progress.
STUDY_UID, TRIAL, BASELINE, STARTED = "study_uid", "trial", "baseline", "started"
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
        of_model: Whether it is also a metric of the exported model.
    """

    key: str
    value: float
    timestamp: int
    step: int
    of_model: bool = False


@dataclass(frozen=True)
class ModelLink:
    """A logged model, and the dataset that its metrics are from.

    Attributes:
        model_id: MLflow's.
        dataset: Name and digest of a dataset of the same run.
    """

    model_id: str
    dataset: tuple[str, str]


@dataclass
class RunState:
    """The known contents of a run.

    Attributes:
        run_id: MLflow's.
        status: MLflow's.
        start: In milliseconds since 1970.
        name: For people.
        params: By name.
        tags: By name.
    """

    run_id: str
    status: str
    start: int
    name: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def logged_epochs(self) -> int:
        """Number of epochs of the trial's curve that are logged."""
        return int(self.tags.get(LOGGED_EPOCHS, 0))


@dataclass(frozen=True)
class StudyRuns:
    """The runs of a study.

    Attributes:
        parent: Of the study; ``None`` if there is none yet.
        trials: By number.
        baselines: By name.
    """

    parent: RunState | None
    trials: dict[int, RunState]
    baselines: dict[str, RunState]


class Runs:
    """Reads and writes the runs of one experiment.

    Args:
        client: Client of the server.
        experiment_id: Id of the experiment.
    """

    def __init__(self, client: MlflowClient, experiment_id: str) -> None:
        self._client, self._experiment_id = client, experiment_id

    def read(self, study: StudyRecord) -> StudyRuns:
        """The runs of a study.

        Of several runs of one trial, which a lost response may leave behind, the fullest is kept and the others are
        deleted.
        """
        kept: dict[tuple[str | None, str | None], RunState] = {}
        for run in self._search(f"tags.{STUDY_UID} = '{study.uid}'"):
            state = _state(run)
            key = (state.tags.get(TRIAL), state.tags.get(BASELINE))
            if key in kept:
                state, spare = sorted([state, kept[key]], key=_fullness, reverse=True)
                self.delete(spare)
            kept[key] = state
        return StudyRuns(
            parent=kept.get((None, None)),
            trials={int(number): state for (number, _), state in kept.items() if number is not None},
            baselines={name: state for (_, name), state in kept.items() if name is not None},
        )

    def find(self, tag: str, value: str) -> RunState | None:
        """The run with that tag, or ``None``; of several, which a lost response may leave behind, the first."""
        found = [_state(run) for run in self._search(f"tags.{tag} = '{value}'")]
        return min(found, key=lambda run: run.start, default=None)

    def create(self, name: str, *, start: int, tags: dict[str, str], parent: RunState | None = None) -> RunState:
        """Create a run, nested below ``parent`` if there is one."""
        family = {"mlflow.parentRunId": parent.run_id} if parent else {}
        origin = {"mlflow.source.name": "search", "mlflow.source.type": "LOCAL"}
        run = self._client.create_run(self._experiment_id, start, {**tags, **origin, **family}, name)
        return RunState(run.info.run_id, run.info.status, start, name, tags=dict(tags))

    def rename(self, run: RunState, name: str) -> None:
        """Give a run another name."""
        if run.name != name:
            self._client.update_run(run.run_id, name=name)
            run.name = name

    def write(
        self,
        run: RunState,
        *,
        params: Mapping[str, str] = MappingProxyType({}),
        points: Sequence[Point] = (),
        tags: Mapping[str, str] = MappingProxyType({}),
        model: ModelLink | None = None,
    ) -> None:
        """Add what is missing in the run: parameters never change, tags may, and points are appended.

        Args:
            run: The run.
            params: Parameters.
            points: Points of metrics.
            tags: Tags.
            model: The logged model that the points are of, where they are of one.
        """
        from mlflow.entities import Metric, Param, RunTag

        params = {key: value for key, value in params.items() if key not in run.params}
        tags = {key: value for key, value in tags.items() if run.tags.get(key) != value}
        metrics = [
            Metric(point.key, point.value, point.timestamp, point.step, *_link(model if point.of_model else None))
            for point in points
        ]
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


def _link(model: ModelLink | None) -> tuple[str, ...]:
    """The last arguments of a metric of MLflow."""
    return () if model is None else (model.model_id, *model.dataset)


def _state(run: Run) -> RunState:
    info, data = run.info, run.data
    return RunState(info.run_id, info.status, info.start_time, info.run_name or "", dict(data.params), dict(data.tags))


def _fullness(run: RunState) -> tuple[int, int, str]:
    return len(run.params) + len(run.tags), run.logged_epochs, run.run_id


def leaderboard_view(study: StudyRecord) -> tuple[str, str]:
    """Tag of the experiment with a shared view: runs of the study, best score first, with the columns to compare."""
    metrics = ("score", f"holdout_{study.metric}")
    state = {
        "searchFilter": f"tags.{STUDY_UID} = '{study.uid}'",
        "orderByKey": "metrics.`score`",
        "orderByAsc": study.direction == "minimize",
        "selectedColumns": [*(f"metrics.`{name}`" for name in metrics), "params.`layers`"],
    }
    return f"{_VIEW_TAG}{study.uid}", json.dumps(state)


def leaderboard_page(study: StudyRecord, server: str) -> str | None:
    """Address of that view on a server; ``None`` if the study is not there."""
    if study.mlflow is None:
        return None
    runs = f"{server.rstrip('/')}/#/experiments/{study.mlflow.experiment_id}/runs"
    return f"{runs}?{WORKFLOW}&{_VIEW_KEY}={study.uid}"
