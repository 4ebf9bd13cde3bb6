"""The connection to a Ray cluster: made, watched, and ended with one clear error."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from search.errors import SearchError
from search.executors.base import Cluster
from search.executors.interruption import STOP_SIGNALS

if TYPE_CHECKING:
    from types import ModuleType

_HEAD_SECONDS = 60.0
"""How long the head of the cluster may be away."""
_CHECK_SECONDS = 5.0
_NODE_SECONDS = 2.0
"""How long the processes of a node that is lost may end one after the other."""
_COLORS = re.compile(r"\x1b\[[0-9;]*m")


class Head:
    """The head node of the cluster, without which no work is placed, and the node that connects this process to it."""

    def __init__(self, ray: ModuleType) -> None:
        context = ray.get_runtime_context()
        self._address = context.gcs_address
        self._own = next(_address_of(node) for node in ray.nodes() if node["NodeID"] == context.get_node_id())
        self._checked = self._seen = time.monotonic()

    def check_own(self) -> None:
        """See whether the node of this process runs: Ray ends a process that uses one that does not.

        Raises:
            SearchError: It has ended.
        """
        try:
            _knock(self._own)
        except ConnectionRefusedError as error:
            raise _gone(f"the node at {self._own}, to which this process is connected, has ended") from error
        except OSError:
            return  # it is slow

    def check(self) -> None:
        """See whether it answers, every few seconds.

        Raises:
            SearchError: It has not answered for a minute, or the node of this process has ended.
        """
        now = time.monotonic()
        if now - self._checked < _CHECK_SECONDS:
            return
        self._checked = now
        self.check_own()
        try:
            _knock(self._address)
            self._seen = time.monotonic()
        except OSError as error:
            if time.monotonic() - self._seen > _HEAD_SECONDS:
                raise _gone(f"its head at {self._address} does not answer: {error.strerror or error}") from error


def import_ray() -> ModuleType:
    """The package.

    Raises:
        SearchError: It is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    # Ray ends a process whose cluster has been away for a minute; the study ends first, and in order.
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", str(round(10 * _HEAD_SECONDS)))
    try:
        return import_module("ray")
    except ImportError as error:
        raise SearchError(
            "search.executor is ray, but the package ray is not installed; run pip install 'lstmgru-search[ray]'"
        ) from error


def check_cluster(cluster: Cluster) -> None:
    """Connect to a cluster and leave it.

    Raises:
        SearchError: Ray is not installed, no cluster answers at the address, or the program has connected to one as a
            Ray client.
    """
    ray = import_ray()
    if ray.util.client.ray.is_connected():
        raise SearchError(
            "search.executor: this program is connected to its cluster as a Ray client (ray://), from which no search "
            "can run; call ray.init with the address auto or host:port on the network of the cluster, or submit the "
            "program with ray job submit"
        )
    if cluster.address is not None and not ray.is_initialized():
        connect(ray, cluster, jobs=1)
        with own_signals():
            ray.shutdown()


def connect(ray: ModuleType, cluster: Cluster, jobs: int) -> None:
    """Connect this process to a cluster, or start one for so many jobs on this machine.

    Raises:
        SearchError: No cluster answers at the address, or none can be started.
    """
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if cluster.address is None:
        # What starts here ends here, and needs no web page.
        options |= {"num_cpus": max(1, round(jobs * cluster.cpus_per_trial)), "include_dashboard": False}
        address = "local"
    else:
        address = cluster.address
    hint = "start one with ray start --head, or leave the address out to start one on this machine"
    try:
        _knock(address)  # Ray would try for minutes
        hint += "; if it has a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
        with own_signals():
            ray.init(address=address, **options)
    except Exception as error:  # Ray also raises plain ones, as if its processes start too slowly
        if cluster.address is None:
            raise SearchError(
                f"search.executor: Ray cannot be started on this machine: {cause_of(error)}; run the same command "
                "again, or with --executor processes"
            ) from error
        raise SearchError(
            f"search.executor: no Ray cluster can be used at {address!r}: {cause_of(error)}; {hint}"
        ) from error


@contextmanager
def own_signals() -> Iterator[None]:
    """Keep this program's signal handlers, which Ray replaces when it starts."""
    before = {signum: signal.getsignal(signum) for signum in STOP_SIGNALS}
    try:
        yield
    finally:
        with suppress(ValueError):  # only the main thread may set them
            for signum, handler in before.items():
                signal.signal(signum, handler)


@contextmanager
def cluster_errors(ray: ModuleType) -> Iterator[None]:
    """Turn the loss of the whole cluster into one error."""
    try:
        yield
    except (ConnectionError, ray.exceptions.RaySystemError) as error:
        raise _gone(cause_of(error)) from error


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
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CHECK_SECONDS).close()


def is_lost(ray: ModuleType, node_id: str) -> bool:
    """Whether the node of a lost actor is lost as well: its processes do not end all at once."""
    deadline = time.monotonic() + _NODE_SECONDS
    while _is_there(ray, node_id):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _is_there(ray: ModuleType, node_id: str) -> bool:
    """Whether a node still answers; the cluster itself learns of its loss some seconds later."""
    node = next((node for node in ray.nodes() if node["NodeID"] == node_id and node["Alive"]), None)
    if node is None:
        return False
    try:
        _knock(_address_of(node))
    except OSError:
        return False
    return True


def _address_of(node: dict[str, Any]) -> str:
    return f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"


def cause_of(error: BaseException) -> str:
    """The line of an error of Ray that says what happened: the first, or the last of a traceback from an actor."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    lines = [line.strip() for line in _COLORS.sub("", text).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return lines[-1 if any("ray::" in line for line in lines) else 0].rstrip(".")
