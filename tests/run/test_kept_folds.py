"""Interrupted trials resume after their last finished fold, with the scores of trials that were never interrupted."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from helpers.comparisons import Reports
from helpers.damages import seem_encrypted
from helpers.drivers import NUMBERS, Killed, Notes, drive, plan_of, results, without_onnx
from helpers.running_comparisons import WAVES, forecast_candidate_of, label_candidate_of, label_plan_of
from helpers.studies import TINY, search, shown, start, write_study
from helpers.waiting import PATIENCE, until

from lstmgru.specs import TrainSpec
from search.run import kept_folds
from search.run.driver import Driver
from search.run.kept_folds import KeptFolds, TrialFolds
from search.run.runner import run
from search.run.state import SearchState
from search.run.trial import FinishedFold, Resumption, TrialReport, run_trial
from search.study.paths import StudyPaths
from search.study.records import EpochRecord
from search.tasks import task_of

RANDOM = ("search.sampler=random", "search.pruner=none")
THREE = NUMBERS.replace("folds: 1", "folds: 3").replace("max_epochs: 1", "max_epochs: 3, patience: null")
MODEL: Any = "an architecture"
TRAIN = TrainSpec(seed=7)


def fold(number: int, score: float = 0.1) -> FinishedFold:
    """A fold of two epochs."""
    reports = [
        TrialReport(2 * number + epoch, score + epoch, EpochRecord(number, epoch, 1 / 3, score, 0.5))
        for epoch in (1, 2)
    ]
    outputs = np.random.default_rng(number).normal(size=(5, 3, 1)).astype(np.float32)
    return FinishedFold(number, score, 2, 1.25, 2.5, tuple(reports), (1, 2), np.stack([outputs + 1, outputs]))


def plain(*folds: FinishedFold | None) -> list[Any]:
    return [None if each is None else {**vars(each), "outputs": each.outputs.tolist()} for each in folds]


def read(kept: TrialFolds, *numbers: int) -> list[Any]:
    return plain(*(kept.read(number) for number in numbers))


# --- the files --------------------------------------------------------------------------------------------------------


def test_the_folds_of_a_trial_are_read_as_they_were_written_until_they_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "tiny.folds"
    kept = KeptFolds(folder, "uid").of(3, MODEL, TRAIN)
    assert kept.read(1) is None
    kept.write(fold(1))
    kept.write(fold(2, score=1 / 3))
    again = KeptFolds(folder, "uid").of(3, MODEL, TRAIN)
    assert read(again, 1, 2, 3) == plain(fold(1), fold(2, score=1 / 3), None)
    first = again.read(1)
    assert first is not None
    assert first.outputs.dtype == np.float32
    kept.remove()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("uid", "number", "model", "train"),
    [
        ("other", 3, MODEL, TRAIN),
        ("uid", 4, MODEL, TRAIN),
        ("uid", 3, "another architecture", TRAIN),
        ("uid", 3, MODEL, replace(TRAIN, seed=8)),
        ("uid", 3, MODEL, replace(TRAIN, max_epochs=31)),
    ],
)
def test_folds_of_another_training_are_not_read(
    tmp_path: Path, uid: str, number: int, model: Any, train: TrainSpec
) -> None:
    KeptFolds(tmp_path, "uid").of(3, MODEL, TRAIN).write(fold(1))
    assert KeptFolds(tmp_path, uid).of(number, model, train).read(1) is None


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(fold(2).outputs.tobytes()) + 5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        _torn,
        _flipped,
        seem_encrypted,
        lambda path: path.write_bytes(b""),
        lambda path: np.savez(path, values=np.array("{}"), outputs=np.zeros(3)),
        lambda path: np.savez(path, values=np.array([{}], dtype=object)),
    ],
)
def test_a_damaged_fold_is_recognized(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    kept = KeptFolds(tmp_path, "uid").of(3, MODEL, TRAIN)
    for number in (1, 2, 3):
        kept.write(fold(number))
    damage(next(tmp_path.glob("*fold-2*")))
    assert read(kept, 1, 3) == plain(fold(1), fold(3))
    with pytest.raises(ValueError, match="is damaged"):
        kept.read(2)


def test_a_new_driver_removes_the_folds_of_trials_that_have_ended_and_leaves_other_studies_alone(
    tmp_path: Path,
) -> None:
    one, other = KeptFolds(tmp_path, "one"), KeptFolds(tmp_path, "other")
    for number in (1, 2, 12):
        one.of(number, MODEL, TRAIN).write(fold(1))
    other.of(1, MODEL, TRAIN).write(fold(1))
    (tmp_path / ".one-trial-00002-fold-2.npz.partial-9").write_bytes(b"PK")
    one.remove_others([2])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".one-trial-00002-fold-2.npz.partial-9",  # goes with its trial
        "one-trial-00002-fold-1.npz",
        "other-trial-00001-fold-1.npz",
    ]
    one.of(2, MODEL, TRAIN).remove()
    assert [path.name for path in tmp_path.iterdir()] == ["other-trial-00001-fold-1.npz"]


# --- trials -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["forecasts", "labels"])
def test_a_trial_that_resumes_has_bit_for_bit_the_result_of_one_that_was_not_interrupted(
    tmp_path: Path, task: str
) -> None:
    plan: Any = plan_of(tmp_path, text=THREE) if task == "forecasts" else label_plan_of(tmp_path, WAVES)
    candidate: Any = forecast_candidate_of(plan) if task == "forecasts" else label_candidate_of(plan)
    train = replace(candidate.train, max_epochs=3, patience=None)

    def trial(finished: tuple[FinishedFold, ...]) -> tuple[Any, list[Any]]:
        context = Reports()
        found = run_trial(task_of(plan), plan.search_data(), candidate.model, train, Resumption(finished), context)
        return found, context.kept

    whole, reports = trial(())
    folds = tuple(each for each in reports if isinstance(each, FinishedFold))
    assert [each.fold for each in folds] == list(range(1, plan.n_folds))  # with the last one, the trial ends
    for count in range(1, plan.n_folds):
        resumed, later = trial(folds[:count])
        for name in ("fold_scores", "best_epochs", "n_parameters", "calibration", "score"):
            assert getattr(resumed, name) == getattr(whole, name), name
        assert whole.outputs is not None
        assert resumed.outputs is not None
        assert [each.tobytes() for each in resumed.outputs] == [each.tobytes() for each in whole.outputs]
        assert resumed.fold_seconds[:count] == whole.fold_seconds[:count]
        assert resumed.train_seconds == pytest.approx(sum(resumed.fold_seconds))
        assert resumed.seconds > folds[count - 1].elapsed
        epochs = [each for each in reports if isinstance(each, TrialReport) and each.epoch.fold > count]
        again = [each for each in later if isinstance(each, TrialReport)]
        assert [(each.step, each.value) for each in again] == [(each.step, each.value) for each in epochs]
        seconds = [each.epoch.seconds for fold in folds[:count] for each in fold.epochs]
        seconds += [each.epoch.seconds for each in again]
        assert seconds == sorted(seconds)


# --- the search -------------------------------------------------------------------------------------------------------


def fits_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the folds that are trained from now on."""
    from lstmgru.training import fit_forecasts as fitting

    seen: list[str] = []
    fit = fitting.fit

    def noted(panel: Any, split: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(split.name)
        return fit(panel, split, *arguments, **options)

    monkeypatch.setattr(fitting, "fit", noted)
    return seen


def kill_in_the_third_fold(monkeypatch: pytest.MonkeyPatch, search: Callable[[], object]) -> None:
    """The driver ends in the first epoch of the third fold of a trial."""
    on_report = Driver.on_report

    def killed(driver: Driver, key: int, message: Any) -> None:
        on_report(driver, key, message)
        if isinstance(message, TrialReport) and message.epoch.fold == 3:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Driver, "on_report", killed)
        with pytest.raises(Killed):
            search()


@pytest.mark.parametrize(
    "objectives", [(), ("search.objectives=[score, n_parameters]", "search.prefer={score: 1, n_parameters: 1}")]
)
@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_a_search_that_ends_in_the_third_fold_of_a_trial_trains_only_that_fold_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, objectives: tuple[str, ...]
) -> None:
    folders = [tmp_path / "whole", tmp_path / "ended"]
    for folder in folders:
        folder.mkdir()
    options = (*RANDOM, *objectives, "search.trials=3")
    whole = drive(folders[0], *options, text=THREE)
    names = [fold.name for fold in plan_of(folders[0], text=THREE).splits.folds]
    on_report = Driver.on_report

    def end(driver: Driver, key: int, message: Any) -> None:
        on_report(driver, key, message)
        if key == 1 and isinstance(message, TrialReport) and message.epoch.fold == 3:
            if way == "killed":
                raise Killed
            driver.interrupted = True

    with monkeypatch.context() as patch:
        patch.setattr(Driver, "on_report", end)
        if way == "killed":
            with pytest.raises(Killed):
                drive(folders[1], *options, text=THREE)
        else:
            drive(folders[1], *options, text=THREE)
    folder = StudyPaths(folders[1], "tiny").folds
    assert len(list(folder.iterdir())) == 2
    notes, fits = Notes(), fits_of(monkeypatch)
    resumed = drive(folders[1], *options, text=THREE, notes=notes)
    assert fits == [names[2], *names]  # the rest of trial 1, and trial 2
    assert "trial 1 resumes after fold 2 of 3" in notes.notes
    assert results(resumed) == results(whole)
    assert not folder.exists()


def _damage_the_second(folder: Path, patch: pytest.MonkeyPatch) -> None:
    _torn(next(folder.glob("*fold-2*")))


def _other_versions(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(kept_folds, "_versions", lambda registered: "torch 9.0")


@pytest.mark.parametrize(
    ("change", "trained", "said"),
    [
        (_damage_the_second, 2, "what is kept of fold 2 of trial 0 is damaged, so the fold is trained from its"),
        (
            _other_versions,
            3,
            r"what is kept of fold 1 of trial 0 was trained with other versions \(.*; now torch 9.0\), so",
        ),
    ],
)
def test_folds_that_cannot_be_used_and_those_after_them_are_trained_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path, pytest.MonkeyPatch], None],
    trained: int,
    said: str,
) -> None:
    options = (*RANDOM, "search.trials=1")
    kill_in_the_third_fold(monkeypatch, lambda: drive(tmp_path, *options, text=THREE))
    change(StudyPaths(tmp_path, "tiny").folds, monkeypatch)
    notes, fits = Notes(), fits_of(monkeypatch)
    drive(tmp_path, *options, text=THREE, notes=notes)
    assert len(fits) == trained
    assert any(re.match(said, note) for note in notes.notes), notes.notes


OWN_CELL = """
from helpers.custom_cells import Elman

class Own(Elman):
    n_gates = {}
"""


@pytest.mark.parametrize("changed", [False, True])
def test_folds_that_another_registered_cell_has_finished_are_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    (tmp_path / "own_cells.py").write_text(OWN_CELL.format(1))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_cells", raising=False)
    monkeypatch.setattr("lstmgru.specs.cells._registered", {"own": import_module("own_cells").Own})
    plan = plan_of(tmp_path, *RANDOM, "search.trials=1", "space.cell=own", text=THREE)
    notes = Notes()
    with without_onnx():
        kill_in_the_third_fold(monkeypatch, lambda: run(plan, folder=tmp_path, fresh=False, listener=notes))
        if changed:
            (tmp_path / "own_cells.py").write_text(OWN_CELL.format(2))
        run(plan, folder=tmp_path, fresh=False, listener=notes)
    words = "was trained with other versions" if changed else "trial 0 resumes after fold 2 of 3"
    assert any(words in note for note in notes.notes), notes.notes


def test_a_driver_that_is_killed_when_a_trial_has_just_ended_leaves_no_folds_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = SearchState.tell

    def killed(state: SearchState, number: int, *arguments: Any) -> None:
        tell(state, number, *arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(SearchState, "tell", killed)
        with pytest.raises(Killed):
            drive(tmp_path, *RANDOM, "search.trials=1", text=THREE)
    assert StudyPaths(tmp_path, "tiny").folds.exists()
    drive(tmp_path, *RANDOM, "search.trials=1", text=THREE)
    assert not StudyPaths(tmp_path, "tiny").folds.exists()


def test_folds_that_cannot_be_kept_cost_a_note_and_no_trial(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    StudyPaths(tmp_path, "tiny").folds.write_text("in the way")
    notes = Notes()
    store = drive(tmp_path, *RANDOM, "search.trials=1", text=THREE, notes=notes)
    assert len(store.record().complete) == 1
    assert (
        "fold 1 of trial 0 cannot be kept, so the trial repeats the fold if it is interrupted: File exists"
        in notes.notes
    )


# --- real processes ---------------------------------------------------------------------------------------------------

LONG = TINY.replace("max_epochs: 5", "max_epochs: 150").replace("patience: 3", "patience: null")
"""Folds of about a second."""
OPTIONS = (
    "--trials",
    "1",
    "--set",
    "search.portfolio=off",
    "--set",
    "tracking.enabled=false",
    "--set",
    "search.blend=off",
)


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["driver", "worker", "both"])
def test_a_trial_whose_process_is_killed_in_its_second_fold_has_the_scores_of_one_that_was_not(
    tmp_path: Path, killed: str
) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        write_study(tmp_path / name, LONG)
    command = ("run", "tiny.yaml", "--executor", "processes", *OPTIONS)
    assert search(tmp_path / "whole", *command, timeout=PATIENCE).returncode == 0
    folder = tmp_path / "killed"
    folds = StudyPaths(folder, "tiny").folds
    with start(folder, *command) as process:
        until(lambda: any(folds.glob("*fold-1.npz")), "the first fold did not end")
        if killed != "driver":
            for child in psutil.Process(process.pid).children(recursive=True):
                if child.ppid() != process.pid and "forkserver" in " ".join(child.cmdline()):
                    child.kill()
        if killed != "worker":
            process.send_signal(signal.SIGKILL)
        output = process.communicate(timeout=PATIENCE)[0]
    if killed != "worker":
        output = search(folder, *command, timeout=PATIENCE).stdout
    assert "resumes after fold 1 of 2" in output
    trials = [shown(tmp_path / name)["trials"][-1] for name in ("whole", "killed")]
    assert [trial["state"] for trial in trials] == ["COMPLETE", "COMPLETE"]
    assert trials[0]["fold_scores"] == trials[1]["fold_scores"]
    assert trials[0]["params"] == trials[1]["params"]
    assert not folds.exists()
