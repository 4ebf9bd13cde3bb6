"""What a trial takes beside its training: ask, storage, MLflow, set-up, export of its results.

A study whose training is as short as can be is searched by the real driver, with its journal and MLflow on, by one
worker. A trial lasts from its start to the start of the next one. Training is what is spent in the steps of training
and validation and in scoring an epoch; everything else, Lightning's own work included, is what is measured. Where that
goes is shown too: times of a part are without those of the parts inside it.

    python benchmarks/trial.py --trials 60
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any, Self

from driving import drive, planned

from search.executors.base import Executor, Job, JobCallback, Outcome, WorkerSettings
from search.executors.in_process import InProcessExecutor
from search.executors.processes import ProcessExecutor
from search.run.workers import warm_up
from search.tasks import find_task

_MODULES = find_task("forecast").modules
TRAINING = "training"
# Part → functions that belong to it, in a worker and in the driver.
WORKER = {
    TRAINING: (
        "lstmgru.training.module:TrainingModule.training_step",
        "lstmgru.training.module:TrainingModule.validation_step",
        "lstmgru.training.module:TrainingModule.on_validation_epoch_end",
    ),
    "making the trainer": ("lightning.pytorch.trainer.trainer:Trainer.__init__",),
    "making network and optimizer": (
        "lstmgru.training.module:TrainingModule.__init__",
        "lstmgru.nn.forecast_network:ForecastNetwork.__init__",
        "lstmgru.training.module:TrainingModule.configure_optimizers",
    ),
    "Lightning's loops": ("lightning.pytorch.trainer.trainer:Trainer.fit",),
    "reading data": ("lstmgru.training.fit_forecasts:fit", "lstmgru.evaluation.forecasts:make_evaluation"),
    "measuring the latency": ("lstmgru.nn.costs:network_latency",),
}
DRIVER = {
    "asking": ("search.run.driver:Driver.ask",),
    "taking reports": ("search.run.driver:Driver.on_report",),
    "telling": ("search.run.driver:Driver.on_outcome",),
}


class Stopwatch:
    """Seconds by part, each without those of the parts inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = 0.0

    def measure(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time counts for a part."""

        @functools.wraps(function)
        def measured(*arguments: Any, **options: Any) -> Any:
            self._switch()
            self._running.append(part)
            try:
                return function(*arguments, **options)
            finally:
                self._switch()
                self._running.pop()

        return measured

    def install(self, parts: dict[str, tuple[str, ...]]) -> None:
        """Measure functions wherever they are called: ``module:Class.method`` or ``module:function``."""
        for part, places in parts.items():
            for place in places:
                module, _, path = place.partition(":")
                *owners, name = path.split(".")
                owner = functools.reduce(getattr, owners, importlib.import_module(module))
                setattr(owner, name, self.measure(part, getattr(owner, name)))

    def take(self) -> dict[str, float]:
        """What was measured since the last time."""
        taken, self.seconds = dict(self.seconds), defaultdict(float)
        return taken

    def _switch(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now


WATCH = Stopwatch()


def warm_up_and_measure(*, worker: bool) -> None:
    """What a worker does first."""
    warm_up(_MODULES, {}, {}, worker=worker)
    WATCH.install(WORKER)


def measured_job(function: Callable[..., Any], *arguments: Any) -> tuple[Any, dict[str, float]]:
    """The result of a job, and where its time went."""
    result = WATCH.measure("rest of the job", function)(*arguments)
    return result, WATCH.take()


class Measuring:
    """An executor whose jobs say where their time went."""

    def __init__(self, executor: AbstractContextManager[Executor]) -> None:
        self.seconds: dict[int, dict[str, float]] = {}
        self._executor: Any = executor

    def submit(self, job: Job) -> None:
        """Submit it, measured."""
        self._executor.submit(replace(job, function=measured_job, arguments=(job.function, *job.arguments)))

    def poll(self, callback: JobCallback, timeout: float) -> list[Outcome]:
        """Keep what was measured, pass on the rest."""
        return [self._unpacked(outcome) for outcome in self._executor.poll(callback, timeout)]

    def _unpacked(self, outcome: Outcome) -> Outcome:
        assert outcome.failure is None, outcome.failure
        result, self.seconds[outcome.key] = outcome.result
        return replace(outcome, result=result)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)

    def __enter__(self) -> Self:
        self._executor.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._executor.__exit__(*exc_info)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--in-process", action="store_true", help="in the driver's process, as with --jobs 1")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the study")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    result = measure(options.trials, options.in_process, options.set)
    if options.json:
        print(json.dumps(result))
        return
    print(f"median of {result['trials']} trials: {result['overhead']} ms beside {result['training']} ms of training")
    for name, milliseconds in result["parts"].items():
        print(f"  {milliseconds:7.2f} ms  {name}")


def measure(trials: int, in_process: bool, overrides: list[str]) -> dict[str, Any]:
    """Medians over the trials but the first ones and the last, in milliseconds."""
    driving = Stopwatch()
    driving.install(DRIVER)
    ready = partial(warm_up_and_measure, worker=not in_process)
    settings = WorkerSettings(ready, preload=_MODULES)
    kind = InProcessExecutor(settings) if in_process else ProcessExecutor(settings)
    executor = Measuring(kind)
    with planned(f"search.trials={trials}", *overrides) as (plan, folder):
        record, _ = drive(plan, folder, executor)
    started = [trial.started.timestamp() for trial in record.trials if trial.started]
    # The first trials load what is loaded once; the last has no successor.
    counted = range(3, len(started) - 1)
    whole = [started[number + 1] - started[number] for number in counted]
    training = [executor.seconds[number][TRAINING] for number in counted]
    jobs = [sum(executor.seconds[number].values()) for number in counted]
    per_trial = {name: seconds / (trials + 1) for name, seconds in driving.take().items()}
    parts = {
        name: statistics.median(executor.seconds[number].get(name, 0) for number in counted)
        for name in {part for number in counted for part in executor.seconds[number]} - {TRAINING}
    }
    outside = statistics.median(a - b for a, b in zip(whole, jobs, strict=True))
    parts["not in the worker"] = outside
    ordered = dict(sorted(parts.items(), key=lambda item: -item[1]))
    return {
        "trials": len(whole),
        "executor": "in process" if in_process else "one worker",
        "overhead": _milliseconds(statistics.median(a - b for a, b in zip(whole, training, strict=True))),
        "training": _milliseconds(statistics.median(training)),
        "parts": {name: _milliseconds(value) for name, value in ordered.items()},
        "driver": {name: _milliseconds(value) for name, value in per_trial.items()},
    }


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 2)


if __name__ == "__main__":
    main()
