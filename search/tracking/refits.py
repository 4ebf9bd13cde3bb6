"""A refit in MLflow: its run, the version of the registered model, and the aliases."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.study.backtest_records import BacktestRecord
from search.study.records import StudyRecord
from search.study.refit_records import Promotion, RefitRecord
from search.tasks import find_task
from search.tracking import store
from search.tracking.data_sets import described_data, link_of
from search.tracking.entries import MAX_PARAM, MAX_TAG, clip
from search.tracking.export import Export
from search.tracking.model_texts import Origin
from search.tracking.registration import CHALLENGER, CHAMPION, Registered, find_version, link_trials, register
from search.tracking.registry import log_backtest
from search.tracking.runs import ModelLink, Point, Runs

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput


def log_refit(
    study: StudyRecord,
    refit: RefitRecord,
    bundle: Path,
    *,
    rule: Promotion,
    settings: Mapping[str, Any],
    folder: Path,
    backtest: tuple[BacktestRecord, str, Path] | None,
) -> str:
    """Log the model of a refit, register it, and give it the alias that the refit earned.

    Args:
        study: Before the refit.
        refit: The refit.
        bundle: The new model.
        rule: By which the refit was decided.
        settings: The section ``tracking`` of the study.
        folder: The working folder.
        backtest: Of the old champion: record, page and its bundle; ``None``: it was not scored.

    Returns:
        The URI of the registered model, with the alias that it has.

    Raises:
        TrackingError: The store or server cannot be used.
    """
    uri = store.default_tracking_uri(settings.get("uri"), folder)
    experiment, name = (settings.get(key) or study.study for key in ("experiment", "registered_model"))
    export = Export.read(bundle)
    if backtest is not None:
        table = _table(study, export)
        log_backtest(*backtest, tracking_uri=uri, folder=folder, experiment=experiment, table=table)
    with store.talking_to(uri):
        client = store.connect(uri)
        experiment_id = store.open_experiment(client, experiment, store.artifact_location(uri, folder))
        return show_refit(client, experiment_id, study, refit, export, name=name, rule=rule).uri


def show_refit(
    client: MlflowClient,
    experiment_id: str,
    study: StudyRecord,
    refit: RefitRecord,
    export: Export,
    *,
    name: str,
    rule: Promotion | None = None,
) -> Registered:
    """Write the run of a refit, and register its model.

    Args:
        client: Client of the server.
        experiment_id: Experiment of the study.
        study: The study.
        refit: The refit.
        export: The new model.
        name: Name of the registered model.
        rule: By which the refit was decided. ``None``: the model is shown once, see :func:`register`.
    """
    metrics = export.description["metrics"]
    origin = replace(
        Origin.of(study),
        verdict=metrics.get("verdict", ""),
        beats_baselines=metrics.get("beats_baselines"),
        score=refit.challenger,
    )
    alias = CHAMPION if refit.promoted else CHALLENGER
    version = find_version(client, name, origin.identity | export.identity) if rule is None else None
    if version is not None and version.run_id:
        return register(client, version.run_id, export, name=name, origin=origin, alias=alias)
    runs, table, now = Runs(client, experiment_id), _table(study, export), time.time_ns() // 1_000_000
    known = runs.read(study)
    run = runs.create(f"refit {refit.time[:10]}", start=now, tags={"kind": "refit"}, parent=known.parent)
    client.log_inputs(run.run_id, [table])
    found = register(client, run.run_id, export, name=name, origin=origin, alias=alias, rule=rule)
    link = None
    if found.model_id is not None:
        link = ModelLink(found.model_id, link_of(table))
        own = [known.trials[trial].run_id for trial in export.trials if trial in known.trials]
        link_trials(client, found.model_id, own)
    params = {"table": refit.source, "change": refit.change, "metric": study.metric}
    note = f"{refit.reason} {refit.champion_verdict} {refit.warning}"
    runs.write(
        run,
        params={key: clip(value, MAX_PARAM) for key, value in params.items()},
        points=_points(study, refit, metrics["holdout"], now),
        tags={"mlflow.note.content": clip(note, MAX_TAG)},
        model=link,
    )
    runs.set_status(run, "FINISHED", end=time.time_ns() // 1_000_000)
    return found


def _points(study: StudyRecord, refit: RefitRecord, scores: Mapping[str, float], now: int) -> list[Point]:
    """The comparison on the last new rows, and the scores of the new model there."""
    known = {"challenger": refit.challenger, "champion": refit.against, "champion_new_rows": refit.champion}
    points = [Point(f"{study.metric}_{key}", value, now, 0) for key, value in known.items() if value is not None]
    return points + [Point(f"holdout_{key}", value, now, 0, of_model=True) for key, value in scores.items()]


def _table(study: StudyRecord, export: Export) -> DatasetInput:
    """The later table, as the new model describes it."""
    columns = find_task(study.task).words.data_columns(study)
    return described_data(export.provenance.get("data", {}), columns=columns, name=study.study, context="refit")
