"""The GPUs of a machine: how many jobs run there, what each worker sees, and what a study on a cluster trains on."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.combinations import each_row
from helpers.drivers import plan_of
from helpers.executors import NEEDS_RAY, Watcher, end, no_warm_up, skip_without_ray

from search.errors import StudyFileError
from search.executors import devices
from search.executors.base import Cluster, Job, JobContext, WorkerSettings
from search.executors.devices import cpu_count, gpu_share, resolve_jobs, visible_gpus
from search.executors.processes import ProcessExecutor
from search.executors.ray_cluster import RayExecutor

GPUS: list[tuple[int, str | None, tuple[str, ...]]] = [
    (0, None, ()),
    (0, "", ()),
    (2, None, ("0", "1")),
    (2, "3,5", ("3", "5")),
    (1, "GPU-5a, -1", ("GPU-5a",)),
]
"""What CUDA counts, CUDA_VISIBLE_DEVICES, and the names that workers may be given."""


@each_row(("count", "chosen", "names"), GPUS)
def test_workers_are_given_the_gpus_that_this_process_may_use(
    count: int, chosen: str | None, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_cuda_devices", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)

    assert visible_gpus() == names


@pytest.mark.parametrize(("count", "jobs"), [(0, cpu_count()), (1, 1), (8, 8)])
def test_one_job_per_gpu_runs_at_once_or_one_per_core(count: int, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cuda_devices", lambda: count)

    assert resolve_jobs("auto", "auto") == jobs
    assert resolve_jobs(3, "auto") == 3
    assert resolve_jobs("auto", "cpu") == cpu_count()


SHARES: list[tuple[int, int, float | None]] = [(2, 2, None), (4, 2, 0.45), (5, 2, 0.3), (3, 8, None), (4, 1, 0.225)]
"""Jobs, GPUs, and the part of a GPU's memory that each job may use."""


@each_row(("jobs", "gpus", "share"), SHARES)
def test_the_memory_of_a_gpu_is_shared_by_the_jobs_that_run_on_it(jobs: int, gpus: int, share: float | None) -> None:
    assert gpu_share("gpu", jobs, gpus) == (None if share is None else pytest.approx(share))


def visible(context: JobContext) -> str | None:
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def die(context: JobContext) -> None:
    os._exit(3)


def all_visible(pool: ProcessExecutor, jobs: int) -> list[str]:
    for key in range(jobs):
        pool.submit(Job(key, visible))
    return sorted(str(outcome.result) for outcome in end(pool, Watcher(), jobs, seconds=60))


@pytest.mark.slow
@pytest.mark.parametrize("modules", [(), ("colorsys",)], ids=["spawned", "forked"])
def test_workers_are_distributed_over_the_gpus_and_so_is_one_that_replaces_a_dead_one(
    modules: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    with ProcessExecutor(WorkerSettings(no_warm_up, 3, modules, gpus=("4", "7"))) as pool:
        assert all_visible(pool, 3) == ["4", "4", "7"]
        for key in range(3):
            pool.submit(Job(key, die))
        end(pool, Watcher(), 3, seconds=60)
        assert all_visible(pool, 3) == ["4", "4", "7"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,7"


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a cluster with a node that declares two GPUs, and a head that has none."""
    skip_without_ray()
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # nodes import the jobs of this module
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes.add_node(num_cpus=8, num_gpus=2)
    yield nodes.address
    nodes.shutdown()


@pytest.mark.slow
@NEEDS_RAY
@pytest.mark.parametrize(("share", "jobs", "names"), [(0.5, 4, ["0", "0", "1", "1"]), (1.0, 2, ["0", "1"])])
def test_on_a_cluster_a_gpu_is_shared_by_as_many_trials_as_its_shares_allow(
    share: float, jobs: int, names: list[str], two_gpus: str
) -> None:
    cluster = Cluster(two_gpus, gpus_per_trial=share)
    with RayExecutor(WorkerSettings(no_warm_up, jobs + 1, cluster=cluster)) as executor:
        deadline = time.monotonic() + 120
        while executor.free < jobs or executor.startup_seconds is None:
            assert time.monotonic() < deadline
            executor.poll(Watcher(), 0.1)
        assert executor.free == jobs  # there is no room for another one
        for key in range(jobs):
            executor.submit(Job(key, visible))
        found = end(executor, Watcher(), jobs, seconds=60)
    assert sorted(str(outcome.result) for outcome in found) == names


RAY = "search.executor={kind: ray, address: auto, gpus_per_trial: 0.25}"
ON_RAY: list[tuple[str, str, str]] = [
    (RAY, "auto", "gpu"),
    (RAY, "gpu", "gpu"),
    (RAY, "cpu", "cpu"),
    ("search.executor=ray", "auto", "cpu"),
]
"""The executor, ``training.accelerator``, and what trials train on."""


@pytest.mark.parametrize(("executor", "wanted", "accelerator"), ON_RAY)
@pytest.mark.parametrize("here", [0, 1], ids=["no GPU here", "a GPU here"])
def test_on_a_cluster_what_a_trial_takes_of_it_decides_and_not_the_machine_of_the_driver(
    executor: str, wanted: str, accelerator: str, here: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_cuda_devices", lambda: here)

    plan = plan_of(tmp_path, executor, f"training.accelerator={wanted}")

    assert plan.accelerator == accelerator


WRONG: list[tuple[str, str, str]] = [
    (
        "search.executor=ray",
        "gpu",
        r"training\.accelerator is gpu, but a trial takes no GPU of the Ray cluster; set gpus_per_trial",
    ),
    (
        "search.executor={kind: ray, gpus_per_trial: 0.5}",
        "auto",
        r"search\.executor has 0\.5 as gpus_per_trial, but Ray is started on this machine, which has no GPU; set the",
    ),
    (
        "search.executor={kind: ray, address: auto, gpus_per_trial: 2}",
        "gpu",
        r"search\.executor must have at most 1 as gpus_per_trial, as a network is trained on one GPU, but got 2",
    ),
]


@pytest.mark.parametrize(("executor", "wanted", "message"), WRONG)
def test_a_study_that_would_wait_for_a_gpu_forever_is_refused(
    executor: str, wanted: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_cuda_devices", lambda: 0)

    with pytest.raises(StudyFileError, match=message):
        plan_of(tmp_path, executor, f"training.accelerator={wanted}")


@pytest.mark.parametrize(("cpus", "jobs"), [(1, 6), (4, 1), (0.5, 12)])
def test_a_ray_that_is_started_here_has_room_for_as_many_trials_as_there_are_cores_for(
    cpus: float, jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tasks.accelerator.cpu_count", lambda: 6)
    executor: dict[str, Any] = {"kind": "ray", "cpus_per_trial": cpus}

    assert plan_of(tmp_path, f"search.executor={executor}", "search.jobs=auto", "search.trials=50").jobs == jobs
