"""A study on disk: resume, repair, retry, and what a record says; with real journals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any, Literal

import pytest
from filelock import FileLock

from search.errors import StudyBusy, StudyMismatch
from search.study.identity import SCORED_AFTER, Identity
from search.study.journal import exclusive, is_being_run, open_storage, repair
from search.study.paths import StudyPaths, checkpoint_path
from search.study.records import EpochRecord
from search.study.store import MAX_RESTARTS, StudyStore
from search.study.trials import curve_rows, trial_record

ATTRIBUTES: dict[str, Any] = {
    "task": "forecast",
    "config": {"forecast": {"metric": "mae"}},
    "identity": {"forecast.horizon": 7, "data.digest": "abc"},
    "data": {"source": "table.csv"},
}


def new_store(folder: Path, direction: Literal["minimize", "maximize"] = "minimize") -> StudyStore:
    path = StudyPaths(folder, "demo").journal
    path.parent.mkdir(exist_ok=True)
    return StudyStore.create(open_storage(path), "demo", direction=direction, attributes=ATTRIBUTES)


def reopen(folder: Path) -> StudyStore:
    path = StudyPaths(folder, "demo").journal
    repair(path)
    store = StudyStore.load(open_storage(path), "demo")
    assert store is not None
    return store


def ask(store: StudyStore, width: int = 8) -> int:
    trial = store.study.ask()
    trial.suggest_int("hidden_size", width, width + 1)
    return trial.number


def states(store: StudyStore) -> list[str]:
    return [trial.state for trial in store.record().trials]


def test_a_study_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    number = ask(store)
    trial = store.study.trials[number]
    curve = [EpochRecord(1, 1, 0.5, 2.5, 0.1), EpochRecord(1, 2, 0.4, 2.25, 0.2)]
    result = {"curve": curve_rows(curve), "seconds": 1.5, "n_parameters": 99, "fold_scores": [2.25]}
    store._storage.set_trial_user_attr(trial._trial_id, "result", result)
    store._storage.set_trial_user_attr(trial._trial_id, "layers", "lstm(8)")
    store.study.tell(number, 2.25)
    record = reopen(tmp_path).record()
    assert (record.study, record.task, record.metric, record.direction) == (
        "demo",
        "forecast",
        "mae",
        "minimize",
    )
    best = record.best
    assert best is not None
    assert (best.number, best.value, best.layers, best.n_parameters, best.epochs) == (
        0,
        2.25,
        "lstm(8)",
        99,
        2,
    )
    assert best.curve == tuple(curve)


def test_the_best_trial_is_the_complete_one_with_the_lowest_score(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for value in (3.0, 1.0, 2.0):
        store.study.tell(ask(store), value)
    ask(store)
    best = store.best()
    assert best is not None
    assert best.number == 1
    assert [trial.number for trial in store.record().complete] == [1, 2, 0]


@pytest.mark.parametrize(("direction", "best"), [("minimize", 1), ("maximize", 0)])
def test_without_a_complete_trial_the_best_stopped_one_wins(tmp_path: Path, direction: Any, best: int) -> None:
    from optuna.trial import TrialState

    store = new_store(tmp_path, direction)
    assert store.winner() is None
    for values in ([3.0, 1.0], [2.0, 0.5], []):
        trial = store.study.ask()
        for step, value in enumerate(values, start=1):
            trial.report(value, step)
        store.study.tell(trial, state=TrialState.PRUNED)
    winner = store.winner()
    assert winner is not None
    assert winner.number == best


def test_a_stopped_trial_that_violates_a_bound_does_not_win(tmp_path: Path) -> None:
    from optuna.trial import TrialState

    store = new_store(tmp_path)
    store.set("config", {"search": {"bounds": ["n_parameters <= 100"]}})
    store = reopen(tmp_path)
    for value, size in ((1.0, 101), (2.0, 100)):
        trial = store.study.ask()
        trial.report(value, 1)
        store._storage.set_trial_user_attr(trial._trial_id, "result", {"n_parameters": size})
        store.study.tell(trial, state=TrialState.PRUNED)
    winner = store.winner()
    assert winner is not None
    assert winner.number == 1


def test_other_data_or_settings_under_the_same_name_are_an_error(tmp_path: Path) -> None:
    same = ATTRIBUTES["identity"]
    new_store(tmp_path).check_identity(Identity(same, {}))
    message = (
        r"study 'demo' exists with other settings: data\.digest was abc, is xyz; restore .* --fresh, or choose .* name="
    )
    with pytest.raises(StudyMismatch, match=message):
        reopen(tmp_path).check_identity(Identity({**same, "data.digest": "xyz"}, {}))


def test_a_study_without_scores_is_scored_by_the_rule_of_this_version(tmp_path: Path) -> None:
    now = Identity({**ATTRIBUTES["identity"], SCORED_AFTER: "others"}, {SCORED_AFTER: "own"})
    ask(new_store(tmp_path))
    reopen(tmp_path).check_identity(now)
    store = reopen(tmp_path)
    assert store.get("identity") == now.values
    store.study.tell(0, 1.0)
    reopen(tmp_path).check_identity(now)
    store.set("identity", ATTRIBUTES["identity"])
    with pytest.raises(StudyMismatch, match=r"begun by an earlier version, .*: folds_scored_after was own, is others;"):
        reopen(tmp_path).check_identity(now)
    reopen(tmp_path).check_identity(Identity({**now.values, SCORED_AFTER: "own"}, now.defaults))  # of a single fold


def test_a_trial_whose_driver_died_is_run_again_under_its_own_number(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.study.tell(ask(store), 1.0)
    ask(store)
    width = store.study.trials[1].params["hidden_size"]
    again = reopen(tmp_path)
    assert again.requeue_orphans() == ([1], [])
    assert states(again) == ["COMPLETE", "WAITING"]
    assert [waiting.number for waiting in again.waiting()] == [1]
    trial = again.begin(1)
    assert trial.suggest_int("hidden_size", 8, 9) == width
    assert states(again) == ["COMPLETE", "RUNNING"]
    assert again.waiting() == []
    assert (again.new_number(), again.begin(2).number) == (2, 2)


def test_a_trial_that_kills_every_driver_fails_in_the_end(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    ask(store)
    for _ in range(MAX_RESTARTS):
        store = reopen(tmp_path)
        assert store.requeue_orphans() == ([0], [])
        assert store.study.ask().number == 0
    store = reopen(tmp_path)
    assert store.requeue_orphans() == ([], [0])
    trial = store.record().trials[0]
    assert (trial.state, trial.reason) == ("FAIL", f"the search ended {MAX_RESTARTS + 1} times during the trial")


def test_a_trial_that_finishes_a_fold_under_every_driver_does_not_fail(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    ask(store)
    for _ in range(2 * MAX_RESTARTS):
        store.has_progressed(0)
        store = reopen(tmp_path)
        assert store.requeue_orphans() == ([0], [])
        assert store.study.ask().number == 0


def test_a_trial_whose_worker_died_is_tried_once_more_and_counts_once(tmp_path: Path) -> None:
    from optuna.trial import TrialState

    store = new_store(tmp_path)
    first = ask(store)
    store.study.tell(first, state=TrialState.FAIL)
    assert store.retry(first)
    assert store.counts() == (1, 1)
    second = ask(store)
    assert store.study.trials[second].params == store.study.trials[first].params
    store.study.tell(second, state=TrialState.FAIL)
    assert not store.retry(second)
    assert store.counts() == (1, 0)


@pytest.mark.parametrize("torn", [b'{"op_code":', b'{"op_code":5}', b"\xff\x00"])
def test_a_torn_last_line_is_cut_and_the_study_goes_on(tmp_path: Path, torn: bytes) -> None:
    store = new_store(tmp_path)
    store.study.tell(ask(store), 1.0)
    path = StudyPaths(tmp_path, "demo").journal
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    os.symlink(path, path.with_name(path.name + ".lock"))  # the lock of the process that was killed
    assert repair(path) == len(torn)
    assert path.read_bytes() == whole
    again = reopen(tmp_path)
    again.study.tell(ask(again), 2.0)
    assert states(reopen(tmp_path)) == ["COMPLETE", "COMPLETE"]


def test_a_whole_journal_is_left_as_it_is(tmp_path: Path) -> None:
    new_store(tmp_path)
    assert repair(StudyPaths(tmp_path, "demo").journal) == 0
    assert repair(tmp_path / "none.journal") == 0


def test_a_study_whose_creation_was_cut_short_is_created_again(tmp_path: Path) -> None:
    new_store(tmp_path)
    path = StudyPaths(tmp_path, "demo").journal
    lines = path.read_bytes().splitlines(keepends=True)
    for kept in range(len(lines)):
        path.write_bytes(b"".join(lines[:kept]))
        checkpoint_path(path).unlink(missing_ok=True)  # it does not know an entry before that is in the file
        assert StudyStore.load(open_storage(path), "demo") is None
        store = StudyStore.create(open_storage(path), "demo", direction="minimize", attributes=ATTRIBUTES)
        store.study.tell(ask(store), 1.0)
        assert states(reopen(tmp_path)) == ["COMPLETE"]


def test_a_study_has_one_driver_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    path = StudyPaths(tmp_path, "demo").lock
    script = f"""
        import time
        from pathlib import Path
        from search.study.journal import exclusive
        with exclusive(Path({str(path)!r}), "demo"):
            print("locked", flush=True)
            time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with (
            pytest.raises(StudyBusy, match="study 'demo' is being run by another process"),
            exclusive(path, "demo"),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
    with exclusive(path, "demo"):
        pass


def test_curve_rows_are_small_and_reversible() -> None:
    import optuna

    curve = [EpochRecord(2, 3, 0.5, 1.5, 9.0)]
    rows = curve_rows(curve)
    trial = optuna.trial.create_trial(value=1.0, user_attrs={"result": {"curve": rows}})
    assert trial_record(trial).curve == tuple(curve)


def test_a_trial_is_running_only_as_long_as_a_process_runs_the_study(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path, "demo")
    store = new_store(tmp_path)
    store.study.tell(ask(store), 1.0)
    ask(store)

    def seen() -> list[str]:
        found = StudyStore.find(paths)
        assert found is not None
        return states(found)

    with exclusive(paths.lock, "demo"):
        assert seen() == ["COMPLETE", "RUNNING"]
    assert seen() == ["COMPLETE", "WAITING"], "its driver is dead"
    with exclusive(paths.lock, "demo"):
        pass  # looking holds no lock


def test_whoever_looks_whether_a_study_runs_does_not_keep_it_from_running(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "demo.lock", thread_local=False)
    lock.acquire()
    threading.Timer(0.1, lock.release).start()
    with exclusive(tmp_path / "demo.lock", "demo"):
        assert is_being_run(tmp_path / "demo.lock")
    assert not is_being_run(tmp_path / "demo.lock")
    assert not is_being_run(tmp_path / "none.lock")
