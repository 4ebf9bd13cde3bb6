"""Large searches: how busy the driver is with 200 workers, and what a study of 10,000 trials costs.

The first part simulates 200 workers: threads that sleep where a worker would train. Each reports once a second and ends
a trial after 10 seconds. The driver, its storage and its tracker are the real ones. Busy is the driver's process time
over the wall time.

The second part fills a study with trials that take no time: it asks, reports every epoch and tells, as the driver does,
with the default space, sampler and pruner. It prints what asking, reporting and telling take at growing numbers of
trials, the memory of the process, and then the time and memory of `show` and `report` and the size of the page.

With `--stop`, only a third part runs (extra ray): trials train in an actor of a Ray cluster on this machine, and each
is asked to stop at a random moment after its first epoch. It prints the seconds from the moment at which the driver
wants the trial to stop to the end of the training step in the actor, and to the arrival of the result.

    python benchmarks/scale.py --workers 200 --history 10000
    python benchmarks/scale.py --stop 50
    python benchmarks/scale.py --storage postgresql://ann@/studies
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from driving import STUDY, planned
from parallel import driver_busy

from search.executors import RAY, make_executor
from search.executors.base import JobContext, WorkerSettings
from search.run.driver import Driver
from search.run.progress import SilentListener
from search.run.resume import check_studies, open_study
from search.run.state import SearchState
from search.run.trial import TrialReport, TrialResult, run_trial
from search.run.workers import warm_up
from search.study.budget import Budget
from search.study.paths import StudyPaths
from search.study.records import EpochRecord
from search.study.storages import place_of
from search.tasks import task_of
from search.tracking.base import NullTracker

_EPOCHS, _FOLDS = 12, 2
_BLOCK = 1000
LARGE = (
    STUDY.partition("space:")[0].replace("folds: 1", f"folds: {_FOLDS}")
    + f"training: {{max_epochs: {_EPOCHS}, accelerator: cpu}}\ntracking: {{enabled: false}}\n"
)
"""The default space."""


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=200, help="simulated workers; 0: none")
    parser.add_argument("--trials", type=int, default=1000, help="trials of the simulated workers")
    parser.add_argument("--history", type=int, default=10_000, help="trials of the large study; 0: none")
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--storage", default="journal", help="of both studies, see search.storage")
    parser.add_argument("--stop", type=int, help="stop so many trials on a Ray cluster, and do nothing else")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    common = (f"search.storage={options.storage}", f"search.sampler={options.sampler}")
    if options.stop:
        result["stop"] = stops(options.stop)
        options.workers = options.history = 0
    if options.workers:
        result["driver"] = driver_busy(
            options.trials, options.sampler, epochs=10, workers=options.workers, seconds=10.0, overrides=common
        )
    if options.history:
        result["history"] = history(options.history, *common, say=not options.json)
    print(json.dumps(result) if options.json else "\n".join(f"{name}: {values}" for name, values in result.items()))


def history(trials: int, *overrides: str, say: bool = False) -> dict[str, Any]:
    """Milliseconds of the driver's steps in the last 1000 trials, and what reading the study costs.

    Args:
        trials: Of the study.
        overrides: ``key=value``.
        say: Print a line for every 1000 trials.
    """
    result: dict[str, Any] = {"trials": trials}
    with planned(*overrides, "name=large", f"search.trials={trials}", text=LARGE) as (plan, folder):
        paths = StudyPaths(folder, plan.name)
        place = place_of(paths, plan.config.search.storage)
        with place.exclusive(print):
            place.start_over({}, check_studies, lambda text: None)
            place.remember()
            begun, store = open_study(plan, place, SilentListener())
            state, rng = SearchState(begun, store), np.random.default_rng(0)
            while (done := store.new_number()) < trials:
                last = _fill(state, min(done + _BLOCK, trials), rng)
                result["milliseconds"] = last
                result["driver_megabytes"] = round(psutil.Process().memory_info().rss / 2**20)
                if say:
                    print(store.new_number(), last, result["driver_megabytes"], "MiB", flush=True)
        if paths.journal.exists():
            result["journal_megabytes"] = round(paths.journal.stat().st_size / 2**20)
        for command in ("show", "report"):
            result[command] = _command(folder, command, plan.name)
        result["page_megabytes"] = round((paths.report / "report.html").stat().st_size / 2**20, 1)
    return result


def stops(count: int) -> dict[str, float]:
    """Seconds from the moment at which the driver wants a trial to stop, to the end of its step and to its result.

    Args:
        count: Trials, each with another network.
    """
    noticed, arrived, rng = [], [], np.random.default_rng(0)
    endless = ("name=stops", "training.max_epochs=10000", "training.patience=null", "search.pruner=none")
    with planned(*endless, text=LARGE) as (plan, folder):
        place = place_of(StudyPaths(folder, plan.name), None)
        ready = partial(warm_up, task_of(plan).modules, {}, {}, worker=True)
        with place.exclusive(print), make_executor(RAY, WorkerSettings(ready)) as executor:
            begun, store = open_study(plan, place, SilentListener())
            driver = Driver(begun, store, executor, Budget(None, trials=count), NullTracker(), SilentListener())
            for _ in range(count):
                stopper = _Stopper(rng.uniform(0, 1))
                executor.submit(replace(driver.ask(), function=_noticed))
                while not (outcomes := executor.poll(stopper, 0.2)):
                    pass
                arrived.append(time.monotonic() - stopper.moment)
                if outcomes[0].failure is not None:
                    raise SystemExit(f"a trial failed: {outcomes[0].failure.reason}")
                noticed.append(outcomes[0].result - stopper.moment)
    return {
        "trials": count,
        "step_median": round(statistics.median(noticed), 3),
        "step_largest": round(max(noticed), 3),
        "result_median": round(statistics.median(arrived), 3),
        "result_largest": round(max(arrived), 3),
    }


class _Stopper:
    """Wants a trial to stop some seconds after its first epoch."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self.moment = seconds, float("inf")

    def on_report(self, key: int, message: Any) -> None:
        """The first one sets the moment, see :func:`time.monotonic`."""
        self.moment = min(self.moment, time.monotonic() + self._seconds)

    def stop_reason(self, key: int) -> str | None:
        """A reason from that moment on."""
        return "enough" if time.monotonic() >= self.moment else None


class _Noticing:
    """The context of a trial, which keeps when the trial first learned that it should stop."""

    def __init__(self, context: JobContext) -> None:
        self.report, self._context = context.report, context
        self.noticed: float | None = None

    def stop_reason(self) -> str | None:
        reason = self._context.stop_reason()
        if reason is not None and self.noticed is None:
            self.noticed = time.monotonic()
        return reason


def _noticed(*arguments: Any) -> float:
    """A trial; returns when the step ended after which it stopped, on the clock that all processes share."""
    *others, context = arguments
    noticing = _Noticing(context)
    run_trial(*others, noticing)
    assert noticing.noticed is not None  # it does not end by itself
    return noticing.noticed


def _fill(state: SearchState, until: int, rng: np.random.Generator) -> dict[str, float]:
    """Run trials until the study has so many; mean milliseconds of each step."""
    spent: dict[str, list[float]] = defaultdict(list)

    def timed(step: str, call: Any, *arguments: Any) -> Any:
        start = time.perf_counter()
        found = call(*arguments)
        spent[step].append(time.perf_counter() - start)
        return found

    number = -1
    while number < until - 1:
        number = timed("ask", state.ask).number
        quality, stopped, folds = rng.normal(1.0, 0.1), None, []
        for fold in range(_FOLDS):
            for epoch in range(1, _EPOCHS + 1):
                value = float(quality + 1 / epoch + rng.normal(0, 0.02))
                record = EpochRecord(fold + 1, epoch, value, value, 0.1 * (fold * _EPOCHS + epoch))
                timed("report", state.report, number, TrialReport(fold * _EPOCHS + epoch, value, record))
                stopped = state.stop_reason(number)
                if stopped:
                    break
            if stopped:
                break
            folds.append(value)
        calibration = {"levels": [0.8, 0.95], "widths": rng.normal(size=(2, 14)).tolist()}
        ended = tuple(folds)
        result = TrialResult(ended, tuple(_EPOCHS for _ in ended), ended, 1000, 0.001, 2.4, 2.5, calibration, stopped)
        timed("tell", state.tell, number, result, 2.5)
    return {step: round(1000 * sum(each) / len(each), 2) for step, each in spent.items()}


def _command(folder: Path, command: str, study: str) -> dict[str, float]:
    """Seconds and peak memory of a command in a new process."""
    program = f"import resource, runpy, sys; sys.argv[1:] = [{command!r}, {study!r}]\n"
    program += "try:\n    runpy.run_module('search', run_name='__main__')\nfinally:\n"
    program += "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "megabytes": round(int(done.stderr.split()[-1]) / 2**10),
    }


if __name__ == "__main__":
    main()
