"""A Ray cluster whose nodes are processes of this machine, and a study whose trials run there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil

from hazards.command import STUDY, Attempt, Run, shown
from hazards.processes import Place

TRIALS = 12
_PATIENCE = 120.0
"""Seconds until the next trial must have ended, whatever happened."""
ROWS = 20_000
"""So many that the data are put into the object store."""
_STORE = 80 * 1024**2
"""Bytes of the smallest object store."""
_CHANGES = {
    "tracking: {enabled: false}\n": "",
    "trials: 3, jobs: 1": f"trials: {TRIALS}, sampler: random, portfolio: off",
    "folds: 1": "folds: 2",
    "max_epochs: 3, ": "max_epochs: 100, patience: null, epoch_windows: 200, ",
}


def study_text() -> str:
    """A study of two folds, tracked, with as many trials at a time as the cluster holds."""
    text = STUDY
    for old, new in _CHANGES.items():
        assert old in text
        text = text.replace(old, new)
    return text


class Nodes:
    """A Ray cluster: a head without room for trials, and nodes that come and go.

    Args:
        settings: Of the head, for :class:`ray.cluster_utils.Cluster`.
    """

    def __init__(self, **settings: Any) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] = "2"
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE, **settings}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.nodes: list[Any] = []

    @property
    def address(self) -> str:
        """Of the head."""
        return str(self._cluster.address)

    def add(self, count: int = 1) -> None:
        """Add nodes, each with room for one trial."""
        for _ in range(count):
            self.nodes.append(self._cluster.add_node(num_cpus=1, object_store_memory=_STORE))

    def remove(self, count: int = 1, *, graceful: bool = False, actors_first: bool = False) -> None:
        """Remove the nodes that have been there longest: with SIGTERM to their processes, or by SIGKILL."""
        gone, self.nodes = self.nodes[:count], self.nodes[count:]
        if actors_first:
            kill(actor for node in gone for actor in self._actors(node))
        if not graceful:  # all of them at the same time
            kill(_raylet(node) for node in gone)
        for node in gone:
            self._cluster.remove_node(node, allow_graceful=graceful)

    def drain(self) -> None:
        """Announce the end of a node, as its container does after SIGTERM, and remove it."""
        self.nodes[0]._drain_node_before_shutdown()
        self.remove(graceful=True)

    def kill_the_head(self) -> None:
        """The processes of the head, and with it the connection of the driver."""
        for server in ("gcs_server", "raylet"):
            for part in self._cluster.head_node.all_processes[server]:
                part.process.kill()

    def actors(self) -> list[psutil.Process]:
        """The processes of the study's actors."""
        return [actor for node in self.nodes for actor in self._actors(node)]

    def _actors(self, node: Any) -> list[psutil.Process]:
        found = []
        with suppress(psutil.Error):
            for child in _raylet(node).children(recursive=True):
                with suppress(psutil.Error):
                    if "RayWorker" in " ".join(child.cmdline()):
                        found.append(child)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._cluster.shutdown()


def _raylet(node: Any) -> psutil.Process:
    return psutil.Process(node.all_processes["raylet"][0].process.pid)


def kill(processes: Iterable[psutil.Process], which: int = signal.SIGKILL) -> None:
    for process in [*processes]:
        with suppress(psutil.Error):
            process.send_signal(which)


class ClusterPlace(Place):
    """A study whose trials run on a cluster.

    Args:
        folder: Of the study.
        reference: Trials of the undisturbed search, as ``show --json`` has them.
        nodes: The cluster.
    """

    def __init__(self, folder: Path, reference: Sequence[dict[str, Any]], nodes: Nodes) -> None:
        super().__init__(folder, study_text(), "auto", trials=TRIALS, rows=ROWS)
        self.reference = reference
        self.use(nodes)

    def use(self, nodes: Nodes) -> None:
        """Run on this cluster from now on."""
        self.nodes, self.options = nodes, ("--executor", "ray", "--address", nodes.address)

    @property
    def ended(self) -> int:
        """Number of trials that are complete."""
        journal = self.folder / "studies" / "tiny.journal"
        return journal.read_text(errors="replace").count('"values":[') if journal.exists() else 0

    @property
    def epochs(self) -> int:
        """Number of epochs that were reported."""
        journal = self.folder / "studies" / "tiny.journal"
        return journal.read_text(errors="replace").count('"intermediate_value":') if journal.exists() else 0

    def wait(self, process: Run, true: Callable[[], bool]) -> bool:
        """Wait while the run goes on; ``False``: it has ended, or waiting took too long."""
        deadline = time.monotonic() + _PATIENCE
        while not true():
            if not process.running(0.05) or time.monotonic() > deadline:
                return False
        return True

    def wait_for_trial(self, process: Run, after: int = 0) -> bool:
        """Wait until more trials are complete."""
        return self.wait(process, lambda: self.ended > after)

    def check_scores(self, attempt: Attempt, *, failures: int) -> None:
        """As many failed trials at most, and the scores of the undisturbed search."""
        trials = (shown(self.folder) or {"trials": []})["trials"]
        failed = [trial["number"] for trial in trials if trial["state"] == "FAIL"]
        attempt.check(len(failed) <= failures, f"trials {failed} failed after {failures} kills without a warning")
        known = {str(trial["params"]): trial["fold_scores"] for trial in self.reference}
        complete = [trial for trial in trials if trial["state"] == "COMPLETE"]
        same = [trial for trial in complete if str(trial["params"]) in known]
        attempt.check(len(same) >= TRIALS - len(failed), f"only {len(same)} trials are those of the undisturbed search")
        other = [trial["number"] for trial in same if known[str(trial["params"])] != trial["fold_scores"]]
        attempt.check(not other, f"trials {other} have other scores than in the undisturbed search")
        deadline = time.monotonic() + 60
        while (left := self.nodes.actors()) and time.monotonic() < deadline:
            time.sleep(0.2)
        attempt.check(not left, f"{len(left)} actors are left")
        attempt.check(not (self.folder / "studies" / "tiny.folds").exists(), "finished folds are left")
