"""The main function of a worker process: runs one job after another until the driver closes the pipe."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from search.executors.base import Failure, Job, Outcome, failure_reason, run_job
from search.executors.interruption import ignore_stop_signals
from search.executors.sharing import give_back_memory

READY, REPORT, STOP = "ready", "report", "stop"
"""Kinds of messages other than jobs and outcomes: (kind, key of the job, content)."""


@dataclass(frozen=True)
class Parcel:
    """A pickled job; shared data that it refers to are read when it is run."""

    key: int
    content: bytes


class _PipeContext:
    """The worker's end of the pipe: sends reports and looks for stop requests without waiting."""

    def __init__(self, pipe: Connection[Any, Any], key: int) -> None:
        self._pipe, self._key = pipe, key
        self._reason: str | None = None

    def report(self, message: Any) -> None:
        self._pipe.send((REPORT, self._key, message))

    def stop_reason(self) -> str | None:
        while self._pipe.poll():
            kind, key, reason = self._pipe.recv()
            # The stop request of an earlier job may arrive after that job ended.
            if kind == STOP and key == self._key:
                self._reason = reason
        return self._reason


def worker_main(
    pipe: Connection[Any, Any], warm_up: Callable[[], None], environment: dict[str, str], gpu_share: float | None
) -> None:
    """Warm up, then run jobs until the pipe is closed.

    Args:
        pipe: To the driver.
        warm_up: Imports what jobs need.
        environment: The driver's environment variables.
        gpu_share: See :func:`limit_gpu_memory`.
    """
    gc.freeze()  # the collector writes to the objects that it visits, and a forked process shares them with others
    ignore_stop_signals()
    os.environ.clear()
    os.environ.update(environment)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    warm_up()
    limit_gpu_memory(gpu_share)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        pipe.send((READY, -1, None))
        while True:
            message = pipe.recv()
            if isinstance(message, Parcel):
                pipe.send(_run(message, _PipeContext(pipe, message.key)))
                give_back_memory()  # while the driver looks for the next job
                # The remaining objects were imported or are kept for the next job: no need to visit them again.
                gc.freeze()


def _run(parcel: Parcel, context: _PipeContext) -> Outcome:
    try:
        job: Job = pickle.loads(parcel.content)
    except Exception as error:  # such as a missing file of shared data: the job fails and says why
        return Outcome(parcel.key, failure=Failure(failure_reason(error)))
    return run_job(job, context)


def limit_gpu_memory(share: float | None) -> None:
    """Limit this process to a fraction of the GPU's memory; exceeding it is an error of the job that does.

    Without a limit, the workers' caches grow until an arbitrary one of them runs out of memory.

    Args:
        share: In (0, 1), see :func:`search.executors.devices.gpu_share`; ``None``: no limit.
    """
    if share is None:
        return
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker is always a child
    wait([parent.sentinel])
    os._exit(1)
