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
from helpers.waiting import PATIENCE, have_ended, until

from search.run.progress import Progress, SilentListener
from search.run.runner import run
from search.study.records import TrialRecord

UNTRACKED = ("--set", "tracking.enabled=false")
# Trials that wait from the beginning would be counted with those that wait again.
RANDOM = ("--set", "search.portfolio=off", "--set", "search.sampler=random", "--set", "search.pruner=none")
ENDLESS = ("--trials", "100000")
"""A signal always meets a search, however late it comes."""
SLOWER = TINY.replace("max_epochs: 5", "max_epochs: 40").replace("patience: 3", "patience: null")
"""Trials of about a second, so that a signal meets one that runs."""


def states(folder: Path) -> Counter[str]:
    return Counter(trial["state"] for trial in shown(folder)["trials"])


def wait_for_trials(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many trials ended."""
    journal = folder / "studies" / "tiny.journal"

    def ended() -> bool:
        assert process.poll() is None, process.communicate()[0]
        return journal.exists() and journal.read_text(errors="replace").count('"values":[') >= count

    until(ended, f"fewer than {count} trials ended")


def finished(folder: Path) -> list[dict[str, Any]]:
    return [trial for trial in shown(folder)["trials"] if trial["state"] in ("COMPLETE", "PRUNED", "FAIL")]


def end(process: subprocess.Popen[str]) -> str:
    output = process.communicate(timeout=PATIENCE)[0]
    assert "Traceback" not in output
    return output


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tmp_path: Path, jobs: str) -> None:
    write_study(tmp_path, SLOWER)
    command = ("run", "tiny.yaml", "--jobs", jobs, *RANDOM, *UNTRACKED)
    with start(tmp_path, *command, *ENDLESS) as process:
        wait_for_trials(tmp_path, 1, process)
        process.send_signal(signal.SIGINT)
        output = end(process)
    assert process.returncode == 130
    assert "running trials go back into the queue" in output
    before = finished(tmp_path)
    assert before
    assert states(tmp_path)["RUNNING"] == 0
    total = len(shown(tmp_path)["trials"]) + 1
    result = search(tmp_path, *command, "--trials", str(total))
    assert result.returncode == 0, result.stderr
    after = shown(tmp_path)["trials"]
    assert len(after) == total
    assert [after[trial["number"]] for trial in before] == before
    assert all(trial["state"] in ("COMPLETE", "PRUNED") for trial in after)


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "signum"), [("1", signal.SIGTERM), ("2", signal.SIGTERM), ("1", signal.SIGHUP)])
def test_a_preempted_study_ends_as_with_ctrl_c_and_no_trial_has_failed(
    tmp_path: Path, jobs: str, signum: signal.Signals
) -> None:
    """All processes get the signal, as from a batch system."""
    write_study(tmp_path, SLOWER)
    command = ("run", "tiny.yaml", "--jobs", jobs, *RANDOM, *UNTRACKED)
    with start(tmp_path, *command, *ENDLESS) as process:
        wait_for_trials(tmp_path, 1, process)
        children = psutil.Process(process.pid).children(recursive=True)
        for child in [*children, psutil.Process(process.pid)]:
            with suppress(psutil.NoSuchProcess):  # one that has ended by itself
                child.send_signal(signum)
        output = end(process)
    assert process.returncode == 128 + signum
    assert "running trials go back into the queue" in output
    assert have_ended(children)
    assert states(tmp_path).keys() <= {"COMPLETE", "WAITING"}  # the trial may end as the signal comes
    total = states(tmp_path).total() + 1
    assert search_here(tmp_path, *command, "--trials", str(total)).returncode == 0
    assert states(tmp_path) == {"COMPLETE": total}


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_kill_9_costs_nothing_that_was_finished_and_the_total_is_right(tmp_path: Path, jobs: str) -> None:
    write_study(tmp_path, SLOWER)
    command = ("run", "tiny.yaml", "--jobs", jobs, *RANDOM, *UNTRACKED)
    with start(tmp_path, *command, *ENDLESS) as process:
        wait_for_trials(tmp_path, 2, process)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert have_ended(children), "workers outlive their driver"
    assert "RUNNING" not in states(tmp_path)
    before = finished(tmp_path)
    journal = tmp_path / "studies" / "tiny.journal"
    journal.write_bytes(journal.read_bytes() + b'{"op_code":6,"trial_id":')
    total = len(shown(tmp_path)["trials"]) + 1
    result = search_here(tmp_path, *command, "--trials", str(total))
    assert result.returncode == 0, result.stderr
    assert "an unfinished last line of" in result.stdout
    after = shown(tmp_path)["trials"]
    assert [after[trial["number"]] for trial in before] == before
    assert [trial["number"] for trial in after] == list(range(total))
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
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
    assert have_ended(children), "who is left may still hold the lock"
    assert search(tmp_path / "crashed", *command).returncode == 0

    def found(name: str) -> list[tuple[Any, ...]]:
        return [(t["number"], t["params"], t["state"], t["value"]) for t in shown(tmp_path / name)["trials"]]

    assert found("crashed") == found("whole")


WAITS = """\
import os, time
from pathlib import Path

from torch import nn

from lstmgru import register_cell
from search import run_study


class Waiting(nn.Module):
    def __init__(self, input_size, hidden_size, recurrent_dropout=0.0):
        super().__init__()
        self.map = nn.Linear(input_size, hidden_size)

    def forward(self, x, state=None):
        if self.training:
            Path(f"trains-{os.getpid()}").touch()
            while not Path("go").exists():
                time.sleep(0.05)
        return self.map(x), ()


if __name__ == "__main__":
    register_cell("waiting", Waiting)
    overrides = ["space.cell=waiting", "search.pruner=none", "tracking.enabled=false"]
    run_study("tiny.yaml", trials=6, jobs=2, overrides=overrides)
"""


@pytest.mark.slow
def test_a_killed_worker_costs_its_trial_which_is_tried_once_more(tmp_path: Path) -> None:
    write_study(tmp_path)
    (tmp_path / "own.py").write_text(WAITS)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([sys.executable, "own.py"], cwd=tmp_path, env=program_environment(), **pipes) as process:
        until(lambda: any(tmp_path.glob("trains-*")) or process.poll() is not None)
        training = next(tmp_path.glob("trains-*"))
        os.kill(int(training.name.removeprefix("trains-")), signal.SIGKILL)
        (tmp_path / "go").touch()
        output = end(process)
    assert process.returncode == 0, output
    trials = shown(tmp_path)["trials"]
    failed = [trial for trial in trials if trial["state"] == "FAIL"]
    assert len(failed) == 1
    assert "SIGKILL" in failed[0]["reason"]
    twins = [trial for trial in trials if trial["params"] == failed[0]["params"]]
    assert [trial["state"] for trial in twins if trial is not failed[0]] == ["COMPLETE"]
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
    with start(tmp_path, "run", "tiny.yaml", *ENDLESS, *UNTRACKED) as process:
        wait_for_trials(tmp_path, 1, process)
        second = search_here(tmp_path, "run", "tiny.yaml", *UNTRACKED)
        process.send_signal(signal.SIGINT)
        end(process)
    assert second.returncode == 2
    assert "is being run by another process" in second.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [30, 45])
def test_a_time_budget_is_kept_refit_and_export_included(tmp_path: Path, seconds: int) -> None:
    """Up to 10 s, or what a study of one trial takes where that is more, as most of it is starting and exporting."""
    for folder in ("one", "many"):
        (tmp_path / folder).mkdir()
        write_study(tmp_path / folder, SLOWER)
    began = time.monotonic()
    assert search(tmp_path / "one", "run", "tiny.yaml", "--trials", "1", timeout=PATIENCE).returncode == 0
    tolerance, tmp_path = max(10, time.monotonic() - began), tmp_path / "many"
    began = time.monotonic()
    result = search(
        tmp_path, "run", "tiny.yaml", "--trials", "10000", "--timeout", f"{seconds}s", "--jobs", "2", timeout=PATIENCE
    )
    took = time.monotonic() - began
    assert result.returncode == 0, result.stderr
    assert abs(took - seconds) <= tolerance
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
    assert took <= 80 + 100, "5 s of grace, and a new worker that starts on a busy machine; the trial sleeps 1,000 s"
    [trial] = [trial for trial in shown(tmp_path)["trials"] if trial["state"] != "WAITING"]
    assert trial["state"] == "FAIL"
    assert "and the job did not stop within 5 s: its worker was killed" in trial["reason"]
