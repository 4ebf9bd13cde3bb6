"""Signals that stop the program: Ctrl-C, SIGTERM of a batch system or of ``kill``, SIGHUP of a closed terminal.

A source of jobs is told to stop, so that the study ends cleanly. Anything else ends at once, with the exit code that a
shell gives for the signal: 130, 143 or 129.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from types import FrameType
from typing import Protocol

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # fmt: skip

_received: signal.Signals = signal.SIGINT
_source: Stoppable | None = None


class Stoppable(Protocol):
    """Stops soon after ``interrupted`` is set."""

    interrupted: bool


class Interrupt:
    """Set by a signal; tells whether one came."""

    interrupted = False

    def __call__(self) -> bool:
        return self.interrupted


def stop_requested() -> bool:
    """Whether a signal has told the current source of jobs to stop; for waits during which the source cannot look."""
    return _source is not None and _source.interrupted


def exit_code() -> int:
    """The exit code of a program that was stopped: 128 and the number of the last signal."""
    return 128 + _received


def end_on_signals() -> None:
    """Have SIGTERM and SIGHUP end this process like Ctrl-C: after everything is closed, with their exit code.

    Has no effect outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return

    def end(signum: int, frame: FrameType | None) -> None:
        _note(signum)
        sys.exit(exit_code())

    for signum in STOP_SIGNALS:
        if signum != signal.SIGINT and signal.getsignal(signum) == signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(signum, end)


def ignore_stop_signals() -> None:
    """Leave them to the driver, which may get the same signal, as from Ctrl-C or from a batch system."""
    for signum in STOP_SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


def deliver_again() -> None:
    """End this process by the signal that stopped a source of jobs if nothing but that handled it.

    Without this, a script that runs a study would go on after the SIGTERM that was to end it.
    """
    if _received != signal.SIGINT and signal.getsignal(_received) == signal.SIG_DFL:
        signal.raise_signal(_received)


@contextmanager
def interruptible(source: Stoppable) -> Iterator[None]:
    """Make the first of these signals stop a source of jobs cleanly, and a second one end the process immediately.

    Has no effect outside the main thread, where Python handles no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:
        # A handler may run in the middle of a print, so it only sets a flag; the source prints.
        _note(signum)
        if source.interrupted:
            restore()
            signal.raise_signal(signum)
        source.interrupted = True

    def restore() -> None:
        global _source  # noqa: PLW0603  # signals are sent to the process
        _source = None
        for signum, handler in before.items():
            signal.signal(signum, handler)

    global _source  # noqa: PLW0603  # signals are sent to the process
    _source = source
    before = {signum: signal.getsignal(signum) for signum in STOP_SIGNALS}
    before = {signum: handler for signum, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for signum in before:
        signal.signal(signum, stop)
    try:
        yield
    finally:
        restore()


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Block the signals while a process is started: it inherits this, and is never hit before it can ignore them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # multiprocessing's own, which unblocks signals when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _note(signum: int) -> None:
    global _received  # noqa: PLW0603  # signals are sent to the process
    _received = signal.Signals(signum)
    if _received == getattr(signal, "SIGHUP", None):
        # The terminal is gone, and every further line would be an error.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            with suppress(OSError):
                if os.isatty(descriptor):
                    os.dup2(nowhere, descriptor)
        os.close(nowhere)
