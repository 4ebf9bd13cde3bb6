"""Small models that were never trained, with all that it takes to forecast from a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from lstmgru.bundle import ForecastBundle, ForecastNetworkMember, save_bundle
from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries, input_spec
from lstmgru.nn.forecast_network import ForecastNetwork
from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec, parse_branches
from lstmgru.specs.calibration import Calibration

CONTEXT, HORIZON = 6, 3
FORECAST = ForecastSpec(HORIZON, 2, "rmse")


def model_of(branches: str = "lstm(5) > gru(4)", context_length: int = CONTEXT, **spec: Any) -> ModelSpec:
    return ModelSpec(parse_branches(branches), context_length, **({"dropout": 0.2, "normalization": "last"} | spec))


def calibration_of(targets: int = 1, *, scaled: bool = True, missing: bool = False) -> Calibration:
    """Offsets that differ for each level, step and target; ``missing``: the backtest was too small for 95%."""
    offsets = np.random.default_rng(0).uniform(0.5, 2, (2, HORIZON, targets)).astype(np.float32)
    if missing:
        offsets[1] = np.nan
    return Calibration(FORECAST.levels, offsets, scaled, FORECAST.season_length, 12)


def member_of(
    panel: SeriesPanel,
    model: ModelSpec | None = None,
    *,
    seed: int = 0,
    forecast: ForecastSpec = FORECAST,
    short_series: ShortSeries = "error",
    train_spec: TrainSpec | None = None,
    **common: Any,
) -> ForecastNetworkMember:
    """A network for a panel; ``common``: weight, trial, score."""
    torch.manual_seed(seed)
    model, train = model or model_of(), train_spec or TrainSpec(batch_size=8, loss="huber", seed=3)
    inputs = input_spec(panel.schema, n_series=len(panel), short_series=short_series)
    network = ForecastNetwork.of(model, inputs, forecast, train)
    for module in network.modules():
        if isinstance(module, nn.Embedding):  # they begin at 0, which tells nothing apart
            nn.init.normal_(module.weight[int(module.padding_idx is not None) :])
    scaler = Scaler.fit(panel, np.stack([panel.offsets[:-1], panel.offsets[1:]], axis=1), model)
    return ForecastNetworkMember(network=network, scaler=scaler, model_spec=model, train_spec=train, **common)


def bundle_of(panel: SeriesPanel, model: ModelSpec | None = None, *, seed: int = 0, **settings: Any) -> ForecastBundle:
    """A model for a panel, with one network; settings are those of :class:`ForecastBundle` and :func:`member_of`."""
    its = {name: settings[name] for name in ("forecast", "short_series") if name in settings}
    its |= {"train_spec": settings.pop("train_spec", None)}
    values = {
        "forecast": FORECAST,
        "schema": panel.schema,
        "frequency": panel.frequency,
        "step": panel.step,
        "timezone": panel.timezone,
        "ids": panel.ids.tolist(),
        "metrics": {"holdout": {"rmse": 1.5, "mae": 1.0}, "baselines": {"naive": 2.0}, "verdict": "It is better."},
        "provenance": {"study": "shops", "seed": 3, "data": {"rows": 50}},
    }
    if "members" not in settings:
        values["members"] = (member_of(panel, model, seed=seed, **its),)
    return ForecastBundle(**(values | settings))


def save(folder: Path, bundle: ForecastBundle) -> Path:
    """The directory of the bundle, saved without ONNX, which takes seconds."""
    return save_bundle(folder, bundle, onnx=False).directory


def table(
    rows: int = 24, *, shops: tuple[Any, ...] = (), targets: int = 1, ahead: int = 0, times: Any = None
) -> pd.DataFrame:
    """Sales and visits, with a price known for ``ahead`` more days; a table of several shops has its rows mixed."""
    generator = np.random.default_rng(0)
    frames = []
    for name in shops or (None,):
        when = pd.date_range("2020-03-20", periods=rows, freq="D") if times is None else times
        frame = pd.DataFrame({"day": when} | ({} if name is None else {"shop": name}))
        for column in (*(f"sales {n}" for n in range(targets)), "visits"):
            frame[column] = 20 + 5 * generator.random(rows)
            frame.loc[rows - ahead :, column] = np.nan
        frames.append(frame.assign(price=generator.random(rows)))
    return pd.concat(frames).sample(frac=1, random_state=0) if shops else frames[0]


def rich_table(rows: int = 27, *, ahead: int = HORIZON, shops: tuple[Any, ...] = ("a", "b", "c")) -> pd.DataFrame:
    """:func:`table` with the weather known ahead, and what kind of shop and how large it is."""
    frame = table(rows, shops=shops, targets=2, ahead=ahead).sort_values(["shop", "day"], ignore_index=True)
    number = frame["shop"].map(list(shops).index)
    weather = np.random.default_rng(1).choice(["sun", "rain", "snow"], len(frame))
    kinds = number.map(["kiosk", "market", "kiosk"].__getitem__)
    return frame.assign(weather=weather, kind=kinds, area=40.5 + 10 * number)


def rich_panel(frame: pd.DataFrame) -> SeriesPanel:
    """The panel of a :func:`rich_table`."""
    return panel_of(
        frame,
        ahead=HORIZON,
        future_covariates=["price", "weather"],
        static_covariates=["kind", "area"],
        categorical=["weather", "kind"],
    )


def panel_of(frame: pd.DataFrame, *, ahead: int = 0, **settings: Any) -> SeriesPanel:
    known = frame[frame["visits"].notna()] if ahead else frame
    roles = {"past_covariates": ["visits"], "future_covariates": ["price"] if ahead else []}
    return build_panel(
        known,
        time="day",
        id="shop" if "shop" in frame else None,
        targets=[column for column in frame if str(column).startswith("sales")],
        source="shops.csv",
        **(roles | settings),
    )
