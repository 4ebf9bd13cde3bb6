"""Encodings are learnt from training sequences only, and hold what a network needs to read others."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lstmgru.data.sequences.encoding import ChannelScaler, Encoding
from lstmgru.data.sequences.sequences import LabeledSequences
from lstmgru.data.sequences.table import build_sequences
from lstmgru.specs import LabelSpec, SequenceModelSpec
from lstmgru.specs.layers import parse_branches

NUMBERS = SequenceModelSpec(parse_branches("gru(4)"), max_length=8)
TEXTS = replace(NUMBERS, tokens="word", embedding_size=3, normalization="none")
CLASSES = LabelSpec("classification", "accuracy", ("a", "b"))
REGRESSION = LabelSpec("regression", "mae")
TRAIN = np.array([0, 2, 3, 5])


def numbers(*, n: int = 8, seed: int = 0, task: str = "classification") -> LabeledSequences:
    """Sequences of 2 to 5 steps; the last of their three channels is constant."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(2, 6, n)
    rows = int(lengths.sum())
    frame = pd.DataFrame(
        {
            "id": np.repeat(np.arange(n), lengths),
            "x": generator.normal(50, 9, rows),
            "y": generator.exponential(1e-3, rows),
            "z": 4.0,
            "label": np.repeat(
                ["a", "b"] * (n // 2) if task == "classification" else generator.normal(7, 3, n), lengths
            ),
        }
    )
    return build_sequences(frame, layout="long", id="id", target="label", task=task, source="file.csv")  # type: ignore[arg-type]


def texts() -> LabeledSequences:
    messages = ["win a prize", "see you", "win now", "a dog", "prize prize", "", "unseen words", "a b c d e f g h i j"]
    frame = pd.DataFrame({"text": messages, "label": ["a", "b"] * 4})
    return build_sequences(frame, layout="text", text="text", target="label", task="classification", source="file.csv")


def steps_of(sequences: LabeledSequences, indices: np.ndarray) -> np.ndarray:
    return np.concatenate([sequences.values[slice(*sequences.offsets[i : i + 2])] for i in indices])


def test_channels_have_mean_0_and_deviation_1_over_the_steps_of_training_sequences() -> None:
    from sklearn.preprocessing import StandardScaler

    sequences = numbers()
    encoding = Encoding.fit(sequences, TRAIN, NUMBERS, CLASSES)

    encoded = encoding.inputs(sequences, max_length=8)

    reference = StandardScaler().fit(steps_of(sequences, TRAIN).astype(np.float64))
    np.testing.assert_allclose(encoded.values, reference.transform(sequences.values), atol=2e-5)
    assert encoded.values.dtype == np.float32
    np.testing.assert_array_equal(encoded.offsets, sequences.offsets)
    np.testing.assert_array_equal(encoded.lengths, sequences.lengths)
    assert (len(encoded), encoding.vocabulary_size) == (len(sequences), 0)


@pytest.mark.parametrize("normalization", ["none", "sequence"])
def test_other_normalizations_read_the_numbers_as_they_are(normalization: str) -> None:
    sequences = numbers()
    model = replace(NUMBERS, normalization=normalization)

    encoded = Encoding.fit(sequences, TRAIN, model, CLASSES).inputs(sequences, max_length=8)

    np.testing.assert_array_equal(encoded.values, sequences.values)


@pytest.mark.parametrize("max_length", [1, 3, 4, 9])
def test_longer_sequences_are_cut_at_their_end(max_length: int) -> None:
    sequences = numbers()
    model = replace(NUMBERS, normalization="none")

    encoded = Encoding.fit(sequences, TRAIN, model, CLASSES).inputs(sequences, max_length)

    for i in range(len(sequences)):
        kept = encoded.values[encoded.offsets[i] : encoded.offsets[i + 1]]
        np.testing.assert_array_equal(
            kept, sequences.values[sequences.offsets[i] : sequences.offsets[i + 1]][:max_length]
        )


def test_texts_become_codes_of_the_vocabulary_of_training_texts() -> None:
    sequences = texts()
    encoding = Encoding.fit(sequences, TRAIN, TEXTS, CLASSES)

    encoded = encoding.inputs(sequences, max_length=3)

    assert encoding.vocabulary is not None
    assert encoding.vocabulary.tokens == ("a", "win", "dog", "now", "prize")
    assert encoding.vocabulary_size == 7
    assert encoded.values.tolist() == [3, 2, 6, 1, 1, 3, 5, 2, 4, 6, 6, 1, 1, 1, 2, 1, 1]
    assert encoded.offsets.tolist() == [0, 3, 5, 7, 9, 11, 12, 14, 17]


def test_rare_tokens_are_unknown() -> None:
    encoding = Encoding.fit(texts(), TRAIN, replace(TEXTS, min_count=2), CLASSES)

    assert encoding.vocabulary is not None
    assert encoding.vocabulary.tokens == ("a", "win")


@pytest.mark.parametrize(
    "sequences", [numbers(), numbers(task="regression"), texts()], ids=["numbers", "labels", "texts"]
)
def test_nothing_but_training_sequences_is_read(sequences: LabeledSequences) -> None:
    others = np.setdiff1d(np.arange(len(sequences)), TRAIN)
    model, task = TEXTS if sequences.is_text else NUMBERS, CLASSES if sequences.classes else REGRESSION

    encoding = Encoding.fit(sequences, TRAIN, model, task)

    assert encoding.to_dict() == Encoding.fit(sequences.hiding(others), TRAIN, model, task).to_dict()
    assert encoding.to_dict() != Encoding.fit(sequences, np.arange(len(sequences)), model, task).to_dict()


def test_labels_that_are_numbers_are_scaled_and_restored() -> None:
    sequences = numbers(task="regression")
    encoding = Encoding.fit(sequences, TRAIN, NUMBERS, REGRESSION)

    scaled = encoding.scale_labels(sequences.labels)

    assert scaled[TRAIN].mean() == pytest.approx(0, abs=1e-6)
    assert scaled[TRAIN].std() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(encoding.restore_labels(scaled), sequences.labels, rtol=1e-6)
    assert encoding.restore_labels(np.zeros((2, 1))).shape == (2, 1)


def test_classes_are_not_scaled() -> None:
    encoding = Encoding.fit(numbers(), TRAIN, NUMBERS, CLASSES)

    assert (encoding.label_mean, encoding.label_scale) == (0.0, 1.0)


@pytest.mark.parametrize("sequences", [numbers(task="regression"), texts()], ids=["numbers", "texts"])
def test_an_encoding_survives_json(sequences: LabeledSequences) -> None:
    model, task = (TEXTS, CLASSES) if sequences.is_text else (NUMBERS, REGRESSION)
    encoding = Encoding.fit(sequences, TRAIN, model, task)

    again = Encoding.from_dict(json.loads(json.dumps(encoding.to_dict())))

    np.testing.assert_array_equal(again.inputs(sequences, 4).values, encoding.inputs(sequences, 4).values)
    assert (again.label_mean, again.label_scale) == (encoding.label_mean, encoding.label_scale)
    assert again.to_dict() == encoding.to_dict()


def test_a_scaler_takes_values_of_any_leading_shape() -> None:
    scaler = ChannelScaler(np.array([1, 2], np.float32), np.array([2, 4], np.float32))

    np.testing.assert_array_equal(scaler.transform(np.full((3, 5, 2), 6, np.float32))[2, 4], [2.5, 1.0])
