"""Waiting for facts instead of for some time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import psutil

PATIENCE = 240.0
"""Seconds after which a fact is not expected any more: long, as machines are slow and shared."""


def until(fact: Callable[[], object], message: object = "it did not become true in time") -> None:
    """Wait until something is true.

    Args:
        fact: Asked twenty times a second.
        message: Of the failure, or what returns it.
    """
    deadline = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < deadline, message() if callable(message) else message
        time.sleep(0.05)


def have_ended(processes: Sequence[psutil.Process]) -> bool:
    """Whether processes end by themselves."""
    return not psutil.wait_procs(processes, timeout=PATIENCE / 4)[1]
