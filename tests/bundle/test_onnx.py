"""The ONNX file forecasts what torch forecasts, for every kind of architecture and in original units."""

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
import pytest
import torch
from helpers.combinations import each_row
from helpers.custom_cells import Elman, Unexportable
from helpers.forecast_bundles import HORIZON, bundle_of, calibration_of, model_of
from helpers.lazy import LazyModule
from helpers.networks import EVERYTHING, FUTURE
from helpers.onnx_models import MANY, PLAIN, STATIC, forecaster, operators, run
from helpers.panels import make_panel
from torch import Tensor

from lstmgru.bundle import load_bundle, save_bundle
from lstmgru.bundle.forecasting.servable import BlendedForecaster
from lstmgru.bundle.onnx.export import BATCH_SIZES, TOLERANCE, compare, export_onnx
from lstmgru.bundle.onnx.layers import OnnxAutoregressiveDecoder, OnnxCell, OnnxRecurrence, with_onnx_layers
from lstmgru.bundle.onnx.operators import TRANSLATIONS
from lstmgru.errors import BundleError
from lstmgru.specs import (
    CHANNELS,
    DECODERS,
    MERGES,
    NORMALIZATIONS,
    POOLINGS,
    TRANSFORMS,
    ForecastSpec,
    InputSpec,
    cells,
)
from lstmgru.specs.cells import CELLS, register_cell

onnx = LazyModule("onnx")
onnxruntime = LazyModule("onnxruntime")


INTERVALS, SCALED, MISSING = (
    {"calibration": {"scaled": False}}, {"calibration": {"scaled": True}}, {"calibration": {"missing": True}},
)  # fmt: skip
QUANTILES = {"quantiles": ForecastSpec(HORIZON).quantiles}

CASES: list[tuple[str, InputSpec, dict[str, Any]]] = [
    ("bi-lstm(4) | fused(5)", EVERYTHING, {
        "pooling": "additive", "series_embedding": 3, "transform": "log", "decoder": "parallel", "linear_path": True,
        "convolution": 3, **MISSING,
    }),
    ("gru(4)", MANY, {
        "channels": "independent", "normalization": "last", "segment_length": 2, "decoder": "recurrent", **QUANTILES,
        **INTERVALS, "minimum": (None, 26.0),
    }),
    ("gru(4)", FUTURE, {"decoder": "recurrent", "distribution": "student_t", **QUANTILES}),
    ("gru(4)", MANY, {"distribution": "negative_binomial", "normalization": "mean", "linear_path": True, **QUANTILES}),
    ("lstm(4)", STATIC, {"distribution": "tweedie", "normalization": "mean", "channels": "independent"}),
    ("lstm(6) > gru(4)", FUTURE, {"normalization": "last", **SCALED}),
    ("bi-lstm(4) | fused(5)", EVERYTHING, {
        "pooling": "additive", "series_embedding": 3, "transform": "log", **MISSING,
    }),
    ("gru(6)", MANY, {
        "channels": "independent", "normalization": "last", "segment_length": 4, "decoder": "parallel",
        "linear_path": True, "convolution": 3,
    }),
    ("gru(4)", FUTURE, {"decoder": "recurrent", "segment_length": 2, **QUANTILES, **INTERVALS}),
    ("lstm(6)", PLAIN, {}),
    ("gru(6)", PLAIN, {"normalization": "window"}),
    ("fused(6)", PLAIN, {"transform": "difference", **SCALED}),
    ("gru(4) > lstm(6) > gru(4)", FUTURE, {"transform": "log_difference"}),
    ("gru(12) > lstm(16) > fused(12)", FUTURE, {"residual": True, "layer_norm": True}),
    ("bi-gru(4) > bi-fused(3) > bi-lstm(3)", EVERYTHING, {"residual": True}),
    ("lstm(4) | gru(6) > gru(3)", PLAIN, {"pooling": "max"}),
    ("lstm(4) | gru(6)", EVERYTHING, {"merge": "sum", "pooling": "mean", "decoder": "mlp"}),
    ("lstm(4) | gru(4) | bi-fused(3)", FUTURE, {"merge": "gate", "layer_norm": True}),
    ("gru(5)", EVERYTHING, {"pooling": "multihead", "n_heads": 2, "segment_length": 4, **QUANTILES, **SCALED}),
    ("gru(4)", EVERYTHING, {"pooling": "max", "normalization": "mean"}),
    ("gru(4)", STATIC, {"pooling": "mean", "normalization": "window", "transform": "log", **SCALED}),
    ("lstm(4)", STATIC, {"decoder": "parallel", "pooling": "additive", "transform": "log_difference"}),
    ("bi-gru(4)", EVERYTHING, {
        "decoder": "parallel", "pooling": "multihead", "n_heads": 3, "segment_length": 4, "series_embedding": 2,
        "normalization": "series", "transform": "difference", **QUANTILES,
    }),
    ("lstm(4) | bi-gru(3)", FUTURE, {"decoder": "parallel", "merge": "sum", "channels": "independent"}),
    ("lstm(4) > fused(3)", PLAIN, {"decoder": "recurrent", "pooling": "additive"}),
    ("lstm(4) | gru(3)", EVERYTHING, {
        "decoder": "recurrent", "pooling": "multihead", "n_heads": 2, "merge": "gate", "channels": "independent",
        "segment_length": 3, "normalization": "mean", **QUANTILES, **MISSING,
    }),
    ("bi-lstm(4)", STATIC, {"decoder": "recurrent", "layer_norm": True, "pooling": "max"}),
    ("gru(4)", EVERYTHING, {"channels": "independent", "decoder": "mlp", "normalization": "series", **SCALED}),
    ("gru(4)", MANY, {"series_embedding": 4, "normalization": "fold", **QUANTILES, **INTERVALS}),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("translated_only")
@each_row(("branches", "inputs", "settings"), CASES)
def test_onnx_runtime_forecasts_what_torch_forecasts(
    branches: str, inputs: InputSpec, settings: dict[str, Any], tmp_path: Path
) -> None:
    model = forecaster(branches, inputs, **settings)
    path = tmp_path / "model.onnx"
    parity = export_onnx(model, path)
    assert [batch.batch_size for batch in parity.batches] == list(BATCH_SIZES) == [1, 7, 64]
    assert all(batch.relative <= TOLERANCE for batch in parity.batches)
    arguments = model.random_inputs(33, seed=99)
    with torch.no_grad():
        expected = dict(zip(model.output_shapes, model(**arguments), strict=True))
    assert expected["forecast"].std(dim=0).min() > 1e-3
    for name, values in run(path, arguments).items():
        np.testing.assert_allclose(values, expected.pop(name).numpy(), rtol=2e-5, atol=7e-5, err_msg=name)
    assert not expected
    check_nodes(path, model)


def check_nodes(path: Path, model: BlendedForecaster) -> None:
    """The inputs and outputs of the file are those that the forecaster names."""
    session = onnxruntime.InferenceSession(path)
    for nodes, shapes in ((session.get_inputs(), model.shapes), (session.get_outputs(), model.output_shapes)):
        assert {node.name: node.shape for node in nodes} == {name: ["batch", *shape] for name, shape in shapes.items()}
        whole = {node.name for node in nodes if node.type == "tensor(int64)"}
        assert whole == {"series", "lengths"} & set(shapes)
        assert {node.type for node in nodes if node.name not in whole} <= {"tensor(float)"}


def test_the_architectures_of_that_table_have_every_option() -> None:
    specs = [forecaster(branches, inputs, **settings).members[0].network.spec for branches, inputs, settings in CASES]
    for name, valid in (
        ("merge", MERGES), ("pooling", POOLINGS), ("decoder", DECODERS), ("channels", CHANNELS),
        ("normalization", NORMALIZATIONS), ("transform", TRANSFORMS), ("residual", (True, False)),
        ("layer_norm", (True, False)), ("linear_path", (True, False)),
        ("convolution", (0, 3)),
    ):  # fmt: skip
        assert {getattr(spec, name) for spec in specs} == set(valid), name
    layers = {(layer.cell, layer.bidirectional) for spec in specs for stack in spec.branches for layer in stack}
    assert layers == {(cell, both) for cell in CELLS for both in (True, False)}


@pytest.mark.slow
def test_a_series_that_the_model_does_not_know_has_no_forecast(tmp_path: Path) -> None:
    model = forecaster("gru(4)", MANY, normalization="last", **INTERVALS)
    export_onnx(model, tmp_path / "model.onnx")
    arguments = model.random_inputs(3) | {"series": torch.tensor([1, 0, 2])}
    for values in run(tmp_path / "model.onnx", arguments).values():
        assert np.isnan(values).any(axis=tuple(range(1, values.ndim))).tolist() == [False, True, False]


def test_the_file_stands_alone_and_says_nothing_of_its_maker(saved: Path) -> None:
    assert sorted(os.listdir(saved)) == [
        "MODEL_CARD.md",
        "bundle.json",
        "manifest.json",
        "model.onnx",
        "weights.safetensors",
    ]
    exported = saved / "model.onnx"
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    assert [opset.domain for opset in model.opset_import] == [""]
    assert {node.domain for node in operators(model.graph)} == {""}
    assert not model.functions
    local = rb"\.py|site-packages|lstmgru[/.]|" + str(Path.cwd()).encode()
    assert not re.search(local, exported.read_bytes())


@pytest.mark.slow
def test_the_same_model_gives_the_same_file_in_silence(
    exported: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    export_onnx(forecaster("lstm(4) > fused(4)"), tmp_path / "model.onnx")
    assert (capfd.readouterr(), list(recwarn)) == (("", ""), [])
    assert (tmp_path / "model.onnx").read_bytes() == exported.read_bytes()


@pytest.mark.slow
def test_the_export_is_silent_from_a_fresh_start(tmp_path: Path) -> None:
    script = """
from pathlib import Path
from helpers.networks import FUTURE
from helpers.onnx_models import forecaster
from lstmgru.bundle.onnx.export import export_onnx
export_onnx(forecaster("lstm(4) > gru(4)", FUTURE, normalization="last", decoder="recurrent"), Path("model.onnx"))
"""
    command = [sys.executable, "-W", "always:::torch", "-c", script]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert os.listdir(tmp_path) == ["model.onnx"]


@pytest.mark.slow
def test_the_export_leaves_logging_as_it_was(tmp_path: Path) -> None:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.INFO)
    export_onnx(forecaster(), tmp_path / "model.onnx")
    assert logger.level == logging.INFO
    logger.setLevel(level)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("branches", "settings"),
    [
        ("lstm(8) > gru(8)", {}),
        ("fused(8)", {"pooling": "additive"}),
        ("lstm(8) > gru(8)", {"decoder": "recurrent"}),
    ],
)
def test_a_long_context_and_horizon_take_no_longer_to_export(
    branches: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    """torch's own translation traces every step: 96 steps of a recurrent decoder took 80 s where a loop takes three."""
    counts = []
    for context_length, horizon in ((9, 3), (336, 96)):
        model = forecaster(branches, FUTURE, context_length=context_length, horizon=horizon, **settings)
        export_onnx(model, tmp_path / "model.onnx")
        counts.append(len(list(operators(onnx.load(tmp_path / "model.onnx").graph))))
    assert counts[0] == counts[1]


def test_cells_and_decoders_are_replaced_in_a_copy() -> None:
    model = forecaster("lstm(4) > gru(4) > fused(4)", decoder="recurrent")
    replaced, _ = with_onnx_layers(model.members[0].network)
    cells = [layer.forwards for layer in replaced.encoder.branches[0].layers]
    assert [type(cell) for cell in cells] == [OnnxRecurrence, OnnxRecurrence, OnnxCell]
    assert type(replaced.decoder) is OnnxAutoregressiveDecoder
    export_free = (OnnxRecurrence, OnnxCell, OnnxAutoregressiveDecoder)
    assert not [module for module in model.modules() if isinstance(module, export_free)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("branches", "settings"),
    [("lstm(4)", {"mean": 3000, "context_length": 28}), ("gru(4) > gru(2)", {"layer_norm": True})],
    ids=["a mean that dwarfs the deviation", "a layer that normalizes two features"],
)
def test_what_torch_itself_cannot_tell_apart_is_no_difference(
    branches: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    parity = export_onnx(forecaster(branches, **settings), tmp_path / "model.onnx")
    assert max(batch.relative for batch in parity.batches) < 1e-3


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of ``forecaster("lstm(4) > fused(4)")``."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(forecaster("lstm(4) > fused(4)"), path)
    return path


@pytest.mark.parametrize("value", [0.3, float("nan")])
@pytest.mark.parametrize(
    "name",
    [
        "encoder.branches.0.layers.0.forwards.weight_hh",
        "encoder.branches.0.layers.1.forwards.bias_u",
        "decoder.head.1.bias",
    ],
)
def test_a_model_with_other_weights_is_found_out(name: str, value: float, saved: Path) -> None:
    model, exported = load_bundle(saved).servable, saved / "model.onnx"
    compare(model, exported)
    with torch.no_grad():
        model.members[0].network.get_parameter(name)[0] += value
    with pytest.raises(BundleError, match=r"differs from PyTorch: a batch of \d+ by up to"):
        compare(model, exported)


class LooksAhead(Elman):
    """One that breaks the contract: a sequence step by step is another thing to it than the sequence."""

    def forward(self, x: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        return super().forward(x + x.mean(1, keepdim=True), state)


@pytest.fixture
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_registered", {})
    for name, cell in (("elman", Elman), ("unexportable", Unexportable), ("looks_ahead", LooksAhead)):
        register_cell(name, cell)


@pytest.mark.usefixtures("_registered")
@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["linear", "recurrent"])
def test_a_registered_cell_is_exported_in_a_loop(decoder: str, tmp_path: Path) -> None:
    assert not [name for name in TRANSLATIONS if "rnn_tanh" in str(name)], "torch translates the cell's operator"
    model = forecaster("elman(4) > gru(4)", decoder=decoder)
    export_onnx(model, tmp_path / "model.onnx")
    check_nodes(tmp_path / "model.onnx", model)
    nodes = list(operators(onnx.load(tmp_path / "model.onnx").graph))
    assert [node.op_type for node in nodes].count("Scan") == (1 if decoder == "linear" else 2)


@pytest.mark.slow
@pytest.mark.usefixtures("_registered")
@pytest.mark.parametrize(
    ("cell", "match"),
    [
        ("unexportable", "the model cannot be exported to ONNX: "),
        ("looks_ahead", "the ONNX model differs from PyTorch"),
    ],
)
def test_a_model_that_cannot_be_exported_is_one_line(cell: str, match: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=match) as caught:
        export_onnx(forecaster(f"{cell}(4)"), tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.usefixtures("_registered")
def test_a_bundle_without_its_onnx_file_says_why(tmp_path: Path) -> None:
    bundle = bundle_of(make_panel((60,)), model_of("unexportable(4)"))
    saved = save_bundle(tmp_path / "bundle", bundle, onnx="try")
    assert saved.onnx_problem is not None
    assert saved.onnx_problem.startswith("the model cannot be exported to ONNX: ")
    assert sorted(os.listdir(saved.directory)) == [
        "MODEL_CARD.md",
        "bundle.json",
        "manifest.json",
        "weights.safetensors",
    ]
    description = json.loads((saved.directory / "bundle.json").read_text())
    assert (description["onnx"], description["onnx_problem"]) == (None, saved.onnx_problem)
    card = (saved.directory / "MODEL_CARD.md").read_text()
    assert "- There is no ONNX model: the model cannot be exported to ONNX: " in card
    assert "onnxruntime.InferenceSession" not in card
    assert load_bundle(saved.directory).networks[0].model_spec == bundle.networks[0].model_spec


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that reads everything there is, with its ONNX file."""
    categories = {"future_1": ("rain", "sun"), "static_0": ("north", "south")}
    panel = make_panel((60, 50), past=1, future=2, static=2, categories=categories)
    bundle = bundle_of(panel, model_of("lstm(4) > fused(4)"), calibration=calibration_of(), short_series="pad")
    done = save_bundle(tmp_path_factory.mktemp("models") / "bundle", bundle)
    assert done.onnx_problem is None
    return done.directory


def test_a_bundle_holds_its_onnx_file_and_how_far_it_is_from_torch(saved: Path) -> None:
    described = json.loads((saved / "bundle.json").read_text())["onnx"]
    assert described["file"] == "model.onnx"
    assert described["inputs"] == {
        "past": ["batch", 6, 4], "future": ["batch", HORIZON, 2], "static": ["batch", 2], "series": ["batch"],
        "lengths": ["batch"],
    }  # fmt: skip
    assert described["outputs"] == {"forecast": ["batch", HORIZON, 1], "quantiles": ["batch", HORIZON, 1, 5]}
    assert [batch["batch_size"] for batch in described["parity"]] == [1, 7, 64]
    assert all(0 <= batch["relative"] <= TOLERANCE and batch["absolute"] < 1e-3 for batch in described["parity"])
    bundle = load_bundle(saved)
    inputs = bundle.servable.random_inputs(3)
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    found = run(saved / "model.onnx", inputs)
    np.testing.assert_allclose(found["forecast"], bundle.forecast_array(**arrays), rtol=1e-5)
    np.testing.assert_allclose(found["quantiles"], bundle.quantile_array(**arrays), rtol=1e-5)


def test_the_onnx_snippet_of_the_card_runs(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved)
    snippets = re.findall(r"```python\n(.*?)```", (saved / "MODEL_CARD.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(next(snippet for snippet in snippets if "onnxruntime" in snippet), names)
    assert names["forecast"].shape == (1, HORIZON, 1)
    assert names["quantiles"].shape == (1, HORIZON, 1, 5)
    assert np.isfinite(names["quantiles"]).all()
    assert list(names["inputs"]) == ["past", "future", "static", "series", "lengths"]


def test_the_card_says_what_the_arrays_of_the_onnx_model_hold(saved: Path) -> None:
    card = (saved / "MODEL_CARD.md").read_text()
    for line in (
        "- The channels of `past` are `target_0`, `past_0`, `future_0`, `future_1`; those of `future` are the last 2",
        "- A category is represented by its code, its position in `data.schema.categories` of `bundle.json`, from 1.",
        "- `static` holds `static_0`, `static_1`.",
        "- `series` (int64) is the position of the series in `data.ids` of `bundle.json`, from 1.",
        "- `lengths` (int64) is the number of real rows",
        "- `quantiles` are those of the probabilities 0.025, 0.1, 0.5, 0.9, 0.975.",
    ):
        assert line in card, line
