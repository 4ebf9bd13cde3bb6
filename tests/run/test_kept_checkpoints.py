"""Interrupted trials resume from the last checkpoint of their fold, with the scores of uninterrupted trials."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from helpers.comparisons import Reports
from helpers.damages import seem_encrypted
from helpers.drivers import NUMBERS, Killed, Notes, drive, plan_of, results
from helpers.running_comparisons import WAVES, forecast_candidate_of, label_candidate_of, label_plan_of
from helpers.studies import FREQUENT_CHECKPOINTS, TINY, program_environment, search, shown, start, write_study
from helpers.waiting import PATIENCE, until

from lstmgru.specs import TrainSpec
from search.run import driver as driving
from search.run import kept_folds
from search.run.driver import Driver
from search.run.kept_folds import KeptFolds, TrialFolds
from search.run.trial import FinishedFold, FoldCheckpoint, Resumption, TrialReport, run_trial
from search.study.paths import StudyPaths
from search.study.records import EpochRecord
from search.tasks import task_of

TWO = NUMBERS.replace("folds: 1", "folds: 2").replace("max_epochs: 1", "max_epochs: 6, patience: null")
MODEL: Any = "an architecture"
ROOT = Path(__file__).parent.parent.parent


def checkpoint(fold: int = 1, epochs: int = 2) -> FoldCheckpoint:
    """A fold after so many epochs."""
    reports = [TrialReport(each, 1 / each, EpochRecord(fold, each, 1 / 3, 0.1, 0.5)) for each in range(1, epochs + 1)]
    return FoldCheckpoint(fold, 2.5, tuple(reports), bytes(range(100)) * epochs)


def kept_in(folder: Path, train: TrainSpec | None = None) -> TrialFolds:
    return KeptFolds(folder, "uid").of(3, MODEL, train or TrainSpec(seed=7))


# --- the files --------------------------------------------------------------------------------------------------------


def test_a_trial_has_one_checkpoint_which_goes_when_its_fold_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "tiny.folds"
    kept = kept_in(folder)
    assert kept.read_checkpoint(1) is None
    kept.write_checkpoint(checkpoint())
    kept.write_checkpoint(checkpoint(epochs=5))
    assert kept_in(folder).read_checkpoint(1) == checkpoint(epochs=5)
    assert kept.read(1) is None
    assert kept_in(folder, TrainSpec(seed=8)).read_checkpoint(1) is None
    assert len(list(folder.iterdir())) == 1
    kept.write(FinishedFold(1, 0.1, 2, 1.25, 2.5, checkpoint().epochs, (1, 2), np.zeros((2, 2, 3, 1), np.float32)))
    assert [path.name for path in folder.iterdir()] == ["uid-trial-00003-fold-1.npz"]
    kept.write_checkpoint(checkpoint(fold=2))
    assert kept.read_checkpoint(2) == checkpoint(fold=2)
    kept.remove()
    assert not folder.exists()


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(checkpoint().state) + 5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [flip, seem_encrypted, lambda path: path.write_bytes(path.read_bytes()[:-40]), lambda path: path.write_bytes(b"")],
)
def test_a_damaged_checkpoint_is_recognized(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    kept = kept_in(tmp_path)
    kept.write_checkpoint(checkpoint())
    damage(next(tmp_path.iterdir()))
    with pytest.raises(ValueError, match="is damaged"):
        kept.read_checkpoint(1)


def test_a_checkpoint_of_other_versions_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(kept_folds, "_versions", lambda registered: "torch 2.0")
        kept_in(tmp_path).write_checkpoint(checkpoint())
    with pytest.raises(ValueError, match=r"was trained with other versions \(torch 2.0; now .*torch 2"):
        kept_in(tmp_path).read_checkpoint(1)


CHANGES_A_CELL = """
from pathlib import Path
from lstmgru.specs import TrainSpec
from search.run.kept_folds import KeptFolds
from search.run.trial import FoldCheckpoint

kept = KeptFolds(Path("folds"), "uid").of(3, "an architecture", TrainSpec())
assert kept.read_checkpoint(1) is None
cell = Path("lstmgru/nn/cells/fused.py")
cell.write_text(cell.read_text() + "# changed\\n")
kept.write_checkpoint(FoldCheckpoint(1, 2.5, (), b"weights"))
assert kept.read_checkpoint(1) is not None
"""
RESUMES = """
from pathlib import Path
from lstmgru.specs import TrainSpec
from search.run.kept_folds import KeptFolds

KeptFolds(Path("folds"), "uid").of(3, "an architecture", TrainSpec()).read_checkpoint(1)
"""


def test_a_checkpoint_of_other_source_files_is_not_used(tmp_path: Path) -> None:
    """They are those that the process had loaded, not those that a developer saved while it ran."""
    for package in ("lstmgru", "search"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    environment = program_environment(PYTHONPATH=str(tmp_path))
    run = partial(subprocess.run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    first, second = (run([sys.executable, "-c", program]) for program in (CHANGES_A_CELL, RESUMES))
    assert first.returncode == 0, first.stderr
    said = r"ValueError: was trained with other versions \(.*source files (\w{12}); now .*source files (\w{12})\)"
    found = re.search(said, second.stderr)
    assert found is not None, second.stderr
    assert found[1] != found[2]


# --- trials -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["forecasts", "labels"])
def test_a_trial_that_resumes_from_a_checkpoint_has_bit_for_bit_the_result_of_one_that_was_not_interrupted(
    tmp_path: Path, task: str
) -> None:
    plan: Any = plan_of(tmp_path, text=TWO) if task == "forecasts" else label_plan_of(tmp_path, WAVES)
    candidate: Any = forecast_candidate_of(plan) if task == "forecasts" else label_candidate_of(plan)
    train = replace(candidate.train, max_epochs=4, patience=None, ema_decay=0.9)

    def trial(resumption: Resumption) -> tuple[Any, list[Any]]:
        context = Reports()
        found = run_trial(task_of(plan), plan.search_data(), candidate.model, train, resumption, context)
        return found, context.kept

    whole, reports = trial(Resumption(seconds=0.0))
    folds = [each for each in reports if isinstance(each, FinishedFold)]
    checkpoints = [each for each in reports if isinstance(each, FoldCheckpoint)]
    assert len(checkpoints) == 3 * plan.n_folds  # with the last epoch, the fold ends
    for kept in (checkpoints[1], checkpoints[-1]):
        resumed, later = trial(Resumption(tuple(folds[: kept.fold - 1]), kept))
        for name in ("fold_scores", "best_epochs", "n_parameters", "calibration", "score"):
            assert getattr(resumed, name) == getattr(whole, name), name
        assert resumed.outputs is not None
        assert [each.tobytes() for each in resumed.outputs] == [each.tobytes() for each in whole.outputs]
        assert resumed.train_seconds == pytest.approx(sum(resumed.fold_seconds))
        assert resumed.seconds > kept.elapsed
        told = [each for each in reports if isinstance(each, TrialReport)]
        again = [each for each in later if isinstance(each, TrialReport)]
        assert [(each.step, each.value) for each in again] == [
            (each.step, each.value) for each in told if each.step > kept.epochs[-1].step
        ]
        if kept.fold < plan.n_folds:  # what is kept of the fold includes the epochs before the interruption
            ended = next(each for each in later if isinstance(each, FinishedFold))
            assert [each.step for each in ended.epochs] == [each.step for each in folds[kept.fold - 1].epochs]
            assert ended.epochs[: len(kept.epochs)] == kept.epochs


# --- the search -------------------------------------------------------------------------------------------------------


def epochs_of(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """The epochs that are reported from now on: trial, fold and epoch."""
    seen: list[tuple[int, int, int]] = []
    on_report = Driver.on_report

    def noted(driver: Driver, key: int, message: Any) -> None:
        if isinstance(message, TrialReport):
            seen.append((key, message.epoch.fold, message.epoch.epoch))
        on_report(driver, key, message)

    monkeypatch.setattr(Driver, "on_report", noted)
    return seen


@pytest.mark.parametrize("way", ["stopped", "killed", "damaged"])
def test_a_search_that_ends_in_the_fifth_epoch_of_a_fold_trains_only_the_rest_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(driving, "CHECKPOINT_SECONDS", 0.0)
    folders = [tmp_path / "whole", tmp_path / "ended"]
    for folder in folders:
        folder.mkdir()
    options = ("search.sampler=random", "search.pruner=none", "search.trials=3")
    whole = drive(folders[0], *options, text=TWO)
    on_report = Driver.on_report

    def end(driver: Driver, key: int, message: Any) -> None:
        on_report(driver, key, message)
        if key == 1 and isinstance(message, TrialReport) and (message.epoch.fold, message.epoch.epoch) == (2, 5):
            if way == "stopped":
                driver.interrupted = True
            else:
                raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Driver, "on_report", end)
        if way == "stopped":
            drive(folders[1], *options, text=TWO)
        else:
            with pytest.raises(Killed):
                drive(folders[1], *options, text=TWO)
    folder = StudyPaths(folders[1], "tiny").folds
    assert sorted(path.name.partition("fold-")[2] for path in folder.iterdir()) == ["1.npz", "2-checkpoint.npz"]
    if way == "damaged":
        path = next(folder.glob("*checkpoint.npz"))
        path.write_bytes(path.read_bytes()[:-100])
    notes, epochs = Notes(), epochs_of(monkeypatch)
    resumed = drive(folders[1], *options, text=TWO, notes=notes)
    if way == "damaged":
        assert "what is kept of fold 2 of trial 1 is damaged, so the fold is trained from its beginning" in notes.notes
        assert "trial 1 resumes after fold 1 of 2" in notes.notes
        assert epochs[0] == (1, 2, 1)
    else:
        assert "trial 1 resumes after epoch 4 of fold 2 of 2" in notes.notes
        assert epochs[0] == (1, 2, 5)
    assert results(resumed) == results(whole)
    assert not folder.exists()


def test_nothing_after_an_epoch_by_which_a_trial_is_pruned_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a driver that is killed before its worker has stopped would forget the decision."""
    monkeypatch.setattr(driving, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(Driver, "stop_reason", lambda driver, key: None)  # the worker does not notice it in time
    seen, folds = [], []
    on_report = Driver.on_report

    def noted(driver: Driver, key: int, message: Any) -> None:
        on_report(driver, key, message)
        pruned = driver._state.stop_reason(key) is not None
        if isinstance(message, FoldCheckpoint):
            kept = driver._kept[key].read_checkpoint(message.fold)
            seen.append((pruned, kept == message))
        elif isinstance(message, FinishedFold):
            folds.append((pruned, driver._kept[key].read(message.fold) is not None))

    monkeypatch.setattr(Driver, "on_report", noted)
    drive(tmp_path, "search.sampler=random", "search.pruner=screening", "search.trials=6", text=TWO)
    assert set(seen) == {(False, True), (True, False)}
    assert set(folds) == {(False, True), (True, False)}


# --- real processes ---------------------------------------------------------------------------------------------------

LONG = TINY.replace("max_epochs: 5", "max_epochs: 200").replace("patience: 3", "patience: null")
OPTIONS = (
    "--trials", "1", "--executor", "processes", "--set", "splits.folds=1", "--set", "search.portfolio=off",
    "--set", "tracking.enabled=false", "--set", "search.blend=off",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["driver", "worker"])
def test_a_trial_whose_process_is_killed_in_its_only_fold_has_the_scores_of_one_that_was_not(
    tmp_path: Path, killed: str
) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        write_study(tmp_path / name, LONG)
    command = ("run", "tiny.yaml", *OPTIONS)
    assert search(tmp_path / "whole", *command, timeout=PATIENCE).returncode == 0
    folder = tmp_path / "killed"
    folds = StudyPaths(folder, "tiny").folds
    with start(folder, *command, program=FREQUENT_CHECKPOINTS) as process:
        until(lambda: any(folds.glob("*fold-1-checkpoint.npz")), "there is no checkpoint")
        if killed == "driver":
            process.send_signal(signal.SIGKILL)
        else:
            for child in psutil.Process(process.pid).children(recursive=True):
                if child.ppid() != process.pid and "forkserver" in " ".join(child.cmdline()):
                    child.kill()
        output = process.communicate(timeout=PATIENCE)[0]
    if killed == "driver":
        result = search(folder, *command, timeout=PATIENCE)
        output = result.stdout
        assert result.returncode == 0, result.stderr
    assert " of fold 1 of 1" in output
    assert "resumes after epoch " in output
    trials = [shown(tmp_path / name)["trials"][-1] for name in ("whole", "killed")]
    assert [trial["state"] for trial in trials] == ["COMPLETE", "COMPLETE"]
    assert trials[0]["fold_scores"] == trials[1]["fold_scores"]
    assert trials[0]["params"] == trials[1]["params"]
    assert not folds.exists()
