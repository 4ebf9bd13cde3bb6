"""The tracker in the background: it never blocks, never raises, forgets nothing."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from helpers.mlflow_store import client, history, make_store, projection, runs
from helpers.synthetic_study import finished_study, make_study, make_trial

from search.errors import TrackingError
from search.study.records import StudyRecord, TrackingLinks, TrialRecord
from search.tracking import background as tracking
from search.tracking.background import BackgroundTracker


class Recorder:
    """A tracker that writes down what it is told; while ``down`` it fails, while ``hanging`` it does not answer."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.down = False
        self.answers = threading.Event()
        self.answers.set()

    def start(self, study: StudyRecord) -> None:
        self._take("start", [trial.number for trial in study.trials])

    def update(self, trial: TrialRecord) -> None:
        self._take("update", (trial.number, len(trial.curve), trial.state))

    def log_model(self, bundle: Path, study: StudyRecord) -> None:
        if bundle.name == "broken":
            raise TrackingError("no model in broken")
        self._take("model", bundle.name)

    def finish(self, study: StudyRecord, *, status: str, optuna_study: Any = None) -> TrackingLinks | None:
        self._take("finish", (status, len(study.trials)))
        return self.links()

    def links(self) -> TrackingLinks | None:
        return TrackingLinks("here", "1", "parent")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def _take(self, what: str, value: Any) -> None:
        self.answers.wait(30)
        if self.down:
            raise TrackingError("MLflow at here failed: Connection refused")
        self.calls.append((what, value))


def until(condition: Callable[[], bool], seconds: float = 240.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.005)


def growing(trial: TrialRecord) -> list[TrialRecord]:
    """The trial after each of its epochs, and as it ended."""
    running = dataclasses.replace(trial, state="RUNNING", value=None, completed=None)
    return [*(dataclasses.replace(running, curve=trial.curve[:n]) for n in range(len(trial.curve))), trial]


def background(recorder: Recorder, notes: list[str], **settings: float) -> BackgroundTracker:
    return BackgroundTracker(recorder, notes.append, **{"interval": 0.02, "patience": 10.0, **settings})


def test_of_each_trial_only_the_newest_record_is_passed_on() -> None:
    recorder, notes = Recorder(), []
    recorder.answers.clear()
    with background(recorder, notes) as tracker:
        tracker.start(make_study())
        for record in [*growing(make_trial(1)), *growing(make_trial(0))]:
            tracker.update(record)
        recorder.answers.set()
        tracker.finish(finished_study(2), status="FINISHED")
    assert recorder.calls[1:] == [
        ("update", (0, 8, "COMPLETE")),
        ("update", (1, 8, "COMPLETE")),
        ("finish", ("FINISHED", 2)),
    ]
    assert notes == []


def test_a_trial_is_passed_on_at_the_next_interval_without_being_asked() -> None:
    recorder = Recorder()
    with background(recorder, []) as tracker:
        tracker.start(make_study())
        tracker.update(make_trial(0, "RUNNING"))
        until(lambda: ("update", (0, 8, "RUNNING")) in recorder.calls)
        tracker.update(make_trial(0))
        until(lambda: ("update", (0, 8, "COMPLETE")) in recorder.calls)
        tracker.finish(finished_study(1), status="FINISHED")
    updates = [value for name, value in recorder.calls if name == "update"]
    assert updates == [(0, 8, "RUNNING"), (0, 8, "COMPLETE")]


def test_an_outage_is_told_once_loses_nothing_and_its_end_is_told() -> None:
    recorder, notes = Recorder(), []
    with background(recorder, notes) as tracker:
        tracker.start(make_study(make_trial(0)))
        until(lambda: len(recorder.calls) == 1)
        recorder.down = True
        for record in growing(make_trial(1)):
            tracker.update(record)
            time.sleep(0.01)
        until(lambda: len(notes) == 1)
        time.sleep(0.1)
        recorder.down = False
        until(lambda: len(notes) == 2)
        assert tracker.wait(5)
        tracker.finish(finished_study(2), status="FINISHED")
    assert recorder.calls == [("start", [0]), ("start", [0, 1]), ("finish", ("FINISHED", 2))]
    assert notes == [
        "MLflow at here failed: Connection refused; the search continues, and delivery is retried",
        "MLflow is available again and up to date",
    ]


def test_the_end_of_a_study_does_not_wait_for_a_server_that_is_down() -> None:
    recorder, notes = Recorder(), []
    recorder.down = True
    with background(recorder, notes, interval=0.2, patience=60) as tracker:
        tracker.start(make_study())
        until(lambda: len(notes) == 1)
        began = time.monotonic()
        tracker.finish(finished_study(2), status="FINISHED")
    assert time.monotonic() - began < 30  # half of its patience
    assert notes[-1] == "MLflow does not have the whole study yet; copy the rest with: python -m search sync weather"
    assert recorder.calls == []


def test_a_failure_that_is_over_at_once_does_not_lose_the_end() -> None:
    recorder, notes = Recorder(), []
    with background(recorder, notes) as tracker:
        tracker.start(make_study())
        until(lambda: len(recorder.calls) == 1)
        recorder.down = True
        threading.Timer(0.01, setattr, (recorder, "down", False)).start()
        tracker.finish(finished_study(2), status="FINISHED")
    assert ("finish", ("FINISHED", 2)) in recorder.calls


def test_a_server_that_hangs_blocks_neither_updates_nor_the_end() -> None:
    recorder, notes = Recorder(), []
    recorder.answers.clear()
    began = time.monotonic()
    tracker = background(recorder, notes, patience=0.2)
    tracker.start(make_study())
    for record in growing(make_trial(0)):
        tracker.update(record)
    assert time.monotonic() - began < 10  # and not until it answers
    tracker.finish(finished_study(1), status="FINISHED")
    assert not tracker.close(0.2)
    assert time.monotonic() - began < 20
    assert "search sync weather" in notes[0]
    recorder.answers.set()


@pytest.fixture
def _little_patience_after_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompt returns after 1 s instead of 3."""
    monkeypatch.setattr(tracking, "_PATIENCE_AFTER_INTERRUPT", 1.0)


def test_the_prompt_returns_soon_after_an_interrupt() -> None:
    assert tracking._PATIENCE_AFTER_INTERRUPT <= 3


@pytest.mark.parametrize(
    ("status", "patience", "seconds"), [("FINISHED", 1.0, 1.0), ("KILLED", 0.9, 0.9), ("KILLED", 60, 1.0)]
)
@pytest.mark.usefixtures("_little_patience_after_an_interrupt")
def test_the_end_and_leaving_wait_for_a_server_that_hangs_once(status: Any, patience: float, seconds: float) -> None:
    recorder, notes = Recorder(), []
    recorder.answers.clear()
    began = time.monotonic()
    with background(recorder, notes, patience=patience) as tracker:
        tracker.start(make_study())
        tracker.finish(finished_study(1), status=status)
    assert seconds <= time.monotonic() - began < 2 * seconds
    assert notes == ["MLflow does not have the whole study yet; copy the rest with: python -m search sync weather"]
    recorder.answers.set()


@pytest.mark.usefixtures("_little_patience_after_an_interrupt")
def test_a_search_that_is_interrupted_before_its_end_is_not_kept_by_a_server_that_hangs() -> None:
    recorder, notes = Recorder(), []
    recorder.answers.clear()
    began = time.monotonic()

    def search() -> None:
        with background(recorder, notes, patience=60) as tracker:
            tracker.start(make_study())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search()
    assert 1.0 <= time.monotonic() - began < 2.0
    assert len(notes) == 1
    recorder.answers.set()


def test_a_model_that_cannot_be_logged_does_not_keep_the_study_from_ending() -> None:
    recorder, notes = Recorder(), []
    with background(recorder, notes) as tracker:
        tracker.start(make_study())
        tracker.log_model(Path("broken"), finished_study(1))
        tracker.finish(finished_study(1), status="FINISHED")
    assert ("finish", ("FINISHED", 1)) in recorder.calls
    assert notes[0].startswith("no model in broken; ")


def test_model_and_end_come_after_the_trials() -> None:
    recorder = Recorder()
    with background(recorder, []) as tracker:
        tracker.start(make_study())
        tracker.update(make_trial(0))
        tracker.log_model(Path("weather.bundle"), finished_study(1))
        assert tracker.finish(finished_study(1), status="KILLED") == recorder.links()
    assert [name for name, _ in recorder.calls if name != "update"] == ["start", "model", "finish"]
    assert recorder.calls[-1] == ("finish", ("KILLED", 1))


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_search_that_breaks_off_ends_its_study(error: type[BaseException], status: str) -> None:
    recorder = Recorder()

    def search() -> None:
        with background(recorder, []) as tracker:
            tracker.start(make_study())
            tracker.update(make_trial(0))
            raise error

    with pytest.raises(error):
        search()
    assert recorder.calls[-1] == ("finish", (status, 1))


def test_a_tracker_that_was_never_started_ends_quietly() -> None:
    notes: list[str] = []
    with background(Recorder(), notes):
        pass
    assert notes == []


def test_a_real_store_is_filled_while_the_search_goes_on(tmp_path: Path) -> None:
    folder = make_store(tmp_path / "work")
    notes: list[str] = []
    study = finished_study(3)
    slowest = 0.0
    with BackgroundTracker(projection(folder), notes.append, interval=0.05) as tracker:
        tracker.start(dataclasses.replace(study, trials=(), holdout=None))
        for trial in study.trials:
            for record in growing(trial):
                began = time.perf_counter()
                tracker.update(record)
                slowest = max(slowest, time.perf_counter() - began)
                time.sleep(0.01)
        links = tracker.finish(study, status="FINISHED")
    parent, *trials = runs(client(folder))
    assert [run.info.run_id for run in trials] == [links.trial_run_ids[number] for number in range(3)]
    assert parent.info.status == "FINISHED"
    assert all(len(history(client(folder), run, f"fold_{fold}/val_mae")) == 4 for run in trials for fold in (1, 2))
    assert slowest < 2
    assert notes == []
