"""M4 Hourly, 414 series, horizon 48: how good is one global model, the winner of one search?

The study knows the competition's training part and holds the test part back. Its winner forecasts from the training
part; sMAPE, MASE and OWA are those of the competition (Makridakis et al. 2020), OWA against the errors of Naive2 that
its organizers published.

    python benchmarks/m4_hourly.py FOLDER      # that holds Hourly-train.csv and Hourly-test.csv
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from published import HERE, exported, parser, run_study, show, summary

HORIZON, SEASON = 48, 24
NAIVE2 = {"smape": 18.383, "mase": 2.395}
Series = dict[str, npt.NDArray[np.float64]]


def main() -> None:
    """Run, score, print."""
    options = parser(__doc__, "folder with Hourly-train.csv and Hourly-test.csv").parse_args()
    train, test = (read(options.data / f"Hourly-{part}.csv") for part in ("train", "test"))
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        table = Path(name) / "m4_hourly.parquet"
        long({series: np.concatenate([train[series], test[series]]) for series in train}).to_parquet(table)
        record = run_study(HERE / "m4_hourly.yaml", table, folder, options.timeout, options.arguments)
        forecasts = exported(record).predict(long(train))
        show({**summary(record), **score(forecasts, train, test)}, as_json=options.json)


def read(path: Path) -> Series:
    """The series of a file of the competition, by name: a row each, empty cells at its end."""
    with path.open(newline="") as file:
        _, *rows = csv.reader(file)
    return {row[0]: np.array([float(cell) for cell in row[1:] if cell not in ("", "NA")]) for row in rows}


def long(series: Series) -> pd.DataFrame:
    """``series, step, value``, a row for each value."""
    lengths = [len(values) for values in series.values()]
    return pd.DataFrame(
        {
            "series": np.repeat(list(series), lengths),
            "step": np.concatenate([np.arange(length) for length in lengths]),
            "value": np.concatenate(list(series.values())),
        }
    )


def score(forecasts: pd.DataFrame, train: Series, test: Series) -> dict[str, Any]:
    """The competition's errors, and the share of true values within the intervals."""
    smape, mase = [], []
    inside: dict[str, list[float]] = {}
    for name, values in forecasts.groupby("series"):
        true, forecast = test[str(name)], values["forecast"].to_numpy()
        smape.append(np.mean(200 * np.abs(true - forecast) / (np.abs(true) + np.abs(forecast))))
        history = train[str(name)]
        mase.append(np.mean(np.abs(true - forecast)) / np.mean(np.abs(history[SEASON:] - history[:-SEASON])))
        for column in forecasts.columns[forecasts.columns.str.startswith("lower_")]:
            lower, upper = values[column], values[column.replace("lower", "upper")]
            inside.setdefault(column.removeprefix("lower_"), []).append(np.mean((lower <= true) & (true <= upper)))
    errors = {"smape": float(np.mean(smape)), "mase": float(np.mean(mase))}
    owa = np.mean([errors[name] / naive2 for name, naive2 in NAIVE2.items()])
    coverage = {f"test_coverage_{level}": float(np.mean(shares)) for level, shares in inside.items()}
    return {"series": len(mase), **errors, "owa": float(owa), **coverage}


if __name__ == "__main__":
    main()
