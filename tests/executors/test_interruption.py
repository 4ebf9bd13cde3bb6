"""Signals that stop the program: what they leave, and the exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from helpers.studies import program_environment
from helpers.waiting import PATIENCE, have_ended, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has none of these signals but Ctrl-C")

SOURCE = """
import os, signal, sys
from search.executors.interruption import deliver_again, end_on_signals, exit_code, interruptible
class Source: interrupted = False
source = Source()
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and a shell the Ctrl-C of a background job
signal.signal(signal.SIGINT, signal.default_int_handler)
def send(name): os.kill(os.getpid(), getattr(signal, name))
try:
    {code}
finally:
    print("closed", source.interrupted, flush=True)
"""
CODES = [
    ("end_on_signals(); send('SIGTERM')", 143, False),
    ("end_on_signals(); send('SIGHUP')", 129, False),
    ("with interruptible(source): send('SIGTERM'); sys.exit(exit_code())", 143, True),
    ("with interruptible(source): send('SIGHUP'); sys.exit(exit_code())", 129, True),
    ("with interruptible(source): send('SIGINT'); sys.exit(exit_code())", 130, True),
    ("end_on_signals()\n    with interruptible(source): send('SIGTERM'); send('SIGTERM')", 143, True),
    (  # the second one, where a library restored the handler in between
        "end_on_signals()\n    with interruptible(source): handler = signal.getsignal(signal.SIGTERM); "
        "send('SIGTERM'); signal.signal(signal.SIGTERM, handler); send('SIGTERM'); sys.exit(0)",
        143,
        True,
    ),
    ("with interruptible(source): send('SIGTERM')\n    deliver_again()", -15, None),
    ("with interruptible(source): send('SIGINT')\n    deliver_again()", 0, True),
    ("signal.signal(signal.SIGHUP, signal.SIG_IGN); end_on_signals(); send('SIGHUP')", 0, False),
    ("signal.signal(signal.SIGHUP, signal.SIG_IGN)\n    with interruptible(source): send('SIGHUP')", 0, False),
]


def test_the_exit_code_tells_the_signal_and_everything_is_closed_first() -> None:
    programs = [
        subprocess.Popen([sys.executable, "-c", SOURCE.format(code=code)], stdout=subprocess.PIPE, text=True)
        for code, _, _ in CODES
    ]
    for process, (code, expected, interrupted) in zip(programs, CODES, strict=True):
        output = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == expected, code
        assert output == ("" if interrupted is None else f"closed {interrupted}\n"), code


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_ui_ends_with_its_server(tmp_path: Path, signum: signal.Signals) -> None:
    from helpers.mlflow_server import free_port
    from helpers.mlflow_store import make_store

    port = free_port()
    command = [sys.executable, "-m", "search", "ui", "--port", str(port)]
    environment = program_environment()
    process = subprocess.Popen(
        command, cwd=make_store(tmp_path), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: process.poll() is not None or answers(port))  # then it has started all of its processes
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    os.kill(process.pid, signum)
    assert process.wait(PATIENCE) == 128 + signum
    assert have_ended(children)


def answers(port: int) -> bool:
    """Whether a server answers there."""
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
        return True
    return False
