"""Tables as data sets of MLflow: inputs of runs, to which metrics can be linked; the tables themselves are not kept."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from search.study.records import StudyRecord
from search.tasks import find_task
from search.tracking.entries import clip

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from mlflow.entities import DatasetInput

# MLflow accepts 36 characters and shows all of them; the profile has the whole digest.
_DIGEST = 16
_LONGEST_NAME = 500
# Facts that MLflow has its own names for.
_PROFILE = {"rows": "num_rows", "series": "num_series"}


def study_data(study: StudyRecord) -> DatasetInput:
    """The data of a study."""
    columns = find_task(study.task).words.data_columns(study)
    return described_data(study.data, columns=columns, name=study.study, context="search")


def described_data(
    facts: Mapping[str, Any], *, columns: list[tuple[str, str]], name: str, context: str
) -> DatasetInput:
    """A data set from what ``describe_data`` of a plan says of it.

    Args:
        facts: ``source``, ``digest``, and what else is known.
        columns: Names and MLflow's types.
        name: Of data without a source.
        context: What it is used for.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = str(facts.get("source", ""))
    described = [{"type": kind, "name": column, "required": True} for column, kind in columns]
    dataset = Dataset(
        name=clip(source.replace("\\", "/").rsplit("/", 1)[-1] or name, _LONGEST_NAME),
        digest=str(facts.get("digest", ""))[:_DIGEST],
        source_type="local",
        source=json.dumps({"uri": source}),
        schema=json.dumps({"mlflow_colspec": described}),
        profile=json.dumps({_PROFILE.get(key, key): value for key, value in facts.items() if key != "columns"}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", context)])


def table_data(frame: pd.DataFrame, source: str, context: str) -> DatasetInput:
    """A table that is in memory.

    Args:
        frame: The table.
        source: Its file, or what it is called.
        context: What it is used for.
    """
    import pandas as pd

    rows = pd.util.hash_pandas_object(frame.astype(object), index=False).to_numpy()
    facts = {"source": source, "digest": hashlib.sha256(rows.tobytes()).hexdigest(), "rows": len(frame)}
    kinds = {"i": "long", "u": "long", "f": "double", "b": "boolean", "M": "datetime"}
    columns = [(str(name), kinds.get(column.dtype.kind, "string")) for name, column in frame.items()]
    return described_data(facts, columns=columns, name="table", context=context)


def link_of(used: DatasetInput) -> tuple[str, str]:
    """Name and digest, by which a metric is linked to it."""
    return used.dataset.name, used.dataset.digest
