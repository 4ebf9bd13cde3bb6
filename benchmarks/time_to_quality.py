"""How soon is a search as good as those of NeuralForecast, on the same test part and the same cores?

    python benchmarks/time_to_quality.py --etth1 ETTh1.csv
    python benchmarks/time_to_quality.py --tasks air_passengers employment --searches ours AutoLSTM AutoGRU

Three tasks: the oil temperature of ETTh1 (Zhou et al. 2021) 24 hours ahead, the airline passengers of Box & Jenkins
and 23 series of employment 12 months ahead. The end of each series is the test part; forecasts begin every horizon.

Every search makes ten trials with the defaults of its library; NeuralForecast's have an environment of their own, which
is made first. Seconds are those of whole processes, from start to forecasts, imports included; ours export and register
the model as well. With its defaults NeuralForecast trains the winner on what comes before the validation part, and ours
trains it once more with what was scored in the folds.

MASE is the mean absolute error of a series over the mean absolute change from one step to the next in what comes before
the test part, averaged over series.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lstmgru.bundle import load_bundle
from lstmgru.data.tables.datasets import load_dataset

_HERE = Path(__file__).parent
_PEERS = ("AutoLSTM", "AutoGRU")
_PACKAGES = ("neuralforecast>=3.3,<3.4", "optuna", "torch>=2.10,<2.14")
_STUDY = """\
name: ours
data: {{path: table.csv, time: ds, target: y{several}}}
forecast: {{horizon: {horizon}, metric: {metric}}}
splits: {{holdout: {test}, folds: {folds}, fold_size: {fold_size}, stride: {horizon}}}
search: {{trials: 10}}
"""


@dataclass(frozen=True)
class Task:
    """A table to forecast.

    Attributes:
        horizon: H.
        test: Rows at the end of each series that are forecast; NeuralForecast validates on as many before them.
        folds: Our folds, before the test part.
        frequency: As pandas calls it.
        table: Makes the table with the columns ``unique_id``, ``ds`` and ``y``.
    """

    horizon: int
    test: int
    folds: int
    frequency: str
    table: Callable[[argparse.Namespace], pd.DataFrame]


def main() -> None:
    """Search, score, print."""
    options = _options()
    if set(options.searches) & set(_PEERS):
        _python(options)
    for name in options.tasks:
        with tempfile.TemporaryDirectory() as folder:
            task = TASKS[name]
            table = task.table(options)
            table.to_csv(Path(folder) / "table.csv", index=False)
            for search in options.searches:
                result = {"task": name, "search": search, **run(search, task, table, Path(folder), options)}
                text = json.dumps(result) if options.json else "  ".join(f"{key} {v}" for key, v in result.items())
                print(text, flush=True)


def run(search: str, task: Task, table: pd.DataFrame, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a search and how good its forecasts are."""
    start = time.perf_counter()
    if search == "ours":
        record, found = _ours(task, table, folder)
    else:
        record, found = _peer(search, task, folder, _python(options), options.limit)
    seconds = time.perf_counter() - start
    return {"seconds": round(seconds, 1), **errors(task, table, found), **record}


def errors(task: Task, table: pd.DataFrame, found: pd.DataFrame) -> dict[str, Any]:
    """Mean absolute error, and MASE, over all series, of forecasts with the columns of the table and ``forecast``."""
    both = table.merge(found, on=["unique_id", "ds"], how="right", validate="one_to_one")
    n_series = table["unique_id"].nunique()
    if len(both) != n_series * task.test or both[["y", "forecast"]].isna().any(axis=None):
        raise SystemExit(f"{len(both)} forecasts where {n_series} series of {task.test} rows were to be forecast")
    error = (both["y"] - both["forecast"]).abs().groupby(both["unique_id"]).mean()
    before = table.groupby("unique_id")["y"].apply(lambda values: values.iloc[: -task.test].diff().abs().mean())
    return {"mae": round(float(error.mean()), 4), "mase": round(float((error / before).mean()), 4)}


def _ours(task: Task, table: pd.DataFrame, folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """How many trials there were, and what the exported model forecasts, which sees a series up to a cutoff alone."""
    several = table["unique_id"].nunique() > 1
    study = _STUDY.format(
        several=", id: unique_id" if several else "",
        horizon=task.horizon,
        test=task.test,
        folds=task.folds,
        fold_size=task.test if task.folds == 1 else task.horizon,
        metric="mase" if several else "mae",
    )
    (folder / "ours.yaml").write_text(study)
    program = [sys.executable, "-m", "search"]
    subprocess.run([*program, "run", "ours.yaml"], cwd=folder, stdout=sys.stderr, check=True)
    shown = subprocess.run([*program, "show", "ours", "--json"], cwd=folder, capture_output=True, check=True)
    states = [trial["state"] for trial in json.loads(shown.stdout)["trials"]]
    bundle = load_bundle(folder / "studies" / "ours.bundle")
    place = table.groupby("unique_id").cumcount(ascending=False)
    forecasts = [bundle.predict(table[place >= left]) for left in range(task.test, 0, -task.horizon)]
    found = pd.concat(forecasts)
    if "unique_id" not in found:
        found["unique_id"] = table["unique_id"].iloc[0]
    record = {"trials": len(states), "complete": states.count("COMPLETE")}
    return record, found[["unique_id", "ds", "forecast"]]


def _peer(
    search: str, task: Task, folder: Path, python: Path, limit: float | None
) -> tuple[dict[str, Any], pd.DataFrame]:
    program = [str(python), str(_HERE / "peers" / "neuralforecast_auto.py"), "table.csv", search]
    sizes = ["--horizon", str(task.horizon), "--test", str(task.test), "--frequency", task.frequency]
    command = [*program, *sizes, "--forecasts", f"{search}.csv"]
    if limit is not None:
        command += ["--limit", str(limit)]
    subprocess.run(command, cwd=folder, stdout=sys.stderr, check=True)
    record: dict[str, Any] = json.loads((folder / f"{search}.json").read_text())
    return record, pd.read_csv(folder / f"{search}.csv", parse_dates=["ds"])


def _python(options: argparse.Namespace) -> Path:
    """The interpreter of the environment with NeuralForecast, which is made where it is not there."""
    folder: Path = options.environment
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *_PACKAGES], stdout=sys.stderr, check=True)
    return python


def _etth1(options: argparse.Namespace) -> pd.DataFrame:
    if options.etth1 is None:
        raise SystemExit("--etth1 is missing: the file ETTh1.csv of the ETDataset; or leave the task out with --tasks")
    frame = pd.read_csv(options.etth1, parse_dates=["date"])[:14400]
    return pd.DataFrame({"unique_id": "OT", "ds": frame["date"], "y": frame["OT"]})


def _air_passengers(options: argparse.Namespace) -> pd.DataFrame:
    """NeuralForecast ships it."""
    program = "import sys; from neuralforecast.utils import AirPassengersDF as frame; frame.to_csv(sys.stdout)"
    with tempfile.TemporaryFile() as file:
        subprocess.run([_python(options), "-c", program], stdout=file, check=True)
        file.seek(0)
        frame = pd.read_csv(file, parse_dates=["ds"], index_col=0)
    return frame.assign(unique_id="passengers")


def _employment(options: argparse.Namespace) -> pd.DataFrame:
    del options
    frame = load_dataset("us_employment")
    return frame.rename(columns={"series": "unique_id", "month": "ds", "jobs": "y"})


TASKS = {
    "etth1": Task(24, 2880, 1, "h", _etth1),
    "air_passengers": Task(12, 24, 3, "ME", _air_passengers),
    "employment": Task(12, 24, 3, "MS", _employment),
}


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", action="store_true", help="print a JSON object for each search")
    made.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    made.add_argument("--searches", nargs="+", choices=["ours", *_PEERS], default=["ours", *_PEERS])
    made.add_argument("--etth1", type=Path, help="ETTh1.csv")
    made.add_argument(
        "--environment",
        type=lambda path: Path(path).absolute(),
        default=Path(".venv-neuralforecast").absolute(),
        help="of NeuralForecast; it is made where it is not there",
    )
    made.add_argument("--limit", type=float, help="seconds after which a search of NeuralForecast begins no new trial")
    return made.parse_args()


if __name__ == "__main__":
    main()
