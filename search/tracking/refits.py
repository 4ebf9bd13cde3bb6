"""A refit in MLflow: its run, the version of the registered model, and the aliases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.study.backtest_records import BacktestRecord
from search.study.records import StudyRecord
from search.study.refit_records import Promotion, RefitRecord
from search.tasks import find_task
from search.tracking import store
from search.tracking.data_sets import described_data, link_of
from search.tracking.entries import MAX_PARAM, MAX_TAG, clip, milliseconds
from search.tracking.export import Export
from search.tracking.model_texts import Origin
from search.tracking.registration import CHALLENGER, CHAMPION, Registered, link_trials, register
from search.tracking.registry import log_backtest
from search.tracking.runs import ModelLink, Point, Runs, RunState

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

REFIT = "refit"
"""Tag of the run of a refit: the study's unique id, and the number of the refit."""
_ENDED = "FINISHED"


def log_refit(
    study: StudyRecord,
    bundle: Path,
    *,
    rule: Promotion,
    settings: Mapping[str, Any],
    folder: Path,
    backtest: tuple[BacktestRecord, str, Path] | None,
) -> str:
    """Log the model of the last refit, register it, and give it the alias that the refit earned.

    Args:
        study: After the refit.
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
        return show_refit(client, experiment_id, study, len(study.refits), export, name=name, rule=rule).uri


def show_refit(
    client: MlflowClient,
    experiment_id: str,
    study: StudyRecord,
    number: int,
    export: Export,
    *,
    name: str,
    rule: Promotion | None = None,
) -> Registered:
    """Write what is missing in the run of a refit, and register its model.

    Args:
        client: Client of the server.
        experiment_id: Experiment of the study.
        study: The study.
        number: Of the refit, from 1.
        export: The new model.
        name: Name of the registered model.
        rule: By which the refit was decided. ``None``: the model is shown once, see :func:`register`.
    """
    refit, runs = study.refits[number - 1], Runs(client, experiment_id)
    metrics = export.description["metrics"]
    origin = replace(
        Origin.of(study),
        verdict=metrics.get("verdict", ""),
        beats_baselines=metrics.get("beats_baselines"),
        score=refit.challenger,
    )
    run, latest = _run_of(runs, study, number), number == len(study.refits)
    alias = CHAMPION if refit.promoted else CHALLENGER
    found = register(client, run.run_id, export, name=name, origin=origin, alias=alias, rule=rule, latest=latest)
    if run.status == _ENDED:
        return found
    table = _table(study, export)
    link = None if found.model_id is None else ModelLink(found.model_id, link_of(table))
    client.log_inputs(run.run_id, [table])
    if found.model_id is not None:
        trials = runs.read(study).trials
        link_trials(client, found.model_id, [trials[trial].run_id for trial in export.trials if trial in trials])
    _end(runs, run, study, refit, metrics["holdout"], link)
    return found


def show_champion(
    client: MlflowClient, experiment_id: str, study: StudyRecord, export: Export, *, name: str
) -> Registered:
    """:func:`show_refit` of the last refit that was promoted, whose model is the one of the study."""
    number = max(number for number, refit in enumerate(study.refits, 1) if refit.promoted)
    return show_refit(client, experiment_id, study, number, export, name=name)


def show_others(client: MlflowClient, experiment_id: str, study: StudyRecord, challenger: Path, *, name: str) -> None:
    """The same of the last refit if it was not promoted, and the runs of all earlier ones, whose models are replaced.

    Args:
        client: Client of the server.
        experiment_id: Experiment of the study.
        study: The study.
        challenger: Directory of the model of a refit that was not promoted; there need not be one.
        name: Name of the registered model.
    """
    runs = Runs(client, experiment_id)
    for number, refit in enumerate(study.refits, 1):
        if number == len(study.refits) and not refit.promoted and challenger.is_dir():
            export = Export.read(challenger)
            # A later refit that was killed may have written another one.
            if export.description["metrics"]["holdout"].get(study.metric) == refit.challenger:
                show_refit(client, experiment_id, study, number, export, name=name)
        run = _run_of(runs, study, number)
        if run.status != _ENDED:
            _end(runs, run, study, refit, {}, None)


def _run_of(runs: Runs, study: StudyRecord, number: int) -> RunState:
    """The run of a refit, created if necessary."""
    refit, identity = study.refits[number - 1], f"{study.uid}-{number}"
    return runs.find(REFIT, identity) or runs.create(
        f"refit {refit.time[:10]}",
        start=_milliseconds(refit),
        tags={"kind": "refit", REFIT: identity},
        parent=runs.read(study).parent,
    )


def _end(
    runs: Runs,
    run: RunState,
    study: StudyRecord,
    refit: RefitRecord,
    scores: Mapping[str, float],
    link: ModelLink | None,
) -> None:
    """Write the outcome of a refit into its run; ``scores`` and ``link`` are of its model, where that is known."""
    params = {"table": refit.source, "change": refit.change, "metric": study.metric}
    note = f"{refit.reason} {refit.champion_verdict} {refit.warning}"
    runs.write(
        run,
        params={key: clip(value, MAX_PARAM) for key, value in params.items()},
        points=_points(study, refit, scores, _milliseconds(refit)),
        tags={"mlflow.note.content": clip(note, MAX_TAG)},
        model=link,
    )
    runs.set_status(run, _ENDED, end=_milliseconds(refit))


def _milliseconds(refit: RefitRecord) -> int:
    return milliseconds(datetime.fromisoformat(refit.time))


def _points(study: StudyRecord, refit: RefitRecord, scores: Mapping[str, float], now: int) -> list[Point]:
    """The comparison on the last new rows, and the scores of the new model there."""
    known = {"challenger": refit.challenger, "champion": refit.against, "champion_new_rows": refit.champion}
    points = [Point(f"{study.metric}_{key}", value, now, 0) for key, value in known.items() if value is not None]
    return points + [Point(f"holdout_{key}", value, now, 0, of_model=True) for key, value in scores.items()]


def _table(study: StudyRecord, export: Export) -> DatasetInput:
    """The later table, as the new model describes it."""
    columns = find_task(study.task).words.data_columns(study)
    return described_data(export.provenance.get("data", {}), columns=columns, name=study.study, context="refit")
