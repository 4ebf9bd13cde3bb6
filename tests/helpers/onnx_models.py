"""Forecasters with random weights to export, and what their ONNX files hold and compute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.forecast_bundles import HORIZON, calibration_of
from helpers.lazy import LazyModule
from helpers.networks import make_network
from lstmgru.bundle.forecasting.parts import NetworkForecaster
from lstmgru.bundle.forecasting.servable import BlendedForecaster
from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.specs import ForecastSpec, InputSpec, ModelSpec

onnx = LazyModule("onnx")
onnxruntime = LazyModule("onnxruntime")


PLAIN = InputSpec(n_targets=1, n_inputs=2)
STATIC = InputSpec(n_targets=1, n_inputs=1, n_static=1, padded=True)
MANY = InputSpec(n_targets=2, n_inputs=3, n_future=1, n_series=5)


def forecaster(
    branches: str = "gru(4)",
    inputs: InputSpec = PLAIN,
    *,
    context_length: int = 9,
    horizon: int = HORIZON,
    mean: float = 16.0,
    calibration: dict[str, Any] | None = None,
    minimum: tuple[float | None, ...] = (),
    **settings: Any,
) -> BlendedForecaster:
    """A forecaster of one network with random weights, so large that one in the wrong place would show."""
    settings = {"context_length": context_length, "horizon": horizon, "dropout": 0.3, **settings}
    network = make_network(branches, inputs=inputs, **settings).float()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    intervals = None if calibration is None else calibration_of(inputs.n_targets, **calibration)
    member = NetworkForecaster(network, scaler(network.spec, inputs, mean))
    spec = ForecastSpec(horizon, minimum=minimum)
    return BlendedForecaster([member], [1.0], inputs, spec, intervals)


def scaler(spec: ModelSpec, inputs: InputSpec, mean: float) -> Scaler:
    """A scaler that treats every channel and series in another way; names pass as they are."""
    rows = inputs.n_series if spec.normalization in ("series", "last") else 1
    number = np.arange(rows)[:, None] + np.arange(inputs.n_inputs, dtype=np.float32)
    means, scales = mean + 10 * number, 7 / (1 + number)
    if spec.log:
        means[:, : inputs.n_targets], scales[:, : inputs.n_targets] = np.log(means[:, : inputs.n_targets]), 0.5
    for channel, _ in inputs.categories:
        means[:, channel], scales[:, channel] = 0, 1
    static_mean, static_scale = np.full(inputs.n_static, 2, np.float32), np.full(inputs.n_static, 3, np.float32)
    for channel, _ in inputs.static_categories:
        static_mean[channel], static_scale[channel] = 0, 1
    return Scaler(means, scales, inputs.n_targets, spec.log, static_mean, static_scale)


def run(path: Path, inputs: dict[str, Tensor]) -> dict[str, np.ndarray[Any, Any]]:
    """What ONNX Runtime gives, by the names of the outputs."""
    session = onnxruntime.InferenceSession(path)
    names = [node.name for node in session.get_outputs()]
    feeds = {name: tensor.numpy() for name, tensor in inputs.items()}
    return dict(zip(names, session.run(names, feeds), strict=True))


def operators(graph: Any) -> Iterator[Any]:
    """The nodes of a graph and of those within it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from operators(attribute.g)
