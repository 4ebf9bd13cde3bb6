"""Trials per minute with one and two workers, and how busy the driver is with 64.

The first part searches a study of short trainings with the real driver, journal and MLflow, with one worker and with
two, in turn, and compares trials per minute. Perfect is twice as many, on two cores that do nothing else.

The second part simulates 64 workers: threads that sleep for a second where a worker would train, and report epochs as
one does. The driver, its journal and its tracker are the real ones. Busy is the driver's process time over the wall
time; what the process of the tracker takes is shown beside it.

    python benchmarks/parallel.py --trials 40 --simulated 1000
"""

from __future__ import annotations

import argparse
import json
import queue
import statistics
import threading
import time
from functools import partial
from typing import Any, Self

import psutil
from driving import drive, planned

from search.executors.base import Job, JobCallback, Outcome, WorkerSettings
from search.executors.in_process import InMemory
from search.executors.processes import ProcessExecutor
from search.run.driver import Driver
from search.run.trial import TrialReport, TrialResult
from search.run.workers import warm_up
from search.study.records import EpochRecord
from search.tasks import find_task
from search.tasks.data import BaselineResult

LONGER = ("training.max_epochs=8", "training.patience=null", "space.context_length=28", "space.hidden_size=32")
"""Trainings that take a second or so: much longer than what surrounds them, as real ones are."""
_MODULES = find_task("forecast").modules
_ROWS = 5_000
_FIRST = 8
"""Trials that do not count: the first ones may wait for the last worker to start."""


class SimulatedWorkers:
    """An executor whose workers sleep.

    Args:
        workers: How many.
        seconds: What a trial takes.
        epochs: Reports of a trial.
    """

    def __init__(self, workers: int, seconds: float, epochs: int) -> None:
        self._seconds, self._epochs = seconds, epochs
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[Outcome | tuple[int, TrialReport]] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        self._running: set[int] = set()
        self.free = self.ready = workers
        self.startup_seconds = 1.0
        self.data = InMemory()

    def scale_down(self, jobs: int) -> None:
        """Nothing."""

    def submit(self, job: Job) -> None:
        """Give it to a thread."""
        self.free -= 1
        self._running.add(job.key)
        self._jobs.put(job)

    def poll(self, callback: JobCallback, timeout: float) -> list[Outcome]:
        """Pass on what came in, and ask for each job whether it should stop, as is done for processes."""
        for key in self._running:
            callback.stop_reason(key)
        try:
            messages = [self._messages.get(timeout=timeout)]
        except queue.Empty:
            return []
        messages += [self._messages.get() for _ in range(self._messages.qsize())]
        outcomes = []
        for message in messages:
            if isinstance(message, Outcome):
                self.free += 1
                self._running.discard(message.key)
                outcomes.append(message)
            else:
                callback.on_report(*message)
        return outcomes

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            result = self._baselines() if job.key < 0 else self._trial(job.key)
            self._messages.put(Outcome(job.key, result))

    def _baselines(self) -> tuple[dict[str, BaselineResult], float]:
        return {"naive": BaselineResult(1.0)}, 0.0

    def _trial(self, key: int) -> TrialResult:
        score = 1 + (key * 7919 % 1000) / 1000
        for epoch in range(1, self._epochs + 1):
            time.sleep(self._seconds / self._epochs)
            record = EpochRecord(1, epoch, 1.0, score, epoch * self._seconds / self._epochs)
            self._messages.put((key, TrialReport(epoch, score, record)))
        return TrialResult((score,), (1,), (self._seconds,), 100, 0.001, self._seconds, self._seconds, None, None)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for _ in self._threads:
            self._jobs.put(None)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40, help="of each search with one worker or two; 0: none")
    parser.add_argument("--rounds", type=int, default=3, help="searches of each kind")
    parser.add_argument("--simulated", type=int, default=1000, help="trials of the 64 workers; 0: none")
    parser.add_argument("--sampler", default="tpe", help="of the 64 workers' study")
    parser.add_argument("--epochs", type=int, default=5, help="reports of a simulated trial")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    if options.trials:
        result["scaling"] = scaling(options.trials, options.rounds)
    if options.simulated:
        result["driver"] = driver_busy(options.simulated, options.sampler, options.epochs)
    print(json.dumps(result) if options.json else "\n".join(f"{name}: {values}" for name, values in result.items()))


def scaling(trials: int, rounds: int) -> dict[str, Any]:
    """Trials per minute with one worker and two; the median of the ratios."""
    pairs = [(per_minute(1, trials), per_minute(2, trials)) for _ in range(rounds)]
    one, two = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(two / one for one, two in pairs)
    return {"trials": trials, "one": round(one, 1), "two": round(two, 1), "times": round(ratio, 2)}


def per_minute(jobs: int, trials: int) -> float:
    """Trials per minute of one search, from the start of the first that counts to the last one's end."""
    overrides = (f"search.trials={trials}", f"search.jobs={jobs}", "search.pruner=none", *LONGER)
    with planned(*overrides, rows=_ROWS) as (plan, folder):
        ready = partial(warm_up, _MODULES, {}, {}, worker=True)
        record, _ = drive(plan, folder, ProcessExecutor(WorkerSettings(ready, jobs, _MODULES)))
    counted = record.trials[_FIRST:]
    start = min(trial.started for trial in counted if trial.started)
    end = max(trial.completed for trial in counted if trial.completed)
    return 60 * len(counted) / (end - start).total_seconds()


def driver_busy(
    trials: int,
    sampler: str,
    epochs: int,
    workers: int = 64,
    seconds: float = 1.0,
    overrides: tuple[str, ...] = ("search.pruner=none",),
) -> dict[str, Any]:
    """The share of its time that the driver's process is busy, over the whole search and over its last quarter.

    Args:
        trials: Of the search.
        sampler: Its sampler.
        epochs: Reports of a trial.
        workers: Simulated ones.
        seconds: Of a trial.
        overrides: More keys of the study.
    """
    marks: list[tuple[int, float, float]] = []

    def watch(driver: Driver) -> None:
        take = driver.on_outcome

        def marked(outcome: Outcome) -> None:
            marks.append((len(marks), time.perf_counter(), time.process_time()))
            take(outcome)

        driver.on_outcome = marked  # type: ignore[method-assign]

    others = _OtherProcesses()
    chosen = (f"search.trials={trials}", f"search.sampler={sampler}", f"search.jobs={workers}", *overrides)
    with planned(*chosen, f"training.max_epochs={epochs}") as (plan, folder), others:
        _, wall = drive(plan, folder, SimulatedWorkers(workers, seconds, epochs), on_ready=watch)
    quarter = marks[3 * len(marks) // 4 :]
    return {
        "workers": workers,
        "trials": trials,
        "sampler": sampler,
        "trials_per_second": round(trials / wall, 1),
        "busy": round(_share(marks), 3),
        "busy_in_last_quarter": round(_share(quarter), 3),
        "milliseconds_a_trial": round(1000 * (marks[-1][2] - marks[0][2]) / len(marks), 2),
        "tracker_seconds": round(others.seconds, 1),
        "search_seconds": round(wall, 1),
    }


def _share(marks: list[tuple[int, float, float]]) -> float:
    (_, wall, cpu), (_, last_wall, last_cpu) = marks[0], marks[-1]
    return (last_cpu - cpu) / (last_wall - wall)


class _OtherProcesses:
    """Processor time of the processes that this one started, as far as it was seen."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._seen: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended.set()
        self._thread.join()
        self.seconds = sum(self._seen.values())

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            for process in psutil.Process().children(recursive=True):
                try:
                    self._seen[process.pid] = sum(process.cpu_times()[:2])
                except psutil.Error:
                    continue


if __name__ == "__main__":
    main()
