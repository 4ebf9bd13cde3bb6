"""What is special about actors of Ray: no room for them, jobs that they cannot read, and actors that cannot start."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.executors import NEEDS_RAY, Watcher, end, no_warm_up, skip_without_ray
from helpers.panels import make_panel

from search.errors import SearchError, WorkersCannotStart
from search.executors import sharing
from search.executors.base import Cluster, Job, JobContext, WorkerSettings
from search.executors.ray_cluster import RayExecutor
from search.executors.ray_worker import UNREADABLE
from search.executors.sharing import offload
from search.executors.temporary_folder import own_folder

pytestmark = [pytest.mark.slow, NEEDS_RAY]


@pytest.fixture(autouse=True)
def _ray_runs() -> None:
    skip_without_ray()


def nothing(*_: Any) -> None:
    return


def sleep(context: JobContext) -> None:
    context.report("asleep")
    time.sleep(60)


def refuse() -> None:
    raise ValueError("is not for actors")


def report_pid(seconds: float, context: JobContext) -> None:
    context.report(os.getpid())
    time.sleep(seconds)


class Unreadable:
    """Pickles, and raises where it is read."""

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return refuse, ()


def test_a_job_that_the_cluster_has_no_room_for_is_given_back_when_it_should_stop() -> None:
    watcher = Watcher()
    watcher.stop_after[0] = 0
    with RayExecutor(WorkerSettings(no_warm_up, cluster=Cluster(gpus_per_trial=64))) as executor:
        executor.submit(Job(0, nothing))
        assert executor.free == 0
        (outcome,) = end(executor, watcher)
        assert outcome.failure is not None
        assert (outcome.failure.reason, outcome.failure.lost) == ("enough, and the cluster had no room for it", True)
        assert executor.free == 1


def test_a_job_that_cannot_be_read_fails_and_its_actor_goes_on() -> None:
    with RayExecutor(WorkerSettings(no_warm_up)) as executor:
        executor.submit(Job(0, nothing, (Unreadable(),)))
        failure = end(executor, Watcher(), seconds=60)[0].failure
        assert failure is not None
        assert not failure.died
        assert "is not for actors" in failure.reason
        executor.submit(Job(1, nothing))
        assert end(executor, Watcher(), seconds=60)[0].failure is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which pages of a file are in memory")
def test_storing_data_leaves_none_of_their_pages_in_the_driver() -> None:
    panel = make_panel((500_000,))
    offload(panel)
    with RayExecutor(WorkerSettings(no_warm_up)) as executor:
        assert panel.values.sum() > 0
        assert mapped_bytes() > panel.values.nbytes
        shared = executor.data.share(panel)
        assert mapped_bytes() < 500_000
        del shared


def holds_data(context: JobContext) -> bool:
    return sharing._latest is not None


def test_idle_actors_forget_the_data_before_when_others_are_shared() -> None:
    with RayExecutor(WorkerSettings(no_warm_up)) as executor:
        shared = executor.data.share(make_panel((5_000,)))
        for key, job in enumerate([Job(0, nothing, (shared,)), Job(1, holds_data)]):
            executor.submit(job)
            (outcome,) = end(executor, Watcher(), seconds=60)
            assert outcome.result is (None, True)[key]
        del shared, job
        executor.data.share(make_panel((6_000,)))
        executor.submit(Job(2, holds_data))
        assert end(executor, Watcher(), seconds=60)[0].result is False


def mapped_bytes() -> int:
    """Of files with shared data, in the memory of this process."""
    maps = psutil.Process().memory_maps()
    return sum(each.rss for each in maps if each.path.startswith(str(own_folder())))


def no_room() -> None:
    raise SearchError(f"{UNREADABLE}: it is full")


class Unplaceable:
    """Pickles, and is read as data are for which a node has no room."""

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return no_room, ()


def test_a_job_whose_data_no_node_can_read_ends_the_executor_and_does_not_fail() -> None:
    with RayExecutor(WorkerSettings(no_warm_up)) as executor:
        executor.submit(Job(0, nothing, (Unplaceable(),)))
        words = f"before they could run a trial: .*{UNREADABLE}: it is full; start Ray with a larger one"
        with pytest.raises(WorkersCannotStart, match=words):
            end(executor, Watcher(), seconds=120)


def test_a_job_that_does_not_stop_is_ended_with_its_actor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.executors.ray_cluster.STOP_SECONDS", 0.3)
    watcher = Watcher()
    watcher.stop_after[0] = 1
    with RayExecutor(WorkerSettings(no_warm_up)) as executor:
        executor.submit(Job(0, sleep))
        failure = end(executor, watcher, seconds=60)[0].failure
        assert failure is not None
        assert failure.reason == "enough, and the job did not stop within 0.3 s: its worker was killed"
        assert not failure.died
        executor.submit(Job(1, nothing))
        assert end(executor, Watcher(), seconds=60)[0].failure is None


def test_actors_that_cannot_start_say_why() -> None:
    with RayExecutor(WorkerSettings(refuse)) as executor:
        executor.submit(Job(0, nothing))
        with pytest.raises(WorkersCannotStart, match="a trial: ValueError: is not for actors; see that the package is"):
            end(executor, Watcher(), seconds=120)


def test_actors_whose_registered_code_differs_are_refused_with_the_name_of_their_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own_cells.py"
    file.write_text("class Cell: width = 1")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_cells", raising=False)
    executor = RayExecutor(WorkerSettings(no_warm_up, registered=(import_module("own_cells").Cell,)))
    file.write_text("class Cell: width = 2")
    words = f"the node {socket.gethostname()} has other source files of registered cells or metrics than this process"
    with executor:
        executor.submit(Job(0, nothing))
        with pytest.raises(WorkersCannotStart, match=words):
            end(executor, Watcher(), seconds=120)


@pytest.mark.parametrize(("signals", "lost"), [((signal.SIGTERM, signal.SIGKILL), True), ((signal.SIGKILL,), False)])
def test_an_actor_that_was_told_to_end_before_it_was_killed_was_lost_without_its_jobs_fault(
    signals: tuple[signal.Signals, ...], lost: bool
) -> None:
    watcher = Watcher()
    with RayExecutor(WorkerSettings(no_warm_up)) as executor:
        executor.submit(Job(0, report_pid, (60.0,)))
        while not watcher.reports:
            executor.poll(watcher, 0.1)
        for signum in signals:
            os.kill(watcher.reports[0][1], signum)
            outcomes = executor.poll(watcher, 0.5)
        failure = (outcomes or end(executor, watcher, seconds=60))[0].failure
        assert failure is not None
        assert (failure.died, failure.lost) == (True, lost)
        executor.submit(Job(1, nothing))
        assert end(executor, watcher, seconds=60)[0].failure is None


def test_an_actor_that_is_told_to_end_finishes_its_job_and_gets_no_other() -> None:
    watcher = Watcher()
    with RayExecutor(WorkerSettings(no_warm_up)) as executor:
        for key in (0, 1):
            executor.submit(Job(key, report_pid, (1.0,)))
            while len(watcher.reports) <= key:
                executor.poll(watcher, 0.1)
            os.kill(watcher.reports[key][1], signal.SIGTERM)
            assert end(executor, watcher, seconds=60)[0].failure is None
    assert watcher.reports[0][1] != watcher.reports[1][1]
