"""A loaded forecasting model is what was saved; damaged bundles are refused."""

from __future__ import annotations

import hashlib
import json
import pkgutil
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.bundle_files import check_that_it_is_refused, edit, flip_a_bit, replace_weights, write
from helpers.combinations import each_row
from helpers.custom_cells import Elman
from helpers.forecast_bundles import (
    bundle_of,
    calibration_of,
    model_of,
    panel_of,
    rich_panel,
    rich_table,
    save,
    table,
)
from helpers.panels import make_panel
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

import search.tasks
from lstmgru.bundle import Bundle, load_bundle
from lstmgru.bundle.files import plain
from lstmgru.errors import BundleError
from lstmgru.nn.distributions import NegativeBinomial
from lstmgru.specs import TrainSpec, cells
from lstmgru.specs.tasks import TASKS


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two shops, without ONNX."""
    bundle = bundle_of(panel_of(table(shops=("a", "b"))), calibration=calibration_of())
    return save(tmp_path_factory.mktemp("models") / "shops.bundle", bundle)


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "shops.bundle"))


@pytest.mark.parametrize(
    ("spec", "settings"),
    [
        ({}, {"gaps": "fill"}),
        ({"normalization": "window", "series_embedding": 2, "channels": "independent"}, {"short_series": "pad"}),
        ({"branches": "gru(3) | bi-fused(2)", "pooling": "multihead", "n_heads": 2, "transform": "log"}, {
            "train_spec": TrainSpec(loss="quantile", optimizer="adam", schedule="cosine"),
            "calibration": calibration_of(2, missing=True),
        }),
        ({"normalization": "mean"}, {
            "train_spec": TrainSpec(loss="negative_binomial"), "calibration": calibration_of(2),
        }),
    ],
)  # fmt: skip
def test_a_loaded_bundle_is_the_saved_one(spec: dict[str, Any], settings: dict[str, Any], tmp_path: Path) -> None:
    frame = rich_table(shops=(3, 20, 21))
    bundle = bundle_of(rich_panel(frame), model_of(**spec), **settings)
    if isinstance(law := bundle.networks[0].network.distribution, NegativeBinomial):
        law.unit.copy_(torch.tensor([30.0, 20.0]))
    loaded = load_bundle(save(tmp_path / "deep" / "shops.bundle", bundle))
    for name in (
        "forecast", "schema", "frequency", "step", "timezone", "ids", "gaps", "levels",
        "short_series", "metrics",
    ):  # fmt: skip
        assert getattr(loaded, name) == getattr(bundle, name), name
    (found,), (member,) = loaded.networks, bundle.networks
    assert (found.model_spec, found.train_spec) == (member.model_spec, member.train_spec)
    assert (found.network.inputs, found.network.quantiles) == (member.network.inputs, member.network.quantiles)
    assert loaded.provenance.items() >= bundle.provenance.items()
    assert found.scaler.to_dict() == member.scaler.to_dict()
    assert (loaded.calibration is None) == (bundle.calibration is None)
    if loaded.calibration and bundle.calibration:
        assert loaded.calibration.to_dict() == bundle.calibration.to_dict()
    pd.testing.assert_frame_equal(loaded.predict(frame), bundle.predict(frame), check_exact=True)


@pytest.mark.parametrize("version", [2, 3])
def test_bundles_of_earlier_versions_forecast(version: int, copy: Path) -> None:
    """One network at the top level; version 2 had no task."""
    bundle = load_bundle(copy)
    document = json.loads((copy / "bundle.json").read_text())
    (member,) = document.pop("members")
    del document["vocabularies"]
    document |= {key: member[key] for key in ("model", "training", "scaler")} | {"format_version": version}
    if version == 2:
        del document["task"]
    (copy / "bundle.json").write_text(json.dumps(document))
    weights = load_tensors((copy / "weights.safetensors").read_bytes())
    replace_weights(save_tensors({name.removeprefix("members.0."): array for name, array in weights.items()}))(copy)
    frame = table(shops=("a", "b"))
    pd.testing.assert_frame_equal(load_bundle(copy).predict(frame), bundle.predict(frame), check_exact=True)


def test_two_saves_have_the_same_weights(tmp_path: Path) -> None:
    bundle = bundle_of(make_panel((40,)))
    first = save(tmp_path / "first", bundle)
    second = save(tmp_path / "second", load_bundle(first))
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (first, second)]
    assert weights[0] == weights[1]
    described = [json.loads((folder / "bundle.json").read_text()) for folder in (first, second)]
    assert described[0]["weights"]["sha256"] == hashlib.sha256(weights[0]).hexdigest()
    assert described[0] == described[1], "a bundle that is saved again keeps its origin"


def test_the_description_is_strict_json(tmp_path: Path) -> None:
    metrics = {"holdout": {"mase": float("nan"), "rmse": np.float32(1.5)}, "baselines": {"naive": float("inf")}}
    bundle = bundle_of(make_panel((40,)), metrics=metrics, provenance={"day": date(2020, 1, 2), "file": Path("a.csv")})
    folder = save(tmp_path / "bundle", bundle)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    document = json.loads((folder / "bundle.json").read_text(), parse_constant=refuse)
    assert document["metrics"] == {"holdout": {"mase": None, "rmse": 1.5}, "baselines": {"naive": None}}
    assert document["provenance"].items() >= {"day": "2020-01-02", "file": "a.csv"}.items()
    assert document["provenance"]["versions"]["torch"] == torch.__version__
    assert "undefined" in (folder / "MODEL_CARD.md").read_text()


def test_what_json_cannot_hold_is_refused_with_its_place() -> None:
    with pytest.raises(BundleError, match=r"provenance\.list\.1 .* but is a complex"):
        plain({"list": [1, 2j]}, "provenance")


@pytest.mark.parametrize(
    ("decoder", "prefix"),
    [("linear", "direct."), ("mlp", "direct."), ("parallel", "going_on."), ("recurrent", "going_on.")],
)
def test_weights_of_earlier_versions_are_renamed(decoder: str, prefix: str, tmp_path: Path) -> None:
    frame = table()
    bundle = bundle_of(panel_of(frame), model_of(decoder=decoder))
    folder = save(tmp_path / "bundle", bundle)
    weights = load_tensors((folder / "weights.safetensors").read_bytes())
    old = {name.replace("decoder.", prefix): tensor for name, tensor in weights.items()}
    assert old.keys() != weights.keys()
    replace_weights(save_tensors(old))(folder)
    pd.testing.assert_frame_equal(load_bundle(folder).predict(frame), bundle.predict(frame), check_exact=True)


def test_every_task_has_a_class_of_bundles() -> None:
    assert list(TASKS) == list(search.tasks.TASKS)
    assert all(issubclass(pkgutil.resolve_name(task.bundle), Bundle) for task in TASKS.values())


MEMBER = ("members", 0)
PICKLE = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."


@each_row(
    ("damage", "match"),
    [
        (shutil.rmtree, "shops.bundle does not exist; pass the directory"),
        (lambda folder: (folder / "bundle.json").unlink(), "not a complete bundle: bundle.json is missing"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "weights.safetensors is missing"),
        (write("bundle.json", b""), "bundle.json is damaged: Expecting value"),
        (write("bundle.json", b'{"format_version": 2, '), "bundle.json is damaged"),
        (write("bundle.json", b"\xff\xfe"), "bundle.json is damaged"),
        (write("bundle.json", b"[" * 100_000), "bundle.json is damaged"),
        (write("bundle.json", b"[]"), "must hold a JSON object but holds a list"),
        (edit("format_version", to=1), "has format version 1, but this version of lstmgru reads 2, 3, 4; load it with"),
        (edit("format_version", to=None), "has format version None"),
        (edit("task", to=None), "bundle.json lacks 'task'"),
        (edit("task", to="forecasts"), "task must be one of forecast, .* but got 'forecasts'; did you mean 'forecast'"),
        (edit("task", to="regression"), "bundle.json lacks '"),
        (edit("forecast", to=None), "bundle.json lacks 'forecast'; export the model again"),
        (edit("forecast", to=[]), "bundle.json holds an invalid value"),
        (edit("forecast", "horizon", to="3"), "bundle.json holds an invalid value"),
        (edit("forecast", "hroizon", to=3), "holds an invalid value .*hroizon"),
        (edit(*MEMBER, "model", "branches", to="lstn(5) > gru(4)"), "did you mean 'lstm'"),
        (edit(*MEMBER, "training", "loss", to="maee"), "did you mean 'mae'"),
        (edit("data", "frequency", to="fortnight"), "holds an invalid value"),
        (edit("data", "gaps", to="ignore"), "holds an invalid value"),
        (
            edit("data", "schema", "targets", to=["sales 0", "sales 1"]),
            r"mean of the scaler must have the shape \(2, 7\) but has \(2, 6\)",
        ),
        (edit("data", "ids", to=["a"]), r"mean of the scaler must have the shape \(1, 6\) but has \(2, 6\)"),
        (edit("data", "short_series", to="drop"), "data.short_series must be one of error, pad but got 'drop'"),
        (
            edit("data", "schema", "static_covariates", to=["size"]),
            r"static_mean of .* \(1,\) but has \(0,\)",
        ),
        (edit(*MEMBER, "scaler", "scale", to=[[0.0] * 6] * 2), "scales of the scaler must be positive"),
        (edit(*MEMBER, "scaler", "mean", to=[[float("nan")] * 6] * 2), "mean of the scaler must be finite"),
        (edit(*MEMBER, "scaler", "mean", to=["x"] * 6), "holds an invalid value"),
        (edit(*MEMBER, "scaler", "static_mean", to=None), "holds an invalid value"),
        (
            edit(*MEMBER, "scaler", "log", to=True),
            "the scaler has 1 targets and log True, but the model has 1 and log False",
        ),
        (edit("calibration", to=None), "lacks 'calibration'"),
        (edit("calibration", "offsets", to=[1.0]), "holds an invalid value"),
        (edit("calibration", "offsets", to=["x"] * 6), "holds an invalid value"),
        (edit("calibration", "offsets", to=[float("inf")] * 6), "offsets must be numbers of single precision"),
        (edit("calibration", "shape", to=[2, 1, 3]), r"must be of \(3, 1\) steps and targets but are of \(1, 3\)"),
        (edit("calibration", "season_length", to=0), "season_length of the calibration must be at least 1 but is 0"),
        (
            edit("forecast", "levels", to=[0.5, 0.8]),
            r"those of the forecast, \[0.5, 0.8\], but are \[0.8, 0.95",
        ),
        (
            edit("registered_cells", to={"peephole": "shop.cells.Peephole"}),
            r"uses the cell 'peephole', which is not registered; call "
            r"lstmgru.register_cell\('peephole', …\) with its class, "
            r"which was shop.cells.Peephole, before loading$",
        ),
        (edit("weights", "sha256", to="0" * 64), "is not the file that bundle.json describes"),
        (flip_a_bit, "weights.safetensors is not the file"),
        (write("example.json", b"{"), "example.json is damaged: .*; export the model again"),
        (write("example.json", b'{"columns": ["day", "shop"], "data": [[1]]}'), "example.json is damaged"),
        (write("example.json", b"[]"), "example.json must hold a JSON object but holds a list"),
        (replace_weights(b"short"), "weights.safetensors is damaged"),
        (replace_weights(PICKLE), "weights.safetensors is damaged"),
        (edit(*MEMBER, "model", "branches", to="lstm(6) > gru(4)"), "does not fit the architecture: .*float32"),
        (
            edit(*MEMBER, "model", "branches", to="lstm(5) > gru(4) > gru(4)"),
            r"members.0.encoder.branches.0.layers.2.* is missing but must be float32\[12",
        ),
    ],
)
def test_a_damaged_bundle_is_refused_in_one_line(
    saved: Path, tmp_path: Path, damage: Callable[[Path], None], match: str
) -> None:
    check_that_it_is_refused(saved, tmp_path, damage, match)


def test_a_registered_cell_must_be_registered_where_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "_registered", {})
    cells.register_cell("elman", Elman)
    frame = table()
    bundle = bundle_of(panel_of(frame), model_of("elman(4) > gru(3)"))
    folder = save(tmp_path / "bundle", bundle)
    monkeypatch.setattr(cells, "_registered", {})
    with pytest.raises(BundleError, match=r"'elman', which is not registered; .* was helpers\.custom_cells\.Elman"):
        load_bundle(folder)
    cells.register_cell("elman", Elman)
    pd.testing.assert_frame_equal(load_bundle(folder).predict(frame), bundle.predict(frame), check_exact=True)


def test_a_file_is_no_bundle(saved: Path) -> None:
    with pytest.raises(BundleError, match=r"bundle\.json is a file, not the directory of a bundle"):
        load_bundle(saved / "bundle.json")


def test_loading_leaves_the_random_state_alone(saved: Path) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    load_bundle(saved)
    assert torch.equal(torch.random.get_rng_state(), before)
