"""How long commands take that train nothing: ``--help``, ``check`` of the weather study, ``show`` of a study, an error.

Every command is a process of its own, as a user starts it; the commands are run in turn. What the study that is shown
takes to run does not count.

    python benchmarks/startup.py --rounds 9
    python benchmarks/startup.py --workers 2 8      # and the workers of a search, each its own interpreter, and forked
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
from driving import STUDY, write_table

from search.executors.base import WorkerSettings
from search.executors.processes import ProcessExecutor
from search.run.workers import warm_up
from search.tasks import find_task

TARGETS = {"--help": 0.4, "check weather": 2.0, "show bench": 1.5, "run wrong.yaml": 0.5}
"""Seconds at most, by the arguments of the command."""


_MODULES = find_task("forecast").modules


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--trials", type=int, default=30, help="of the study that is shown")
    parser.add_argument("--workers", type=int, nargs="*", default=[], help="also start so many workers of a search")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    started = [in_a_process(count, forked=forked) for count in options.workers for forked in (False, True)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, options.trials)
        rounds = [{command: seconds(folder, command) for command in TARGETS} for _ in range(options.rounds)]
    medians = {command: round(statistics.median(each[command] for each in rounds), 3) for command in TARGETS}
    if options.json:
        print(json.dumps({"rounds": options.rounds, "seconds": medians, "targets": TARGETS, "workers": started}))
        return
    for each in started:
        print("  ".join(f"{key} {value}" for key, value in each.items()))
    for command, median in medians.items():
        print(f"{median:6.3f} s  (target {TARGETS[command]} s)  {command}")


def in_a_process(count: int, *, forked: bool) -> dict[str, Any]:
    """The result of :func:`workers` in a process that started none before."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(workers, count, forked=forked).result()


def workers(count: int, *, forked: bool) -> dict[str, Any]:
    """What it takes until so many workers are ready: wall time, processor time, and their memory then (PSS)."""

    class Nobody:
        def on_report(self, key: int, message: object) -> None:
            """No job runs."""

        def stop_reason(self, key: int) -> None:
            """No job runs."""

    start = time.perf_counter()
    ready = partial(warm_up, _MODULES, {}, {}, worker=True)
    pool = ProcessExecutor(WorkerSettings(ready, count, _MODULES if forked else ()))
    with pool:
        while pool.ready < count:
            pool.poll(Nobody(), 0.05)
        seconds = time.perf_counter() - start
        processes = psutil.Process().children(recursive=True)
        return {
            "workers": count,
            "forked": forked,
            "seconds": round(seconds, 2),
            "processor_seconds": round(sum(sum(process.cpu_times()[:2]) for process in processes), 2),
            "memory_mb": round(sum(process.memory_full_info().pss for process in processes) / 1e6),
        }


def prepare(folder: Path, trials: int) -> None:
    """A study that has been run, and a study file with a mistake."""
    write_table(folder)
    (folder / "bench.yaml").write_text(STUDY)
    (folder / "wrong.yaml").write_text(STUDY.replace("horizon: 3", "horizon: three"))
    settings = ["--trials", str(trials), "--set", "tracking.enabled=false"]
    subprocess.run(
        [sys.executable, "-m", "search", "run", "bench.yaml", *settings], cwd=folder, check=True, capture_output=True
    )


def seconds(folder: Path, command: str) -> float:
    """Wall time of one process."""
    start = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", "search", *command.split()], cwd=folder, check=False, capture_output=True, text=True
    )
    taken = time.perf_counter() - start
    expected = 2 if "wrong" in command else 0
    if ended.returncode != expected:
        raise SystemExit(f"{command} ended with {ended.returncode}: {ended.stderr}")
    return taken


if __name__ == "__main__":
    main()
