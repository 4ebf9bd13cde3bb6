"""The ONNX file labels as torch does, for every kind of architecture, any lengths, and in original units."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.combinations import each_row
from helpers.lazy import LazyModule
from helpers.onnx_models import operators, run
from helpers.sequence_bundles import LENGTH, label_bundle_of, long_table, model_of, sequences_of, text_table, wide_table

from lstmgru.bundle import SequenceBundle, load_bundle, save_bundle
from lstmgru.bundle.onnx.export import BATCH_SIZES, TOLERANCE, compare, export_onnx
from lstmgru.errors import BundleError
from lstmgru.specs import HEADS, MERGES, POOLINGS, SEQUENCE_NORMALIZATIONS, TOKENS, SequenceModelSpec
from lstmgru.specs.cells import CELLS

onnx = LazyModule("onnx")
onnxruntime = LazyModule("onnxruntime")


CASES: list[tuple[str, str, dict[str, Any]]] = [
    (
        "classes",
        "bi-fused(4) > lstm(5)",
        {
            "pooling": "additive",
            "segment_length": 3,
            "normalization": "sequence",
            "convolution": 2,
            "fcn_filters": 4,
        },
    ),
    (
        "classes",
        "bi-lstm(4) > gru(5)",
        {"pooling": "additive", "segment_length": 3, "normalization": "sequence", "fcn_filters": 4},
    ),
    ("texts", "bi-fused(3)", {"tokens": "word", "pooling": "max", "convolution": 2}),
    ("texts", "gru(3)", {"tokens": "word", "subwords": True}),
    ("classes", "fused(6)", {}),
    ("classes", "gru(4) | bi-fused(3)", {"normalization": "sequence", "head": "mlp"}),
    ("numbers", "bi-gru(4)", {"normalization": "none"}),
    ("classes", "bi-gru(4) > bi-lstm(3) > bi-fused(3)", {"residual": True, "layer_norm": True, "pooling": "mean"}),
    ("classes", "lstm(4) | gru(4) | bi-fused(3)", {"merge": "gate", "pooling": "max"}),
    ("classes", "lstm(4) | bi-gru(3)", {"merge": "sum", "segment_length": 4, "pooling": "multihead", "n_heads": 2}),
    ("numbers", "fused(4) > lstm(4)", {"normalization": "sequence", "segment_length": 2}),
    ("numbers", "bi-fused(4)", {"pooling": "additive", "head": "mlp"}),
    ("wide", "gru(5)", {"segment_length": 7, "convolution": 5}),
    ("texts", "bi-gru(4)", {"tokens": "character", "pooling": "multihead", "n_heads": 3, "fcn_filters": 3}),
    ("texts", "fused(4)", {"tokens": "word", "segment_length": 2}),
    ("texts", "lstm(3) | gru(3)", {"tokens": "character", "merge": "gate", "pooling": "mean"}),
]


def bundle_of(kind: str, branches: str, **spec: Any) -> SequenceBundle:
    """A model with random weights for the tables of ``label_bundles``."""
    frame = {"texts": text_table, "wide": wide_table}.get(kind, long_table)()
    sequences = sequences_of(frame, "regression" if kind == "numbers" else "classification")
    return label_bundle_of(sequences, model_of(branches, **spec))


@pytest.mark.slow
@pytest.mark.usefixtures("translated_only")
@each_row(("kind", "branches", "spec"), CASES)
def test_onnx_runtime_labels_as_torch_does(kind: str, branches: str, spec: dict[str, Any], tmp_path: Path) -> None:
    bundle = bundle_of(kind, branches, **spec)
    model, path = bundle.servable, tmp_path / "model.onnx"
    parity = export_onnx(model, path)
    assert [batch.batch_size for batch in parity.batches] == list(BATCH_SIZES) == [1, 7, 64]
    # Labels of about 1000 with a deviation of 7 are rounded to 1e-5 deviations by single precision.
    assert all(batch.relative <= (5 if kind == "numbers" else 1) * TOLERANCE for batch in parity.batches)
    arrays = model.random_inputs(33, seed=99)
    assert {1, LENGTH} <= set(arrays["lengths"].tolist())
    found = run(path, arrays)
    with torch.no_grad():
        expected = dict(zip(model.output_shapes, model(**arrays), strict=True))
    assert list(found) == list(expected)
    assert list(expected.values())[-1].std(dim=0).max() > 1e-2, "sequences have different results"
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=2e-6, atol=1e-5, err_msg=name)
        assert found[name].dtype == (np.int64 if name == "label" else np.float32)
    check_nodes(path, bundle)


def check_nodes(path: Path, bundle: SequenceBundle) -> None:
    """The inputs and outputs of the file are those that the predictor names."""
    session = onnxruntime.InferenceSession(path)
    model = bundle.servable
    for nodes, shapes in ((session.get_inputs(), model.shapes), (session.get_outputs(), model.output_shapes)):
        assert {node.name: node.shape for node in nodes} == {name: ["batch", *shape] for name, shape in shapes.items()}
        types = {node.name: node.type for node in nodes}
        whole = {"tokens", "lengths", "label"} & set(shapes)
        assert types == {name: "tensor(int64)" if name in whole else "tensor(float)" for name in shapes}


def test_the_architectures_of_that_table_have_every_option() -> None:
    specs: list[SequenceModelSpec] = [
        bundle_of(kind, branches, **spec).networks[0].model_spec for kind, branches, spec in CASES
    ]
    for name, valid in (
        ("merge", MERGES), ("pooling", POOLINGS), ("head", HEADS), ("normalization", SEQUENCE_NORMALIZATIONS),
        ("tokens", (None, *TOKENS)), ("residual", (True, False)), ("layer_norm", (True, False)),
        ("convolution", (0, 2, 5)), ("fcn_filters", (0, 4, 3)),
    ):  # fmt: skip
        assert {getattr(spec, name) for spec in specs} == set(valid), name
    layers = {(layer.cell, layer.bidirectional) for spec in specs for stack in spec.branches for layer in stack}
    assert layers == {(cell, both) for cell in CELLS for both in (True, False)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that reads texts, with its ONNX file."""
    done = save_bundle(tmp_path_factory.mktemp("models") / "bundle", bundle_of("texts", "bi-gru(4)", tokens="word"))
    assert done.onnx_problem is None
    return done.directory


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of ``bundle_of("classes", "bi-gru(4)")``."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(bundle_of("classes", "bi-gru(4)").servable, path)
    return path


def test_the_file_labels_a_table_as_the_bundle_does(exported: Path) -> None:
    bundle, frame = bundle_of("classes", "bi-gru(4)"), long_table()
    sequences = sequences_of(frame)
    values = np.full((len(sequences), LENGTH, 2), np.nan, np.float32)
    for number, length in enumerate(sequences.lengths):
        part = sequences.values[sequences.offsets[number] :][: min(length, LENGTH)]
        values[number, : len(part)] = part
    lengths = np.minimum(sequences.lengths, LENGTH)
    found = run(exported, {"values": torch.from_numpy(values), "lengths": torch.from_numpy(lengths)})
    labels = bundle.predict(frame)
    np.testing.assert_allclose(found["probabilities"], labels.filter(like="p_"), atol=1e-6)
    assert [bundle.task.classes[number] for number in found["label"]] == labels["label"].tolist()


@pytest.mark.parametrize("rest", [np.nan, np.inf, -1e30])
def test_what_stands_after_a_sequence_changes_nothing(rest: float, exported: Path) -> None:
    inputs = bundle_of("classes", "bi-gru(4)").servable.random_inputs(9)
    padding = torch.arange(LENGTH) >= inputs["lengths"].unsqueeze(1)
    other = inputs | {"values": inputs["values"].masked_fill(padding.unsqueeze(-1), rest)}
    for first, second in zip(run(exported, inputs).values(), run(exported, other).values(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_bundle_holds_its_onnx_file_and_how_far_it_is_from_torch(saved: Path) -> None:
    described = json.loads((saved / "bundle.json").read_text())["onnx"]
    assert described["inputs"] == {"tokens": ["batch", LENGTH], "lengths": ["batch"]}
    assert described["outputs"] == {"label": ["batch"], "probabilities": ["batch", 2]}
    assert [batch["batch_size"] for batch in described["parity"]] == [1, 7, 64]
    assert all(0 <= batch["absolute"] == batch["relative"] <= TOLERANCE for batch in described["parity"])


def test_texts_that_are_encoded_as_the_card_says_have_the_labels_of_the_bundle(saved: Path) -> None:
    """By hand, with nothing but the vocabulary's file."""
    bundle, text = load_bundle(saved), "LATE trains, 1,000 of them; ALL fine!"
    places = {
        token: place for place, token in enumerate(json.loads((saved / "vocabulary.json").read_text())["tokens"], 2)
    }
    words = ["late", "trains", ",", "1,000", "of", "them", ";", "all", "fine", "!"]
    codes = [places.get(word, 1) for word in words[:LENGTH]]
    assert codes.count(1) == 3
    found = run(saved / "model.onnx", {"tokens": torch.tensor([codes]), "lengths": torch.tensor([len(codes)])})
    expected = bundle.predict([text])
    np.testing.assert_allclose(found["probabilities"][0], expected.filter(like="p_").iloc[0], atol=1e-6)


def test_the_onnx_snippet_of_the_card_runs(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved)
    snippets = re.findall(r"```python\n(.*?)```", (saved / "MODEL_CARD.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(next(snippet for snippet in snippets if "onnxruntime" in snippet), names)
    assert (names["label"].shape, names["probabilities"].shape) == ((1,), (1, 2))
    np.testing.assert_allclose(names["probabilities"].sum(), 1, rtol=1e-6)


@pytest.mark.slow
def test_long_sequences_take_no_longer_to_export(tmp_path: Path) -> None:
    counts = []
    for length in (LENGTH, 336):
        bundle = bundle_of("classes", "bi-fused(4) > lstm(4)", max_length=length, pooling="additive")
        export_onnx(bundle.servable, tmp_path / "model.onnx")
        counts.append(len(list(operators(onnx.load(tmp_path / "model.onnx").graph))))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("value", [1e-2, float("nan")])
@pytest.mark.parametrize("name", ["encoder.branches.0.layers.0.backwards.weight_hh", "head.1.bias"])
def test_a_model_with_other_weights_is_found_out(name: str, value: float, exported: Path) -> None:
    model = bundle_of("classes", "bi-gru(4)").servable
    compare(model, exported)
    with torch.no_grad():
        model.members[0].network.get_parameter(name).view(-1)[0] += value
    with pytest.raises(BundleError, match=r"differs from PyTorch: a batch of \d+ by up to .* of a prob"):
        compare(model, exported)


def test_a_label_may_differ_only_where_two_classes_are_as_likely() -> None:
    model = bundle_of("classes", "gru(4)").servable
    own = torch.tensor([1, 2]), torch.tensor([[0.1, 0.45, 0.45], [0.3, 0.3, 0.4]])
    assert model.distance((torch.tensor([2, 2]), own[1]), own, {}) == (0, 0)
    assert model.distance((torch.tensor([2, 1]), own[1]), own, {}) == pytest.approx((0.1, 0.1))
    assert model.distance((own[0], own[1] + 0.2), own, {}) == pytest.approx((0.2, 0.2))


def test_a_distance_of_numbers_is_one_of_standard_deviations() -> None:
    model = bundle_of("numbers", "gru(4)").servable
    found = model.distance((torch.tensor([1.0, 5.0]),), (torch.tensor([1.0, 3.0]),), {})
    assert found == pytest.approx((2, 2 / model.label_scale))
