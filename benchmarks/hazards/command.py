"""A command in this process or in one of its own, and the rules that hold for every command, whatever it is given."""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import chdir, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from io import StringIO
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

EXIT_CODES = {0, 1, 2, 3, 129, 130, 143}
"""Success, a study without a result, invalid input, and the ends by SIGHUP, SIGINT and SIGTERM."""

LONGEST = 240.0
"""Seconds after which a run hangs."""

_LONGEST_LINE = 1000

_PRELOAD = ["search.run.runner", "lstmgru.training.fit_forecasts", "numba", "lstmgru.bundle.save", "torch.onnx"]

STUDY = """\
name: tiny
data: {path: shop.csv, time: day, target: sales, past_covariates: visitors, calendar: [day_of_week]}
forecast: {horizon: 3, season_length: 7}
splits: {holdout: 20, folds: 1}
search: {trials: 3, jobs: 1, pruner: none, blend: off}
space: {preset: small, n_layers: 1, hidden_size: [4, 8], context_length: [7, 14]}
training: {max_epochs: 3, min_epoch_windows: 1, accelerator: cpu}
tracking: {enabled: false}
"""
"""A study of a few seconds."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    error: str


@dataclass
class Attempt:
    """One hazard and what it broke.

    Attributes:
        kind: ``journals``.
        case: What was done, so that it can be done again.
        problems: What was lost, doubled, left behind or shown as a traceback; empty: survived.
    """

    kind: str
    case: str
    problems: list[str] = field(default_factory=list)

    def check(self, holds: bool, problem: str) -> None:
        """Note a problem unless the condition holds."""
        if not holds:
            self.problems.append(problem)


def call(folder: Path, *arguments: str) -> Ended:
    """``python -m search`` in this process, which has imported everything already."""
    from search.cli.app import main

    output, error, code = StringIO(), StringIO(), 0
    with (
        patch.dict(os.environ, environment(), clear=True),
        patch.object(sys, "argv", ["search", *arguments]),
        chdir(folder),
        redirect_stdout(output),
        redirect_stderr(error),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        except Exception:
            traceback.print_exc()
            code = 1
    return Ended(code, output.getvalue(), error.getvalue())


class Run:
    """The same in a process and a session of its own.

    Args:
        folder: Where it runs.
        arguments: Of the command.
        preloaded: Fork it from a process that has imported everything; otherwise Python is started as a user does.
        file_size: Largest size of a file, in bytes.
        more: Environment variables.
    """

    def __init__(
        self, folder: Path, *arguments: str, preloaded: bool = False, file_size: int | None = None, **more: str
    ) -> None:
        self._files = [folder / f"{name}.txt" for name in ("output", "error")]
        values = environment(**more)
        for file in self._files:  # a run may be killed before it opens them
            file.write_bytes(b"")
        self._process: subprocess.Popen[bytes] | BaseProcess
        if preloaded or file_size is not None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(_PRELOAD)
            self._process = context.Process(target=_main, args=(folder, self._files, values, file_size, arguments))
            self._process.start()
        else:
            with self._files[0].open("wb") as output, self._files[1].open("wb") as error:
                command = [sys.executable, "-m", "search", *arguments]
                self._process = subprocess.Popen(
                    command, cwd=folder, stdout=output, stderr=error, start_new_session=True, env=values
                )
        assert self._process.pid is not None
        self.pid = self._process.pid

    def running(self, seconds: float) -> bool:
        """Whether it still runs after waiting for its end so long."""
        if isinstance(self._process, BaseProcess):
            self._process.join(seconds)
            return self._process.exitcode is None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is None

    def kill(self, which: int = signal.SIGKILL, *, group: bool = False) -> None:
        """Send it, or all processes of its group, a signal."""
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, which)

    def finish(self) -> Ended:
        """Wait for its end; a run that hangs is killed."""
        hangs = self.running(LONGEST)
        if hangs:
            self.kill(group=True)
            self.running(LONGEST)
        process = self._process
        code = process.exitcode if isinstance(process, BaseProcess) else process.returncode
        output, error = (file.read_text(errors="replace") for file in self._files)
        if hangs or code is None:
            return Ended(-1, output, f"{error}\nit hangs")
        return Ended(128 - code if code < 0 else code, output, error)


def _main(
    folder: Path, files: list[Path], values: dict[str, str], file_size: int | None, arguments: tuple[str, ...]
) -> None:
    """The command, in a process that was forked for it."""
    os.setsid()
    if file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    for number, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(values)
    tempfile.tempdir = None
    sys.argv = ["search", *arguments]
    from search.cli.app import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()  # a forked process ends without them


def environment(**more: str) -> dict[str, str]:
    """This environment without a tracking server of the developer's own, and with the packages of this repository."""
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return own | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"} | more


def fault(ended: Ended) -> str | None:
    """The rule that the end of a command breaks: a documented exit code, a message, no traceback."""
    if "Traceback" in ended.error + ended.output:
        raised = re.findall(r"^(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Warning)\b.*", ended.error, re.MULTILINE)
        where = re.findall(r'File ".*?/(\w+/\w+\.py)", line (\d+)', ended.error)
        return f"traceback: {raised[-1][:160] if raised else '?'} at {':'.join(where[-1]) if where else '?'}"
    if ended.code not in EXIT_CODES:
        return f"exit code {ended.code}: {ended.error[-200:]}"
    if ended.code == 2 and not re.search(r"^(error: |Usage: )", ended.error, re.MULTILINE):
        return f"exit code 2 without a message: {ended.error[-200:]!r}"
    longest = max(map(len, ended.error.splitlines()), default=0)
    return f"an error of {longest} characters" if longest > _LONGEST_LINE else None


def shown(folder: Path, study: str = "tiny") -> dict[str, Any] | None:
    """What ``show --json`` prints; ``None`` if it fails."""
    ended = call(folder, "show", study, "--json")
    return json.loads(ended.output) if ended.code == 0 else None


def write_study(folder: Path, text: str = STUDY, rows: int = 200) -> Path:
    """The study and its table in a folder; returns the study file."""
    import numpy as np
    import pandas as pd

    generator, step = np.random.default_rng(0), np.arange(rows)
    sales = 20 + 5 * np.sin(2 * np.pi * step / 7) + generator.normal(0, 0.5, rows)
    visitors = 2 * sales + generator.normal(0, 1, rows)
    days = pd.date_range("2022-01-03", periods=rows, freq="D").strftime("%Y-%m-%d")
    frame = pd.DataFrame({"day": days, "sales": sales.round(3), "visitors": visitors.round(3)})
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "shop.csv", index=False)
    path = folder / "tiny.yaml"
    path.write_text(text)
    return path
