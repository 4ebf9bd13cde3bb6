"""A search with the real driver, journal and MLflow, in a folder of its own: what the benchmarks of trials measure."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from search.executors.base import Executor
from search.run.driver import Driver
from search.run.progress import SilentListener
from search.run.resume import open_study
from search.study.budget import Budget
from search.study.paths import StudyPaths
from search.study.records import StudyRecord
from search.study.storages import place_of
from search.tasks import make_plan
from search.tasks.plan import Plan
from search.tasks.study_file import read_study_file
from search.tracking.background import BackgroundTracker
from search.tracking.base import Tracker
from search.tracking.factory import make_tracker

_LONGEST_DELIVERY = 900.0
"""Seconds for what MLflow lacks when a search ends; a tracker does not usually wait for hundreds of instant trials."""
STUDY = """\
name: bench
data: {path: table.csv, time: day, target: sales, calendar: none}
forecast: {horizon: 3, season_length: 7}
splits: {holdout: 20, folds: 1}
search: {trials: 40, jobs: 1}
space:
  preset: small
  n_layers: 1
  cell: gru
  hidden_size: {low: 2, high: 6}
  segment_length: 1
  decoder: linear
  normalization: fold
  context_length: 7
training: {max_epochs: 1, min_epoch_windows: 1, accelerator: cpu}
"""
"""200 rows, one fold, one epoch of a tiny network: little but overhead. Hidden size, dropout, learning rate."""


@contextmanager
def planned(*overrides: str, text: str = STUDY, rows: int = 200) -> Iterator[tuple[Plan, Path]]:
    """A study and the folder it is in, which goes at the end.

    Args:
        overrides: ``key=value``.
        text: The study file; its table has the columns ``day`` and ``sales``.
        rows: Of the table.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder, rows)
        path = folder / "bench.yaml"
        path.write_text(text)
        yield make_plan(read_study_file(path, overrides=overrides).config, study_file=path), folder


def drive(
    plan: Plan,
    folder: Path,
    executor: AbstractContextManager[Executor],
    *,
    on_ready: Callable[[Driver], None] = lambda driver: None,
) -> tuple[StudyRecord, float]:
    """Search, with everything switched on; returns the study as it ended and the seconds of the search.

    They count from when the workers are ready and MLflow's database is there, to the last trial's end.

    Args:
        plan: The study.
        folder: Of its files.
        executor: Runs the trials.
        on_ready: Called with the driver before it starts.
    """
    paths = StudyPaths(folder, plan.name)
    problems: list[str] = []
    place = place_of(paths, plan.config.search.storage)
    with place.exclusive(problems.append):
        plan, store = open_study(plan, place, SilentListener())
        with make_tracker(plan.config, folder, on_problem=problems.append) as tracker, executor as running:
            tracker.start(store.record())
            _wait_for(tracker, running)
            driver = Driver(plan, store, running, Budget(None, trials=plan.trials), tracker, SilentListener())
            on_ready(driver)
            start = time.perf_counter()
            driver.run()
            seconds = time.perf_counter() - start
            assert isinstance(tracker, BackgroundTracker)
            tracker.wait(_LONGEST_DELIVERY)
            tracker.finish(store.record(), status="FINISHED")
        if problems:
            raise SystemExit(f"MLflow did not do its part: {problems}")
        return store.record(), seconds


def _wait_for(tracker: Tracker, executor: Executor) -> None:
    class Nobody:
        def on_report(self, key: int, message: object) -> None:
            """Nothing runs yet."""

        def stop_reason(self, key: int) -> None:
            """Nothing runs yet."""

    while executor.startup_seconds is None or tracker.links() is None:
        executor.poll(Nobody(), 0.1)
        time.sleep(0.1)


def write_table(folder: Path, rows: int = 200) -> None:
    """``table.csv``: daily sales with a weekly season."""
    steps = np.arange(rows)
    sales = 20 + 5 * np.sin(2 * np.pi * steps / 7) + np.random.default_rng(0).normal(0, 0.5, rows)
    days = pd.date_range("2002-01-07", periods=rows, freq="D")
    pd.DataFrame({"day": days, "sales": sales.round(3)}).to_csv(folder / "table.csv", index=False)
