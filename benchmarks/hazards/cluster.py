"""Faults of a Ray cluster with real nodes, which are processes of this machine, and then a run to the end.

A chain of faults strikes one study: actors are killed, with and without a warning, nodes are lost one by one or all at
once, arrive late or are drained, and the driver ends in between. Further faults strike one run each: the head of the
cluster, its object store, the disk of the driver, and the token of the cluster. At the end, every trial must have the
scores of a search in one process that nothing disturbed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hazards.cluster_nodes import ROWS, TRIALS, ClusterPlace, Nodes, kill, study_text
from hazards.cluster_store import filled
from hazards.command import Attempt, Ended, Run, fault, shown
from hazards.processes import Place

KIND = "cluster"


@dataclass(frozen=True)
class Hit:
    """A fault.

    Attributes:
        strike: Does it, at a moment that it chooses, and says what it did.
        ends_driver: Whether the run ends with it.
        fails: Whether it may make a trial fail: only what looks like a fault of the trial itself.
    """

    strike: Callable[[random.Random, ClusterPlace, Run], str]
    ends_driver: bool = False
    fails: bool = False


def kill_an_actor(rng: random.Random, place: ClusterPlace, process: Run) -> str:
    """SIGKILL to an actor whose node stays."""
    time.sleep(rng.uniform(0, 2))
    actors = place.nodes.actors()
    kill(actors[:1])
    return f"an actor of {len(actors)} killed"


def warn_an_actor(rng: random.Random, place: ClusterPlace, process: Run) -> str:
    """SIGTERM to an actor, and SIGKILL some seconds later, as batch systems do."""
    actors = place.nodes.actors()[:1]
    kill(actors, signal.SIGTERM)
    seconds = rng.uniform(0.3, 3)
    time.sleep(seconds)
    kill(actors)
    return f"SIGTERM to an actor, SIGKILL after {seconds:.1f} s"


def remove_a_node(rng: random.Random, place: ClusterPlace, process: Run) -> str:
    """All processes of a node at once, or its actors first; another node follows."""
    time.sleep(rng.uniform(0, 2))
    first = rng.random() < 0.5
    place.nodes.remove(actors_first=first)
    place.nodes.add()
    return f"a node lost{', its actors first' if first else ''}"


def remove_in_a_report(rng: random.Random, place: ClusterPlace, process: Run) -> str:
    """A node is lost while its actor reports an epoch or a fold: right after an epoch has arrived."""
    epochs = place.epochs
    place.wait(process, lambda: place.epochs > epochs)
    place.nodes.remove()
    place.nodes.add()
    return "a node lost in the middle of a report"


def terminate_a_node(rng: random.Random, place: ClusterPlace, process: Run) -> str:
    """SIGTERM to the processes of a node, without or with an announcement to the cluster."""
    drain = rng.random() < 0.5
    if drain:
        place.nodes.drain()
    else:
        place.nodes.remove(graceful=True)
    place.nodes.add()
    return "a node drained and terminated" if drain else "a node terminated"


def remove_all_nodes(rng: random.Random, place: ClusterPlace, process: Run) -> str:
    """All nodes at once; others arrive later."""
    count, seconds = len(place.nodes.nodes), rng.uniform(0, 8)
    place.nodes.remove(count)
    time.sleep(seconds)
    place.nodes.add(2)
    return f"{count} nodes lost at once, others {seconds:.1f} s later"


def scale(rng: random.Random, place: ClusterPlace, process: Run) -> str:
    """0 → 3 → 0 nodes, and then 2."""
    place.nodes.remove(len(place.nodes.nodes))
    place.nodes.add(3)
    place.wait_for_trial(process, after=place.ended)
    place.nodes.remove(3, graceful=rng.random() < 0.5)
    time.sleep(rng.uniform(0, 3))
    place.nodes.add(2)
    return "0, 3 and again 0 nodes"


def kill_the_driver(rng: random.Random, place: ClusterPlace, process: Run) -> str:
    """SIGKILL to the driver, or to its whole group."""
    group = rng.random() < 0.5
    time.sleep(rng.uniform(0, 3))
    process.kill(group=group)
    return f"{'the group of the ' if group else ''}driver killed"


def signal_the_driver(rng: random.Random, place: ClusterPlace, process: Run) -> str:
    """SIGTERM to the driver, as its machine is taken away."""
    time.sleep(rng.uniform(0, 3))
    process.kill(signal.SIGTERM)
    return "SIGTERM to the driver"


CHAINS: tuple[tuple[Hit, ...], ...] = (
    (
        Hit(kill_an_actor, fails=True),
        Hit(remove_a_node),
        Hit(warn_an_actor),
        Hit(kill_the_driver, ends_driver=True),
        Hit(scale),
    ),
    (
        Hit(terminate_a_node),
        Hit(remove_in_a_report),
        Hit(signal_the_driver, ends_driver=True),
        Hit(remove_all_nodes),
        Hit(kill_the_driver, ends_driver=True),
        Hit(remove_a_node),
    ),
)


def attempts(count: int, seed: int, folder: Path, only: Sequence[str] = ()) -> Iterator[Attempt]:
    """At least so many faults.

    Args:
        count: Of faults; a scenario is always run to its end.
        seed: Of the faults and, as far as the machine allows, of their moments.
        folder: Of the studies.
        only: Names of scenarios; empty: all of :data:`SCENARIOS`, in turn.
    """
    place = Place(folder / "undisturbed", study_text(), 1, trials=TRIALS, rows=ROWS)
    undisturbed = Attempt(KIND, "undisturbed")
    place.check_finished(undisturbed)
    reference = (shown(place.folder) or {"trials": []})["trials"]
    if undisturbed.problems or not reference:
        raise SystemExit(f"a run that is left alone fails: {undisturbed.problems}")
    done = number = 0
    while done < count:
        for name, run in SCENARIOS:
            case = f"{seed}/{number}"
            number += 1  # counts scenarios that are left out, so that a case is the same without the others
            if only and name not in only:
                continue
            if done >= count:
                return
            for attempt in _run(run, name, random.Random(case), folder / str(number), reference):
                attempt.case += f", {case}"
                done += 1
                yield attempt
            shutil.rmtree(folder / str(number), ignore_errors=True)


def _run(
    run: Scenario, name: str, rng: random.Random, folder: Path, reference: Sequence[dict[str, Any]]
) -> Iterator[Attempt]:
    """The faults of a scenario; one that cannot be injected, as on a machine that is too slow, ends only this one."""
    try:
        yield from run(rng, folder, reference)
    except Exception as error:
        lines = str(error).splitlines() or [""]
        yield Attempt(KIND, name, [f"the scenario could not be run: {type(error).__name__}: {lines[0]}"])


Scenario = Callable[[random.Random, Path, Sequence[dict[str, Any]]], list[Attempt]]


def _chain(which: int) -> Scenario:
    def run(rng: random.Random, folder: Path, reference: Sequence[dict[str, Any]]) -> list[Attempt]:
        found: list[Attempt] = []
        with Nodes() as nodes:
            place = ClusterPlace(folder, reference, nodes)
            process, late = place.start(), rng.uniform(0, 5)
            time.sleep(late)
            nodes.add(2)
            found.append(Attempt(KIND, f"nodes that arrive after {late:.1f} s"))
            failures = ended = 0
            for hit in CHAINS[which]:
                if not place.wait_for_trial(process, after=ended):
                    found[-1].check(not process.running(0), "no further trial ended")
                    break
                ended = place.ended
                attempt = Attempt(KIND, hit.strike(rng, place, process))
                found.append(attempt)
                failures += hit.fails
                if hit.ends_driver:
                    _check_end(place, attempt, process.finish())
                    process = place.start()
            last = process.finish()
            place.check(found[-1], last, resting=True)
            found[-1].check(last.code == 0, f"the run ended with {last.code}: {last.error[-300:]}")
            place.check_finished(found[-1])
            place.check_scores(found[-1], failures=failures)
        return found

    return run


def _check_end(place: ClusterPlace, attempt: Attempt, ended: Ended) -> None:
    """What holds when a driver was killed or told to end."""
    killed = ended.code == 128 + signal.SIGKILL
    attempt.check(killed or fault(ended) is None, str(fault(ended)))
    attempt.check(ended.code in (0, 128 + signal.SIGKILL, 128 + signal.SIGTERM), f"exit code {ended.code}")
    place.check(attempt, ended, resting=not killed)


def _lose_the_head(rng: random.Random, folder: Path, reference: Sequence[dict[str, Any]]) -> list[Attempt]:
    """The study ends with one error, and resumes on another cluster."""
    attempt = Attempt(KIND, "the head killed, resumed on another cluster")
    with Nodes() as nodes:
        place = ClusterPlace(folder, reference, nodes)
        process = place.start()
        nodes.add(1)
        place.wait_for_trial(process)
        time.sleep(rng.uniform(0, 2))
        nodes.kill_the_head()
        _refused(place, attempt, process.finish(), "the Ray cluster is gone")
    with Nodes() as nodes:
        place.use(nodes)
        nodes.add(2)
        _to_the_end(place, attempt)
    return [attempt]


def _fill_the_disk(rng: random.Random, folder: Path, reference: Sequence[dict[str, Any]]) -> list[Attempt]:
    """Every write of the driver beyond a limit fails."""
    limit = int(10 ** rng.uniform(2.5, 5.5))
    attempt = Attempt(KIND, f"no file of the driver is larger than {limit} bytes")
    with Nodes() as nodes:
        place = ClusterPlace(folder, reference, nodes)
        nodes.add(2)
        ended = place.start(file_size=limit).finish()
        attempt.check(fault(ended) is None, str(fault(ended)))
        place.check(attempt, ended, resting=False)
        _to_the_end(place, attempt)
    return [attempt]


def _fill_the_store(rng: random.Random, folder: Path, reference: Sequence[dict[str, Any]]) -> list[Attempt]:
    """Another program fills the object store of the head or of the other nodes, with and without room on the disk."""
    found = []
    for which, disk in (("head", True), ("head", False), ("nodes", False)):
        without = {"automatic_object_spilling_enabled": False, "local_fs_capacity_threshold": 0.0}
        attempt = Attempt(
            KIND, f"object store of the {which} full, {'values move to' if disk else 'and so is'} the disk"
        )
        with Nodes(**{} if disk else {"_system_config": without}) as nodes:
            place = ClusterPlace(folder / f"{which}-{disk}", reference, nodes)
            nodes.add(2)
            with filled(nodes.address, which):
                process = place.start()
                if disk:
                    attempt.check(place.wait_for_trial(process), "no trial ended")
                else:
                    words = "do not fit into Ray's object store" if which == "head" else "before they could run a trial"
                    _refused(place, attempt, process.finish(), words)
            if disk:
                place.check(attempt, process.finish(), resting=True)
            _to_the_end(place, attempt)
        found.append(attempt)
    return found


_WITH_TOKEN = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


class _TokenNodes(Nodes):
    """A cluster with a token, of another process: Ray reads the token once."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.nodes: list[Any] = []

    @property
    def address(self) -> str:
        return self._address


def _lose_the_token(rng: random.Random, folder: Path, reference: Sequence[dict[str, Any]]) -> list[Attempt]:
    """A wrong token and none are refused, in the middle of a study too, and the right one resumes it."""
    token, wrong = (f"{rng.getrandbits(128):032x}" for _ in range(2))
    right = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    command = [sys.executable, "-c", _WITH_TOKEN]
    found = []
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | right,
    ) as cluster:
        assert cluster.stdout is not None
        place = ClusterPlace(folder, reference, _TokenNodes(cluster.stdout.readline().strip()))
        process = place.start(**right)
        place.wait_for_trial(process)
        process.kill(signal.SIGTERM)
        _check_end(place, Attempt(KIND, ""), process.finish())
        for name, other in (("a wrong token", {**right, "RAY_AUTH_TOKEN": wrong}), ("no token", {})):
            attempt = Attempt(KIND, name)
            home = {"HOME": str(folder), "RAY_AUTH_MODE": "token" if other else "disabled"}
            _refused(place, attempt, place.start(**{**home, **other}).finish(), "RAY_AUTH_TOKEN")
            found.append(attempt)
        _to_the_end(place, found[-1], **right)
        assert cluster.stdin is not None
        cluster.stdin.close()
    return found


SCENARIOS: tuple[tuple[str, Scenario], ...] = (
    ("actors", _chain(0)),
    ("driver", _chain(1)),
    ("actors", _chain(0)),
    ("driver", _chain(1)),
    ("head", _lose_the_head),
    ("disk", _fill_the_disk),
    ("store", _fill_the_store),
    ("token", _lose_the_token),
)
"""Names and scenarios of a round, which has 33 faults."""


def _refused(place: ClusterPlace, attempt: Attempt, ended: Ended, words: str) -> None:
    """One error, exit code 2, and nothing lost."""
    attempt.check(fault(ended) is None, str(fault(ended)))
    attempt.check(ended.code == 2 and words in ended.error, f"{ended.code}: {ended.error[-300:]}")
    place.check(attempt, ended, resting=place.ended > 0)


def _to_the_end(place: ClusterPlace, attempt: Attempt, **more: str) -> None:
    place.check_finished(attempt, **more)
    place.check_scores(attempt, failures=0)
