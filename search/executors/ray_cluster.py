"""Workers on a Ray cluster: one long-lived actor for each job that runs at once.

Ray places the actors, keeps one copy of the data on every node, and notices when a process or a node is lost. The
search itself stays in the driver. A job is a method call that lasts as long as the job. Another call of the same actor
always waits for messages, so that every report travels as soon as it exists, and a lost actor is noticed.
"""

from __future__ import annotations

import logging
import os
import platform
import queue
import signal
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Self

from search.errors import SearchError, WorkersCannotStart
from search.executors.base import Cluster, Failure, Job, JobCallback, Outcome, WorkerSettings, run_job
from search.executors.interruption import STOP_SIGNALS
from search.executors.sharing import give_back_memory, offload
from search.executors.worker import limit_gpu_memory

if TYPE_CHECKING:
    from types import ModuleType

PACKAGE = "lstmgru-search"
STOP_SECONDS = 5.0
"""How long a job may take to stop when it is asked to; then its actor is killed."""
_REPORT_SECONDS = 10.0
"""How long one call waits for reports."""
_HEAD_SECONDS = 60.0
"""How long the head of the cluster may be away."""
_CHECK_SECONDS = 5.0
_MOST_WORKERS = 1024
_MOST_FAILED_STARTS = 3
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class RayExecutor:
    """Runs jobs in the actors of a Ray cluster, which start when the cluster has room for them.

    Args:
        settings: With ``cluster.follow``, one actor more than those that are ready is always requested while all are
            busy, which is what an autoscaler reacts to; ``jobs`` is then ignored.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings, self._cluster = settings, settings.cluster or Cluster()
        self._ray = _import_ray()
        self._data = ObjectStore(self._ray)
        self._head: _Head
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
    def startup_seconds(self) -> float | None:
        """How long it took until the first actor was ready; ``None`` before that."""
        return self._startup_seconds

    @property
    def data(self) -> ObjectStore:
        """The object store of the cluster."""
        return self._data

    def submit(self, job: Job) -> None:
        """Give the job to a free actor."""
        idle = [worker for worker in self._workers if worker.job is None]
        worker = next((worker for worker in idle if worker.ready), idle[0])
        worker.job, worker.stop = job, None
        worker.run = worker.handle.run.remote(job)
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
            WorkersCannotStart: Actors die before they are ready, or have another version of Python or of this package.
            SearchError: The cluster is gone.
        """
        self._send_stops(callback)
        pending = {ref: worker for worker in self._workers for ref in worker.refs()}
        if not pending:
            time.sleep(min(timeout, 0.05))
            return []
        outcomes: list[Outcome] = []
        self._head.check()
        with _cluster_errors(self._ray):
            self._ray.wait(list(pending), num_returns=1, timeout=timeout)
            done, _ = self._ray.wait(list(pending), num_returns=len(pending), timeout=0)
            for ref in done:
                if ref in pending[ref].refs():  # it may have been replaced meanwhile
                    outcomes.extend(self._receive(pending[ref], ref, callback))
        self._send_stops(callback)
        return outcomes

    def _receive(self, worker: _Actor, ref: Any, callback: JobCallback) -> list[Outcome]:
        try:
            value = self._ray.get(ref)
        except self._ray.exceptions.RayActorError as error:
            return self._replace(worker, error)
        except self._ray.exceptions.RayError as error:  # the data, or a result, are lost with their node
            return self._replace(worker, error)
        if ref is worker.starting:
            self._began(worker, value)
            return []
        if ref is worker.run:
            worker.run = None
            return []
        worker.messages = worker.handle.messages.remote(_REPORT_SECONDS)
        outcomes: list[Outcome] = []
        for message in value:
            if isinstance(message, Outcome):
                outcomes.append(message)
                worker.job = worker.run = None
            else:
                callback.on_report(*message)
        return outcomes

    def _began(self, worker: _Actor, versions: _Versions) -> None:
        worker.starting, worker.messages = None, worker.handle.messages.remote(_REPORT_SECONDS)
        worker.node = versions.node_id
        self._failed_starts = 0
        self._startup_seconds = self._startup_seconds or time.monotonic() - self._entered
        own = _Versions.here()
        if (versions.python, versions.package) != (own.python, own.package):
            raise WorkersCannotStart(
                f"the node {versions.node} has Python {versions.python} and {PACKAGE} {versions.package}, but this "
                f"process has Python {own.python} and {PACKAGE} {own.package}; install the same versions on every node"
            )

    def _replace(self, worker: _Actor, error: Exception) -> list[Outcome]:
        """Request another actor for one that is lost; its job, if any, failed."""
        self._failed_starts += not worker.ready
        if self._failed_starts > _MOST_FAILED_STARTS:
            raise WorkersCannotStart(
                f"{self._failed_starts} Ray actors in a row were lost before they could run a trial: {_line(error)}; "
                "run with --executor in_process to see whether the study itself works"
            ) from error
        outcomes = [] if worker.job is None else [Outcome(worker.job.key, failure=self._failure(worker, error))]
        self._end(worker)
        self._grow()
        return outcomes

    def _failure(self, worker: _Actor, error: Exception) -> Failure:
        if worker.killed:
            return Failure(f"{worker.stop}, and the job did not stop within {STOP_SECONDS:g} s: its worker was killed")
        reason = f"the Ray actor was lost: {_line(error)}"
        return Failure(reason, died=True, lost=worker.node is not None and not _is_there(self._ray, worker.node))

    def _send_stops(self, callback: JobCallback) -> None:
        for worker in self._workers:
            if worker.job is None or worker.killed:
                continue
            if worker.stop is not None:
                if time.monotonic() - worker.asked > STOP_SECONDS:
                    worker.killed = worker.ready
                    self._ray.kill(worker.handle)
                continue
            reason = callback.stop_reason(worker.job.key)
            if reason is not None:
                worker.stop, worker.asked = reason, time.monotonic()
                worker.handle.stop.remote(worker.job.key, reason)

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
            runtime_env={"env_vars": _ONE_THREAD},
        )
        handle = remote.remote(self._settings.warm_up, 0.9 * share if 0 < share < 1 else None)
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
            _connect(self._ray, self._cluster, self._settings.jobs)
        self._head = _Head(self._ray)
        self._grow()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End all actors, including busy ones, and a cluster that was started here."""
        for worker in [*self._workers]:
            self._end(worker)
        if self._connected:
            with _own_signals(), suppress(Exception):
                self._ray.shutdown()


class _Head:
    """The head node of the cluster, without which no work is placed."""

    def __init__(self, ray: ModuleType) -> None:
        self._address = ray.get_runtime_context().gcs_address
        self._checked = self._seen = time.monotonic()

    def check(self) -> None:
        """See whether it answers, every few seconds.

        Raises:
            SearchError: It has not answered for a minute.
        """
        now = time.monotonic()
        if now - self._checked < _CHECK_SECONDS:
            return
        self._checked = now
        try:
            _knock(self._address)
            self._seen = time.monotonic()
        except OSError as error:
            if time.monotonic() - self._seen > _HEAD_SECONDS:
                raise _gone(f"its head at {self._address} does not answer: {error.strerror or error}") from error


class ObjectStore:
    """The data store of a Ray cluster: one copy of a value per node, which all actors there map."""

    def __init__(self, ray: ModuleType) -> None:
        self._ray = ray

    def share(self, value: Any) -> StoredValue:
        """The value in the object store.

        Raises:
            SearchError: It has no room.
        """
        try:
            return StoredValue(self._ray.put(value))
        except self._ray.exceptions.ObjectStoreFullError as error:
            raise SearchError(
                "the data of the study do not fit into Ray's object store; start Ray with a larger one "
                "(ray start --object-store-memory)"
            ) from error

    def offload(self, value: object) -> None:
        """Move the value into a file of this machine, of which only the parts that are read are in memory."""
        offload(value)
        give_back_memory()


class StoredValue:
    """A value in the object store. It pickles to its reference, and unpickles in an actor to the value itself."""

    def __init__(self, reference: Any) -> None:
        self._reference = reference

    def __reduce__(self) -> tuple[Any, tuple[Any]]:
        return _fetch, (self._reference,)


_latest: tuple[str, Any] | None = None


def _fetch(reference: Any) -> Any:
    """The value; a process keeps the latest one as a single object, which can cache what it derives."""
    global _latest  # noqa: PLW0603  # a cache
    import ray

    if _latest is None or _latest[0] != reference.hex():
        _latest = None
        _latest = (reference.hex(), ray.get(reference))
    return _latest[1]


@dataclass(frozen=True)
class _Versions:
    """What driver and actors must have in common, and where this is."""

    python: str
    package: str
    node: str
    node_id: str = ""

    @classmethod
    def here(cls, node_id: str = "") -> _Versions:
        return cls(".".join(platform.python_version_tuple()[:2]), version(PACKAGE), socket.gethostname(), node_id)


@dataclass(eq=False)
class _Actor:
    """The driver's view of an actor: its handle, and the calls that it is waiting for."""

    handle: Any
    node: str | None = None
    starting: Any = None
    run: Any = None
    messages: Any = None
    job: Job | None = None
    stop: str | None = None
    asked: float = 0.0
    """When it was asked to stop, see :func:`time.monotonic`."""
    killed: bool = False

    @property
    def ready(self) -> bool:
        return self.starting is None

    def refs(self) -> list[Any]:
        if not self.ready:
            return [self.starting]
        return [ref for ref in (self.run, self.messages) if ref is not None]


class RayWorker:
    """The actor: warms up when it is created, then runs one job after another.

    Its methods are called in threads of its own.

    Args:
        warm_up: Imports what jobs need.
        gpu_share: See :func:`search.executors.worker.limit_gpu_memory`.
    """

    def __init__(self, warm_up: Callable[[], None], gpu_share: float | None) -> None:
        # Arrays of the object store are read-only, and jobs only read them.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        self._messages: queue.Queue[tuple[int, Any] | Outcome] = queue.Queue()
        self._stop: tuple[int, str] | None = None
        warm_up()
        limit_gpu_memory(gpu_share)

    def versions(self) -> _Versions:
        """Those of this actor."""
        import ray

        return _Versions.here(ray.get_runtime_context().get_node_id())

    def run(self, job: Job) -> None:
        """Run a job; its reports and its outcome become messages."""
        self._messages.put(run_job(job, _ActorContext(self, job.key)))
        give_back_memory()

    def messages(self, seconds: float) -> list[tuple[int, Any] | Outcome]:
        """The messages since the last call; waits for the first one."""
        messages: list[tuple[int, Any] | Outcome] = []
        with suppress(queue.Empty):
            messages.append(self._messages.get(timeout=seconds))
            while True:
                messages.append(self._messages.get_nowait())
        return messages

    def stop(self, key: int, reason: str) -> None:
        """Ask a job to stop."""
        self._stop = (key, reason)

    def report(self, key: int, message: Any) -> None:
        """Keep a message until the driver asks for it."""
        self._messages.put((key, message))

    def stop_reason(self, key: int) -> str | None:
        """Why a job should stop."""
        stop = self._stop
        return stop[1] if stop is not None and stop[0] == key else None


class _ActorContext:
    def __init__(self, worker: RayWorker, key: int) -> None:
        self._worker, self._key = worker, key

    def report(self, message: Any) -> None:
        self._worker.report(self._key, message)

    def stop_reason(self) -> str | None:
        return self._worker.stop_reason(self._key)


def _import_ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    # Ray ends a process whose cluster has been away for a minute; the study ends first, and in order.
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", str(round(10 * _HEAD_SECONDS)))
    try:
        import ray
    except ImportError as error:
        raise SearchError(
            "search.executor is ray, but the package ray is not installed; run pip install 'lstmgru-search[ray]'"
        ) from error
    return ray  # type: ignore[no-any-return]


def check_cluster(cluster: Cluster) -> None:
    """Connect to a cluster and leave it.

    Raises:
        SearchError: Ray is not installed, or no cluster answers at the address.
    """
    ray = _import_ray()
    if cluster.address is not None and not ray.is_initialized():
        _connect(ray, cluster, jobs=1)
        with _own_signals():
            ray.shutdown()


def _connect(ray: ModuleType, cluster: Cluster, jobs: int) -> None:
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if cluster.address is None:
        # What starts here ends here, and needs no web page.
        options |= {"num_cpus": max(1, round(jobs * cluster.cpus_per_trial)), "include_dashboard": False}
        address = "local"
    else:
        address = cluster.address
    try:
        _knock(address)  # Ray would try for minutes
        with _own_signals():
            ray.init(address=address, **options)
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise SearchError(
            f"search.executor: no Ray cluster can be used at {address!r}: {_line(error)}; start one with "
            "ray start --head, or leave the address out to start one on this machine"
        ) from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this program's signal handlers, which Ray replaces when it starts."""
    try:
        before = {signum: signal.getsignal(signum) for signum in STOP_SIGNALS}
        yield
    finally:
        with suppress(ValueError):  # only the main thread may set them
            for signum, handler in before.items():
                signal.signal(signum, handler)


@contextmanager
def _cluster_errors(ray: ModuleType) -> Iterator[None]:
    """Turn the loss of the whole cluster into one error."""
    try:
        yield
    except (ConnectionError, ray.exceptions.RaySystemError) as error:
        raise _gone(_line(error)) from error


def _gone(reason: str) -> SearchError:
    return SearchError(
        f"the Ray cluster is gone: {reason}; finished trials are kept, and the same command resumes the study once a "
        "cluster is there"
    )


def _knock(address: str) -> None:
    """Connect to an address like ``host:port``, and to no other.

    Raises:
        OSError: Nothing listens there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CHECK_SECONDS).close()


def _is_there(ray: ModuleType, node_id: str) -> bool:
    """Whether a node still answers; the cluster itself learns of its loss some seconds later."""
    node = next((node for node in ray.nodes() if node["NodeID"] == node_id and node["Alive"]), None)
    if node is None:
        return False
    try:
        _knock(f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}")
    except OSError:
        return False
    return True


def _line(error: BaseException) -> str:
    """The first line of an error of Ray, which may have dozens."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
