"""Kills and signals at random moments, to the driver, one of its processes or all, and then a run to the end."""

from __future__ import annotations

import random
import re
import shutil
import signal
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil

from hazards.command import STUDY, Attempt, Ended, Run, fault, shown, write_study

_TRIALS, _CHAIN = 4, 5
_MARK = "CAMPAIGN"
_ENDED = {"COMPLETE", "PRUNED", "STOPPED", "FAIL"}
_CACHES = ("torchinductor_", ".ses")
"""What torch and ONNX Runtime keep in the temporary folder for all programs of a user."""
_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def study_text(*, tracked: bool) -> str:
    """A study whose trials are long enough to be met."""
    longer = {"max_epochs: 3": "max_epochs: 20, patience: null", "trials: 3": f"trials: {_TRIALS}"}
    text = STUDY if not tracked else STUDY.replace("tracking: {enabled: false}\n", "")
    for old, new in longer.items():
        text = text.replace(old, new)
    return text


class Place:
    """A study in a folder of its own, and what its runs have said so far.

    Args:
        folder: Created with the study and a folder for temporary files.
        text: The study file.
        jobs: Number of parallel trials, or ``auto``.
        trials: Number of trials.
        rows: Of the table.

    Attributes:
        options: Further options of its runs.
    """

    def __init__(self, folder: Path, text: str, jobs: int | str, *, trials: int = _TRIALS, rows: int = 200) -> None:
        self.folder, self.jobs, self.trials = folder, jobs, trials
        self.options: tuple[str, ...] = ()
        write_study(folder, text, rows)
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._mark = uuid.uuid4().hex
        self._told: dict[int, dict[str, Any]] = {}

    def start(self, *, preloaded: bool = True, file_size: int | None = None, **more: str) -> Run:
        """A run in the background, which can write no file larger than so many bytes."""
        command = ("run", "tiny.yaml", "--jobs", str(self.jobs), *self.options)
        more |= {"TMPDIR": str(self.temporary), _MARK: self._mark}
        return Run(self.folder, *command, preloaded=preloaded, file_size=file_size, **more)

    def processes(self) -> list[psutil.Process]:
        """Every process of the runs that is alive, whoever its parent is."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get(_MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def check(self, attempt: Attempt, ended: Ended, *, resting: bool) -> dict[str, Any] | None:
        """What holds after any end of a run.

        Args:
            attempt: Gets the problems.
            ended: The run.
            resting: Whether it ended by itself, so that no trial may be running.
        """
        deadline = time.monotonic() + 60
        while (alive := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        attempt.check(not alive, f"processes are left: {[_command(process) for process in alive]}")
        attempt.check("Traceback" not in ended.error + ended.output, str(fault(ended)))
        record = shown(self.folder)
        trials = {} if record is None else {trial["number"]: trial for trial in record["trials"]}
        for number, trial in self._told.items():
            attempt.check(_core(trials.get(number)) == _core(trial), f"trial {number} is lost or has changed")
        self._told = {number: trial for number, trial in trials.items() if trial["state"] in _ENDED}
        for number in re.findall(r"^ *(\d+)  (?:done|pruned|stopped|failed)", ended.output, re.MULTILINE):
            attempt.check(int(number) in self._told, f"trial {number} was printed and is lost")
        running = [number for number, trial in trials.items() if trial["state"] == "RUNNING"]
        attempt.check(not (resting and running), f"trials {running} are left running")
        return record

    def check_finished(self, attempt: Attempt, **more: str) -> None:
        """A run to the end, with more environment variables: nothing lost, doubled or left."""
        ended = self.start(**more).finish()
        record = self.check(attempt, ended, resting=True)
        attempt.check(fault(ended) is None and ended.code == 0, f"the last run: {ended.code}, {ended.error[-300:]}")
        trials = [] if record is None else record["trials"]
        failed = sum(trial["state"] == "FAIL" for trial in trials)
        attempt.check(all(trial["state"] in _ENDED for trial in trials), "a trial has not ended")
        attempt.check([trial["number"] for trial in trials] == list(range(len(trials))), "numbers of trials")
        attempt.check(
            self.trials <= len(trials) <= self.trials + failed, f"{len(trials)} trials, of which {failed} failed"
        )
        left = [path.name for path in self.temporary.iterdir() if not path.name.startswith(_CACHES)]
        attempt.check(not left, f"left in the temporary folder: {left}")
        partial = [path.name for path in (self.folder / "studies").glob(".*")]
        attempt.check(not partial, f"left in studies/: {partial}")
        database = self.folder / "mlruns" / "mlflow.db"
        if "enabled: false" not in (self.folder / "tiny.yaml").read_text():
            with closing(sqlite3.connect(database)) as connection:
                states = [
                    state for (state,) in connection.execute("select status from runs where lifecycle_stage = 'active'")
                ]
                tagged = (
                    "select value from tags join runs using (run_uuid) where key = ? and lifecycle_stage = 'active'"
                )
                numbers = sorted(int(number) for (number,) in connection.execute(tagged, ["trial"]))
                baselines = [name for (name,) in connection.execute(tagged, ["baseline"])]
            attempt.check(
                numbers == list(range(len(trials))), f"trials in MLflow: {numbers}, in the study: {len(trials)}"
            )
            attempt.check(len(baselines) == len(set(baselines)), f"a baseline has two runs in MLflow: {baselines}")
            others = len(states) - len(numbers) - len(baselines)
            attempt.check(others == 1, f"{others} runs in MLflow beside those of trials and baselines")
            attempt.check("RUNNING" not in states, "a run in MLflow is left running")


def _command(process: psutil.Process) -> str:
    """What it runs, and for how long it has."""
    with suppress(psutil.Error):
        return f"{' '.join(process.cmdline())[:200]} ({time.time() - process.create_time():.0f} s)"
    return "one that has just ended"


def _core(trial: dict[str, Any] | None) -> dict[str, Any] | None:
    """A trial without what MLflow adds later."""
    return None if trial is None else {key: value for key, value in trial.items() if key != "mlflow_run_id"}


Hit = Callable[[random.Random, Place, Run, float], str]
"""Waits for a moment, strikes, and says what it did; an empty text: the run had ended."""


def kill_the_driver(rng: random.Random, place: Place, process: Run, duration: float) -> str:
    """SIGKILL to the process that the user started, at any moment."""
    moment = rng.uniform(0, duration)
    if not process.running(moment):
        return ""
    process.kill()
    return f"driver killed after {moment:.2f} s"


def kill_the_group(rng: random.Random, place: Place, process: Run, duration: float) -> str:
    """SIGKILL to all processes at once, as the system does when a terminal or a container goes."""
    moment = rng.uniform(0, duration)
    if not process.running(moment):
        return ""
    process.kill(group=True)
    return f"group killed after {moment:.2f} s"


def kill_during_creation(rng: random.Random, place: Place, process: Run, duration: float) -> str:
    """SIGKILL to all processes while MLflow creates its database, or shortly after."""
    deadline = time.monotonic() + duration
    while not any((place.folder / "mlruns").rglob("*mlflow.db*")) and time.monotonic() < deadline:
        if not process.running(0.02):
            return ""
    moment = rng.uniform(0, 2)
    if not process.running(moment):
        return ""
    process.kill(group=True)
    return f"group killed {moment:.2f} s after the database appeared"


def kill_a_worker(rng: random.Random, place: Place, process: Run, duration: float) -> str:
    """SIGKILL to another process: a worker, the process that forks them, or the one that writes to MLflow."""
    moment = rng.uniform(0.2, 0.8) * duration
    others = [each for each in place.processes() if each.pid != process.pid] if process.running(moment) else []
    if not others:
        return ""
    with suppress(psutil.Error):
        rng.choice(others).kill()
    return f"a process of {len(others)} killed after {moment:.2f} s"


def send_a_signal(rng: random.Random, place: Place, process: Run, duration: float) -> str:
    """SIGINT, SIGTERM or SIGHUP to the driver, or SIGINT to all, as a terminal sends it."""
    which = rng.choice(list(_CODES))
    moment = rng.uniform(0, duration)
    if not process.running(moment):
        return ""
    process.kill(which, group=which == signal.SIGINT and rng.random() < 0.5)
    return f"{which.name} after {moment:.2f} s"


KILLS: tuple[Hit, ...] = (kill_the_driver, kill_the_group, kill_the_driver, kill_a_worker, kill_during_creation)


def kills(count: int, seed: int, folder: Path) -> Iterator[Attempt]:
    """So many kills, in chains of five that each end with a run to the end."""
    return _chains("kills", KILLS, count, seed, folder)


def signals(count: int, seed: int, folder: Path) -> Iterator[Attempt]:
    """So many signals, likewise."""
    return _chains("signals", (send_a_signal,), count, seed, folder)


def _chains(kind: str, hits: tuple[Hit, ...], count: int, seed: int, folder: Path) -> Iterator[Attempt]:
    # Most runs continue earlier ones, and take less.
    duration = 0.6 * _duration(folder / "whole")
    done = chain = 0
    while done < count:
        rng = random.Random(f"{seed}/{chain}")
        place = Place(folder / str(chain), study_text(tracked=rng.random() < 0.5), rng.choice([1, 2]))
        attempts: list[Attempt] = []
        for _ in range(min(_CHAIN, count - done)):
            hit = hits[done % len(hits)]
            if hit is kill_during_creation and (place.folder / "mlruns" / "mlflow.db").exists():
                hit = kill_the_group
            attempt = _strike(kind, f"{seed}/{chain}", hit, rng, place, duration)
            if attempt is None:
                break
            attempts.append(attempt)
            done += 1
        if attempts:
            place.check_finished(attempts[-1])
        shutil.rmtree(place.folder, ignore_errors=True)
        chain += 1
        yield from attempts


def _strike(kind: str, case: str, hit: Hit, rng: random.Random, place: Place, duration: float) -> Attempt | None:
    process = place.start(preloaded=rng.random() < 0.75)
    what = hit(rng, place, process, duration)
    begun = time.monotonic()
    ended = process.finish()
    attempt = Attempt(kind, f"{what}, {place.jobs} jobs, chain {case}")
    by_itself = hit in (kill_a_worker, send_a_signal)
    place.check(attempt, ended, resting=by_itself and bool(what))
    if by_itself:
        attempt.check(fault(ended) is None, f"{fault(ended)}")
    if hit is send_a_signal and what:
        codes = {0, *(code for which, code in _CODES.items() if which.name in what)}
        attempt.check(ended.code in codes, f"exit code {ended.code}: {ended.error[-200:]}")
        attempt.check(time.monotonic() - begun < 60, f"it took {time.monotonic() - begun:.0f} s to end")
    return attempt if what or attempt.problems else None


def _duration(folder: Path) -> float:
    """Seconds of a run that is left alone."""
    place, begun, attempt = Place(folder, study_text(tracked=False), 2), time.monotonic(), Attempt("", "")
    place.check_finished(attempt)
    if attempt.problems:
        raise SystemExit(f"a run that is left alone fails: {attempt.problems}")
    shutil.rmtree(folder)
    return time.monotonic() - begun
