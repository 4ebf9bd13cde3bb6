"""Memory of a whole run on large data: a panel of 10,000 series of 1,000 days, and one series of 5,000,000 seconds.

Writes the table as Parquet, then runs ``python -m search run`` on it with two workers, from reading the table to the
exported model, and adds up what all of its processes hold (PSS: pages that several share count once), up to 10 times a
second. Imports are what the same study takes on 20 series of 1,000 days, or on 20,000 seconds. The rest of the peak is
compared with the data in single precision: rows times channels, once those of the table alone (what is forecast), and
once with the channels of the calendar, which the program adds and which are trained on as well.

With ``--executor ray`` (extra ray), four workers run on two nodes of a Ray cluster, which are processes of this machine
like its head, and every node is compared by itself: its raylet, its workers, and its object store, counted once. The
head has the driver, the process that writes to MLflow, and no workers.

    python benchmarks/memory.py --shape panel
    python benchmarks/memory.py --shape panel --executor ray
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

_SAMPLE_SECONDS = 0.1
STUDY = """\
name: large
data: {{path: table.parquet, time: time, target: value, calendar: {calendar}{series}}}
forecast: {{horizon: 14, season_length: 7, metric: mase}}
splits: {{holdout: {holdout}, folds: 2, stride: 7}}
search: {{trials: {trials}, jobs: {jobs}}}
space: {{preset: small}}
training: {{max_epochs: 2, accelerator: cpu}}
"""
# Series, rows of each, a small number of either, frequency, rows of the holdout.
SHAPES = {"panel": (10_000, 1_000, (20, 1_000), "D", 28), "long": (1, 5_000_000, (1, 20_000), "s", 3_600)}
NODES, JOBS_OF_A_NODE = 2, 2
_STORE = 2**30
"""Bytes of the object store of each node; what is not used is not in memory."""
_SMALL_NODES = {
    "RAY_object_manager_max_bytes_in_flight": "1000000",
    "RAY_object_manager_default_chunk_size": "250000",
    "RAY_free_objects_period_milliseconds": "100",
}
"""What docs/cluster.md advises to set on nodes with little memory."""
CHANNELS = {"panel": {"none": 1, "auto": 5}, "long": {"none": 1, "auto": 9}}


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, nargs="+", default=list(SHAPES))
    parser.add_argument("--calendar", choices=("auto", "none"), nargs="+", default=["auto", "none"])
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--executor", choices=("processes", "ray"), default="processes")
    parser.add_argument("--json", action="store_true", help="print one JSON object a run")
    options = parser.parse_args()
    for shape in options.shape:
        for calendar in options.calendar:
            result = measure(shape, calendar, options.trials, options.executor)
            print(json.dumps(result) if options.json else "  ".join(f"{key} {value}" for key, value in result.items()))


def measure(shape: str, calendar: str, trials: int, executor: str) -> dict[str, Any]:
    """Peaks in MB, and how many times the data that is; on a cluster, of each node."""
    series, rows, few, frequency, holdout = SHAPES[shape]
    small = run(*few, frequency, holdout, calendar, trials, executor)
    large = run(series, rows, frequency, holdout, calendar, trials, executor)
    table, channels = series * rows * 4, CHANNELS[shape][calendar]
    result = {
        "shape": shape,
        "calendar": calendar,
        "executor": executor,
        "table_mb": round(table / 1e6),
        "data_mb": round(channels * table / 1e6),
        "seconds": round(large.seconds, 1),
    }

    def compared(peak: int, imports: int) -> dict[str, float]:
        return {
            "imports_mb": round(imports / 1e6),
            "peak_mb": round(peak / 1e6),
            "times_the_data": round((peak - imports) / table / channels, 2),
            "times_the_table": round((peak - imports) / table, 2),
        }

    if executor == "ray":
        nodes = {node: compared(peak, small.largest[node]) for node, peak in large.largest.items()}
        most = max(each["times_the_data"] for each in nodes.values())
        return {**result, "times_the_data": most, "nodes": nodes}
    largest = {name: round(value / 1e6) for name, value in large.largest.items()}
    return {**result, **compared(large.peak, small.peak), "largest_mb": largest, "at_peak": large.at_peak}


@dataclass
class Watched:
    """What a run took.

    Attributes:
        peak: Bytes of all processes at the same time.
        seconds: Wall time.
        largest: Most bytes by kind of process, or by node.
        at_peak: Megabytes by kind of process or node, and seconds since the start, when there were most.
    """

    peak: int = 0
    seconds: float = 0.0
    largest: dict[str, int] = field(default_factory=dict)
    at_peak: dict[str, int] = field(default_factory=dict)

    def add(self, held: dict[str, int], seconds: float) -> None:
        """One sample."""
        for kind, value in held.items():
            self.largest[kind] = max(self.largest.get(kind, 0), value)
        if sum(held.values()) > self.peak:
            self.peak = sum(held.values())
            self.at_peak = {**{kind: round(value / 1e6) for kind, value in held.items()}, "second": round(seconds)}


def run(series: int, rows: int, frequency: str, holdout: int, calendar: str, trials: int, executor: str) -> Watched:
    """One run in a folder of its own."""
    with tempfile.TemporaryDirectory() as name, simulated_nodes() if executor == "ray" else nullcontext({}) as nodes:
        folder = Path(name)
        make_table(series, rows, frequency).to_parquet(folder / "table.parquet")
        settings = {
            "calendar": calendar,
            "series": ", id: series" if series > 1 else "",
            "holdout": holdout,
            "trials": trials,
            "jobs": NODES * JOBS_OF_A_NODE if nodes else 2,
        }
        (folder / "large.yaml").write_text(STUDY.format(**settings))
        where = ["--executor", executor, *(["--address", nodes["head"].gcs_address] if nodes else [])]
        with (folder / "output.txt").open("w") as output:
            command = [sys.executable, "-m", "search", "run", "large.yaml", *where]
            process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
            watched = watch(process, nodes)
        if process.returncode != 0:
            raise SystemExit((folder / "output.txt").read_text())
    return watched


@contextmanager
def simulated_nodes() -> Iterator[dict[str, Any]]:
    """The nodes of a Ray cluster by name: a head without workers, and some with."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", **_SMALL_NODES}
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        nodes = {"head": cluster.head_node}
        for number in range(1, NODES + 1):
            nodes[f"node {number}"] = cluster.add_node(num_cpus=JOBS_OF_A_NODE, object_store_memory=_STORE)
        yield nodes
    finally:
        cluster.shutdown()


def make_table(series: int, rows: int, frequency: str) -> pd.DataFrame:
    """Series with a season of 7 steps; names of series are text."""
    steps = np.tile(np.arange(rows), series)
    level = np.repeat(np.random.default_rng(0).uniform(10, 1000, series), rows)
    noise = np.random.default_rng(1).standard_normal(series * rows, np.float32)
    value = (level * (1 + 0.2 * np.sin(2 * np.pi * steps / 7))).astype(np.float32) + noise
    times = np.datetime64("2021-01-01", "ns") + steps.astype(f"timedelta64[{frequency}]")
    frame = pd.DataFrame({"time": times, "value": value})
    if series > 1:
        frame["series"] = np.repeat([f"shop {number:05d}" for number in range(series)], rows)
    return frame


def watch(process: subprocess.Popen[bytes], nodes: dict[str, Any]) -> Watched:
    """Sample until it ends: its processes, or the nodes of the cluster on which it runs, if there are any."""
    watched, start = Watched(), time.perf_counter()
    while process.poll() is None:
        begun = time.perf_counter()
        sample = held_by_nodes(process.pid, nodes) if nodes else held(process.pid)
        watched.add(sample, time.perf_counter() - start)
        time.sleep(max(_SAMPLE_SECONDS, 2 * (time.perf_counter() - begun)))
    watched.seconds = time.perf_counter() - start
    return watched


def held_by_nodes(driver: int, nodes: dict[str, Any]) -> dict[str, int]:
    """Bytes of each node: what its processes hold (PSS) without shared memory, and the object store as a whole.

    A page of the store counts once, however many workers map it, and also if none does.
    """
    found = {}
    for name, node in nodes.items():
        raylet = node.all_processes["raylet"][0].process.pid
        pids = {part.process.pid for parts in node.all_processes.values() for part in parts}
        for parent in (raylet, driver) if name == "head" else (raylet,):
            with suppress(psutil.Error):
                pids |= {parent, *(child.pid for child in psutil.Process(parent).children(recursive=True))}
        found[name] = sum(share_of_memory(pid, shared=False) for pid in pids) + object_store(raylet)
    return found


def object_store(raylet: int) -> int:
    """Bytes in memory of the files in which the raylet of a node keeps objects."""
    files = {}
    with suppress(OSError):
        for descriptor in Path(f"/proc/{raylet}/fd").iterdir():
            with suppress(OSError):
                if "/plasma" in os.readlink(descriptor):
                    status = descriptor.stat()
                    files[status.st_ino] = 512 * status.st_blocks
    return sum(files.values())


def held(pid: int) -> dict[str, int]:
    """Bytes (PSS) of the driver, its workers, and the rest."""
    found: dict[str, int] = {}
    try:
        driver = psutil.Process(pid)
        for one in (driver, *driver.children(recursive=True)):
            command = " ".join(one.cmdline())
            working = "forkserver" in command or "spawn_main" in command
            kind = "driver" if one.pid == pid else "workers" if working else "others"
            found[kind] = found.get(kind, 0) + share_of_memory(one.pid)
    except (psutil.NoSuchProcess, psutil.ZombieProcess, OSError):  # it ended just now
        return found
    return found


def share_of_memory(pid: int, *, shared: bool = True) -> int:
    """Bytes of a process, pages that others have as well counted in parts (PSS); 0 for one that has ended.

    Args:
        pid: Of the process.
        shared: Count shared memory.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    values = {line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines[1:]}
    return values.get("Pss", 0) - (0 if shared else values.get("Pss_Shmem", 0))


if __name__ == "__main__":
    main()
