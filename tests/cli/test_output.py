"""Output that cannot be written is one line and an exit code, never a traceback."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.studies import program_environment
from helpers.synthetic_study import make_trial
from rich.console import Console

from search.cli.console import RunListener
from search.errors import printable
from search.run.progress import Progress

FULL = Path("/dev/full")


def schema(stdout: int | None, stderr: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """A command that needs no study, with that standard output; ``None``: a closed one."""
    command = [sys.executable, "-m", "search", "schema"]
    if stdout is None:
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    environment = program_environment()
    return subprocess.run(command, stdout=stdout, stderr=stderr, text=True, check=False, env=environment)


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with FULL.open("w") as full:
        done = schema(full.fileno())
        assert done.returncode == 2
        assert done.stderr == "error: standard output or a file cannot be read or written: No space left on device\n"
        assert schema(full.fileno(), full.fileno()).returncode == 2


def test_a_pipe_that_nobody_reads_ends_the_command_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = schema(writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_closed_standard_output_is_not_missed() -> None:
    done = schema(None)
    assert (done.returncode, done.stderr) == (0, "")


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[2J\x07b\u202ec\x9bd\r\ne é 漢 🙂") == "a[2Jbcd\ne é 漢 🙂"


def test_a_narrow_terminal_cuts_the_text_beside_the_bar_and_no_number() -> None:
    best = make_trial(7, layers="last > segments(12) > [fused(23) > gru(26) | gru(16)] > additive > linear +linear")
    seen = io.StringIO()
    console = Console(file=seen, force_terminal=True, width=60, color_system=None)

    with RunListener(console) as listener:
        listener._bar.update(listener._task, visible=True)
        listener.on_progress(Progress(12, 30, (), best, 60.0, 238.0))
        listener._bar.refresh()

    frames = [frame for frame in seen.getvalue().split("\r") if "12/30" in frame]
    assert frames
    assert all(re.search("━ +12/30 238 s left · best 3.7 last > .*…", frame) for frame in frames)
