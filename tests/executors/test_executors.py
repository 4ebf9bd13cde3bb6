"""Executors: jobs, reports, stops, failures, and workers that die; with real processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psutil
import pytest
from helpers.combinations import each_row
from helpers.executors import NEEDS_RAY, Watcher, end, no_warm_up, skip_without_ray

from search.errors import WorkersCannotStart
from search.executors import EXECUTORS, RAY, ExecutorEntry, executor_name, make_executor
from search.executors.base import Executor, Job, JobContext, Outcome, WorkerSettings, failure_reason
from search.executors.devices import gpu_share
from search.executors.processes import ProcessExecutor
from search.executors.worker import limit_gpu_memory


def add(a: int, b: int, context: JobContext) -> int:
    context.report("adding")
    return a + b


def fail(context: JobContext) -> None:
    raise ValueError("first line\nsecond line")


def count_until_stopped(context: JobContext) -> str:
    for number in range(400):
        context.report(number)
        if (reason := context.stop_reason()) is not None:
            return reason
        time.sleep(0.01)
    return "never stopped"


def stopped_at_once(context: JobContext) -> str | None:
    time.sleep(0.1)
    return context.stop_reason()


def sleep(seconds: float, context: JobContext) -> int:
    context.report(os.getpid())
    time.sleep(seconds)
    return os.getpid()


def kill_yourself(context: JobContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def torch_threads(context: JobContext) -> tuple[str | None, str]:
    return os.environ.get("OMP_NUM_THREADS"), str(signal.getsignal(signal.SIGINT))


NEVER_USED = ("colorsys",)
"""A module that no worker would import of itself."""
LINUX = sys.platform == "linux"
FORKED = pytest.param(NEVER_USED, id="forked", marks=pytest.mark.skipif(not LINUX, reason="not forked"))


@pytest.fixture(params=[pytest.param((), id="spawned"), FORKED])
def either(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The modules to preload, for both ways to start workers."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module", params=[pytest.param((), id="spawned"), FORKED])
def modules(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The same, once for all tests of the module."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=[pytest.param((), id="spawned", marks=[pytest.mark.slow] if LINUX else []), FORKED])
def preload(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The modules to preload, for the usual way to start workers here."""
    return request.param  # type: ignore[no-any-return]


EVERY = [pytest.param(name, marks=[pytest.mark.slow, NEEDS_RAY] if name == RAY else []) for name in EXECUTORS]


@pytest.fixture(scope="module", params=EVERY)
def executor(request: pytest.FixtureRequest, modules: tuple[str, ...]) -> Iterator[Executor]:
    """Every kind of executor, for what all of them have in common."""
    if request.param == RAY and modules:
        pytest.skip("Ray starts its processes in its own way")
    if request.param == RAY:
        skip_without_ray()
    with make_executor(request.param, WorkerSettings(no_warm_up, preload=modules)) as chosen:
        yield chosen


@each_row(
    ("wanted", "jobs", "separate", "limited", "name"),
    [
        ("auto", 1, False, False, "in_process"),
        ("auto", 2, False, False, "processes"),
        ("auto", 1, True, False, "processes"),
        ("auto", 1, False, True, "processes"),  # only a worker can be ended
        ("processes", 1, False, False, "processes"),
        ("in_process", 1, False, False, "in_process"),
        ("in_process", 1, False, True, "in_process"),
        ("in_process", 1, True, False, "processes"),
        ("another", 1, True, True, "another"),
        ("another", 4, False, False, "another"),
        ("own", 1, False, True, "own"),
        ("own", 1, True, False, "processes"),
    ],
)
def test_the_executor_is_the_wanted_one_and_jobs_that_must_be_separate_have_a_worker(
    wanted: str, jobs: int, separate: bool, limited: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXECUTORS, "another", ExecutorEntry("its:Class"))
    monkeypatch.setitem(EXECUTORS, "own", ExecutorEntry("its:Class", in_process=True))

    assert executor_name(wanted, jobs, separate=separate, limited=limited) == name


def test_a_job_reports_and_returns(executor: Executor) -> None:
    watcher = Watcher()
    executor.submit(Job(7, add, (1, 2)))
    assert executor.free == 0
    assert end(executor, watcher) == [Outcome(7, result=3)]
    assert watcher.reports == [(7, "adding")]
    assert executor.startup_seconds is not None
    assert executor.free == 1


def test_an_exception_is_a_failure_with_its_first_line_and_its_traceback(executor: Executor) -> None:
    executor.submit(Job(1, fail))
    failure = end(executor, Watcher())[0].failure
    assert failure is not None
    assert failure.reason == "ValueError: first line"
    assert "second line" in failure.details
    assert not failure.died


def test_a_running_job_hears_that_it_should_stop(executor: Executor) -> None:
    watcher = Watcher()
    watcher.stop_after[3] = 5
    executor.submit(Job(3, count_until_stopped))
    assert end(executor, watcher)[0].result == "enough"
    assert 5 <= len(watcher.reports) < 400


def test_a_request_to_stop_is_not_for_a_later_job_with_the_same_key(executor: Executor) -> None:
    watcher = Watcher()
    watcher.stop_after[0] = 1
    executor.submit(Job(0, count_until_stopped))
    assert end(executor, watcher)[0].result == "enough"
    executor.submit(Job(0, stopped_at_once))
    assert end(executor, Watcher())[0].result is None


def test_a_job_that_does_not_stop_is_ended_with_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.executors.processes.STOP_SECONDS", 0.3)
    watcher = Watcher()
    watcher.stop_after[1] = 1
    with ProcessExecutor(WorkerSettings(no_warm_up, preload=NEVER_USED if LINUX else ())) as executor:
        executor.submit(Job(1, sleep, (60.0,)))
        began = time.monotonic()
        failure = end(executor, watcher)[0].failure
        assert time.monotonic() - began < 30
        assert failure is not None
        assert failure.reason == "enough, and the job did not stop within 0.3 s: its worker was killed"
        assert not failure.died
        executor.submit(Job(2, add, (1, 2)))  # by a new worker
        assert end(executor, Watcher())[0].result == 3


def answer_at_length(context: JobContext) -> bytes:
    count_until_stopped(context)
    return b"x" * 2_000_000


def test_a_job_that_stops_while_the_driver_is_away_has_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot send all of it before the driver reads."""
    monkeypatch.setattr("search.executors.processes.STOP_SECONDS", 0.3)
    watcher = Watcher()
    watcher.stop_after[1] = 1
    with ProcessExecutor(WorkerSettings(no_warm_up, preload=NEVER_USED if LINUX else ())) as executor:
        executor.submit(Job(1, answer_at_length))
        while not watcher.reports:
            executor.poll(watcher, 0.1)
        time.sleep(1.0)
        outcome = end(executor, watcher)[0]
    assert outcome.failure is None
    assert len(outcome.result) == 2_000_000


@dataclass
class Box:
    """Something with an array in it."""

    numbers: np.ndarray


def total(box: Box, context: JobContext) -> tuple[float, int]:
    return float(box.numbers.sum()), id(box)


def test_what_is_shared_is_the_value_itself_to_a_job_and_one_object_to_all_jobs_of_a_worker(executor: Executor) -> None:
    shared = executor.data.share(Box(np.arange(5.0)))
    results = []
    for key in range(2):
        executor.submit(Job(key, total, (shared,)))
        results += [outcome.result for outcome in end(executor, Watcher())]
    assert results[0][0] == 10
    assert results[0] == results[1]


def test_an_offloaded_value_is_unchanged(executor: Executor) -> None:
    box = Box(np.arange(5.0))
    executor.data.offload(box)
    executor.submit(Job(0, total, (executor.data.share(box),)))
    assert end(executor, Watcher())[0].result[0] == 10
    assert box.numbers.tolist() == [0, 1, 2, 3, 4]


def test_scaling_down_ends_idle_workers_only(preload: tuple[str, ...]) -> None:
    with ProcessExecutor(WorkerSettings(no_warm_up, 3, preload)) as pool:
        watcher = Watcher()
        pool.submit(Job(0, count_until_stopped))
        while not watcher.reports:
            pool.poll(watcher, 0.1)
        busy, *idle = pool.pids
        pool.scale_down(1)
        assert pool.pids[0] == busy
        assert len(pool.pids) == 2
        assert sum(psutil.pid_exists(pid) for pid in idle) == 1
        watcher.stop_after[0] = 0
        assert end(pool, watcher)[0].result == "enough"
        assert pool.free == 2
        pool.scale_down(1)
        assert pool.pids == [busy]
        pool.submit(Job(1, add, (1, 1)))
        assert end(pool, watcher)[0].result == 2


@pytest.mark.parametrize(
    ("accelerator", "jobs", "share"), [("gpu", 1, None), ("gpu", 4, 0.225), ("cpu", 4, None), ("mps", 2, None)]
)
def test_jobs_on_one_gpu_have_equal_parts_of_its_memory(accelerator: str, jobs: int, share: float | None) -> None:
    assert gpu_share(accelerator, jobs) == share


@pytest.mark.parametrize(
    ("available", "share", "kept"), [(True, 0.25, [0.25]), (True, None, []), (False, 0.25, []), (False, None, [])]
)
def test_a_worker_keeps_to_its_part_where_there_is_a_gpu(
    available: bool, share: float | None, kept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    found: list[float] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", found.append)
    limit_gpu_memory(share)
    assert found == kept


def test_jobs_run_at_the_same_time_in_workers_that_live_on(preload: tuple[str, ...]) -> None:
    with ProcessExecutor(WorkerSettings(no_warm_up, 2, preload)) as pool:
        watcher = Watcher()
        for first_key in (0, 2):
            pool.submit(Job(first_key, sleep, (0.3,)))
            pool.submit(Job(first_key + 1, sleep, (0.3,)))
            end(pool, watcher, 2)
    pids = dict(watcher.reports)
    assert pids[0] != pids[1]
    assert {pids[2], pids[3]} == {pids[0], pids[1]}


def test_a_worker_has_one_thread_and_leaves_ctrl_c_to_the_driver(either: tuple[str, ...]) -> None:
    with ProcessExecutor(WorkerSettings(no_warm_up, 1, either)) as pool:
        pool.submit(Job(0, torch_threads))
        assert end(pool, Watcher())[0].result == ("1", str(signal.SIG_IGN))


def test_a_killed_worker_costs_its_job_only_and_is_replaced(either: tuple[str, ...]) -> None:
    with ProcessExecutor(WorkerSettings(no_warm_up, 2, either)) as pool:
        watcher = Watcher()
        pool.submit(Job(0, kill_yourself))
        pool.submit(Job(1, sleep, (0.5,)))
        outcomes = {outcome.key: outcome for outcome in end(pool, watcher, 2)}
        failure = outcomes[0].failure
        assert failure is not None
        assert failure.died
        assert failure.reason == "the worker process was killed by SIGKILL (out of memory?)"
        assert outcomes[1].failure is None
        pool.submit(Job(2, add, (1, 1)))
        assert end(pool, watcher)[0].result == 2


def test_an_idle_worker_that_is_killed_is_replaced_too(preload: tuple[str, ...]) -> None:
    with ProcessExecutor(WorkerSettings(no_warm_up, 1, preload)) as pool:
        watcher = Watcher()
        pool.submit(Job(0, add, (1, 1)))
        end(pool, watcher)
        os.kill(pool.pids[0], signal.SIGKILL)
        psutil.wait_procs([psutil.Process(pool.pids[0])], timeout=5)
        pool.submit(Job(1, add, (1, 1)))
        first = end(pool, watcher)[0]
        if first.failure is not None:  # submitted before the death was noticed
            assert first.failure.died
            pool.submit(Job(2, add, (1, 1)))
            first = end(pool, watcher)[0]
        assert first.result == 2


def broken_warm_up() -> None:
    """A worker that cannot start."""
    raise ImportError("no such library")


def test_workers_that_cannot_start_are_an_error_and_not_an_endless_loop(
    either: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        ProcessExecutor(WorkerSettings(broken_warm_up, 1, either)) as pool,
        pytest.raises(WorkersCannotStart, match="--jobs 1"),
    ):
        end(pool, Watcher())
    # A forked worker writes to where its server did when it began.
    assert either or "no such library" in capfd.readouterr().err


def test_a_replacement_that_dies_before_it_is_ready_costs_its_job_only(preload: tuple[str, ...]) -> None:
    with ProcessExecutor(WorkerSettings(no_warm_up, 1, preload)) as pool:
        watcher = Watcher()
        pool.submit(Job(0, kill_yourself))
        assert end(pool, watcher)[0].failure is not None
        os.kill(pool.pids[0], signal.SIGKILL)  # the replacement, which is still starting
        pool.submit(Job(1, add, (1, 1)))
        failure = end(pool, watcher)[0].failure
        assert failure is not None
        assert failure.died
        pool.submit(Job(2, add, (1, 1)))
        assert end(pool, watcher)[0].result == 2


def test_leaving_ends_workers_that_are_busy(preload: tuple[str, ...]) -> None:
    with ProcessExecutor(WorkerSettings(no_warm_up, 2, preload)) as pool:
        watcher = Watcher()
        pool.submit(Job(0, sleep, (60,)))
        while not watcher.reports:
            pool.poll(watcher, 0.1)
        pids = pool.pids
        start = time.monotonic()
    assert time.monotonic() - start < 30  # and not the 60 s of the job
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("bad"), "ValueError: bad"),
        (ValueError(), "ValueError"),
        (MemoryError(), "out of memory"),
        (RuntimeError("CUDA out of memory. Tried to"), "out of memory: CUDA out of memory. Tried to"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: x"), "out of memory: DefaultCPUAllocator"),
    ],
)
def test_a_reason_is_one_line(error: BaseException, reason: str) -> None:
    assert failure_reason(error).startswith(reason)


def environment_and_modules(name: str, context: JobContext) -> tuple[str | None, bool]:
    return os.environ.get(name), NEVER_USED[0] in sys.modules


def test_workers_have_the_environment_of_now_and_forked_ones_what_was_imported_for_all(
    either: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("first", "second"):  # the server of the second began with the first
        monkeypatch.setenv("LSTMGRU_OF_A_TEST", value)
        with ProcessExecutor(WorkerSettings(no_warm_up, 1, either)) as pool:
            pool.submit(Job(0, environment_and_modules, ("LSTMGRU_OF_A_TEST",)))
            assert end(pool, Watcher())[0].result == (value, bool(either))
