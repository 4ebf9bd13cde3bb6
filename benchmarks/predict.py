"""Memory and speed of ``python -m search predict`` on tables of growing length.

Writes an untrained model of daily series, and tables in which the rows of a series follow each other (``sorted``) or in
which the series alternate day after day (``mixed``). Each is predicted in a process of its own, once in blocks and once
as a whole (``--block-rows`` above its length). Peak memory is that of the process (RSS), sampled 20 times a second, and
``import`` is what the same command takes on ten series.

    python benchmarks/predict.py --rows 500000 2000000 8000000
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch

from lstmgru.bundle import ForecastBundle, ForecastNetworkMember, save_bundle
from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import input_spec
from lstmgru.nn.forecast_network import ForecastNetwork
from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec, parse_branches
from lstmgru.specs.calibration import Calibration

_SAMPLE_SECONDS = 0.05
CONTEXT, HORIZON, DAYS = 28, 14, 500
_ROWS_AT_ONCE = 1_000_000


def model(folder: Path) -> Path:
    """An untrained network of 32 GRU cells with intervals."""
    panel = build_panel(table(range(10)), time="day", id="shop", targets=["sales"], source="shops")
    spec, forecast, train = ModelSpec(parse_branches("gru(32)"), CONTEXT), ForecastSpec(HORIZON, 7), TrainSpec()
    torch.manual_seed(0)
    inputs = input_spec(panel.schema, n_series=len(panel), short_series="error")
    network = ForecastNetwork.of(spec, inputs, forecast, train)
    scaler = Scaler.fit(panel, np.stack([panel.offsets[:-1], panel.offsets[1:]], axis=1), spec)
    offsets = np.ones((len(forecast.levels), HORIZON, 1), np.float32) * np.array([[[1.3]], [[2.0]]], np.float32)
    calibration = Calibration(forecast.levels, offsets, scaled=True, season_length=7, n_windows=500)
    scores = np.random.default_rng(0).standard_normal((500, HORIZON, 1)).astype(np.float32)
    bundle = ForecastBundle(
        members=(ForecastNetworkMember(network=network, scaler=scaler, model_spec=spec, train_spec=train),),
        forecast=forecast,
        schema=panel.schema,
        frequency=panel.frequency,
        ids=panel.ids.tolist(),
        calibration=calibration,
        normal_scores=scores,
    )
    return save_bundle(folder / "model", bundle).directory


def table(shops: range) -> pd.DataFrame:
    """Daily sales of some shops."""
    generator = np.random.default_rng(shops.start)
    days = pd.date_range("2023-01-01", periods=DAYS).strftime("%Y-%m-%d")
    return pd.DataFrame({
        "shop": np.repeat([f"shop {number:07}" for number in shops], DAYS),
        "day": np.tile(days, len(shops)),
        "sales": generator.gamma(4, 25, len(shops) * DAYS).round(2),
    })  # fmt: skip


def write(path: Path, rows: int, order: str) -> None:
    """A CSV file of about that many rows, written part by part."""
    shops = max(10, rows // DAYS)
    step = _ROWS_AT_ONCE // DAYS
    parts = [range(start, min(start + step, shops)) for start in range(0, shops, step)]
    if order == "sorted":
        for number, part in enumerate(parts):
            table(part).to_csv(path, index=False, mode="a" if number else "w", header=number == 0)
        return
    values = np.concatenate([table(part)["sales"].to_numpy().reshape(-1, DAYS) for part in parts])
    names = [f"shop {number:07}" for number in range(shops)]
    for number, day in enumerate(pd.date_range("2023-01-01", periods=DAYS).strftime("%Y-%m-%d")):
        frame = pd.DataFrame({"shop": names, "day": day, "sales": values[:, number]})
        frame.to_csv(path, index=False, mode="a" if number else "w", header=number == 0)


def measure(folder: Path, data: str, *options: str) -> dict[str, float]:
    """Seconds and peak memory in MiB of a prediction."""
    command = [sys.executable, "-m", "search", "predict", "model", "--data", data, "--output", "f.parquet", *options]
    start, peak = time.perf_counter(), 0
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as running:
        process = psutil.Process(running.pid)
        while running.poll() is None:
            try:
                peak = max(peak, process.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(_SAMPLE_SECONDS)
    if running.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {running.returncode}")
    return {"seconds": round(time.perf_counter() - start, 1), "mib": round(peak / 2**20)}


def main() -> None:
    """Print a row for each table and way to read it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000, 2_000_000, 8_000_000])
    parser.add_argument("--samples", type=int, help="write that many sample paths instead of forecasts")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    samples = [] if arguments.samples is None else ["--samples", str(arguments.samples)]
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model(folder)
        write(folder / "few.csv", 0, "sorted")
        found.append({"rows": 10 * DAYS, "order": "import", "read": "", **measure(folder, "few.csv", *samples)})
        for rows in arguments.rows:
            for order in ("sorted", "mixed"):
                write(folder / "new.csv", rows, order)
                for read, options in {"blocks": [], "whole": ["--block-rows", str(2 * rows)]}.items():
                    if read == "whole" and samples:
                        continue
                    its = measure(folder, "new.csv", *options, *samples)
                    found.append({"rows": rows, "order": order, "read": read, **its})
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'rows':>12}  {'order':8}{'read':8}{'seconds':>8}{'peak MiB':>10}")
    for row in found:
        print(f"{row['rows']:12,}  {row['order']:8}{row['read']:8}{row['seconds']:8}{row['mib']:10}")


if __name__ == "__main__":
    main()
