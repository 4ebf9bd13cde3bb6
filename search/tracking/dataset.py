"""The study's data as MLflow shows data: name, digest, columns, size; the table itself is not needed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from search.study.records import StudyRecord
from search.tracking.entries import clip

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

# MLflow takes 36 characters and shows them all; the profile has the whole digest.
_DIGEST = 16
# Facts that have a name of their own in MLflow.
_PROFILE = {"rows": "num_rows", "series": "num_series"}


def dataset_input(study: StudyRecord) -> DatasetInput:
    """The data as an input of the study's run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = str(study.data.get("source", ""))
    dataset = Dataset(
        name=clip(source.replace("\\", "/").rsplit("/", 1)[-1] or study.study, 500),
        digest=str(study.data.get("digest", ""))[:_DIGEST],
        source_type="local",
        source=json.dumps({"uri": source}),
        schema=json.dumps({"mlflow_colspec": _columns(study)}),
        profile=json.dumps({_PROFILE.get(key, key): value for key, value in study.data.items() if key != "columns"}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "search")])


def _columns(study: StudyRecord) -> list[dict[str, Any]]:
    """The columns that the study reads, in MLflow's notation."""
    found = _of_labels(study) if "columns" in study.data else _of_forecasts(study.config.get("data", {}))
    return [{"type": kind, "name": name, "required": True} for name, kind in found if name]


def _of_labels(study: StudyRecord) -> list[tuple[Any, str]]:
    """The columns that the data turned out to have; numbers are the channels, and the labels of a regression."""
    *inputs, target = study.data["columns"]
    data = study.config.get("data", {})
    names = {data.get(part) for part in ("id", "time", "text")}
    numbers = [(name, "string" if name in names else "double") for name in inputs]
    return [*numbers, (target, "double" if study.task == "regression" else "string")]


def _of_forecasts(data: dict[str, Any]) -> list[tuple[Any, str]]:
    columns: list[tuple[Any, str]] = [(data.get("time"), "datetime"), (data.get("id"), "string")]
    categorical = data.get("categorical") or []
    for role in ("target", "past_covariates", "future_covariates", "static_covariates"):
        names = data.get(role) or []
        for name in [names] if isinstance(names, str) else names:
            columns.append((name, "string" if name in categorical else "double"))
    return columns
