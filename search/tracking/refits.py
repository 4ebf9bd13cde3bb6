"""A refit in MLflow: its run, the version of the registered model, and the aliases."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.study.backtest_records import BacktestRecord
from search.study.records import StudyRecord
from search.study.refit_records import RefitRecord
from search.tracking import store
from search.tracking.entries import MAX_PARAM, MAX_TAG, clip
from search.tracking.model import CHALLENGER, CHAMPION, Export, register, retire_challenger
from search.tracking.registry import log_backtest
from search.tracking.runs import STUDY_UID, Runs


def log_refit(
    study: StudyRecord,
    refit: RefitRecord,
    bundle: Path,
    *,
    settings: Mapping[str, Any],
    folder: Path,
    backtest: tuple[BacktestRecord, str, Path] | None,
) -> None:
    """Log the model of a refit, register it, and give it the alias that the refit earned.

    Args:
        study: Before the refit.
        refit: The refit.
        bundle: The new model.
        settings: The section ``tracking`` of the study.
        folder: The working folder.
        backtest: Of the old champion: record, page and its bundle; ``None``: it was not scored.

    Raises:
        TrackingError: The store or server cannot be used.
    """
    from mlflow.entities import Metric, Param, RunTag

    uri = store.default_tracking_uri(settings.get("uri"), folder)
    experiment, name = (settings.get(key) or study.study for key in ("experiment", "registered_model"))
    if backtest is not None:
        log_backtest(*backtest, tracking_uri=uri, folder=folder, experiment=experiment)
    export = Export.read(bundle)
    with store.talking_to(uri):
        client = store.connect(uri)
        experiment_id = store.open_experiment(client, experiment, store.artifact_location(uri, folder))
        runs, now = Runs(client, experiment_id), time.time_ns() // 1_000_000
        parent, _ = runs.read(study)
        run = runs.create(f"refit {refit.time[:10]}", start=now, tags={"kind": "refit"}, parent=parent)
        known = {"challenger": refit.challenger, "champion": refit.against, "champion_new_rows": refit.champion}
        params = {"table": refit.source, "change": refit.change, "metric": study.metric}
        client.log_batch(
            run.run_id,
            [Metric(f"{study.metric}_{key}", value, now, 0) for key, value in known.items() if value is not None],
            [Param(key, clip(value, MAX_PARAM)) for key, value in params.items()],
            [RunTag("mlflow.note.content", clip(f"{refit.reason} {refit.champion_verdict} {refit.warning}", MAX_TAG))],
        )
        tags = {STUDY_UID: study.uid, **export.tags}
        register(client, run.run_id, export, name=name, tags=tags, alias=CHAMPION if refit.promoted else CHALLENGER)
        if refit.promoted:  # an earlier challenger has learned from less
            retire_challenger(client, name)
        runs.set_status(run, "FINISHED", end=time.time_ns() // 1_000_000)
