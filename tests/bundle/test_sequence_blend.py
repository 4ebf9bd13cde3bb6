"""A blend of sequence models predicts the weighted mean of its members, whatever each of them reads."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.bundle_files import check_that_it_is_refused, edit, replace_weights
from helpers.combinations import each_row
from helpers.onnx_models import run
from helpers.sequence_bundles import (
    KINDS,
    TEXTS,
    label_bundle_of,
    long_table,
    member_of,
    model_of,
    save,
    sequences_of,
    task_of,
    text_table,
)
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from lstmgru.bundle import SequenceBaselineMember, SequenceBundle, load_bundle, save_bundle
from lstmgru.data.sequences.encoding import Encoding
from lstmgru.data.sequences.sequences import LabeledSequences
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.errors import DataError, SpecError
from lstmgru.evaluation.sequence_baselines import fit_sequence_baseline
from lstmgru.nn.sequence_network import SequenceNetwork

SPECS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "sequences": ({"max_length": 5}, {"max_length": 9, "normalization": "sequence", "pooling": "max"}),
    "numbers": ({"max_length": 9}, {"branches": "lstm(3)"}),
    "words": ({"tokens": "word", "max_length": 4}, {"tokens": "word", "min_count": 2, "subwords": True}),
    "characters": ({"tokens": "word"}, {"tokens": "character", "max_length": 20}),
}
BASELINES = {"sequences": "nearest_neighbor", "numbers": "ridge", "words": "tfidf_logistic", "characters": "majority"}


def blend_of(kind: str, *, baseline: float = 0.0) -> tuple[pd.DataFrame, SequenceBundle]:
    """A table, and two networks and a baseline for it."""
    table, task, _ = KINDS[kind]
    frame = table()
    sequences = sequences_of(frame, task)
    rest = 1 - baseline
    members: list[Any] = [
        member_of(sequences, model_of(**spec), seed=seed, weight=weight * rest)
        for seed, (weight, spec) in enumerate(zip((0.7, 0.3), SPECS[kind], strict=True))
    ]
    if baseline:
        everything = np.arange(len(sequences))
        fitted = fit_sequence_baseline(BASELINES[kind], sequences, everything, task_of(sequences))
        members.append(SequenceBaselineMember(baseline=fitted, weight=baseline, score=0.5))
    return frame, label_bundle_of(sequences, members=tuple(members))


def by_hand(bundle: SequenceBundle, sequences: LabeledSequences) -> np.ndarray[Any, Any]:
    """(n, O) the weighted mean of what the training code predicts."""
    from lstmgru.data.sequences.raw import RawSequences
    from lstmgru.training.fit_sequences import predict_sequences

    everything = np.arange(len(sequences))
    total = np.zeros((len(sequences), bundle.task.n_outputs))
    for member in bundle.networks:
        network = member.network.eval()
        total += member.weight * predict_sequences(network, member.encoding, sequences, everything, bundle.task)
    for baseline in bundle.baselines:
        total += baseline.weight * baseline.baseline.predict(RawSequences.of(sequences))
    return total


@each_row("baseline", [0.0, 0.4])
@each_row("kind", SPECS)
def test_a_blend_predicts_the_weighted_mean(kind: str, baseline: float, tmp_path: Path) -> None:
    frame, bundle = blend_of(kind, baseline=baseline)
    expected = by_hand(bundle, sequences_of(frame, bundle.task.task))
    labels = bundle.predict(frame)
    if bundle.task.classes:
        np.testing.assert_allclose(labels.filter(like="p_"), expected, atol=1e-5)
        assert labels["label"].tolist() == [bundle.task.classes[code] for code in expected.argmax(axis=1)]
    else:
        np.testing.assert_allclose(labels["label"], expected[:, 0], rtol=1e-5)
    loaded = load_bundle(save(tmp_path / "blend", bundle))
    pd.testing.assert_frame_equal(loaded.predict(frame), labels, check_exact=True)


def test_a_blend_of_baselines_alone_predicts(tmp_path: Path) -> None:
    frame, bundle = blend_of("words", baseline=0.5)
    alone = replace(bundle, members=(replace(bundle.baselines[0], weight=1.0),))
    expected = alone.predict(frame)
    np.testing.assert_allclose(expected.filter(like="p_").sum(axis=1), 1, rtol=1e-5)
    saved = save_bundle(tmp_path / "blend", alone, onnx="try")
    assert saved.onnx_problem == "tfidf_logistic cannot stand in ONNX; NumPy computes it"
    assert "- There is no ONNX model: tfidf" in (saved.directory / "MODEL_CARD.md").read_text()
    pd.testing.assert_frame_equal(load_bundle(saved.directory).predict(list(TEXTS)).drop(columns="row"),
                                  expected.drop(columns="row"))  # fmt: skip


def test_arrays_are_predicted_as_the_table() -> None:
    frame, bundle = blend_of("numbers", baseline=0.4)
    longest = frame[frame["engine"] == "e1"][["heat", "load"]].to_numpy(np.float32)
    assert len(longest) > 9
    expected = bundle.predict(frame)["label"][1]
    np.testing.assert_allclose(bundle.value_array(longest[None]), expected, rtol=1e-6)
    texts = blend_of("characters")[1]
    with pytest.raises(DataError, match="the model does not read each text as one array of codes; use predict"):
        texts.probability_array(np.ones((1, 3), np.int64))


def with_other_words(sequences: LabeledSequences, tokens: tuple[str, ...]) -> Any:
    """A member with its own vocabulary."""
    model, task = model_of(tokens="word"), task_of(sequences)
    torch.manual_seed(2)
    network = SequenceNetwork(model, n_channels=0, n_outputs=task.n_outputs, vocabulary_size=len(tokens) + 2)
    member = member_of(sequences, model, weight=0.5)
    return replace(member, network=network, encoding=Encoding(None, Vocabulary("word", tokens)))


def test_members_may_know_other_words(tmp_path: Path) -> None:
    frame = text_table()
    sequences = sequences_of(frame)
    own = member_of(sequences, model_of(tokens="word"), weight=0.5)
    other = with_other_words(sequences, ("zug", "never", "late", "trains"))
    bundle = label_bundle_of(sequences, members=(own, other))
    assert "never" in bundle.merged_vocabularies["word"].tokens
    folder = save(tmp_path / "blend", bundle)
    assert len(list(folder.glob("vocabulary*"))) == 1
    loaded = load_bundle(folder)
    assert isinstance(loaded, SequenceBundle)
    assert [m.encoding.to_dict() for m in loaded.networks] == [m.encoding.to_dict() for m in bundle.networks]
    texts = [*TEXTS, "never late, ever"]
    expected = by_hand(bundle, sequences_of(pd.DataFrame({"text": texts, "mood": ["bad", "good"] * 4})))
    np.testing.assert_allclose(loaded.predict(texts).filter(like="p_"), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SPECS)
def test_onnx_runtime_predicts_what_the_bundle_predicts(kind: str, tmp_path: Path) -> None:
    _, bundle = blend_of(kind)
    folder = save_bundle(tmp_path / "blend", bundle).directory
    inputs = bundle.servable.random_inputs(9, seed=5)
    expected = bundle.servable(**inputs)[-1].detach()
    found = run(folder / "model.onnx", inputs)
    np.testing.assert_allclose(list(found.values())[-1], expected, rtol=1e-4, atol=1e-5)
    described = json.loads((folder / "bundle.json").read_text())
    names = [each["file"] for each in described["vocabularies"]]
    assert names == {"characters": ["vocabulary.json", "vocabulary-2.json"], "words": ["vocabulary.json"]}.get(kind, [])
    card = (folder / "MODEL_CARD.md").read_text()
    assert ("`characters` (int64) holds the codes" in card) == (kind == "characters")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A blend with words that only one network knows, and a baseline."""
    sequences = sequences_of(text_table())
    fitted = fit_sequence_baseline("tfidf_logistic", sequences, np.arange(7), task_of(sequences))
    members = (
        replace(member_of(sequences, weight=0.5), weight=0.25),
        replace(with_other_words(sequences, ("late", "never")), weight=0.25),
        SequenceBaselineMember(baseline=fitted, weight=0.5),
    )
    return save(tmp_path_factory.mktemp("models") / "texts.bundle", label_bundle_of(sequences, members=members))


def weights(name: str, change: Callable[[torch.Tensor], torch.Tensor | None]) -> Callable[[Path], None]:
    """Another array in the place of one; ``None`` removes it."""

    def damage(folder: Path) -> None:
        arrays = load_tensors((folder / "weights.safetensors").read_bytes())
        new = change(arrays.pop(name))
        replace_weights(save_tensors(arrays if new is None else arrays | {name: new}))(folder)

    return damage


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (edit("members", 0, "weight", to=0.3), "must be positive and have the sum 1"),
        (edit("members", 2, "kind", to="tfidf_logistik"), "did you mean 'tfidf_logistic'"),
        (edit("members", 2, "kind", to="nearest_neighbor"), "member nearest_neighbor is invalid: it lacks 'values'"),
        (edit("members", 2, "state", "n_outputs", to=1), "the member tfidf_logistic is invalid"),
        (edit("members", 2, "state", "n_outputs", to=3), r"must predict \[1, 2\] finite numbers but predicts \[1, 3\]"),
        (weights("members.2.coefficients", lambda _: None), "the array coefficients .* but is missing"),
        (weights("members.2.intercept", lambda array: array * math.nan), "intercept of .* holds numbers that are NaN"),
        (weights("members.1.encoding.codes", lambda codes: codes + 90), "encoding.codes must hold codes of the voc"),
        (weights("members.1.encoding.codes", lambda codes: codes[1:]), "does not fit the architecture"),
        (weights("members.1.encoding.codes", lambda codes: codes.double()), "codes must hold codes of the voc"),
        (weights("members.0.head.1.bias", lambda array: array * math.nan), "or infinite, in members.0.head.1.bias"),
    ],
)  # fmt: skip
def test_a_damaged_blend_is_refused_in_one_line(
    saved: Path, damage: Callable[[Path], None], match: str, tmp_path: Path
) -> None:
    check_that_it_is_refused(saved, tmp_path, damage, match)


def test_members_of_other_labels_are_refused() -> None:
    three, two = (sequences_of(long_table(classes=classes)) for classes in (("a", "b", "c"), ("a", "b")))
    with pytest.raises(SpecError, match="the network has 2 outputs, but labels are 3 classes"):
        label_bundle_of(three, members=(member_of(three, weight=0.5), member_of(two, weight=0.5)))
