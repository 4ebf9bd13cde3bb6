"""The page of MLflow's UI that shows a study as a leaderboard: a shared view, as its menu *Share* creates."""

from __future__ import annotations

import json

from search.study.records import StudyRecord
from search.tracking.runs import STUDY_UID

WORKFLOW = "workflowType=machine_learning"
"""Without it, MLflow opens on its pages for language models."""
_TAG, _KEY = "mlflow.sharedViewState.", "viewStateShareKey"


def leaderboard_view(study: StudyRecord) -> tuple[str, str]:
    """Tag of the experiment with the view: runs of the study, best score first, with the columns to compare."""
    metrics = ("score", f"holdout_{study.metric}")
    state = {
        "searchFilter": f"tags.{STUDY_UID} = '{study.uid}'",
        "orderByKey": "metrics.`score`",
        "orderByAsc": study.direction == "minimize",
        "selectedColumns": [*(f"metrics.`{name}`" for name in metrics), "params.`layers`"],
    }
    return f"{_TAG}{study.uid}", json.dumps(state)


def leaderboard_page(study: StudyRecord, server: str) -> str | None:
    """Address of that view on a server; ``None`` if the study is not there."""
    if study.mlflow is None:
        return None
    runs = f"{server.rstrip('/')}/#/experiments/{study.mlflow.experiment_id}/runs"
    return f"{runs}?{WORKFLOW}&{_KEY}={study.uid}"
