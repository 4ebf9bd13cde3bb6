"""MLflow stores for the tests of tracking, and what is to be seen in them."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from search.tracking.database import sqlite_uri
from search.tracking.mlflow_projection import MlflowProjection
from search.tracking.store import connect, default_tracking_uri, talking_to


@cache
def _empty_database() -> bytes:
    """A database with MLflow's tables, which take seconds to create."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlflow.db"
        with talking_to(sqlite_uri(path)):
            connect(sqlite_uri(path))
        shutil.copy(path, path.with_suffix(".copy"))
        return path.with_suffix(".copy").read_bytes()


def make_store(folder: Path) -> Path:
    """Give the folder an empty MLflow store, and return the folder."""
    (folder / "mlruns").mkdir(parents=True)
    (folder / "mlruns" / "mlflow.db").write_bytes(_empty_database())
    return folder


def projection(folder: Path) -> MlflowProjection:
    """Into the store of the folder."""
    return MlflowProjection(default_tracking_uri(None, folder), folder)


def client(folder: Path) -> Any:
    """Of the store of the folder."""
    return connect(default_tracking_uri(None, folder))


def runs(mlflow: Any, experiment: str = "weather") -> list[Any]:
    """The runs that can be seen, without those of baselines: the parent first, then the trials by number."""
    found = mlflow.search_runs([mlflow.get_experiment_by_name(experiment).experiment_id])
    found = [run for run in found if "baseline" not in run.data.tags]
    return sorted(found, key=lambda run: int(run.data.tags.get("trial", -1)))


def baseline_runs(mlflow: Any, experiment: str = "weather") -> list[Any]:
    """The runs of baselines that can be seen, by name."""
    found = mlflow.search_runs([mlflow.get_experiment_by_name(experiment).experiment_id], "tags.kind = 'baseline'")
    return sorted(found, key=lambda run: str(run.info.run_name))


def history(mlflow: Any, run: Any, key: str) -> list[tuple[int, float]]:
    """Step and value of each point of a metric."""
    return [(point.step, point.value) for point in mlflow.get_metric_history(run.info.run_id, key)]
