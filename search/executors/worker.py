"""A worker process: one job after the other, with reports on the way, until the driver has no more."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from search.executors.base import Failure, Job, Outcome, failure_reason, run_job
from search.executors.gpu import keep_gpu_share
from search.executors.memory import give_back_memory

READY, REPORT, STOP = "ready", "report", "stop"
"""Kinds of messages, beside jobs and outcomes: (kind, key of the job, content)."""


@dataclass(frozen=True)
class Parcel:
    """A pickled job: what it refers to is read when it is run."""

    key: int
    content: bytes


class _PipeContext:
    """The worker's end: sends reports, looks for stop requests without waiting."""

    def __init__(self, pipe: Connection[Any, Any], key: int) -> None:
        self._pipe, self._key = pipe, key
        self._reason: str | None = None

    def report(self, message: Any) -> None:
        self._pipe.send((REPORT, self._key, message))

    def stop_reason(self) -> str | None:
        while self._pipe.poll():
            kind, key, reason = self._pipe.recv()
            # A stop that crossed the end of an earlier job on its way is not meant for this one.
            if kind == STOP and key == self._key:
                self._reason = reason
        return self._reason


def worker_main(
    pipe: Connection[Any, Any], warm_up: Callable[[], None], environment: dict[str, str], gpu_share: float | None
) -> None:
    """A worker's life: warm up, then one job after the other until the pipe closes.

    Args:
        pipe: To the driver.
        warm_up: Imports what jobs need.
        environment: That of the driver.
        gpu_share: See :func:`~search.executors.gpu.keep_gpu_share`.
    """
    gc.freeze()  # looked through, the objects of a process that was forked would no longer be one copy for all
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    os.environ.clear()
    os.environ.update(environment)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    warm_up()
    keep_gpu_share(gpu_share)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        pipe.send((READY, -1, None))
        while True:
            message = pipe.recv()
            if isinstance(message, Parcel):
                pipe.send(_run(message, _PipeContext(pipe, message.key)))
                give_back_memory()  # while the driver looks for the next job
                # What is left was imported, or is kept for the next job: not to be looked through again.
                gc.freeze()


def _run(parcel: Parcel, context: _PipeContext) -> Outcome:
    try:
        job: Job = pickle.loads(parcel.content)
    except Exception as error:  # such as data whose file is gone: the job fails, and says why
        return Outcome(parcel.key, failure=Failure(failure_reason(error)))
    return run_job(job, context)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker is always a child
    wait([parent.sentinel])
    os._exit(1)
