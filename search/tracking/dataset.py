"""The study's data as MLflow shows data: name, digest, columns, size; the table itself is not needed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from search.study.records import StudyRecord
from search.tasks import find_task
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

    found = find_task(study.task).words.data_columns(study)
    columns = [{"type": kind, "name": name, "required": True} for name, kind in found]
    source = str(study.data.get("source", ""))
    dataset = Dataset(
        name=clip(source.replace("\\", "/").rsplit("/", 1)[-1] or study.study, 500),
        digest=str(study.data.get("digest", ""))[:_DIGEST],
        source_type="local",
        source=json.dumps({"uri": source}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({_PROFILE.get(key, key): value for key, value in study.data.items() if key != "columns"}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "search")])
