"""Long-lived worker processes, one torch thread each.

Workers live as long as the search, because importing torch and Lightning takes seconds. Where a process can be forked
safely, one process imports them for all workers, which share its memory as long as they do not write to it. Each worker
has a duplex pipe: jobs and stop requests go in, reports and outcomes come out. A worker that dies costs its job and is
replaced.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any, Self

from search.errors import WorkersCannotStart
from search.executors.base import (
    STOP_SECONDS,
    THREAD_VARIABLES,
    Failure,
    Job,
    JobCallback,
    Outcome,
    WorkerSettings,
    did_not_stop,
)
from search.executors.devices import GPU_VARIABLE
from search.executors.interruption import signals_blocked
from search.executors.sharing import SharedFiles
from search.executors.temporary_folder import keep_sockets_here
from search.executors.worker import READY, STOP, Parcel, worker_main

_MOST_FAILED_STARTS = 3


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection[Any, Any]
    gpu: str | None = None
    ready: bool = False
    job: Job | None = None
    stop: str | None = None
    asked: float = 0.0
    """When it was asked to stop, see :func:`time.monotonic`."""


class ProcessExecutor:
    """Runs up to ``jobs`` jobs at once, each in a worker process.

    Args:
        settings: With ``preload``, workers are forked from a process that has imported these modules; without, each
            worker starts as a new interpreter. With ``gpus``, each worker sees one of them.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings, self._jobs = settings, settings.jobs
        self._context = _context(settings.preload)
        self._data = SharedFiles()
        self._workers: list[_Worker] = []
        self._entered = 0.0
        self._failed_starts = 0
        self._startup_seconds: float | None = None

    @property
    def free(self) -> int:
        """Workers without a job."""
        return sum(worker.job is None for worker in self._workers)

    @property
    def startup_seconds(self) -> float | None:
        """How long it took until the first worker was ready; ``None`` before that."""
        return self._startup_seconds

    @property
    def data(self) -> SharedFiles:
        """Files that the workers map into their memory."""
        return self._data

    @property
    def ready(self) -> int:
        """Workers that have warmed up."""
        return sum(worker.ready for worker in self._workers)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.process.pid or -1 for worker in self._workers]

    def submit(self, job: Job) -> None:
        """Give the job to a free worker; one that is still starting takes it as soon as it is ready."""
        worker = next(worker for worker in self._workers if worker.job is None)
        worker.job, worker.stop = job, None
        parcel = Parcel(job.key, pickle.dumps(job))
        with suppress(BrokenPipeError, ConnectionResetError):  # died while idle: poll sees it and says so
            worker.pipe.send(parcel)

    def scale_down(self, jobs: int) -> None:
        """End all idle workers but ``jobs``, which frees their memory."""
        self._jobs = jobs
        for worker in [worker for worker in self._workers if worker.job is None][jobs:]:
            self._workers.remove(worker)
            _end([worker])

    def poll(self, callback: JobCallback, timeout: float) -> list[Outcome]:
        """Forward reports and stop requests; return the jobs that ended.

        Raises:
            WorkersCannotStart: No worker was ever ready, or several in a row died before they were.
        """
        self._send_stops(callback)
        pipes: dict[Any, _Worker] = {worker.pipe: worker for worker in self._workers}
        outcomes: list[Outcome] = []
        for pipe in wait(list(pipes), timeout):
            outcomes.extend(self._receive(pipes[pipe], callback))
        self._send_stops(callback)
        self._kill_late()
        return outcomes

    def _receive(self, worker: _Worker, callback: JobCallback) -> list[Outcome]:
        outcomes: list[Outcome] = []
        try:
            while worker.pipe.poll():
                message = worker.pipe.recv()
                if isinstance(message, Outcome):
                    worker.job = None
                    outcomes.append(message)
                elif message[0] == READY:
                    worker.ready = True
                    self._failed_starts = 0
                    self._startup_seconds = self._startup_seconds or time.monotonic() - self._entered
                else:
                    callback.on_report(message[1], message[2])
        except (EOFError, ConnectionResetError):
            outcomes.extend(self._replace(worker))
        return outcomes

    def _replace(self, worker: _Worker) -> list[Outcome]:
        """Replace a worker that died; its job, if any, failed."""
        worker.process.join()
        self._failed_starts += not worker.ready
        if self._startup_seconds is None or self._failed_starts > _MOST_FAILED_STARTS:
            raise WorkersCannotStart(
                f"a worker process exited with code {worker.process.exitcode} before it could run a trial; "
                "run with --jobs 1 to see the error; in your own script, call run_study under "
                'if __name__ == "__main__":'
            )
        worker.pipe.close()
        self._workers[self._workers.index(worker)] = self._spawn(worker.gpu)
        if worker.job is None:
            return []
        return [Outcome(worker.job.key, failure=_failure(worker))]

    def _send_stops(self, callback: JobCallback) -> None:
        for worker in self._workers:
            if worker.job is None or worker.stop is not None:
                continue
            reason = callback.stop_reason(worker.job.key)
            if reason is not None:
                worker.stop, worker.asked = reason, time.monotonic()
                with suppress(BrokenPipeError, ConnectionResetError):
                    worker.pipe.send((STOP, worker.job.key, reason))

    def _kill_late(self) -> None:
        """Kill workers that have not stopped in time; what they have sent is read first, as the driver may be late."""
        for worker in self._workers:
            if worker.job is not None and worker.stop and time.monotonic() - worker.asked > STOP_SECONDS:
                worker.process.kill()

    def _spawn(self, gpu: str | None) -> _Worker:
        here, there = self._context.Pipe()
        variables = dict.fromkeys(THREAD_VARIABLES, "1") | ({} if gpu is None else {GPU_VARIABLE: gpu})
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            # A forked process has the environment of the time when its server was started.
            arguments = (there, self._settings.warm_up, dict(os.environ), self._settings.gpu_share)
            process = self._context.Process(target=worker_main, args=arguments, daemon=True)
            self._start(process)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        there.close()
        return _Worker(process, here, gpu)

    def _start(self, process: BaseProcess) -> None:
        with signals_blocked():
            if self._context.get_start_method() == "spawn":
                process.start()
                return
            _run_fork_server()  # processes that are forked from it inherit the blocking
        process.start()  # waits for the imports there, and Ctrl-C must not wait for them

    def __enter__(self) -> Self:
        """Start the workers; they warm up in the background.

        Raises:
            WorkersCannotStart: There is no place for their socket.
        """
        self._entered = time.monotonic()
        gpus = self._settings.gpus
        self._workers = [self._spawn(gpus[number % len(gpus)] if gpus else None) for number in range(self._jobs)]
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the workers: closing the pipe ends an idle one, a busy one is killed."""
        _end(self._workers)


def _context(preload: tuple[str, ...]) -> SpawnContext | ForkServerContext:
    """How workers are started."""
    if not preload:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


def _run_fork_server() -> None:
    """Start the process from which workers are forked, unless it runs.

    Raises:
        WorkersCannotStart: Its socket cannot be created, because the path of the temporary folder is too long.
    """
    keep_sockets_here()
    try:
        forkserver.ensure_running()
    except OSError as error:
        raise WorkersCannotStart(
            f"worker processes need a socket in the temporary folder {tempfile.gettempdir()}: {error}; set TMPDIR to a "
            "folder with a shorter path, or run with --jobs 1"
        ) from error


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
        if worker.job is not None or not worker.ready:
            worker.process.kill()  # they ignore SIGTERM
    deadline = time.monotonic() + 5
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _failure(worker: _Worker) -> Failure:
    """Why the job of a worker that died has failed."""
    if worker.stop is not None and time.monotonic() - worker.asked > STOP_SECONDS:
        return did_not_stop(worker.stop, STOP_SECONDS)
    return Failure(_death(worker.process.exitcode), died=True)


def _death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = " (out of memory?)" if -exitcode == signal.SIGKILL else ""
        return f"the worker process was killed by {name}{hint}"
    return f"the worker process exited with code {exitcode}"
