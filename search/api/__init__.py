"""The Python interface of the search: run, compare, read and export studies in a script or a notebook."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from search.api.results import BacktestResult, ComparisonResult, RefitResult
from search.api.study_result import StudyResult
from search.errors import SearchError, StudyFileError, TrackingError
from search.executors.interruption import deliver_again
from search.study.records import StudyRecord, TrackingLinks
from search.study.refit_records import Promotion
from search.tasks.stored_study import load_store, stored_config
from search.tasks.study_file import read_study_file

if TYPE_CHECKING:
    import pandas as pd

    from search.tasks.plan import Plan

# Optuna imports tqdm, which says so in every notebook without ipywidgets; none of its progress bars is shown.
warnings.filterwarnings("ignore", message="IProgress not found")

__all__ = [
    "BacktestResult",
    "ComparisonResult",
    "RefitResult",
    "StudyResult",
    "backtest",
    "export_bundle",
    "load_plan",
    "load_record",
    "load_study",
    "refit",
    "run_comparison",
    "run_study",
    "sync_to_mlflow",
]


def run_study(
    study: str | os.PathLike[str] | None = None,
    *,
    trials: int | None = None,
    timeout: str | float | None = None,
    jobs: int | str | None = None,
    storage: str | None = None,
    overrides: Sequence[str] = (),
    data: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    fresh: bool = False,
    folder: str | os.PathLike[str] = ".",
) -> StudyResult:
    """Run or resume a study, as ``python -m search run`` does, without output.

    With more than one job or a time limit, a script must call it under ``if __name__ == "__main__":``, because each
    worker imports the script. A notebook need not.

    Args:
        study: Path of a study file or name of a study in ``studies/``; ``None``: the weather study.
        trials: Total number of trials, including earlier runs.
        timeout: Total time, in seconds or as ``"5m"``.
        jobs: Number of parallel trials, or ``"auto"``.
        storage: Where the trials are stored: ``"journal"``, ``"postgresql://user@host/database"`` or ``"env:NAME"``.
        overrides: Keys of the study to override: ``["training.max_epochs=10", …]``.
        data: Table to read instead of the study's table.
        seed: Seed of the search and of all training runs.
        fresh: Start over.
        folder: Directory in which ``studies/`` and ``mlruns/`` are written.

    Raises:
        SearchError: The study is invalid, another process is running it, or no trial completed.
        DataError: The data are invalid.
    """
    from search.run.progress import SilentListener
    from search.run.runner import run

    place = Path(folder).absolute()
    search: dict[str, Any] = {"trials": trials, "timeout": timeout, "jobs": jobs, "storage": storage, "seed": seed}
    plan = load_plan(study, overrides=overrides, data=data, folder=place, **search)
    outcome = run(plan, folder=place, fresh=fresh, listener=SilentListener())
    if outcome.interrupted:
        deliver_again()
    return StudyResult(outcome.study, place, interrupted=outcome.interrupted)


def load_study(
    study: str | os.PathLike[str] | None = None, *, folder: str | os.PathLike[str] = ".", storage: str | None = None
) -> StudyResult:
    """Read a study that was run, also while it is running, without running it.

    Args:
        study: Name of the study, which needs no study file, or path of its file; ``None``: the weather study.
        folder: Directory in which ``studies/`` is.
        storage: Database of a study that was not begun there, as for :func:`run_study`; ``None``: that of its file.

    Raises:
        StudyNotFound: The study has not been run there; the message lists those that have.
        NotAJournal: The study cannot be read.
        StorageError: Its database cannot be used.
    """
    place = Path(folder).absolute()
    return StudyResult(load_record(study, place, storage), place, storage=storage)


def run_comparison(
    study: str | os.PathLike[str] | None = None,
    *,
    seeds: int = 5,
    trials: int | None = None,
    timeout: str | float | None = None,
    storage: str | None = None,
    overrides: Sequence[str] = (),
    data: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    folder: str | os.PathLike[str] = ".",
) -> ComparisonResult:
    """Start or resume a comparison of families, as ``python -m search compare`` does, without output.

    A script must call it under ``if __name__ == "__main__":``, even with one job, because memory is measured in
    separate processes. A notebook need not.

    Args:
        study: Path of a study file or name of a study in ``studies/``; ``None``: the weather study.
        seeds: Number of new seeds with which the best candidate of each family is retrained.
        trials: Total number of trials of each family, including those of the study.
        timeout: Total time, in seconds or as ``"5m"``; ``None``: no limit if ``trials`` is given, else 20 minutes.
        storage: As for :func:`run_study`.
        overrides: Keys of the study to override: ``["training.max_epochs=10", …]``.
        data: Table to read instead of the study's table.
        fresh: Start over; the study is not changed.
        folder: Directory in which ``studies/`` and ``mlruns/`` are written.

    Raises:
        SearchError: The study or a family is invalid, another process is comparing it, the time was too short, or it
            was interrupted with Ctrl-C.
        DataError: The data are invalid.
    """
    from search.compare.runner import compare
    from search.compare.time_budget import Options
    from search.run.progress import SilentListener

    options = Options.checked(seeds=seeds, trials=trials, timeout=timeout)
    place = Path(folder).absolute()
    plan = load_plan(study, overrides=overrides, data=data, folder=place, storage=storage)
    outcome = compare(plan, options, folder=place, fresh=fresh, listener=SilentListener())
    if outcome.comparison is None:
        deliver_again()
        raise SearchError(f"the comparison of study '{plan.name}' was interrupted; the same call resumes it")
    return ComparisonResult.of(outcome.comparison)


def backtest(
    model: str | os.PathLike[str] | StudyResult,
    data: str | os.PathLike[str] | pd.DataFrame,
    *,
    start: str | None = None,
    output: str | os.PathLike[str] | None = None,
    track: bool | None = None,
    folder: str | os.PathLike[str] = ".",
) -> BacktestResult:
    """Score a model on a table that contains the actual values, as ``python -m search backtest`` does, without output.

    Args:
        model: Name of a study or the study itself, directory of an exported model, or ``models:/NAME@alias``.
        data: The table, or its file.
        start: First time to score, a date or a step; ``None``: after what the model learned from.
        output: HTML page to write.
        track: Log an evaluation run in MLflow; ``None``: if the model is that of a study with runs there.
        folder: Directory in which ``studies/`` and ``mlruns/`` are; that of a study that is given itself is known.

    Raises:
        SearchError: The model does not exist, or ``output`` cannot be written.
        TrackingError: ``track`` is true, and MLflow cannot be used.
        DataError: The table does not fit the model, or has nothing to score.
    """
    from search.run.backtest import run_backtest

    table = Path(data) if isinstance(data, str | os.PathLike) else data
    outcome = run_backtest(
        model.record if isinstance(model, StudyResult) else str(model),
        table,
        folder=model.folder if isinstance(model, StudyResult) else Path(folder).absolute(),
        start=start,
        output=None if output is None else Path(output),
        track=track,
    )
    if track and outcome.problem:
        raise TrackingError(outcome.problem)
    return BacktestResult.of(outcome.record)


def refit(
    study: str | os.PathLike[str] | StudyResult | None = None,
    *,
    data: str | os.PathLike[str] | None = None,
    promote: Promotion = "if-better",
    jobs: int | str | None = None,
    overrides: Sequence[str] = (),
    folder: str | os.PathLike[str] = ".",
) -> RefitResult:
    """Train the model of a study on a longer table, as ``python -m search refit`` does, without output.

    Args:
        study: Path of a study file, name of a study, or the study itself; ``None``: the weather study.
        data: The longer table; ``None``: the study's own, which has become longer.
        promote: When the new model becomes champion; ``if-better``: unless its recipe is significantly worse.
        jobs: Number of parallel trainings, or ``"auto"``.
        overrides: Keys of the study to override; the others are as in its last run.
        folder: Directory in which ``studies/`` and ``mlruns/`` are; that of a study that is given itself is known.

    Raises:
        SearchError: The study was not run or has no model, or ``promote`` is unknown.
        DataError: The table has nothing new, or does not fit the model.
    """
    from search.run.progress import SilentListener
    from search.run.refit import refit as run_refit

    if promote not in get_args(Promotion):
        raise SearchError(f"promote must be one of {', '.join(get_args(Promotion))} but got {promote!r}")
    found = study if isinstance(study, StudyResult) else load_study(study, folder=folder)
    place = found.folder
    reference = found.name if isinstance(study, StudyResult) else study
    plan = load_plan(reference, overrides=overrides, data=data, jobs=jobs, folder=place, values=found.record.config)
    outcome = run_refit(plan, folder=place, rule=promote, listener=SilentListener())
    if outcome.record is None:
        deliver_again()
        raise SearchError(f"the refit of study '{plan.name}' was interrupted; nothing has changed")
    champion = None if outcome.champion is None else BacktestResult.of(outcome.champion.record)
    return RefitResult(StudyResult(outcome.study, place), outcome.record, champion)


def load_plan(
    study: str | os.PathLike[str] | None,
    *,
    overrides: Sequence[str] = (),
    data: str | os.PathLike[str] | None = None,
    folder: Path | None = None,
    values: dict[str, Any] | None = None,
    **search: Any,
) -> Plan:
    """Load and validate a study and its data.

    Args:
        study: Path of a study file, or name of a study: of one in ``studies/``, or of one that was run in the working
            folder, with the settings of its last run.
        overrides: ``key=value`` for any key.
        data: Table to read instead of the study's table.
        folder: The working folder; ``None``: the current one.
        values: Settings in place of those of the study file: those of the last run.
        search: Keys of the study's ``search`` section; ``None`` leaves a key unchanged.

    Raises:
        StudyFileError: The study is invalid.
        DataError: The data are invalid.
    """
    loaded = read_study_file(
        study,
        overrides=overrides,
        options=search,
        data_path=None if data is None else str(data),
        stored=partial(stored_config, folder or Path.cwd(), search.get("storage")),
        values=values,
        folder=folder or Path(),
    )
    from search.tasks import make_plan

    plan = make_plan(loaded.config, study_file=loaded.path)
    if loaded.config.compare.families is not None:
        from search.compare.families import study_families

        try:
            study_families(plan)  # every command reports invalid families
        except StudyFileError as error:
            raise StudyFileError(str(loaded.path), error.problems) from error
    return plan


def load_record(
    study: str | os.PathLike[str] | None, folder: Path | None = None, storage: str | None = None
) -> StudyRecord:
    """Read the record of a study, also while it is running.

    Args:
        study: Path or name of the study.
        folder: The working folder; ``None``: the current one.
        storage: As for :func:`load_study`.

    Raises:
        StudyNotFound: It has not been run in this folder.
        StorageError: Its database cannot be used.
    """
    return load_store(study, folder or Path.cwd(), storage).record()


def export_bundle(study: str | os.PathLike[str] | None, to: Path | None, folder: Path | None = None) -> Path:
    """Copy a study's model to a new directory; without ``to``, ``<study>-model`` in the current folder.

    Raises:
        SearchError: There is no model, or the directory exists or cannot be written.
    """
    from search.run.models import copy_model

    record = load_record(study, folder)
    if record.bundle is None or not (bundle := Path(record.bundle)).is_dir():
        raise SearchError(f"study '{record.study}' has no exported model; run it to completion first")
    target = to or Path(f"{record.study}-model")
    copy_model(bundle, target)
    return target


def sync_to_mlflow(
    study: str | os.PathLike[str] | None,
    tracking_uri: str | None,
    folder: Path | None = None,
    timeout: float | None = None,
    on_message: Callable[[str], None] = lambda text: None,
    storage: str | None = None,
) -> TrackingLinks:
    """Copy a study to MLflow, to its own store or another one.

    Args:
        study: Path or name of the study.
        tracking_uri: Store or server to use instead of the study's.
        folder: The working folder; ``None``: the current one.
        timeout: Longest time in seconds; ``None``: no limit.
        on_message: Called with messages for the user.
        storage: As for :func:`load_study`.

    Raises:
        StudyBusy: The study is running, and the run keeps MLflow up to date.
        StudyNotFound: It has not been run in this folder.
        TrackingError: The store or server cannot be reached, or the time is up.
    """
    from search.tracking.factory import sync

    place = load_store(study, folder or Path.cwd(), storage).place
    assert place is not None  # where it was found
    return sync(place, tracking_uri, timeout, on_message)
