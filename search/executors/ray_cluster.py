"""Workers on a Ray cluster: one long-lived actor for each job that runs at once.

Ray places the actors, keeps one copy of the data on every node, and notices when a process or a node is lost. The
search itself stays in the driver. A job is a method call that lasts as long as the job. Another call of the same actor
always waits for messages, so that every report travels as soon as it exists, and a lost actor is noticed.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from search.errors import WorkersCannotStart
from search.executors.base import (
    STOP_SECONDS,
    THREAD_VARIABLES,
    Cluster,
    Failure,
    Job,
    JobCallback,
    Outcome,
    WorkerSettings,
    did_not_stop,
)
from search.executors.ray_connection import Head, cause_of, cluster_errors, connect, import_ray, is_lost, own_signals
from search.executors.ray_worker import LEAVING, UNREADABLE, ObjectStore, RayWorker, Versions

_REPORT_SECONDS = 10.0
"""How long one call waits for reports."""
_RELEASE_SECONDS = 5.0
"""How long idle actors have to forget their data before other data are stored all the same."""
_MOST_WORKERS = 1024
_MOST_FAILED_STARTS = 3
_NODE_DIED = "its node has died"
"""Ray's message about an actor that is not to blame for its loss."""


class RayExecutor:
    """Runs jobs in the actors of a Ray cluster, which start when the cluster has room for them.

    Args:
        settings: With ``cluster.follow``, one actor more than those that are ready is always requested while all are
            busy, which is what an autoscaler reacts to; ``jobs`` is then ignored.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings, self._cluster = settings, settings.cluster or Cluster()
        self._ray = import_ray()
        self._data = ObjectStore(self._ray, self._check_own, self._release)
        self._own = Versions.here(registered=settings.registered)
        self._environment = dict.fromkeys(THREAD_VARIABLES, "1")
        if self._cluster.address is None:  # what can be imported here can be imported by the actors
            self._environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        self._head: Head | None = None
        self._connected = False
        self._workers: list[_Actor] = []
        self._most = _MOST_WORKERS if self._cluster.follow else settings.jobs
        self._entered = 0.0
        self._failed_starts = 0
        self._startup_seconds: float | None = None

    @property
    def free(self) -> int:
        """Actors that are ready and have no job; 1 if none is ready: a job may wait for the first one."""
        if any(worker.ready for worker in self._workers):
            return sum(worker.ready and worker.job is None for worker in self._workers)
        return int(all(worker.job is None for worker in self._workers))

    @property
    def ready(self) -> int:
        """Actors that have started."""
        return sum(worker.ready for worker in self._workers)

    @property
    def startup_seconds(self) -> float | None:
        """How long it took until the first actor was ready; ``None`` before that."""
        return self._startup_seconds

    @property
    def data(self) -> ObjectStore:
        """The object store of the cluster."""
        return self._data

    def submit(self, job: Job) -> None:
        """Give the job to a free actor; one that the cluster has no room for yet begins it when it is ready."""
        idle = [worker for worker in self._workers if worker.job is None]
        worker = next((worker for worker in idle if worker.ready), idle[0])
        worker.job, worker.stop = job, None
        if worker.ready:
            worker.begin()
        self._grow()

    def scale_down(self, jobs: int) -> None:
        """End all idle actors but ``jobs``, and request no more."""
        self._most = jobs
        idle = [worker for worker in self._workers if worker.job is None]
        for worker in sorted(idle, key=lambda worker: not worker.ready)[jobs:]:
            self._end(worker)

    def poll(self, callback: JobCallback, timeout: float) -> list[Outcome]:
        """Forward reports and stop requests; return the jobs that ended.

        Raises:
            WorkersCannotStart: Actors die before they are ready, or have another version of Python or other code.
            SearchError: The cluster is gone.
        """
        outcomes = self._send_stops(callback)
        pending = {ref: worker for worker in self._workers for ref in worker.refs()}
        assert self._head is not None  # since it was entered
        self._head.check()
        with cluster_errors(self._ray):
            self._ray.wait(list(pending), num_returns=1, timeout=0 if outcomes else timeout)
            done, _ = self._ray.wait(list(pending), num_returns=len(pending), timeout=0)
            for ref in done:
                if ref in pending[ref].refs():  # it may have been replaced meanwhile
                    outcomes.extend(self._receive(pending[ref], ref, callback))
        outcomes += self._send_stops(callback)
        self._kill_late()
        return outcomes

    def _receive(self, worker: _Actor, ref: Any, callback: JobCallback) -> list[Outcome]:
        try:
            value = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:  # the actor cannot read the job
            if UNREADABLE in str(error):
                return self._replace(worker, error, began=False)
            return self._failed(worker, error)
        except self._ray.exceptions.RayError as error:  # the actor, the data, or a result are lost
            return self._replace(worker, error, began=worker.ready)
        if ref is worker.starting:
            self._began(worker, value)
            return []
        if ref is worker.run:
            worker.run = None
            return []
        worker.messages = worker.handle.messages.remote(_REPORT_SECONDS)
        outcomes: list[Outcome] = []
        for message in pickle.loads(value):
            self._failed_starts = 0
            if isinstance(message, Outcome):
                outcomes.append(message)
                worker.job = worker.run = None
            elif message == LEAVING:
                worker.leaving = True
            else:
                callback.on_report(*message)
        if worker.leaving and worker.job is None:
            self._end(worker)
            self._grow()
        return outcomes

    def _began(self, worker: _Actor, versions: Versions) -> None:
        worker.starting, worker.messages = None, worker.handle.messages.remote(_REPORT_SECONDS)
        worker.node = versions.node_id
        self._startup_seconds = self._startup_seconds or time.monotonic() - self._entered
        if (difference := versions.difference(self._own)) is not None:
            raise WorkersCannotStart(difference)
        if worker.job is not None:
            worker.begin()

    def _failed(self, worker: _Actor, error: Exception) -> list[Outcome]:
        assert worker.job is not None  # only the call that runs it raises
        job, worker.job, worker.run = worker.job, None, None
        return [Outcome(job.key, failure=Failure(cause_of(error), str(error)))]

    def _replace(self, worker: _Actor, error: Exception, *, began: bool) -> list[Outcome]:
        """Request another actor for one that is lost; its job, if any, failed, or is given to another if not begun."""
        self._failed_starts += not began and _NODE_DIED not in str(error)
        if self._failed_starts > _MOST_FAILED_STARTS:
            raise WorkersCannotStart(
                f"{self._failed_starts} Ray actors in a row were lost before they could run a trial: "
                f"{cause_of(error)}; {_way_out(error)}"
            ) from error
        job, failure = worker.job, self._failure(worker, error) if began else None
        self._end(worker)
        self._grow()
        if job is not None and failure is None:
            self.submit(job)
        return [] if job is None or failure is None else [Outcome(job.key, failure=failure)]

    def _failure(self, worker: _Actor, error: Exception) -> Failure:
        if worker.killed:
            return did_not_stop(worker.stop, STOP_SECONDS)
        lost = worker.leaving or (worker.node is not None and is_lost(self._ray, worker.node))
        return Failure(f"the Ray actor was lost: {cause_of(error)}", died=True, lost=lost)

    def _check_own(self) -> None:
        assert self._head is not None  # since it was entered
        self._head.check_own()

    def _release(self) -> None:
        """Make idle actors forget the data of their last jobs."""
        idle = [worker for worker in self._workers if worker.ready and worker.job is None]
        if idle:
            released = [worker.handle.release.remote() for worker in idle]
            self._ray.wait(released, num_returns=len(released), timeout=_RELEASE_SECONDS)

    def _send_stops(self, callback: JobCallback) -> list[Outcome]:
        """Ask jobs to stop; returns those that no actor has begun."""
        outcomes: list[Outcome] = []
        for worker in self._workers:
            if worker.job is None or worker.stop is not None:
                continue
            reason = callback.stop_reason(worker.job.key)
            if reason is not None and not worker.ready:
                failure = Failure(f"{reason}, and the cluster had no room for it", died=True, lost=True)
                outcomes.append(Outcome(worker.job.key, failure=failure))
                worker.job = None
            elif reason is not None:
                worker.stop, worker.asked = reason, time.monotonic()
                worker.handle.stop.remote(worker.begun, reason)
        return outcomes

    def _kill_late(self) -> None:
        """Kill actors that have not stopped in time; what they have sent is read first, as the driver may be late."""
        for worker in self._workers:
            late = worker.stop is not None and time.monotonic() - worker.asked > STOP_SECONDS
            if late and worker.job is not None and not worker.killed:
                worker.killed = True
                self._ray.kill(worker.handle)

    def _grow(self) -> None:
        """Request the actors that are missing."""
        if not self._cluster.follow:
            missing = self._most - len(self._workers)
        else:
            missing = int(all(worker.ready and worker.job is not None for worker in self._workers))
            missing = min(missing, self._most - len(self._workers))
        self._workers.extend(self._start() for _ in range(missing))

    def _start(self) -> _Actor:
        share = self._cluster.gpus_per_trial
        remote = self._ray.remote(RayWorker).options(
            num_cpus=self._cluster.cpus_per_trial,
            num_gpus=share,
            max_concurrency=3,  # the job, the wait for its reports, and a request to stop
            max_restarts=0,
            runtime_env={"env_vars": self._environment},
        )
        # With what a script has defined itself.
        settings = self._ray.cloudpickle.dumps((self._settings.warm_up, self._settings.registered))
        handle = remote.remote(self._own, settings, 0.9 * share if 0 < share < 1 else None)
        return _Actor(handle, starting=handle.versions.remote())

    def _end(self, worker: _Actor) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
        worker.starting = worker.run = worker.messages = None
        with suppress(Exception):  # it may be lost together with its cluster
            self._ray.kill(worker.handle)

    def __enter__(self) -> Self:
        """Connect to the cluster, or start one on this machine, and request the first actors.

        Raises:
            SearchError: No cluster answers at the address.
        """
        self._entered = time.monotonic()
        self._connected = not self._ray.is_initialized()  # otherwise the caller uses Ray, and goes on after this
        if self._connected:
            connect(self._ray, self._cluster, self._settings.jobs)
        self._head = Head(self._ray)
        self._grow()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End all actors, including busy ones, and a cluster that was started here."""
        for worker in [*self._workers]:
            self._end(worker)
        if self._connected:
            with own_signals(), suppress(Exception):
                self._ray.shutdown()


def _way_out(error: Exception) -> str:
    """What to do about actors that are lost before they can run a trial."""
    if UNREADABLE in str(error):
        return "start Ray with a larger one on the nodes (ray start --object-store-memory), or make room on their disks"
    return (
        "see that the package is installed on every node, and run with --executor in_process to see whether the study "
        "itself works"
    )


@dataclass(eq=False)
class _Actor:
    """The driver's view of an actor: its handle, and the calls that it is waiting for."""

    handle: Any
    node: str | None = None
    starting: Any = None
    run: Any = None
    messages: Any = None
    job: Job | None = None
    begun: int = 0
    """How many jobs it has begun."""
    stop: str | None = None
    asked: float = 0.0
    """When it was asked to stop, see :func:`time.monotonic`."""
    killed: bool = False
    leaving: bool = False
    """Whether it was told to end: it gets no other job, and its loss is not the job's fault."""

    @property
    def ready(self) -> bool:
        return self.starting is None

    def begin(self) -> None:
        self.begun += 1
        self.run = self.handle.run.remote(self.job, self.begun)

    def refs(self) -> list[Any]:
        if not self.ready:
            return [self.starting]
        return [ref for ref in (self.run, self.messages) if ref is not None]
