"""What runs on the nodes of a Ray cluster: the actor of a job, and the data of jobs in the object store."""

from __future__ import annotations

import os
import pickle
import platform
import queue
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from search.errors import SearchError
from search.executors.base import Job, Outcome, run_job
from search.executors.sharing import forget_latest, give_back_memory, keep_latest, offload, unload_mapped
from search.executors.source import PACKAGE, digest_of_code, source_digest
from search.executors.worker import limit_gpu_memory

if TYPE_CHECKING:
    from types import ModuleType

LEAVING = "leaving"
"""Message of an actor that was told to end, as before its node is taken away."""
UNREADABLE = "the object store of its node does not give the data"
"""In the error of a job that cannot run on this node, and may on another one."""
Message = tuple[int, Any] | Outcome | str
"""A report with the key of its job, an outcome, or :data:`LEAVING`."""


@dataclass(frozen=True)
class Versions:
    """What driver and actors must have in common, and where this is.

    Attributes:
        python: Minor version of Python.
        package: Version of this package.
        source: See :func:`search.executors.source.source_digest`; empty in processes whose code does not have it.
        registered: See :func:`search.executors.source.digest_of_code`; empty if nothing is registered, or not yet.
        node: Name of the machine.
        node_id: In the cluster.
    """

    python: str
    package: str
    source: str = ""
    registered: str = ""
    node: str = ""
    node_id: str = ""

    @classmethod
    def here(cls, node_id: str = "", registered: Iterable[Any] = ()) -> Versions:
        """Those of this process.

        Args:
            node_id: In the cluster.
            registered: Classes and functions of the user; those that a node does not import are sent with their code.
        """
        python = ".".join(platform.python_version_tuple()[:2])
        imported = [each for each in registered if each.__module__ in sys.modules.keys() - {"__main__"}]
        code = digest_of_code(imported) if imported else ""
        return cls(python, version(PACKAGE), source_digest(), code, socket.gethostname(), node_id)

    def difference(self, own: Versions) -> str | None:
        """What is wrong with a node that has these versions; ``None``: nothing.

        Args:
            own: Those of the driver.
        """
        if (self.python, self.package) != (own.python, own.package):
            return (
                f"the node {self.node} has Python {self.python} and {PACKAGE} {self.package}, but this process has "
                f"Python {own.python} and {PACKAGE} {own.package}; install the same versions on every node"
            )
        if self.source != own.source:
            return (
                f"the node {self.node} has {PACKAGE} {self.package} like this process, but with other source files, as "
                "of a development checkout; install the same wheel or the same commit on every node"
            )
        if self.registered not in ("", own.registered):
            return (
                f"the node {self.node} has other source files of registered cells or metrics than this process; "
                "install the same ones on every node"
            )
        return None


class RayWorker:
    """The actor: warms up when it is created, then runs one job after another.

    Its methods are called in threads of its own.

    Args:
        driver: Versions of the driver; an actor with others does nothing.
        settings: A function that imports what jobs need, and the classes and functions of the user, pickled; other
            versions might not be able to read them.
        gpu_share: See :func:`search.executors.worker.limit_gpu_memory`.
    """

    def __init__(self, driver: Versions, settings: bytes, gpu_share: float | None) -> None:
        import ray

        # Arrays of the object store are read-only, and jobs only read them.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        self._messages: queue.Queue[Message] = queue.Queue()
        self._stop: tuple[int, str] | None = None
        node = ray.get_runtime_context().get_node_id()
        self._versions = Versions.here(node)
        if self._versions.difference(driver) is not None:
            return
        self._notice_sigterm()
        warm_up, registered = pickle.loads(settings)
        self._versions = Versions.here(node, registered)
        warm_up()
        limit_gpu_memory(gpu_share)

    def versions(self) -> Versions:
        """Those of this actor."""
        return self._versions

    def run(self, job: Job, number: int) -> None:
        """Run a job, the actor's so many-th; its reports and its outcome become messages."""
        self._messages.put(run_job(job, _ActorContext(self, job.key, number)))
        give_back_memory()

    def messages(self, seconds: float) -> bytes:
        """The messages since the last call, pickled; waits for the first one.

        Arrays are part of the bytes: otherwise they would stay in the object store of the driver's node, which they
        would fragment, as long as the driver refers to one of them.
        """
        import ray

        messages: list[Message] = []
        with suppress(queue.Empty):
            messages.append(self._messages.get(timeout=seconds))
            while True:
                messages.append(self._messages.get_nowait())
        return bytes(ray.cloudpickle.dumps(messages))  # type: ignore[no-untyped-call]

    def release(self) -> None:
        """Forget the data of the jobs before, so that the object store of the node can remove them."""
        forget_latest()
        give_back_memory()

    def stop(self, number: int, reason: str) -> None:
        """Ask the so many-th job to stop: a later one may have its key."""
        self._stop = (number, reason)

    def report(self, key: int, message: Any) -> None:
        """Keep a message until the driver asks for it."""
        self._messages.put((key, message))

    def stop_reason(self, number: int) -> str | None:
        """Why the so many-th job should stop."""
        stop = self._stop
        return stop[1] if stop is not None and stop[0] == number else None

    def _notice_sigterm(self) -> None:
        """Tell the driver about SIGTERM and go on: the job may end, or another fold of it, before SIGKILL follows.

        The main thread waits in Ray's own code, where Python calls no handler; but it writes to a wakeup descriptor.
        """
        if os.name == "nt" or threading.current_thread() is not threading.main_thread():
            return
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.signal(signal.SIGTERM, lambda signum, frame: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=self._forward_sigterm, args=(reader,), daemon=True).start()

    def _forward_sigterm(self, reader: int) -> None:
        while os.read(reader, 1) != bytes([signal.SIGTERM]):
            pass
        self._messages.put(LEAVING)


class _ActorContext:
    def __init__(self, worker: RayWorker, key: int, number: int) -> None:
        self._worker, self._key, self._number = worker, key, number

    def report(self, message: Any) -> None:
        self._worker.report(self._key, message)

    def stop_reason(self) -> str | None:
        return self._worker.stop_reason(self._number)


class ObjectStore:
    """The data store of a Ray cluster: one copy of a value per node, which all actors there map.

    Args:
        ray: The package.
        check: Raises an error if the cluster is gone.
        release: Makes idle actors forget the data of the jobs before.
    """

    def __init__(self, ray: ModuleType, check: Callable[[], None], release: Callable[[], None]) -> None:
        self._ray, self._check, self._release = ray, check, release

    def share(self, value: Any) -> StoredValue:
        """The value in the object store.

        Raises:
            SearchError: It has no room, and the disk to which it moves other values has none either; or the cluster is
                gone.
        """
        self._check()
        self._release()
        errors = self._ray.exceptions
        try:
            return StoredValue(self._ray.put(value))
        except (errors.ObjectStoreFullError, errors.OutOfDiskError) as error:
            raise SearchError(
                "the data of the study do not fit into Ray's object store; start Ray with a larger one "
                "(ray start --object-store-memory), or make room on its disk"
            ) from error
        finally:
            unload_mapped()

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


def _fetch(reference: Any) -> Any:
    """The value in the object store.

    Raises:
        SearchError: The store of this node is full, or has lost it.
    """
    import ray

    try:
        return keep_latest(reference.hex(), lambda: ray.get(reference))
    except ray.exceptions.RayError as error:
        raise SearchError(f"{UNREADABLE} ({type(error).__name__})") from error
