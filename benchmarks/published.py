"""What the benchmarks on published data share: run a study of this folder, and load what it exported."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lstmgru.bundle import ForecastBundle, SequenceBundle, load_bundle

HERE = Path(__file__).parent


def parser(description: str | None, data: str) -> argparse.ArgumentParser:
    """The options of every such benchmark; arguments after ``--`` go to ``search run``."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("data", type=Path, help=data)
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument("--timeout", default="15m", help="of the whole study, refit and export included")
    made.add_argument("--folder", type=Path, help="keep what the run writes there; default: a folder that is removed")
    made.add_argument("arguments", nargs="*", help="further arguments of the run, after --")
    return made


def run_study(
    study: Path, table: Path, folder: Path, timeout: str, arguments: Sequence[str], log: Path | None = None
) -> dict[str, Any]:
    """Run a study in a folder; what ``show --json`` says of it, and its seconds.

    Args:
        study: The study file.
        table: Its table.
        folder: Where the study is run.
        timeout: Of the whole study.
        arguments: Further arguments of ``search run``.
        log: File for all output of the run; ``None`` for standard error.

    Raises:
        CalledProcessError: The run failed.
    """
    start = time.perf_counter()
    program = [sys.executable, "-m", "search"]
    command = [*program, "run", str(study), "--data", str(table), "--timeout", timeout, *arguments]
    with nullcontext(sys.stderr) if log is None else log.open("w", encoding="utf-8") as output:
        subprocess.run(command, cwd=folder, stdout=output, stderr=output, check=True)
    seconds = time.perf_counter() - start
    shown = subprocess.run([*program, "show", study.stem, "--json"], cwd=folder, capture_output=True, check=True)
    return {**json.loads(shown.stdout), "seconds": round(seconds, 1)}


def exported(record: dict[str, Any]) -> ForecastBundle | SequenceBundle:
    """The model of a study."""
    return load_bundle(record["bundle"])


def summary(record: dict[str, Any]) -> dict[str, Any]:
    """The study in a few values."""
    states = [trial["state"] for trial in record["trials"]]
    return {
        "seconds": record["seconds"],
        "trials": len(states),
        "complete": states.count("COMPLETE"),
        "winner": record["best"]["layers"] if record["best"] else None,
        "parameters": record["best"]["n_parameters"] if record["best"] else None,
        "folds": record["best"]["value"] if record["best"] else None,
        **_coverage(record),
    }


def _coverage(record: dict[str, Any]) -> dict[str, Any]:
    """Of the intervals on the holdout, where there are any."""
    intervals = record["holdout"]["intervals"]
    shares = {f"{each['level']:g}": round(each["coverage"], 4) for each in intervals}
    return {"coverage": shares} if intervals else {}


def show(result: dict[str, Any], *, as_json: bool) -> None:
    """Print the result."""
    if as_json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key:12} {value}")
