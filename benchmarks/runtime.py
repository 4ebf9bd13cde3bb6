"""Prediction without PyTorch: seconds to load a model and to forecast a panel, each in a new process, and parity.

The model has random weights; a panel with a covariate, a category and a short history in every tenth series is forecast
with intervals. Loading is measured from the start of the interpreter, and from the first import to the loaded model.
Both engines read the same CSV file and their tables are compared.

    python benchmarks/runtime.py
    python benchmarks/runtime.py --install            # in a new environment with lstmgru-runtime only; its size
    python benchmarks/runtime.py --branches "fused(64)" --imports
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
SECONDS_TO_LOAD = 1.0
"""Target, from the start of the interpreter."""
CONTEXT, HORIZON = 56, 14
LOAD = """
import time
start = time.perf_counter()
import sys
{load}
print(time.perf_counter() - start)
"""
PREDICT = """
import re, sys, time
from pathlib import Path
{load}
start, before = time.perf_counter(), time.process_time()
frame = model.read_table(Path(sys.argv[2]))
read = time.perf_counter()
table = model.predict(frame)
done = time.perf_counter()
table.to_csv(sys.argv[3], index=False)
memory = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(read - start, done - read, time.process_time() - before, memory)
"""
ENGINES = {
    "onnx": "from lstmgru.runtime import load_model\nmodel = load_model(sys.argv[1])",
    "torch": "from lstmgru.bundle import load_bundle\nmodel = load_bundle(sys.argv[1])",
}


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--branches", default="lstm(64) > gru(64)", help="layers of the network")
    parser.add_argument("--rounds", type=int, default=5, help="new processes for each engine")
    parser.add_argument("--install", action="store_true", help="run ONNX in an environment with lstmgru-runtime only")
    parser.add_argument("--imports", action="store_true", help="also print the slowest imports")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result: dict[str, Any] = {"series": options.series, "branches": options.branches}
        pythons = dict.fromkeys(ENGINES, sys.executable)
        if options.install:
            pythons["onnx"], result["installed"] = install(folder)
        prepare(folder, options.series, options.branches)
        result |= {engine: measure(engine, pythons[engine], folder, options.rounds) for engine in ENGINES}
        result["largest_difference"] = difference(folder)
        if options.imports:
            result["imports"] = imports(pythons["onnx"], folder)
    if options.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key}: {value if not isinstance(value, dict) else '  '.join(f'{k} {v}' for k, v in value.items())}")
    print(f"target: loaded in {SECONDS_TO_LOAD} s, largest difference 1e-5 of a column's size")


def prepare(folder: Path, series: int, branches: str) -> None:
    """A bundle with ONNX, and the table to forecast from."""
    import torch

    from lstmgru.bundle import ForecastBundle, ForecastNetworkMember, save_bundle
    from lstmgru.data.forecasting.build_panel import build_panel
    from lstmgru.data.forecasting.scaling import Scaler
    from lstmgru.data.forecasting.series import input_spec
    from lstmgru.nn.forecast_network import ForecastNetwork
    from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec, parse_branches
    from lstmgru.specs.calibration import Calibration

    frame = table(series)
    frame.to_csv(folder / "new.csv", index=False)
    few = frame[frame["shop"].isin(frame["shop"].unique()[:50])]
    panel = build_panel(
        few[few["sales"].notna()],
        time="day",
        id="shop",
        targets=["sales"],
        future_covariates=["price", "weather"],
        categorical=["weather"],
        source="new.csv",
    )
    torch.manual_seed(0)
    forecast, train = ForecastSpec(HORIZON, 7), TrainSpec()
    model = ModelSpec(parse_branches(branches), CONTEXT, normalization="window")
    inputs = input_spec(panel.schema, n_series=len(panel), short_series="pad")
    network = ForecastNetwork.of(model, inputs, forecast, train)
    scaler = Scaler.fit(panel, np.stack([panel.offsets[:-1], panel.offsets[1:]], axis=1), model)
    member = ForecastNetworkMember(network=network, scaler=scaler, model_spec=model, train_spec=train)
    offsets = np.linspace(0.5, 3, 2 * HORIZON, dtype=np.float32).reshape(2, HORIZON, 1)
    bundle = ForecastBundle(
        members=(member,),
        forecast=forecast,
        schema=panel.schema,
        frequency=panel.frequency,
        ids=panel.ids.tolist(),
        short_series="pad",
        calibration=Calibration(forecast.levels, offsets, True, 7, 100),
    )
    save_bundle(folder / "model.bundle", bundle)


def table(series: int) -> pd.DataFrame:
    """The last rows of each series, and what is known of the days to forecast."""
    generator = np.random.default_rng(0)
    rows = CONTEXT + HORIZON
    day = pd.date_range("2024-01-01", periods=rows)
    level = generator.lognormal(3, 1, series)[:, None]
    season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(rows) / 7)
    sales = (level * season + generator.normal(0, 0.1, (series, rows)) * level).round(2)
    sales[:, CONTEXT:] = np.nan
    frame = pd.DataFrame({
        "shop": np.repeat([f"shop {number}" for number in range(series)], rows),
        "day": np.tile(day, series),
        "sales": sales.ravel(),
        "price": generator.uniform(1, 2, series * rows).round(3),
        "weather": generator.choice(["sun", "rain", "snow"], series * rows),
    })  # fmt: skip
    short = (np.repeat(np.arange(series), rows) % 10 == 1) & (np.tile(np.arange(rows), series) < CONTEXT // 2)
    return frame[~short]


def measure(engine: str, python: str, folder: Path, rounds: int) -> dict[str, Any]:
    """Medians over new processes."""
    bundle, load = str(folder / "model.bundle"), ENGINES[engine]
    loads, wholes = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        loads.append(float(run(python, folder, LOAD.format(load=load), bundle)))
        wholes.append(time.perf_counter() - start)
    arguments = (bundle, str(folder / "new.csv"), str(folder / f"{engine}.csv"))
    numbers = [run(python, folder, PREDICT.format(load=load), *arguments).split() for _ in range(rounds)]
    read, predicted, processor, memory = (statistics.median(map(float, each)) for each in zip(*numbers, strict=True))
    return {
        "load_seconds": round(statistics.median(loads), 3),
        "process_seconds": round(statistics.median(wholes), 3),
        "read_seconds": round(read, 2),
        "predict_seconds": round(predicted, 2),
        "processor_seconds": round(processor, 2),
        "memory_mb": round(memory),
    }


def run(python: str, folder: Path, script: str, *arguments: str) -> str:
    """What a script prints in a new process: of the environment's own packages, or of this checkout's."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(ROOT)} if python == sys.executable else {}
    ended = subprocess.run(
        [python, "-c", script, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return ended.stdout


def difference(folder: Path) -> float:
    """The largest difference between the tables of both engines, relative to the size of a column's numbers."""
    found, expected = (pd.read_csv(folder / f"{engine}.csv") for engine in ENGINES)
    numbers = expected.select_dtypes("number").columns
    if not found.drop(columns=numbers).equals(expected.drop(columns=numbers)):
        raise SystemExit("the tables differ in their names or times")
    return float((np.abs(found[numbers] - expected[numbers]).max() / expected[numbers].abs().max()).max())


def install(folder: Path) -> tuple[str, dict[str, Any]]:
    """An environment with the distribution; its Python, and what was downloaded and is installed, in MB."""
    environment, downloads = folder / "environment", folder / "downloads"
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")
    site = next(environment.glob("lib/*/site-packages"))
    before = megabytes(site)
    subprocess.run([python, "-m", "pip", "wheel", "-q", "-w", downloads, ROOT / "libs" / "runtime"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *downloads.glob("*.whl")], check=True)
    sizes = {path.name: megabytes(path) for path in site.iterdir() if path.name != "pip"}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:6]
    return python, {
        "downloaded_mb": round(megabytes(downloads), 1),
        "installed_mb": round(megabytes(site) - before, 1),
        **{name: round(size, 1) for name, size in largest},
    }


def megabytes(path: Path) -> float:
    """The size of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files) / 1e6


def imports(python: str, folder: Path) -> dict[str, float]:
    """Seconds of the slowest imports, with what they import themselves."""
    script = "from lstmgru.runtime import load_model; import sys; load_model(sys.argv[1])"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(ROOT)} if python == sys.executable else {}
    shown = subprocess.run(
        [python, "-X", "importtime", "-c", script, str(folder / "model.bundle")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    lines = [
        line.split("|") for line in shown.splitlines() if line.startswith("import time:") and "cumulative" not in line
    ]
    found = {name.strip(): int(cumulative) / 1e6 for _, cumulative, name in lines}
    return dict(sorted(found.items(), key=lambda item: -item[1])[:10])


if __name__ == "__main__":
    main()
