"""Crashes and interruptions of the whole program, with real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.drivers import plan_of
from helpers.studies import TINY, program_environment, search, search_here, shown, start, write_study

from search.run.progress import Progress, SilentListener
from search.run.runner import run
from search.study.records import TrialRecord

UNTRACKED = ("--set", "tracking.enabled=false")
SLOWER = TINY.replace("max_epochs: 5", "max_epochs: 40").replace("patience: 3", "patience: null")
"""Trials of about a second, so that a signal meets one that runs."""


def states(folder: Path) -> Counter[str]:
    return Counter(trial["state"] for trial in shown(folder)["trials"])


def wait_for_trials(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many trials ended."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        journal = folder / "studies" / "tiny.journal"
        if journal.exists() and journal.read_text(errors="replace").count('"values":[') >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"fewer than {count} trials ended in 90 s")


def finished(folder: Path) -> list[dict[str, Any]]:
    return [trial for trial in shown(folder)["trials"] if trial["state"] in ("COMPLETE", "PRUNED", "FAIL")]


def end(process: subprocess.Popen[str]) -> str:
    output = process.communicate(timeout=60)[0]
    assert "Traceback" not in output
    return output


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tmp_path: Path, jobs: str) -> None:
    write_study(tmp_path, SLOWER)
    command = ("run", "tiny.yaml", "--trials", "5", "--jobs", jobs, "--set", "search.pruner=none", *UNTRACKED)
    with start(tmp_path, *command) as process:
        wait_for_trials(tmp_path, 1, process)
        process.send_signal(signal.SIGINT)
        output = end(process)
    assert process.returncode == 130
    assert "running trials go back into the queue" in output
    before = finished(tmp_path)
    assert before
    assert states(tmp_path)["RUNNING"] == 0
    result = search(tmp_path, *command)
    assert result.returncode == 0, result.stderr
    after = shown(tmp_path)["trials"]
    assert len(after) == 5
    assert [after[trial["number"]] for trial in before] == before
    assert all(trial["state"] in ("COMPLETE", "PRUNED") for trial in after)


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "signum"), [("1", signal.SIGTERM), ("2", signal.SIGTERM), ("1", signal.SIGHUP)])
def test_a_preempted_study_ends_as_with_ctrl_c_and_no_trial_has_failed(
    tmp_path: Path, jobs: str, signum: signal.Signals
) -> None:
    """All processes get the signal, as from a batch system."""
    write_study(tmp_path, SLOWER)
    command = ("run", "tiny.yaml", "--trials", "4", "--jobs", jobs, "--set", "search.pruner=none", *UNTRACKED)
    with start(tmp_path, *command) as process:
        wait_for_trials(tmp_path, 1, process)
        children = psutil.Process(process.pid).children(recursive=True)
        for child in [*children, psutil.Process(process.pid)]:
            with suppress(psutil.NoSuchProcess):  # one that has ended by itself
                child.send_signal(signum)
        output = end(process)
    assert process.returncode == 128 + signum
    assert "running trials go back into the queue" in output
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert states(tmp_path).keys() <= {"COMPLETE", "WAITING"}
    assert search_here(tmp_path, *command).returncode == 0
    assert states(tmp_path) == {"COMPLETE": 4}


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_kill_9_costs_nothing_that_was_finished_and_the_total_is_right(tmp_path: Path, jobs: str) -> None:
    write_study(tmp_path, SLOWER)
    command = ("run", "tiny.yaml", "--trials", "5", "--jobs", jobs, "--set", "search.pruner=none", *UNTRACKED)
    with start(tmp_path, *command) as process:
        wait_for_trials(tmp_path, 2, process)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive, "workers outlive their driver"
    assert "RUNNING" not in states(tmp_path)
    before = finished(tmp_path)
    journal = tmp_path / "studies" / "tiny.journal"
    journal.write_bytes(journal.read_bytes() + b'{"op_code":6,"trial_id":')
    result = search_here(tmp_path, *command)
    assert result.returncode == 0, result.stderr
    assert "an unfinished last line of" in result.stdout
    after = shown(tmp_path)["trials"]
    assert [after[trial["number"]] for trial in before] == before
    assert [trial["number"] for trial in after] == list(range(5))
    assert {trial["state"] for trial in after} <= {"COMPLETE", "PRUNED"}


@pytest.mark.slow
def test_a_crashed_study_goes_on_with_the_trials_it_would_have_had(tmp_path: Path) -> None:
    for name in ("whole", "crashed"):
        (tmp_path / name).mkdir()
        write_study(tmp_path / name, SLOWER)
    command = ("run", "tiny.yaml", "--trials", "4", *UNTRACKED)
    assert search(tmp_path / "whole", *command).returncode == 0
    with start(tmp_path / "crashed", *command) as process:
        wait_for_trials(tmp_path / "crashed", 2, process)
        process.send_signal(signal.SIGKILL)
    assert search(tmp_path / "crashed", *command).returncode == 0

    def found(name: str) -> list[tuple[Any, ...]]:
        return [(t["number"], t["params"], t["state"], t["value"]) for t in shown(tmp_path / name)["trials"]]

    assert found("crashed") == found("whole")


@pytest.mark.slow
def test_a_killed_worker_costs_its_trial_which_is_tried_once_more(tmp_path: Path) -> None:
    write_study(tmp_path, SLOWER)
    with start(tmp_path, "run", "tiny.yaml", "--trials", "6", "--jobs", "2", *UNTRACKED) as process:
        wait_for_trials(tmp_path, 1, process)
        workers = [worker for child in psutil.Process(process.pid).children() for worker in child.children()]
        os.kill(workers[0].pid, signal.SIGKILL)
        output = end(process)
    assert process.returncode == 0, output
    trials = shown(tmp_path)["trials"]
    failed = [trial for trial in trials if trial["state"] == "FAIL"]
    assert len(failed) == 1
    assert "SIGKILL" in failed[0]["reason"]
    twins = [trial for trial in trials if trial["params"] == failed[0]["params"]]
    assert [trial["state"] for trial in twins if trial is not failed[0]] in (["COMPLETE"], ["PRUNED"])
    assert len(trials) == 6 + 1


class SecondRun(SilentListener):
    """Runs the study once more while it runs, when a trial has ended, and breaks the first run off."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.result: subprocess.CompletedProcess[str] | None = None

    def on_trial(self, trial: TrialRecord, progress: Progress) -> None:
        """Another run."""
        self.result = search_here(self._folder, "run", "tiny.yaml")
        raise InterruptedError


def test_a_study_cannot_be_run_while_it_runs(tmp_path: Path) -> None:
    second = SecondRun(tmp_path)
    with pytest.raises(InterruptedError):
        run(plan_of(tmp_path), folder=tmp_path, fresh=False, listener=second)
    assert second.result is not None
    assert second.result.returncode == 2
    assert "is being run by another process" in second.result.stderr


@pytest.mark.slow
def test_a_study_cannot_be_run_in_two_processes_at_once(tmp_path: Path) -> None:
    write_study(tmp_path, SLOWER)
    with start(tmp_path, "run", "tiny.yaml", "--trials", "20", *UNTRACKED) as process:
        wait_for_trials(tmp_path, 1, process)
        second = search_here(tmp_path, "run", "tiny.yaml", *UNTRACKED)
        process.send_signal(signal.SIGINT)
        end(process)
    assert second.returncode == 2
    assert "is being run by another process" in second.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [30, 45])
def test_a_time_budget_is_kept_refit_and_export_included(tmp_path: Path, seconds: int) -> None:
    write_study(tmp_path, SLOWER)
    began = time.monotonic()
    result = search(tmp_path, "run", "tiny.yaml", "--trials", "10000", "--timeout", f"{seconds}s", "--jobs", "2")
    took = time.monotonic() - began
    assert result.returncode == 0, result.stderr
    assert abs(took - seconds) <= 10
    assert shown(tmp_path)["holdout"] is not None
    assert states(tmp_path)["RUNNING"] == 0


HANGS = """\
import time

from torch import nn

from lstmgru import register_cell
from search import run_study


class Sleeper(nn.Module):
    def __init__(self, input_size, hidden_size, recurrent_dropout=0.0):
        super().__init__()
        self.map = nn.Linear(input_size, hidden_size)

    def forward(self, x, state=None):
        if self.training:
            time.sleep(1000)
        return self.map(x), ()


if __name__ == "__main__":
    register_cell("sleeper", Sleeper)
    run_study("tiny.yaml", timeout=80, jobs=1, overrides=["space.cell=sleeper", "tracking.enabled=false"])
"""


@pytest.mark.slow
def test_a_trial_that_hangs_is_ended_at_the_time_limit_and_says_why_also_with_one_job(tmp_path: Path) -> None:
    write_study(tmp_path)
    (tmp_path / "own.py").write_text(HANGS)
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
        env=program_environment(),
    )  # fmt: skip
    took = time.monotonic() - began
    assert result.returncode == 0, result.stderr
    assert took <= 80 + 30, "5 s of grace, and a new worker that starts on a busy machine"
    [trial] = [trial for trial in shown(tmp_path)["trials"] if trial["state"] != "WAITING"]
    assert trial["state"] == "FAIL"
    assert "and the job did not stop within 5 s: its worker was killed" in trial["reason"]
