"""A tracker in a process of its own: it does what the tracker does, and nothing of it can harm the search."""

from __future__ import annotations

import os
import pickle
import signal
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import optuna
import psutil
import pytest
from helpers.mlflow_store import client, make_store, projection, runs
from helpers.synthetic_study import finished_study, make_study, make_trial

from search.errors import TrackingError
from search.study.journal import open_storage
from search.study.records import StudyRecord, TrackingLinks, TrialRecord
from search.tracking.background import BackgroundTracker
from search.tracking.tracker_process import TrackerProcess


@dataclass
class Diary:
    """A tracker that writes down what it is told, in a file."""

    path: Path

    def start(self, study: StudyRecord) -> None:
        """Note it."""
        self._note(f"start {study.study} {os.getpid()}")

    def update(self, trial: TrialRecord) -> None:
        """Note it; two trials are special."""
        print("to standard output, where the answers go")
        if trial.number == 13:
            raise TrackingError("number 13 is refused")
        if trial.number == 14:
            raise ZeroDivisionError("number 14 is a mistake")
        if trial.number == 15:
            time.sleep(60)
        self._note(f"update {trial.number}")

    def log_model(self, bundle: Path, study: StudyRecord) -> None:
        """Note it."""
        self._note(f"model {bundle.name}")

    def finish(self, study: StudyRecord, *, status: str, optuna_study: Any = None) -> TrackingLinks | None:
        """Note it."""
        values = [trial.value for trial in optuna_study.trials] if optuna_study else None
        self._note(f"finish {status} {values}")
        return self.links()

    def links(self) -> TrackingLinks | None:
        """The number of lines so far."""
        return TrackingLinks("here", "1", str(len(lines(self.path))))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def _note(self, text: str) -> None:
        with self.path.open("a") as file:
            print(text, file=file)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the diary."""
    return tmp_path / "diary.txt"


def process_of(path: Path) -> psutil.Process:
    """The process that wrote the diary's first line."""
    return psutil.Process(int(lines(path)[0].split()[-1]))


def test_every_call_arrives_in_another_process_and_in_order_and_leaving_ends_it(path: Path) -> None:
    with TrackerProcess(partial(Diary, path)) as tracker:
        assert tracker.links() is None
        tracker.start(make_study())
        process = process_of(path)
        assert process.pid != os.getpid()
        tracker.update(make_trial(1))
        with pytest.raises(TrackingError, match="number 13 is refused"):
            tracker.update(make_trial(13))
        with pytest.raises(TrackingError, match="ZeroDivisionError: number 14 is a mistake"):
            tracker.update(make_trial(14))
        tracker.log_model(Path("weather.bundle"), make_study())
        links = tracker.finish(finished_study(2), status="FINISHED")
    assert lines(path)[1:] == ["update 1", "model weather.bundle", "finish FINISHED None"]
    assert links is not None
    assert links.parent_run_id == "4"
    assert tracker.links() == links
    assert not process.is_running()


def test_a_process_that_is_killed_is_a_problem_and_the_next_call_has_another_one(path: Path) -> None:
    with TrackerProcess(partial(Diary, path)) as tracker:
        tracker.start(make_study())
        process = process_of(path)
        process.kill()
        process.wait()
        with pytest.raises(TrackingError, match="the process that writes to MLflow ended"):
            tracker.update(make_trial(1))
        tracker.start(make_study())
        tracker.update(make_trial(2))
    assert lines(path)[-1] == "update 2"


def test_the_search_outlives_a_process_that_was_killed_and_tells_of_it_once(path: Path) -> None:
    notes: list[str] = []
    with BackgroundTracker(TrackerProcess(partial(Diary, path)), notes.append, interval=0.05) as tracker:
        tracker.start(make_study())
        assert tracker.wait(60)
        process = process_of(path)
        process.kill()
        process.wait()
        tracker.update(make_trial(1))
        tracker.wait(60)
        assert tracker.wait(60)
        tracker.finish(make_study(), status="FINISHED")
    assert len(notes) == 2
    assert "ended" in notes[0]
    assert "up to date" in notes[1]
    assert lines(path)[-1].startswith("finish")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that can be killed without a word")
def test_the_process_ends_with_a_driver_that_is_killed_in_the_middle_of_a_call(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    if (driver := os.fork()) == 0:
        try:
            tracker = TrackerProcess(partial(Diary, path))
            tracker.start(make_study())
            tracker.update(make_trial(15))  # which takes a minute
        finally:
            os._exit(1)  # never go on with the tests
    while len(lines(path)) < 1:
        time.sleep(0.01)
    process = process_of(path)
    assert len(os.listdir(temporary)) == 1
    os.kill(driver, signal.SIGKILL)
    os.waitpid(driver, 0)
    process.wait(timeout=10)
    assert not process.is_running()
    assert os.listdir(temporary) == []


def test_a_study_of_optuna_is_read_from_its_journal(path: Path, tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "demo.journal")
    study = optuna.create_study(study_name="demo", storage=storage)
    study.sampler = optuna.samplers.GridSampler({"x": [1, 2]})
    study.sampler.unpicklable = lambda: None  # type: ignore[attr-defined]
    study.tell(study.ask(), 3.5)
    with TrackerProcess(partial(Diary, path)) as tracker:
        tracker.finish(make_study(), status="FINISHED", optuna_study=study)
    assert lines(path) == ["finish FINISHED [3.5]"]


def test_a_journal_that_travels_is_a_reader_of_the_file(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "demo.journal")
    study = optuna.create_study(study_name="demo", storage=storage)
    study.tell(study.ask(), 1.0)
    there = optuna.load_study(study_name="demo", storage=pickle.loads(pickle.dumps(storage)))
    assert [trial.value for trial in there.trials] == [1.0]


def test_a_study_is_seen_in_mlflow(tmp_path: Path) -> None:
    folder = make_store(tmp_path / "work")
    notes: list[str] = []
    study = finished_study(3)
    with BackgroundTracker(TrackerProcess(partial(projection, folder)), notes.append, interval=0.05) as tracker:
        tracker.start(replace(study, trials=(), holdout=None))
        for trial in study.trials:
            tracker.update(trial)
        links = tracker.finish(study, status="FINISHED")
    parent, *trials = runs(client(folder))
    assert links is not None
    assert [run.info.run_id for run in trials] == [links.trial_run_ids[number] for number in range(3)]
    assert parent.info.status == "FINISHED"
    assert notes == []
