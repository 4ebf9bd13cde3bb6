"""The ONNX file forecasts what torch forecasts, for every stack and in original units."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import make_panel

from lstmgru.bundle import load_bundle, save_bundle
from lstmgru.bundle.bundle import Bundle
from lstmgru.bundle.forecaster import UnscaledForecaster
from lstmgru.bundle.onnx import BATCH_SIZES, TOLERANCE, compare, export_onnx
from lstmgru.bundle.onnx_layers import OnnxRecurrentLayer, with_onnx_layers
from lstmgru.data.scaling import StandardScaler
from lstmgru.errors import BundleError
from lstmgru.nn.network import ForecastNetwork
from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec, parse_layers

HORIZON = 5


def forecaster(
    layers: str = "gru(4)",
    normalization: Any = "fold",
    *,
    future: int = 0,
    targets: int = 1,
    context_length: int = 9,
    mean: float = 16.0,
) -> UnscaledForecaster:
    torch.manual_seed(0)
    n_inputs = targets + 1 + future
    spec = ModelSpec(parse_layers(layers), context_length, dropout=0.3, normalization=normalization)
    network = ForecastNetwork(spec, n_inputs=n_inputs, n_future=future, n_targets=targets, horizon=HORIZON)
    with torch.no_grad():  # as large as training makes them, so that a gate in the wrong place would show
        for parameter in network.parameters():
            parameter.mul_(2)
    channels = np.arange(n_inputs, dtype=np.float32)
    return UnscaledForecaster(network, StandardScaler(mean + 10 * channels, 7 / (1 + channels)))


def run(path: Path, *inputs: torch.Tensor) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(path)
    feeds = {node.name: tensor.numpy() for node, tensor in zip(session.get_inputs(), inputs, strict=True)}
    (forecast,) = session.run(["forecast"], feeds)
    return forecast


FAST = [
    ("lstm(6)", "fold", 0, 1),
    ("gru(6)", "last", 3, 1),
    ("lstm(6) > gru(4)", "last", 3, 2),
    ("gru(4) > lstm(6) > gru(4)", "fold", 0, 2),
]
ALL = [
    (layers, normalization, future, targets)
    for layers in ("lstm(6)", "gru(6)", "lstm(6) > gru(4)", "gru(4) > lstm(6) > gru(4)")
    for normalization in ("fold", "last")
    for future in (0, 3)
    for targets in (1, 2)
]


@pytest.mark.parametrize(
    ("layers", "normalization", "future", "targets"),
    [*FAST, *(pytest.param(*case, marks=pytest.mark.slow) for case in ALL if case not in FAST)],
)
def test_onnx_runtime_forecasts_what_torch_forecasts(
    layers: str, normalization: str, future: int, targets: int, tmp_path: Path
) -> None:
    model = forecaster(layers, normalization, future=future, targets=targets)
    path = tmp_path / "model.onnx"
    parity = export_onnx(model, path)
    assert [batch.batch_size for batch in parity.batches] == list(BATCH_SIZES) == [1, 7, 64]
    assert all(batch.relative <= TOLERANCE for batch in parity.batches)
    inputs = model.random_inputs(33, seed=99)
    with torch.no_grad():
        expected = model(*inputs).numpy()
    forecast = run(path, *inputs)
    assert forecast.shape == (33, HORIZON, targets)
    assert expected.std() > 0.1
    np.testing.assert_allclose(forecast, expected, atol=7e-5)


def test_the_graph_has_the_inputs_that_the_model_reads(exported: Path, tmp_path: Path) -> None:
    shapes = {}
    export_onnx(forecaster(future=3), tmp_path / "model.onnx")
    for future, path in ((0, exported), (3, tmp_path / "model.onnx")):
        session = onnxruntime.InferenceSession(path)
        for node in (*session.get_inputs(), *session.get_outputs()):
            shapes[future, node.name] = (node.type, node.shape)
    assert shapes == {
        (0, "past"): ("tensor(float)", ["batch", 9, 2]),
        (0, "forecast"): ("tensor(float)", ["batch", HORIZON, 1]),
        (3, "past"): ("tensor(float)", ["batch", 9, 5]),
        (3, "future"): ("tensor(float)", ["batch", HORIZON, 3]),
        (3, "forecast"): ("tensor(float)", ["batch", HORIZON, 1]),
    }


def test_the_file_stands_alone_and_says_nothing_of_its_maker(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(forecaster("lstm(4) > gru(4)"), path)
    assert os.listdir(tmp_path) == ["model.onnx"]
    onnx.checker.check_model(onnx.load(path), full_check=True)
    content = path.read_bytes()
    assert not re.search(rb"\.py|site-packages|lstmgru[/.]|" + str(Path.cwd()).encode(), content)
    assert content == exported.read_bytes(), "the same model gives the same file"


def test_the_export_is_silent(tmp_path: Path) -> None:
    script = """
from pathlib import Path
from test_onnx import export_onnx, forecaster
export_onnx(forecaster("lstm(4) > gru(4)", "last", future=1), Path("model.onnx"))
"""
    command = [sys.executable, "-W", "always:::torch", "-c", script]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{Path(__file__).parent}"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_the_export_leaves_logging_as_it_was(tmp_path: Path) -> None:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.INFO)
    export_onnx(forecaster(), tmp_path / "model.onnx")
    assert logger.level == logging.INFO
    logger.setLevel(level)


def test_a_long_context_takes_no_longer_to_export(tmp_path: Path) -> None:
    """torch's own translation traces every step: 336 took 49 s where the operators take one."""
    path = tmp_path / "model.onnx"
    export_onnx(forecaster("lstm(8) > gru(8)", "last", future=2, context_length=336), path)
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert (operators.count("LSTM"), operators.count("GRU")) == (1, 1)
    assert len(operators) < 40


def test_a_layer_that_has_no_operator_is_left_to_torch() -> None:
    plain = torch.nn.ModuleList([torch.nn.LSTM(2, 3, batch_first=True), torch.nn.GRU(2, 3, batch_first=True)])
    others = torch.nn.ModuleList(
        [
            torch.nn.GRU(2, 3, num_layers=2, batch_first=True),
            torch.nn.GRU(2, 3, bidirectional=True, batch_first=True),
            torch.nn.GRU(2, 3),
            torch.nn.GRU(2, 3, bias=False, batch_first=True),
            torch.nn.LSTM(2, 3, proj_size=2, batch_first=True),
        ]
    )
    assert [type(layer) for layer in with_onnx_layers(plain)] == [OnnxRecurrentLayer] * 2
    assert [type(layer) for layer in with_onnx_layers(others)] == [type(layer) for layer in others]
    assert type(plain[0]) is torch.nn.LSTM, "the model itself is not changed"


@pytest.mark.slow
def test_a_layer_that_is_left_to_torch_forecasts_the_same_too(tmp_path: Path) -> None:
    model = forecaster("gru(4)")
    model.network.stack.layers[0] = torch.nn.GRU(2, 4, num_layers=2, batch_first=True)
    export_onnx(model, tmp_path / "model.onnx")


def test_a_mean_that_dwarfs_the_deviation_is_no_difference(tmp_path: Path) -> None:
    export_onnx(forecaster("lstm(4)", mean=3000, context_length=28), tmp_path / "model.onnx")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of ``forecaster("lstm(4) > gru(4)")``."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(forecaster("lstm(4) > gru(4)"), path)
    return path


@pytest.mark.parametrize("value", [1e-3, float("nan")])
@pytest.mark.parametrize("name", ["stack.layers.0.weight_hh_l0", "head.bias", "stack.layers.1.bias_ih_l0"])
def test_a_model_with_other_weights_is_found_out(name: str, value: float, exported: Path) -> None:
    model = forecaster("lstm(4) > gru(4)")
    compare(model, exported)
    with torch.no_grad():
        model.network.get_parameter(name)[0] += value
    with pytest.raises(BundleError, match=r"forecasts something else than torch: a batch of \d+ differs by up to"):
        compare(model, exported)


class _Unexportable(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * float(x.sum())


def test_a_model_that_torch_cannot_export_is_one_line(tmp_path: Path) -> None:
    model = forecaster()
    model.network.dropout = _Unexportable()
    with pytest.raises(BundleError, match="cannot be exported to ONNX: ") as caught:
        export_onnx(model, tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert not (tmp_path / "model.onnx").exists()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with its ONNX file."""
    panel = make_panel((60, 50), past=1, future=2)
    model = forecaster("lstm(4) > gru(4)", "last", future=2)
    bundle = Bundle(
        network=model.network,
        scaler=StandardScaler.fit(panel.values, np.array([[0, 60], [60, 110]])),
        model_spec=model.network.spec,
        train_spec=TrainSpec(),
        forecast=ForecastSpec(HORIZON),
        schema=panel.schema,
        frequency=panel.frequency,
    )
    return save_bundle(tmp_path_factory.mktemp("models") / "bundle", bundle)


def test_a_bundle_holds_its_onnx_file_and_how_far_it_is_from_torch(saved: Path) -> None:
    described = json.loads((saved / "bundle.json").read_text())["onnx"]
    assert described["file"] == "model.onnx"
    assert described["inputs"] == {"past": ["batch", 9, 4], "future": ["batch", HORIZON, 2]}
    assert described["outputs"] == {"forecast": ["batch", HORIZON, 1]}
    assert [batch["batch_size"] for batch in described["parity"]] == [1, 7, 64]
    assert all(0 <= batch["relative"] <= TOLERANCE and batch["absolute"] < 1e-3 for batch in described["parity"])
    bundle = load_bundle(saved)
    inputs = bundle.forecaster.random_inputs(3)
    expected = bundle.forecast_array(*(tensor.numpy() for tensor in inputs))
    np.testing.assert_allclose(run(saved / "model.onnx", *inputs), expected, rtol=1e-5)


def test_the_onnx_snippet_of_the_card_runs(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved)
    snippets = re.findall(r"```python\n(.*?)```", (saved / "MODEL_CARD.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(next(snippet for snippet in snippets if "onnxruntime" in snippet), names)
    assert names["forecast"].shape == (1, HORIZON, 1)
    assert sorted(names["inputs"]) == ["future", "past"]
