"""Small studies on small tables, for tests that run the whole program."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from helpers.json_output import valid_json

TINY = """\
name: tiny
data:
  path: shop.csv
  time: day
  target: sales
  past_covariates: visitors
  calendar: [day_of_week]
forecast:
  horizon: 3
  season_length: 7
splits:
  holdout: 20
  folds: 2
search:
  trials: 4
  jobs: 1
space:
  preset: small
  n_layers: [1, 2]
  hidden_size: [4, 8]
  context_length: [7, 14]
training:
  max_epochs: 5
  patience: 3
  min_epoch_windows: 1
  accelerator: cpu
"""
"""A study that one process runs in a few seconds."""
FREQUENT_CHECKPOINTS = (
    "-c",
    "from search.cli.app import main; from search.run import driver; driver.CHECKPOINT_SECONDS = 0.1; main()",
)
"""The program with ten checkpoints a second instead of one a minute, as arguments of Python."""


def shop_table(rows: int = 200, *, start: str = "2022-01-03") -> pd.DataFrame:
    """Daily sales with a weekly season, and the visitors that come with them."""
    generator = np.random.default_rng(0)
    step = np.arange(rows)
    sales = 20 + 5 * np.sin(2 * np.pi * step / 7) + generator.normal(0, 0.5, rows)
    visitors = 2 * sales + generator.normal(0, 1, rows)
    days = pd.date_range(start, periods=rows, freq="D").strftime("%Y-%m-%d")
    return pd.DataFrame({"day": days, "sales": sales.round(3), "visitors": visitors.round(3)})


def write_study(folder: Path, text: str = TINY, table: pd.DataFrame | None = None) -> Path:
    """The study and its table in a folder; returns the study file."""
    (shop_table() if table is None else table).to_csv(folder / "shop.csv", index=False)
    path = folder / "tiny.yaml"
    path.write_text(text)
    return path


def search(folder: Path, *arguments: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """``python -m search`` in that folder, as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "search", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=program_environment(**environment),
    )


def search_here(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, which has imported everything already."""
    from search.cli.app import main

    out, error, code = StringIO(), StringIO(), 0
    with (
        patch.dict(os.environ, program_environment(), clear=True),
        patch.object(sys, "argv", ["search", *arguments]),
        chdir(folder),
        redirect_stdout(out),
        redirect_stderr(error),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), error.getvalue())


def start(
    folder: Path, *arguments: str, program: tuple[str, ...] = ("-m", "search"), **environment: str
) -> subprocess.Popen[str]:
    """The same in the background, in a process group of its own; ``program``: another one, as arguments of Python."""
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=program_environment(**environment),
    )


def program_environment(**more: str) -> dict[str, str]:
    """This environment without a tracking server of the developer's own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")} | more


def shown(folder: Path, study: str = "tiny") -> dict[str, Any]:
    """What ``show --json`` prints."""
    result = search_here(folder, "show", study, "--json")
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = valid_json("show", result.stdout)
    return document
