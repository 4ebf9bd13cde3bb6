"""Bundles of every kind with an ONNX model, the tables to predict from, and a program that predicts without torch."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import forecast_bundles, sequence_bundles
from helpers.blends import blend_of, label_blend_of
from lstmgru.bundle import Bundle, load_bundle, save_bundle

PREDICT = """
import json, sys
from pathlib import Path
blocked, cases = json.loads(sys.argv[1])
for name in blocked:
    sys.modules[name] = None  # any import of it fails
from lstmgru.runtime import load_model
for bundle, table, result in cases:
    model = load_model(bundle)
    model.predict(model.read_table(Path(table))).to_json(result, orient="split", date_format="iso", double_precision=15)
print(json.dumps(sorted({name.partition(".")[0] for name, module in sys.modules.items() if module is not None})))
"""
"""Predicts from tables, and prints the packages that it has loaded."""

NOT_NEEDED = (
    "torch", "lightning", "safetensors", "sklearn", "scipy", "numba", "optuna", "mlflow", "pydantic", "typer", "rich",
    "search", "lstmgru.bundle", "lstmgru.nn", "lstmgru.training", "lstmgru.evaluation.metrics", "onnx",
)  # fmt: skip


def forecasts() -> tuple[pd.DataFrame, Bundle]:
    """Shops with covariates, categories and parameters of their own, one of them with a short history."""
    frame = forecast_bundles.rich_table()
    short = (frame["shop"] == "b") & (frame["day"] < frame["day"].max() - pd.Timedelta(days=7))
    model = forecast_bundles.model_of(series_embedding=2, normalization="series", pooling="additive")
    bundle = forecast_bundles.bundle_of(
        forecast_bundles.rich_panel(frame),
        model,
        calibration=forecast_bundles.calibration_of(2),
        normal_scores=np.random.default_rng(0).standard_normal((30, forecast_bundles.HORIZON, 2)).astype(np.float32),
        short_series="pad",
    )
    return frame[~short], bundle


def blend() -> tuple[pd.DataFrame, Bundle]:
    """Two networks, one of them with logarithms, and baselines that have a module."""
    frame = forecast_bundles.table(40)
    return frame, blend_of(forecast_bundles.panel_of(frame), calibration=forecast_bundles.calibration_of())


def mixture() -> tuple[pd.DataFrame, Bundle]:
    """Two networks, and baselines of which most cannot stand in ONNX."""
    frame = forecast_bundles.table(60, shops=("a", "b"), ahead=forecast_bundles.HORIZON)
    panel = forecast_bundles.panel_of(frame, ahead=forecast_bundles.HORIZON)
    weights = {"linear": 0.2, "theta": 0.1, "ets": 0.1, "trees": 0.2, "croston": 0.1}
    calibration = forecast_bundles.calibration_of()
    return frame, blend_of(panel, baselines=weights, calibration=calibration, short_series="pad")


def baselines() -> tuple[pd.DataFrame, Bundle]:
    """Baselines alone, within bounds."""
    frame = forecast_bundles.table(60)
    forecast = replace(forecast_bundles.FORECAST, minimum=(20.5,), maximum=(23.0,))
    panel, weights = forecast_bundles.panel_of(frame), {"seasonal_naive": 0.25, "theta": 0.5, "adida": 0.25}
    return frame, blend_of(panel, baselines=weights, calibration=forecast_bundles.calibration_of(), forecast=forecast)


def labels(table: pd.DataFrame, task: str, weights: dict[str, float]) -> tuple[pd.DataFrame, Bundle]:
    """Labels of a network and of baselines, or of baselines alone."""
    return table, label_blend_of(sequence_bundles.sequences_of(table, task), weights)


LONG = sequence_bundles.long_table(12, longest=30)
TEXTS = sequence_bundles.text_table()
_OF_NUMBERS = {"minirocket": 0.3, "nearest_neighbor": 0.1, "ridge": 0.2}
MIXTURES: dict[str, Callable[[], tuple[pd.DataFrame, Bundle]]] = {
    "mixture": mixture,
    "baselines": baselines,
    "waves": lambda: labels(LONG, "classification", _OF_NUMBERS | {"majority": 0.1}),
    "levels": lambda: labels(LONG, "regression", _OF_NUMBERS | {"mean": 0.1}),
    "notes": lambda: labels(TEXTS, "classification", {"tfidf_logistic": 0.5}),
    "terms": lambda: labels(TEXTS, "classification", {"tfidf_logistic": 0.75, "majority": 0.25}),
}
"""Blends that NumPy computes, where they have networks, together with ONNX Runtime."""
MADE = {"forecasts": forecasts, "blend": blend, **MIXTURES}
KINDS = (*MADE, *sequence_bundles.KINDS)


def made(kind: str) -> tuple[pd.DataFrame, Bundle]:
    """A table, and a model for it."""
    return MADE[kind]() if kind in MADE else sequence_bundles.made(kind)


def save_all(folder: Path, kinds: Sequence[str]) -> None:
    """A bundle that needs no torch, ``<kind>.bundle``, and a table, ``<kind>.csv``, for each kind."""
    for kind in kinds:
        frame, bundle = made(kind)
        save_bundle(folder / f"{kind}.bundle", bundle, onnx="try")
        if "text" in frame:
            frame = frame[frame["text"] != ""]  # which a file of CSV cannot tell from a missing text
        frame.to_csv(folder / f"{kind}.csv", index=False)


def predict_elsewhere(
    python: str, folder: Path, kinds: Sequence[str], *, blocked: Sequence[str] = (), **environment: str
) -> set[str]:
    """Predict in another process with :data:`PREDICT`; the packages that it loaded."""
    cases = [[str(folder / f"{kind}{suffix}") for suffix in (".bundle", ".csv", ".json")] for kind in kinds]
    command = [python, "-c", PREDICT, json.dumps([list(blocked), cases])]
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stdout))


def check_equal(folder: Path, kind: str) -> None:
    """What was predicted elsewhere is what torch predicts: to 1e-5 of the size of a column's numbers."""
    model = load_bundle(folder / f"{kind}.bundle")
    expected = model.predict(model.read_table(folder / f"{kind}.csv"))
    content = json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))
    found = pd.DataFrame(content["data"], columns=content["columns"])
    assert list(found.columns) == list(expected.columns)
    assert len(found) == len(expected) > 0
    for column in expected:
        if expected[column].dtype.kind == "f":
            scale = float(np.nanmax(np.abs(expected[column])))
            np.testing.assert_allclose(found[column].astype(float), expected[column], rtol=0, atol=1e-5 * scale)
        elif expected[column].dtype.kind == "M":
            assert pd.to_datetime(found[column]).tolist() == expected[column].tolist()
        else:
            assert found[column].tolist() == expected[column].tolist()
