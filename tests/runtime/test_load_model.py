"""A model that ONNX Runtime computes predicts what the bundle does, without torch, and refuses what was changed."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import forecast_bundles, sequence_bundles
from helpers.bundle_files import edit, remove_manifest, renew_manifest
from helpers.custom_cells import Elman
from helpers.panels import make_panel
from helpers.runtime_models import KINDS, MIXTURES, NOT_NEEDED, check_equal, made, predict_elsewhere, save_all
from safetensors.numpy import load as load_arrays

from lstmgru.bundle import ForecastBundle, load_bundle, open_model, save_bundle
from lstmgru.bundle.base import Bundle
from lstmgru.errors import BundleError, DataError
from lstmgru.runtime import load_model, predict_file
from lstmgru.runtime.forecasting import predictor as forecasting
from lstmgru.runtime.forecasting.predictor import ForecastPredictor
from lstmgru.runtime.sequences import batches
from lstmgru.runtime.weights import read_arrays
from lstmgru.specs import cells

ROOT = Path(__file__).parents[2]
FEW = ("forecasts", "mixture", "sequences", "words", "numbers", "waves", "notes")
"""One of each task and layout."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with bundles, and tables to predict from."""
    folder = tmp_path_factory.mktemp("models")
    save_all(folder, FEW)
    return folder


@pytest.fixture
def shops(saved: Path, tmp_path: Path) -> Path:
    """A copy of the bundle of forecasts."""
    return Path(shutil.copytree(saved / "forecasts.bundle", tmp_path / "shops.bundle"))


def test_without_torch_all_kinds_of_models_predict_what_they_do_with_it(saved: Path) -> None:
    loaded = predict_elsewhere(sys.executable, saved, FEW, blocked=NOT_NEEDED, PYTHONPATH=str(ROOT))

    assert loaded >= {"numpy", "pandas", "onnxruntime", "lstmgru"}
    for kind in FEW:
        check_equal(saved, kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(FEW)))
def test_the_other_kinds_too(kind: str, tmp_path: Path) -> None:
    save_all(tmp_path, [kind])
    frame, bundle = made(kind)
    expected = bundle.predict(frame)

    found = load_model(tmp_path / f"{kind}.bundle").predict(frame)

    pd.testing.assert_frame_equal(found, expected, rtol=1e-5, atol=1e-5)


def test_many_windows_and_sequences_are_computed_in_batches(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {kind: load_model(saved / f"{kind}.bundle").predict(made(kind)[0]) for kind in ("forecasts", "sequences")}
    monkeypatch.setattr(forecasting, "_BATCH_SIZE", 2)
    monkeypatch.setattr(batches, "_BATCH_SIZE", 3)

    for kind, expected in whole.items():
        found = load_model(saved / f"{kind}.bundle", threads=1).predict(made(kind)[0])
        pd.testing.assert_frame_equal(found, expected, rtol=1e-5, atol=1e-5)


def test_other_levels_sample_paths_and_blocks_are_those_of_the_bundle(saved: Path) -> None:
    frame, _ = made("forecasts")
    model, bundle = (load(saved / "forecasts.bundle") for load in (load_model, load_bundle))
    assert isinstance(model, ForecastPredictor)
    assert isinstance(bundle, ForecastPredictor)

    for found, expected in [
        (each.predict(frame, levels=(0.5, 0.9), horizon=2) for each in (model, bundle)),
        (each.sample(frame, 20, seed=1) for each in (model, bundle)),
        (
            pd.concat([part.table for part in predict_file(each, saved / "forecasts.csv", block_rows=1)])
            for each in (model, bundle)
        ),
    ]:
        pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-4)


def test_what_breaks_a_rule_is_left_out_with_the_same_reason(saved: Path) -> None:
    frame, _ = made("forecasts")
    frame = frame.assign(shop=frame["shop"].replace("b", "d"))
    model, bundle = (load(saved / "forecasts.bundle") for load in (load_model, load_bundle))

    found, expected = (each.predict_available(frame, source="new.csv") for each in (model, bundle))

    assert found.left_out == expected.left_out
    assert "'d' is not one of them" in found.left_out["d"]
    pd.testing.assert_frame_equal(found.table, expected.table, rtol=1e-5, atol=1e-5)
    with pytest.raises(DataError, match=r"^new\.csv: the model has an embedding for each training series"):
        model.predict(frame, source="new.csv")


def test_a_forecast_that_overflows_is_left_out_with_the_same_reason(saved: Path) -> None:
    frame, _ = made("forecasts")
    last = frame.index[(frame["shop"] == "b") & frame["sales 0"].notna()][-2:]
    frame.loc[last, "sales 0"] = [1e38, -3e38]
    model, bundle = (load(saved / "forecasts.bundle") for load in (load_model, load_bundle))

    found, expected = (each.predict_available(frame, source="new.csv") for each in (model, bundle))

    assert found.left_out == expected.left_out
    assert "series 'b' is not a finite number" in found.left_out["b"]
    assert np.isfinite(found.table["forecast"]).all()
    with pytest.raises(DataError, match=r"^new\.csv: the forecast of series 'b' is not a finite number"):
        model.predict(frame, source="new.csv")


def test_a_text_model_accepts_texts_alone_and_names_columns_that_transport_changes(saved: Path) -> None:
    model, bundle = (load(saved / "words.bundle") for load in (load_model, load_bundle))
    pd.testing.assert_frame_equal(model.predict(["late", "fine"]), bundle.predict(["late", "fine"]), atol=1e-5)
    assert model.results == "labels"

    engines, expected = (load(saved / "sequences.bundle") for load in (load_model, load_bundle))
    assert (engines.integer_columns, engines.timestamp_columns) == (("engine",), ("minute",))
    assert (engines.integer_columns, engines.timestamp_columns) == (
        expected.integer_columns,
        expected.timestamp_columns,
    )


def flipped(name: str) -> Callable[[Path], None]:
    """A change of the last byte of a file."""

    def change(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[-1] ^= 1
        (folder / name).write_bytes(content)

    return change


def described(key: str, value: object) -> Callable[[Path], None]:
    """Another value of a key of ``bundle.json``, with a manifest that fits."""

    def change(folder: Path) -> None:
        document = json.loads((folder / "bundle.json").read_text())
        (folder / "bundle.json").write_text(json.dumps({**document, key: value}))
        renew_manifest(folder)

    return change


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "graph": (flipped("model.onnx"), r"model\.onnx is not the file that manifest\.json describes .*: it was changed"),
    "description": (flipped("bundle.json"), r"bundle\.json is not the file that manifest\.json describes"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), r"manifest\.json is missing"),
    "no graph": (lambda folder: (folder / "model.onnx").unlink(), r"model\.onnx is missing; export the model again"),
    "version": (edit("format_version", to=99), "has format version 99"),
    "task": (edit("task", to="forecats"), "task must be one of .* but got 'forecats'; did you mean 'forecast'"),
    "a key": (edit("data", to=None), r"bundle\.json lacks 'data'"),
    "other data": (
        edit("data", "schema", "future_covariates", to=["price"]),
        r"the inputs of the ONNX model must be \{'past': .* but are",
    ),
    "other outputs": (edit("forecast", "horizon", to=4), "must be of .4, 2. steps and targets"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_bundle_that_was_changed_is_refused_in_one_line(name: str, shops: Path) -> None:
    change, match = CHANGES[name]
    change(shops)

    with pytest.raises(BundleError, match=match) as caught:
        load_model(shops)
    assert "\n" not in str(caught.value)


def test_a_changed_vocabulary_is_refused(saved: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(saved / "words.bundle", tmp_path / "words.bundle"))
    flipped("vocabulary.json")(copy)

    with pytest.raises(BundleError, match=r"vocabulary\.json is not the file that manifest\.json describes"):
        load_model(copy)


def test_a_damaged_graph_of_a_bundle_without_digests_is_refused_in_one_line(shops: Path) -> None:
    (shops / "model.onnx").write_bytes(b"no graph")
    remove_manifest(shops)

    with pytest.raises(BundleError, match="the ONNX model cannot be loaded: ") as caught:
        load_model(shops)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere does not exist; pass the directory of an exported model"):
        load_model(tmp_path / "nowhere")


def test_a_model_that_only_torch_can_compute_says_why_and_what_to_install(saved: Path, tmp_path: Path) -> None:
    sequence_bundles.save(tmp_path / "plain", sequence_bundles.made("words")[1])
    with pytest.raises(BundleError, match=r"has no ONNX model: it was saved without one; .*--engine torch$"):
        load_model(tmp_path / "plain")

    earlier = Path(shutil.copytree(saved / "notes.bundle", tmp_path / "earlier"))
    edit("mixture", to=None)(earlier)  # as an earlier version wrote it
    with pytest.raises(
        BundleError, match=r"has no ONNX model: tfidf_logistic cannot stand in ONNX; .*pip install lstmgru-sea"
    ):
        load_model(earlier)
    assert isinstance(open_model(earlier), Bundle)


@pytest.mark.parametrize("kind", MIXTURES)
def test_a_blend_that_cannot_stand_in_onnx_is_computed_by_numpy_and_onnx_together(kind: str, tmp_path: Path) -> None:
    save_all(tmp_path, [kind])
    frame, bundle = made(kind)
    folder = tmp_path / f"{kind}.bundle"
    described = json.loads((folder / "bundle.json").read_text())

    found = open_model(folder).predict(frame)

    assert not isinstance(open_model(folder), Bundle)
    assert described["onnx"] is None
    assert (
        (described["mixture"]["networks"] is not None) == bool(bundle.networks) == (folder / "networks.onnx").exists()
    )
    compared = [batch["batch_size"] for batch in described["mixture"]["parity"]]
    assert compared == ([] if kind == "terms" else [1, 7, 64])
    pd.testing.assert_frame_equal(found, bundle.predict(frame), rtol=1e-5, atol=1e-5)
    card = (folder / "MODEL_CARD.md").read_text()
    who = (
        "- NumPy computes it, with or" if kind == "terms" else "- Without PyTorch, NumPy computes the baselines, and ON"
    )
    assert who in card


def test_a_mixture_that_was_changed_is_refused(saved: Path, tmp_path: Path) -> None:
    for name in ("networks.onnx", "weights.safetensors"):
        copy = Path(shutil.copytree(saved / "mixture.bundle", tmp_path / name))
        flipped(name)(copy)
        with pytest.raises(BundleError, match=rf"{name} is not the file that manifest\.json describes"):
            load_model(copy)
    edits: list[tuple[Callable[[Path], None], str]] = [
        (edit("members", 2, "state", to={}), "the state of the member linear is invalid"),
        (edit("members", 2, "arrays", "coefficients", to="float64[1]"), "the array coefficients of the member linear"),
        (edit("members", 0, "weight", to=0.9), "the weights of the members must be positive and have the sum 1"),
        (edit("members", 3, "kind", to="thetta"), "kind of a member must be one of .* did you mean 'theta'"),
        (edit("mixture", "networks", to=None), "lacks 'networks'"),
        (described("mixture", {"networks": None, "parity": []}), "mixture.networks must be the file of the networks"),
    ]
    for number, (change, match) in enumerate(edits):
        copy = Path(shutil.copytree(saved / "mixture.bundle", tmp_path / f"edit {number}"))
        change(copy)
        with pytest.raises(BundleError, match=match) as caught:
            load_model(copy)
        assert "\n" not in str(caught.value)


DAMAGED = {
    "empty": b"",
    "a length beyond the end": b"\xff" * 8 + b"{}",
    "no JSON": (2).to_bytes(8, "little") + b"{,",
    "a list": (2).to_bytes(8, "little") + b"[]",
    "too few numbers": (76).to_bytes(8, "little")
    + b'{"members.0.a": {"dtype": "F64", "shape": [2, 2], "data_offsets": [0, 8]}}  ' + bytes(8),
    "of no member": (76).to_bytes(8, "little")
    + b'{"members.9.a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}     ' + bytes(8),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_arrays_are_refused_in_one_line(name: str) -> None:
    description = {"format_version": 4, "members": [{}]}

    with pytest.raises(BundleError, match=r"weights\.safetensors (is damaged: |holds members\.9\.a, which is of none)"):
        read_arrays(DAMAGED[name], Path("weights.safetensors"), description)


def test_arrays_are_read_as_the_library_reads_them(saved: Path) -> None:
    content = (saved / "mixture.bundle" / "weights.safetensors").read_bytes()
    description = json.loads((saved / "mixture.bundle" / "bundle.json").read_text())

    found = read_arrays(content, Path("weights.safetensors"), description)

    expected = load_arrays(content)
    together = {f"members.{number}.{name}": array for number, part in enumerate(found) for name, array in part.items()}
    assert together.keys() == expected.keys()
    for name, array in expected.items():
        assert together[name].dtype == array.dtype
        np.testing.assert_array_equal(together[name], array)


@pytest.mark.slow  # torch's own translation of a cell takes seconds
def test_a_model_with_a_custom_cell_predicts_where_the_cell_is_not_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cells._registered, "elman", Elman)
    panel = make_panel((60,))
    bundle = forecast_bundles.bundle_of(panel, forecast_bundles.model_of("elman(4)"))
    frame = pd.DataFrame({"day": panel.times, "target_0": panel.values[:, 0]})
    save_bundle(tmp_path / "model", bundle)
    expected = bundle.predict(frame)
    monkeypatch.delitem(cells._registered, "elman")

    with pytest.raises(BundleError, match="'elman', which is not registered"):
        load_bundle(tmp_path / "model")
    pd.testing.assert_frame_equal(load_model(tmp_path / "model").predict(frame), expected, rtol=1e-5, atol=1e-5)


def test_words_and_characters_of_one_blend_are_read(tmp_path: Path) -> None:
    frame = sequence_bundles.text_table()
    sequences = sequence_bundles.sequences_of(frame)
    specs = ({"tokens": "word"}, {"tokens": "character", "max_length": 20})
    members = [
        sequence_bundles.member_of(sequences, sequence_bundles.model_of(**spec), weight=weight)
        for spec, weight in zip(specs, (0.7, 0.3), strict=True)
    ]
    bundle = sequence_bundles.label_bundle_of(sequences, members=tuple(members))
    save_bundle(tmp_path / "texts", bundle)

    found = load_model(tmp_path / "texts").predict(frame)

    pd.testing.assert_frame_equal(found, bundle.predict(frame), rtol=1e-5, atol=1e-5)


# --- which engine -----------------------------------------------------------------------------------------------------


def test_onnx_is_the_engine_of_a_model_whose_export_proved_it(shops: Path) -> None:
    assert not isinstance(open_model(shops), ForecastBundle)
    assert isinstance(open_model(shops, "torch"), ForecastBundle)

    edit("onnx", "parity", 1, "relative", to=2e-5)(shops)
    assert isinstance(open_model(shops), ForecastBundle)
    assert not isinstance(open_model(shops, "onnx"), ForecastBundle)

    edit("onnx", "parity", to=None)(shops)  # as if it had not been recorded
    assert isinstance(open_model(shops), ForecastBundle)


def test_torch_is_the_engine_of_a_model_without_onnx(tmp_path: Path) -> None:
    saved = forecast_bundles.save(tmp_path / "model", forecast_bundles.bundle_of(make_panel((60,))))

    assert isinstance(open_model(saved), ForecastBundle)
    with pytest.raises(BundleError, match="has no ONNX model"):
        open_model(saved, "onnx")
    with pytest.raises(
        BundleError, match="engine must be one of auto, onnx, torch but got 'onxx'; did you mean 'onnx'"
    ):
        open_model(saved, "onxx")


def test_a_graph_computes_the_arrays_that_the_bundle_does(saved: Path) -> None:
    """What is not in the table of forecasts: the quantiles of levels without an interval are NaN in both."""
    frame, _ = made("forecasts")
    model, bundle = (load(saved / "forecasts.bundle") for load in (load_model, load_bundle))
    arrays = bundle._arrays(bundle._context(frame, "table"), "table")  # type: ignore[attr-defined]

    for found, expected in zip(model._run(arrays), bundle._run(arrays), strict=True):  # type: ignore[attr-defined]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
