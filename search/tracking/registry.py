"""Models of MLflow's registry: find one by its URI, download it, and log its evaluation."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import TrackingError
from search.study.backtest_records import BacktestRecord
from search.tracking import store
from search.tracking.data_sets import link_of
from search.tracking.database import sqlite_path
from search.tracking.entries import MAX_PARAM, MAX_TAG, clip
from search.tracking.export import Export
from search.tracking.runs import ModelLink, Point, Runs

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

SCHEME = "models:/"
_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
PAGE, RECORD = "backtest.html", "backtest.json"
"""Files of an evaluation run."""


@dataclass(frozen=True)
class Registered:
    """A version of a registered model.

    Attributes:
        name: Of the registered model.
        version: Its number.
        run_id: Run in which it was logged.
    """

    name: str
    version: str
    run_id: str


@contextmanager
def downloaded(model_uri: str, tracking_uri: str) -> Iterator[tuple[Path, Registered]]:
    """The bundle of a registered model, in a temporary directory.

    Args:
        model_uri: ``models:/NAME@alias`` or ``models:/NAME/version``.
        tracking_uri: Store or server.

    Raises:
        TrackingError: There is no such model, or it cannot be read.
    """
    from mlflow.artifacts import download_artifacts

    found = _URI.fullmatch(model_uri)
    if found is None:
        raise TrackingError(f"{model_uri} is no model: write models:/NAME@alias or models:/NAME/version")
    database = sqlite_path(tracking_uri)
    if database is not None and not database.exists():  # MLflow would create it
        raise TrackingError(
            f"there is no {model_uri}: {database} does not exist; name the MLflow server that has the model in the "
            "environment variable MLFLOW_TRACKING_URI"
        )
    with tempfile.TemporaryDirectory(prefix="lstmgru-model-") as folder:
        with store.talking_to(tracking_uri):
            version = _version(store.connect(tracking_uri), found, tracking_uri)
            place = Path(
                download_artifacts(artifact_uri=f"{version.source}/data", tracking_uri=tracking_uri, dst_path=folder)
            )
            bundles = [path.parent for path in place.rglob("bundle.json")]
        if len(bundles) != 1:
            raise TrackingError(f"{model_uri} holds no model of this program; name one that a study has registered")
        yield bundles[0], Registered(version.name, str(version.version), version.run_id or "")


def _version(client: MlflowClient, found: re.Match[str], tracking_uri: str) -> Any:
    name, alias, number = found["name"], found["alias"], found["version"]
    models = client.search_registered_models(f"name = '{name}'") if "'" not in name else []
    place = f"in MLflow at {store.without_password(tracking_uri)}"
    if not models:
        known = [model.name for model in client.search_registered_models(max_results=20)]
        raise TrackingError(f"there is no registered model '{name}' {place}; known: {', '.join(known) or 'none'}")
    if alias is not None and alias not in models[0].aliases:
        aliases = ", ".join(models[0].aliases) or "none"
        raise TrackingError(f"the registered model '{name}' has no alias '{alias}' {place}; it has: {aliases}")
    number = number or str(models[0].aliases[alias])
    versions = client.search_model_versions(f"name = '{name}'")
    version = next((each for each in versions if str(each.version) == number), None)
    if version is None:
        there = ", ".join(sorted((str(each.version) for each in versions), key=int)) or "none"
        raise TrackingError(f"the registered model '{name}' has no version {number} {place}; it has: {there}")
    return version


def log_backtest(
    record: BacktestRecord,
    page: str,
    bundle: Path,
    *,
    tracking_uri: str,
    folder: Path,
    experiment: str,
    table: DatasetInput,
    run_id: str | None = None,
) -> str:
    """Log a backtest as an evaluation run that is linked to the logged model and to the table.

    Args:
        record: The backtest.
        page: Its page, as HTML.
        bundle: The model.
        tracking_uri: Store or server.
        folder: The working folder.
        experiment: Name of the experiment, unless the model has a run.
        table: What was scored.
        run_id: Run in which the model was logged, if it is known.

    Returns:
        The id of the run.

    Raises:
        TrackingError: The store or server cannot be used.
    """
    from mlflow.entities import LoggedModelInput

    digest = Export.read(bundle).digest
    with store.talking_to(tracking_uri):
        client = store.connect(tracking_uri)
        if run_id:
            experiment_id = client.get_run(run_id).info.experiment_id
        else:
            experiment_id = store.open_experiment(client, experiment, store.artifact_location(tracking_uri, folder))
        models = client.search_logged_models([experiment_id], filter_string=f"tags.bundle_digest = '{digest}'")
        model_id = models[0].model_id if models else None
        runs, now = Runs(client, experiment_id), time.time_ns() // 1_000_000
        tags = {"kind": "backtest", "bundle_digest": digest}
        run = runs.create(f"backtest {record.scored}", start=now, tags=tags)
        client.log_inputs(run.run_id, [table])
        params = {"model": record.model, "table": record.source, "scored": record.scored, "metric": record.metric}
        note = "\n\n".join(each for each in (record.verdict, record.drift, *record.notes) if each)
        runs.write(
            run,
            params={name: clip(value, MAX_PARAM) for name, value in params.items()},
            points=[Point(name, value, now, 0, of_model=True) for name, value in _metrics(record).items()],
            tags={"mlflow.note.content": clip(note, MAX_TAG)},
            model=None if model_id is None else ModelLink(model_id, link_of(table)),
        )
        if model_id is not None:
            client.log_inputs(run.run_id, models=[LoggedModelInput(model_id)])
        with tempfile.TemporaryDirectory() as files:
            (Path(files) / PAGE).write_text(page, encoding="utf-8")
            (Path(files) / RECORD).write_text(json.dumps(record.to_json(), indent=2), encoding="utf-8")
            client.log_artifacts(run.run_id, files)
        runs.set_status(run, "FINISHED", end=time.time_ns() // 1_000_000)
        return run.run_id


def _metrics(record: BacktestRecord) -> dict[str, float]:
    """Points of the run: metrics, baselines, coverage."""
    baselines = {f"baseline.{name}": each.score for name, each in record.baselines.items() if each.score is not None}
    covered = {f"coverage_{100 * each.level:g}": each.coverage for each in record.intervals}
    return {**record.metrics, **baselines, **covered}
