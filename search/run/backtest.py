"""Backtests of models: find the model, score it on a table, write the page, log the evaluation run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from search.errors import SearchError, StudyFileError, StudyNotFound, TrackingError
from search.reports.backtest import backtest_html
from search.reports.page import check_page, save_page
from search.study.backtest_records import BacktestRecord
from search.study.records import StudyRecord
from search.tasks import find_task
from search.tasks.backtest import backtest
from search.tasks.stored_study import load_store

if TYPE_CHECKING:
    import pandas as pd

    from lstmgru.bundle.base import Bundle

_READ = ("delimiter", "decimal", "encoding", "columns")
"""How a text file is read."""


@dataclass(frozen=True)
class FoundModel:
    """A model that was named.

    Attributes:
        name: As the user named it.
        bundle: Its directory.
        study: The study whose model it is, if that was named.
        run_id: The run of MLflow in which it was logged, if a registered model was named.
    """

    name: str
    bundle: Path
    study: StudyRecord | None = None
    run_id: str | None = None


@contextmanager
def found_model(reference: str | StudyRecord, folder: Path) -> Iterator[FoundModel]:
    """The model of a study, in a directory, or in MLflow's registry.

    Args:
        reference: Name or file of a study, the study itself, directory of a model, or ``models:/NAME@alias``.
        folder: The working folder.

    Raises:
        SearchError: There is none.
    """
    from search.tracking.registry import SCHEME, downloaded
    from search.tracking.store import default_tracking_uri

    if isinstance(reference, StudyRecord):
        yield _model_of(reference)
    elif reference.startswith(SCHEME):
        with downloaded(reference, default_tracking_uri(None, folder)) as (bundle, registered):
            yield FoundModel(reference, bundle, run_id=registered.run_id)
    elif Path(reference).is_dir():
        yield FoundModel(reference, Path(reference))
    else:
        yield _model_of(_study(reference, folder))


def _model_of(study: StudyRecord) -> FoundModel:
    if study.bundle is None or not Path(study.bundle).is_dir():
        raise SearchError(f"study '{study.study}' has no exported model; run it to completion first")
    return FoundModel(study.study, Path(study.bundle), study=study)


def _study(reference: str, folder: Path) -> StudyRecord:
    try:
        return load_store(reference, folder).record()
    except (StudyNotFound, StudyFileError) as error:
        raise SearchError(
            f"{reference} is neither a study that was run, nor the directory of a model, nor models:/NAME@alias: "
            f"{error}"
        ) from error


@dataclass(frozen=True)
class BacktestOutcome:
    """What a backtest has found and written.

    Attributes:
        record: The scores.
        run_id: The evaluation run in MLflow; ``None``: none was logged.
        problem: Why none was logged, though it was to be; empty otherwise.
    """

    record: BacktestRecord
    run_id: str | None = None
    problem: str = ""


def run_backtest(
    reference: str | StudyRecord,
    data: Path | pd.DataFrame,
    *,
    folder: Path,
    start: str | None,
    output: Path | None,
    track: bool | None,
    reading: Mapping[str, Any] = MappingProxyType({}),
) -> BacktestOutcome:
    """Score a model on a table.

    Args:
        reference: The model, see :func:`found_model`.
        data: The table, or its file.
        folder: The working folder.
        start: First time to score; ``None``: after what the model learned from.
        output: HTML page to write.
        track: Log an evaluation run in MLflow; ``None``: if the model is that of a study with runs there.
        reading: How a text file is read, by key of the study file; others are as in the study, if one is named.

    Raises:
        SearchError: The model does not exist, or the page cannot be written.
        DataError: The table does not fit the model, or has nothing to score.
    """
    from lstmgru.bundle.load import load_bundle

    if output is not None:
        check_page(output, [data] if isinstance(data, Path) else [])
    with found_model(reference, folder) as found:
        bundle = load_bundle(found.bundle)
        frame, source = _table(bundle, found, data, reading)
        task = find_task(bundle.task_name)
        part = task.backtest.read(bundle, frame, source=source, start=start)
        done = backtest(task.backtest, bundle, part, model=found.name, source=source)
        tracked = found.study is not None and found.study.mlflow is not None if track is None else track
        page = backtest_html(done.record, task.backtest.draw(part, done.outputs)) if output or tracked else ""
        if output is not None:
            save_page(output, page)
        if not tracked:
            return BacktestOutcome(done.record)
        try:
            run_id = _log(done.record, page, found, bundle, frame, folder=folder)
            return BacktestOutcome(done.record, run_id)
        except TrackingError as error:
            return BacktestOutcome(done.record, problem=str(error))


def _table(
    bundle: Bundle, found: FoundModel, data: Path | pd.DataFrame, reading: Mapping[str, Any]
) -> tuple[pd.DataFrame, str]:
    """The table and its name for messages."""
    if not isinstance(data, Path):
        return data, "the table"
    own = found.study.config.get("data", {}) if found.study is not None else {}
    how = {key: own[key] for key in _READ if own.get(key)} | {k: v for k, v in reading.items() if v is not None}
    return bundle.read_table(data, **how), str(data)


def _log(
    record: BacktestRecord, page: str, found: FoundModel, bundle: Bundle, frame: pd.DataFrame, *, folder: Path
) -> str:
    from search.tracking.data_sets import table_data
    from search.tracking.registry import log_backtest
    from search.tracking.store import default_tracking_uri

    settings = {} if found.study is None else found.study.config.get("tracking", {})
    experiment = settings.get("experiment") or str(bundle.provenance.get("study") or "backtests")
    return log_backtest(
        record,
        page,
        found.bundle,
        tracking_uri=default_tracking_uri(settings.get("uri"), folder),
        folder=folder,
        experiment=experiment,
        table=table_data(frame, record.source, "backtest"),
        run_id=found.run_id,
    )
