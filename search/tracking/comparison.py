"""The run of a comparison in MLflow: one per comparison, nested below the run of its study."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.study.records import StudyRecord
from search.tracking import store
from search.tracking.entries import MAX_TAG, Point, clip
from search.tracking.runs import Runs, RunState, open_experiment

if TYPE_CHECKING:
    from mlflow import MlflowClient

COMPARISON_UID = "comparison_uid"
"""Tag that identifies the run. It has no ``study_uid``, which identifies the runs of the study itself."""
_KIND = "comparison"
_PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class ComparisonRun:
    """The contents of the run.

    Attributes:
        study: Name of the study.
        uid: Identifies the comparison.
        tags: Results as text.
        params: Settings.
        metrics: Values by name.
        step: Step of the metrics; it grows with the number of trials and seeds, so a later state does not replace an
            earlier one.
        files: Folder of the artifacts.
        names: Names of the artifacts in that folder.
        note: Description in Markdown.
    """

    study: str
    uid: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    step: int
    files: Path
    names: tuple[str, ...]
    note: str = field(repr=False, default="")


def show_comparison(run: ComparisonRun, settings: Mapping[str, Any], folder: Path, study: StudyRecord | None) -> str:
    """Create or update the run of a comparison; return its id.

    Args:
        run: Contents of the run.
        settings: The study's ``tracking`` section.
        folder: The working folder.
        study: The study whose run becomes the parent; ``None`` if it was not run.

    Raises:
        TrackingError: MLflow failed.
    """
    uri = store.default_tracking_uri(settings.get("uri"), folder)
    with store.talking_to(uri):
        client = store.connect(uri)
        location = store.artifact_location(uri, folder)
        experiment = open_experiment(client, settings.get("experiment") or run.study, location)
        runs = Runs(client, experiment)
        state = _find(client, experiment, run.uid)
        if state is None:
            tags = {"kind": _KIND, "study": run.study, COMPARISON_UID: run.uid}
            state = runs.create(f"{run.study}: comparison", start=time.time_ns() // 1_000_000, tags=tags)
        parent = None if study is None else runs.read(study)[0]
        tags = {name: clip(text, MAX_TAG) for name, text in {**run.tags, "mlflow.note.content": run.note}.items()}
        if parent is not None:
            tags[_PARENT] = parent.run_id
        points = [Point(name, value, state.start, run.step) for name, value in run.metrics.items()]
        runs.write(state, params=dict(run.params), points=points, tags=tags)
        for name in run.names:
            client.log_artifact(state.run_id, str(run.files / name))
        runs.set_status(state, "FINISHED", end=time.time_ns() // 1_000_000)
    return state.run_id


def _find(client: MlflowClient, experiment: str, uid: str) -> RunState | None:
    """The run of a comparison, or ``None``; of several, which a lost response may leave behind, the first."""
    found = client.search_runs([experiment], f"tags.{COMPARISON_UID} = '{uid}'", order_by=["attributes.start_time ASC"])
    if not found:
        return None
    run = found[0]
    return RunState(run.info.run_id, run.info.status, run.info.start_time, dict(run.data.params), dict(run.data.tags))
