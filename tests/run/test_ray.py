"""Studies on a Ray cluster whose nodes come and go; with real nodes, which are processes of this machine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.executors import NEEDS_RAY, skip_without_ray
from helpers.studies import FREQUENT_CHECKPOINTS, TINY, search, shown, start, write_study

pytestmark = [pytest.mark.slow, NEEDS_RAY]

ROOT = Path(__file__).parent.parent.parent
SLOWER = (
    TINY.replace("max_epochs: 5", "max_epochs: 60").replace("patience: 3", "patience: null").replace("  jobs: 1\n", "")
)
"""Trials of about a second, as many at a time as the cluster holds."""
UNTRACKED = ("--set", "tracking.enabled=false", "--set", "search.pruner=none")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head node without room for trials."""
    skip_without_ray()
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield started
    started.shutdown()


def command(cluster: Any, trials: int) -> tuple[str, ...]:
    return ("run", "tiny.yaml", "--trials", str(trials), "--executor", "ray", "--address", cluster.address, *UNTRACKED)


def ended(folder: Path) -> int:
    journal = folder / "studies" / "tiny.journal"
    return journal.read_text(errors="replace").count('"values":[') if journal.exists() else 0


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def check_study(folder: Path, trials: int) -> None:
    """As many trials are complete as were asked for; one whose worker was lost has been repeated."""
    found = shown(folder)["trials"]
    assert [trial["number"] for trial in found] == list(range(len(found)))
    states = [trial["state"] for trial in found]
    assert set(states) <= {"COMPLETE", "FAIL"}
    assert states.count("COMPLETE") == trials
    complete = [trial["params"] for trial in found if trial["state"] == "COMPLETE"]
    assert all(trial["params"] in complete for trial in found if trial["state"] == "FAIL")


@pytest.mark.timeout(600)
def test_nodes_arrive_late_and_are_lost_and_the_driver_is_killed(tmp_path: Path, cluster: Any) -> None:
    write_study(tmp_path, SLOWER)
    with start(tmp_path, *command(cluster, 14)) as process:
        first = cluster.add_node(num_cpus=1)  # the search has begun by itself, and waits
        wait_until(lambda: ended(tmp_path) >= 1, process)
        second = cluster.add_node(num_cpus=1)
        wait_until(lambda: ended(tmp_path) >= 4, process)
        cluster.remove_node(first, allow_graceful=False)
        wait_until(lambda: ended(tmp_path) >= 6, process)
        process.send_signal(signal.SIGKILL)
    before = [trial for trial in shown(tmp_path)["trials"] if trial["state"] == "COMPLETE"]
    with start(tmp_path, *command(cluster, 14)) as process:
        count = ended(tmp_path)
        wait_until(lambda: ended(tmp_path) > count, process)
        cluster.remove_node(second, allow_graceful=False)
        cluster.add_node(num_cpus=2)
        output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    check_study(tmp_path, 14)
    after = shown(tmp_path)["trials"]
    assert [after[trial["number"]] for trial in before] == before


def test_a_worker_that_is_killed_costs_its_trial_one_repetition(tmp_path: Path, cluster: Any) -> None:
    write_study(tmp_path, SLOWER)
    cluster.add_node(num_cpus=1)
    with start(tmp_path, *command(cluster, 6)) as process:
        wait_until(lambda: ended(tmp_path) >= 1, process)
        for child in psutil.process_iter(["cmdline"]):
            if "RayWorker" in " ".join(child.info["cmdline"] or []):
                child.kill()
        output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    check_study(tmp_path, 6)


@pytest.mark.parametrize("trials", [200, 3])  # in the middle of the search, and about when it ends
def test_a_cluster_that_is_gone_ends_the_study_with_one_error_and_it_resumes_elsewhere(
    tmp_path: Path, cluster: Any, trials: int
) -> None:
    write_study(tmp_path, SLOWER)
    cluster.add_node(num_cpus=1)
    with start(tmp_path, *command(cluster, trials)) as process:
        wait_until(lambda: ended(tmp_path) >= 1, process)
        for server in ("gcs_server", "raylet"):
            for part in cluster.head_node.all_processes[server]:
                part.process.kill()
        output = process.communicate(timeout=240)[0]
    assert process.returncode == 2, output
    assert "error: the Ray cluster is gone" in output
    assert "Traceback" not in output
    done = ended(tmp_path)
    result = search(tmp_path, "run", "tiny.yaml", "--trials", str(done + 1), "--executor", "ray", *UNTRACKED)
    assert result.returncode == 0, result.stderr
    assert [trial["state"] for trial in shown(tmp_path)["trials"]].count("COMPLETE") >= done


def test_a_trial_whose_node_is_lost_in_its_second_fold_resumes_there_on_another_one(
    tmp_path: Path, cluster: Any
) -> None:
    for name in ("whole", "lost"):
        (tmp_path / name).mkdir()
        write_study(tmp_path / name, SLOWER.replace("max_epochs: 60", "max_epochs: 200"))
    options = ("run", "tiny.yaml", "--trials", "1", "--set", "search.portfolio=off", *UNTRACKED)
    assert search(tmp_path / "whole", *options, "--executor", "in_process").returncode == 0
    folder = tmp_path / "lost"
    node = cluster.add_node(num_cpus=1)
    arguments = (*options, "--executor", "ray", "--address", cluster.address)
    with start(folder, *arguments, program=FREQUENT_CHECKPOINTS) as process:
        wait_until(lambda: any((folder / "studies" / "tiny.folds").glob("*fold-2-checkpoint.npz")), process)
        cluster.remove_node(node, allow_graceful=False)
        cluster.add_node(num_cpus=1)
        output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    assert re.search(r"trial 0 resumes after epoch \d+ of fold 2 of 2", output), output
    (whole,), (lost,) = (shown(tmp_path / name)["trials"] for name in ("whole", "lost"))
    assert (lost["state"], lost["fold_scores"]) == ("COMPLETE", whole["fold_scores"])


def test_scores_are_those_of_this_process(tmp_path: Path) -> None:
    skip_without_ray()
    scores = []
    for name in ("in_process", "ray"):
        (tmp_path / name).mkdir()
        write_study(tmp_path / name)
        result = search(tmp_path / name, "run", "tiny.yaml", "--executor", name, *UNTRACKED)
        assert result.returncode == 0, result.stderr
        scores.append([(trial["params"], trial["value"]) for trial in shown(tmp_path / name)["trials"]])
    assert scores[0] == scores[1]
    assert len(scores[0]) == 4


_SCRIPT = """
import sys
import lstmgru
from search import run_study
from torch import nn


class Elman(nn.Module):
    def __init__(self, input_size, hidden_size, recurrent_dropout):
        super().__init__()
        self.layer = nn.RNN(input_size, hidden_size, batch_first=True)

    def forward(self, x, state):
        outputs, h = self.layer(x, None if state is None else state[0][None])
        return outputs, (h[0],)


if __name__ == "__main__":
    lstmgru.register_cell("elman", Elman)
    executor = f"search.executor={{kind: ray, address: '{sys.argv[1]}'}}"
    run_study("tiny.yaml", trials=2, overrides=[executor, "space.cell=elman", "tracking.enabled=false"])
"""


def test_a_cell_that_a_script_registers_reaches_the_nodes(tmp_path: Path, cluster: Any) -> None:
    write_study(tmp_path)
    (tmp_path / "script.py").write_text(_SCRIPT)
    cluster.add_node(num_cpus=1)
    program = [sys.executable, "script.py", cluster.address]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    found = shown(tmp_path)["trials"]
    assert [(trial["state"], "elman" in trial["layers"]) for trial in found] == [("COMPLETE", True)] * 2


_CLIENT = """
import sys
import ray
from search import run_study
from search.errors import SearchError

ray.init(sys.argv[1])
try:
    run_study("tiny.yaml", overrides=["search.executor=ray"])
except SearchError as error:
    print(error)
"""


def test_a_program_that_is_a_client_of_ray_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("grpc")  # Ray needs it for clients
    skip_without_ray()
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    head = {"num_cpus": 1, "include_dashboard": False, "ray_client_server_port": port}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    write_study(tmp_path)
    try:
        program = [sys.executable, "-c", _CLIENT, f"ray://127.0.0.1:{port}"]
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    finally:
        cluster.shutdown()
    assert "connected to its cluster as a Ray client" in done.stdout, done.stderr
    assert not (tmp_path / "studies").exists()


def other_version(folder: Path) -> None:
    """Another version of the package."""
    metadata = folder / "lstmgru_search-9.9.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: lstmgru-search\nVersion: 9.9\n")


def other_source(folder: Path) -> None:
    """A checkout without the function that workers call first."""
    for package in ("lstmgru", "search"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "search" / "run" / "workers.py").write_text("")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (other_version, "and lstmgru-search 9.9, but this process has"),
        (other_source, "like this process, but with other source files"),
    ],
)
def test_a_node_with_other_code_is_refused_with_its_name(
    tmp_path: Path,
    make: Callable[[Path], None],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    make(tmp_path / "other")
    with monkeypatch.context() as nodes:  # what starts now finds the other code
        nodes.setenv("PYTHONPATH", str(tmp_path / "other"), prepend=os.pathsep)
        cluster = request.getfixturevalue("cluster")
        cluster.add_node(num_cpus=1)
    write_study(tmp_path)
    result = search(tmp_path, *command(cluster, 1))
    assert result.returncode == 2
    assert f"error: the node {socket.gethostname()} has " in result.stderr
    assert words in result.stderr
    assert ended(tmp_path) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--address", "127.0.0.1:1"), "no Ray cluster can be used at '127.0.0.1:1': Connection refused"),
        (("--address", "somewhere"), "no Ray cluster can be used at 'somewhere'"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_lost(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    write_study(tmp_path)
    (tmp_path / "studies").mkdir()
    journal = tmp_path / "studies" / "tiny.journal"
    journal.write_text("what was there")
    result = search(tmp_path, "run", "tiny.yaml", "--fresh", *arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert journal.read_text() == "what was there"


def test_a_machine_on_which_ray_cannot_start_is_one_line(tmp_path: Path) -> None:
    write_study(tmp_path)
    result = search(tmp_path, "run", "tiny.yaml", "--executor", "ray", *UNTRACKED, RAY_TMPDIR=os.devnull)
    assert result.returncode == 2
    assert "error: search.executor: Ray cannot be started on this machine: Not a directory" in result.stderr
    assert "or with --executor processes" in result.stderr
    assert "Traceback" not in result.stderr
