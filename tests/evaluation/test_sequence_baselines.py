"""Simple methods for labels: what they say, against scikit-learn, and that they read nothing they may not."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.combinations import each_row
from helpers.sequences import CLASSES, NUMBERS, make_sequences, make_texts, sequences_of, split_of
from safetensors.numpy import load_file, save_file

from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.data.sequences.vocabulary import tokenize
from lstmgru.errors import DataError, SpecError
from lstmgru.evaluation.sequence_baselines import (
    SEQUENCE_BASELINES,
    base,
    fit_sequence_baseline,
    ridge,
    sequence_baseline_names,
)
from lstmgru.evaluation.sequence_baselines.linear import ALPHAS, simplex
from lstmgru.evaluation.sequence_baselines.nearest_neighbor import stretched
from lstmgru.evaluation.sequences import SequenceEvaluation
from lstmgru.specs import LabelSpec

EQUAL = make_sequences(shortest=6, longest=6)
UNEQUAL = make_sequences()
VALUES = make_sequences(n_classes=0)
LONG = make_sequences(shortest=12, longest=12)
TEXTS = make_texts()
GRADED = replace(TEXTS, labels=TEXTS.labels.astype(np.float32), classes=())
DATA: list[tuple[LabeledSequences, LabelSpec]] = [
    (EQUAL, CLASSES),
    (UNEQUAL, CLASSES),
    (VALUES, NUMBERS),
    (LONG, CLASSES),
    (make_sequences(shortest=9, longest=20), CLASSES),
    (make_sequences(shortest=5, longest=20, n_classes=0), NUMBERS),
    (TEXTS, CLASSES),
    (GRADED, NUMBERS),
]
EVERY = [(name, data, task) for data, task in DATA for name in sequence_baseline_names(data, task)]


def outputs_of(name: str, data: LabeledSequences, train: Indices, task: LabelSpec, asked: Indices) -> Any:
    """Outputs of a fitted baseline for some sequences."""
    return fit_sequence_baseline(name, data, train, task).predict(RawSequences.of(data, asked))


@pytest.mark.parametrize(
    ("data", "task", "names"),
    [
        (EQUAL, CLASSES, ["majority", "nearest_neighbor", "ridge"]),
        (VALUES, NUMBERS, ["mean", "nearest_neighbor", "ridge"]),
        (LONG, CLASSES, ["majority", "nearest_neighbor", "ridge", "minirocket"]),
        (TEXTS, CLASSES, ["majority", "tfidf_logistic"]),
        (GRADED, NUMBERS, ["mean", "tfidf_ridge"]),
    ],
)
def test_the_baselines_are_those_that_fit_the_data(data: LabeledSequences, task: LabelSpec, names: list[str]) -> None:
    assert list(sequence_baseline_names(data, task)) == names


@each_row(("name", "data", "task"), EVERY)
def test_outputs_are_probabilities_or_numbers_and_stay_so_in_json_and_arrays(
    name: str, data: LabeledSequences, task: LabelSpec, tmp_path: Path
) -> None:
    split = split_of(data)
    fitted, asked = fit_sequence_baseline(name, data, split.train, task), RawSequences.of(data, split.evaluation)
    outputs = fitted.predict(asked)
    assert outputs.dtype == np.float32
    assert outputs.shape == (15, task.n_outputs)
    assert np.isfinite(outputs).all()
    if task.task == "classification":
        assert (outputs >= 0).all()
        assert outputs.sum(1) == pytest.approx(np.ones(15), abs=1e-6)
    assert fitted.n_parameters > 0
    single = [fitted.predict(asked.part(n, n + 1)) for n in range(15)]
    assert np.concatenate(single) == pytest.approx(outputs, abs=1e-6)
    assert fitted.predict(asked.part(0, 0)).shape == (0, task.n_outputs)
    values, arrays = fitted.state()
    save_file(arrays, tmp_path / "arrays")
    loaded = SEQUENCE_BASELINES[name].from_state(json.loads(json.dumps(values)), load_file(tmp_path / "arrays"))
    assert np.array_equal(loaded.predict(asked), outputs)
    assert (loaded.name, loaded.n_parameters) == (name, fitted.n_parameters)


def test_an_unknown_baseline_is_an_error() -> None:
    with pytest.raises(SpecError, match=r"baseline must be one of .* but got 'rigde'; did you mean 'ridge'"):
        fit_sequence_baseline("rigde", EQUAL, split_of(EQUAL).train, CLASSES)


@each_row(("name", "data", "task"), EVERY)
def test_only_what_is_given_is_read(data: LabeledSequences, task: LabelSpec, name: str) -> None:
    split = split_of(data)
    asked, others = split.evaluation[:5], split.evaluation[5:]
    expected = outputs_of(name, data, split.train, task, asked)
    hidden = data.hiding(others)
    labels = hidden.labels.copy()
    labels[asked] = 0  # what is asked for
    found = outputs_of(name, replace(hidden, labels=labels), split.train, task, asked)
    assert np.array_equal(found, expected)


@each_row(("name", "data", "task"), EVERY)
def test_what_looks_at_the_sequence_beats_what_does_not(data: LabeledSequences, task: LabelSpec, name: str) -> None:
    split = split_of(data, 20)
    evaluation = SequenceEvaluation.of(data, split.evaluation, task)
    first, *_ = sequence_baseline_names(data, task)
    outputs = {each: outputs_of(each, data, split.train, task, split.evaluation) for each in (first, name)}
    metric = "accuracy" if task.task == "classification" else "r2"
    scores = {each: evaluation.score(metric, outputs[each]) for each in outputs}
    if name == first:
        assert scores[name] == pytest.approx(1 / 3 if task.task == "classification" else 0, abs=0.2)
    else:
        assert scores[name] > scores[first] + 0.2


def test_the_majority_is_the_frequency_of_each_class() -> None:
    data = sequences_of([np.zeros((2, 1))] * 5, [0, 2, 2, 2, 1])
    assert outputs_of("majority", data, np.arange(4), CLASSES, np.array([4, 0])).tolist() == [[0.25, 0, 0.75]] * 2


def test_the_mean_is_that_of_the_training_labels() -> None:
    data = sequences_of([np.zeros((2, 1))] * 3, [1.0, 4.0, 100.0], classes=())
    assert outputs_of("mean", data, np.arange(2), NUMBERS, np.array([2])).tolist() == [[2.5]]


def test_the_nearest_neighbor_is_that_of_scikit_learn() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    train, evaluation = split_of(EQUAL).train, split_of(EQUAL).evaluation
    cube = EQUAL.values.astype(np.float64).reshape(len(EQUAL), 6, 2)
    moments = cube[train].reshape(-1, 2)
    flat = ((cube - moments.mean(0)) / moments.std(0)).reshape(len(EQUAL), -1)
    reference = KNeighborsClassifier(1).fit(flat[train], EQUAL.labels[train])
    outputs = outputs_of("nearest_neighbor", EQUAL, train, CLASSES, evaluation)
    assert outputs.argmax(1).tolist() == reference.predict(flat[evaluation]).tolist()
    assert sorted(set(outputs.ravel().tolist())) == [0, 1]


def test_no_channel_counts_more_for_its_unit() -> None:
    train, evaluation = split_of(EQUAL).train, split_of(EQUAL).evaluation
    scaled = replace(EQUAL, values=EQUAL.values * np.array([1e4, 1e-4], np.float32) + np.array([0, 3], np.float32))
    for name in ("nearest_neighbor", "ridge"):
        one, other = (outputs_of(name, data, train, CLASSES, evaluation) for data in (EQUAL, scaled))
        assert other == pytest.approx(one, abs=1e-2)


def test_a_sequence_that_is_played_slower_is_the_nearest_of_all() -> None:
    fast = np.array([0.0, 3.0, 1.0, 5.0])
    slow = np.interp(np.linspace(0, 3, 10), np.arange(4), fast)
    other = np.array([5.0, 1.0, 3.0, 0.0])
    data = sequences_of([fast, other, np.ones(4), slow], [0, 1, 2, 0])
    assert outputs_of("nearest_neighbor", data, np.arange(3), CLASSES, np.array([3])).argmax() == 0


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 20])
def test_a_stretched_sequence_is_interpolated_from_its_first_to_its_last_step(length: int) -> None:
    values = np.random.default_rng(0).standard_normal((length, 2))
    found = stretched(values, 7)
    for channel in range(2):
        expected = np.interp(np.linspace(0, length - 1, 7), np.arange(length), values[:, channel])
        assert found[:, channel] == pytest.approx(expected)


def test_ridge_is_that_of_scikit_learn_on_all_values_where_lengths_are_equal() -> None:
    from sklearn.linear_model import RidgeCV
    from sklearn.preprocessing import StandardScaler

    data = make_sequences(shortest=6, longest=6, n_classes=0)
    train, evaluation = split_of(data).train, split_of(data).evaluation
    flat = data.values.astype(np.float64).reshape(len(data), -1)
    scaler = StandardScaler().fit(flat[train])
    reference = RidgeCV(ALPHAS).fit(scaler.transform(flat[train]), data.labels[train])
    expected = reference.predict(scaler.transform(flat[evaluation]))
    assert outputs_of("ridge", data, train, NUMBERS, evaluation)[:, 0] == pytest.approx(expected, rel=1e-5)


def test_ridge_reads_summaries_where_lengths_are_unequal_or_the_table_would_be_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[int] = []
    summary = ridge.summary
    monkeypatch.setattr(ridge, "summary", lambda values: read.append(1) or summary(values))
    train = split_of(UNEQUAL).train
    fit_sequence_baseline("ridge", UNEQUAL, train, CLASSES)
    assert len(read) == len(train)
    fit_sequence_baseline("ridge", EQUAL, train, CLASSES)
    assert len(read) == len(train)
    monkeypatch.setattr(base, "MOST_NUMBERS", 100)
    fit_sequence_baseline("ridge", EQUAL, train, CLASSES)
    assert len(read) == 2 * len(train)


def test_a_summary_has_each_channels_moments_bounds_ends_and_slope() -> None:
    values = np.array([[1.0, 5], [3, 5], [8, 5]])
    expected = [4, 5, np.sqrt(26 / 3), 0, 1, 5, 8, 5, 1, 5, 8, 5, 3.5, 0]
    assert ridge.summary(values) == pytest.approx(expected)
    assert np.isfinite(ridge.summary(values[:1])).all()


@pytest.mark.parametrize(
    ("predicted", "nearest"),
    [
        ([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),
        ([0.5, 0.7, -0.2], [0.4, 0.6, 0]),
        ([1.4, 0.1, -0.5], [1, 0, 0]),
        ([0.4, 0.4, 0.5], [0.3, 0.3, 0.4]),
        ([-1.0, -1.0, -1.0], [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_a_linear_models_numbers_become_the_nearest_probabilities(predicted: list[float], nearest: list[float]) -> None:
    found = simplex(np.array([predicted]))[0]
    assert found == pytest.approx(0.99 * np.array(nearest) + 0.01 / 3)


def test_many_sequences_are_labeled_as_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    split = split_of(UNEQUAL)
    asked = RawSequences.of(UNEQUAL, split.evaluation)
    fitted = [fit_sequence_baseline(name, UNEQUAL, split.train, CLASSES) for name in ("nearest_neighbor", "ridge")]
    together = [each.predict(asked) for each in fitted]
    monkeypatch.setattr(base, "MOST_NUMBERS", 2 * len(split.train))
    for each, expected in zip(fitted, together, strict=True):
        assert each.predict(asked) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("texts", "expected"), [(["no good", "good", "bad"], 1), (["bad", "not good", "good"], 0)])
def test_word_pairs_are_counted(texts: list[str], expected: int) -> None:
    data = sequences_of(["good", "bad", "not bad", "not good"] * 5 + texts[:1], [1, 0, 1, 0] * 5 + [0])
    assert outputs_of("tfidf_logistic", data, np.arange(20), CLASSES, np.arange(4)).argmax(1).tolist() == [1, 0, 1, 0]


def test_a_class_without_training_texts_has_no_probability() -> None:
    data = sequences_of(["red", "blue", "red", "blue"], [0, 2, 0, 2])
    outputs = outputs_of("tfidf_logistic", data, np.arange(4), CLASSES, np.arange(2))
    assert outputs[:, 1].tolist() == [0, 0]
    assert outputs.argmax(1).tolist() == [0, 2]


def test_texts_without_any_word_are_an_error() -> None:
    data = sequences_of([" ", "", "  "], [0, 1, 0])
    with pytest.raises(DataError, match="none of the 2 training texts contains a word"):
        fit_sequence_baseline("tfidf_logistic", data, np.arange(2), CLASSES)


@pytest.mark.parametrize("count", [2, 3])
def test_tfidf_is_that_of_scikit_learn(count: int) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    task = LabelSpec("classification", "accuracy", ("a", "b", "c")[:count])
    kept = np.flatnonzero(TEXTS.labels < count)
    train, evaluation = kept[:-10], kept[-10:]
    words = TfidfVectorizer(
        tokenizer=partial(tokenize, kind="word"),
        token_pattern=None,
        lowercase=False,
        ngram_range=(1, 2),
        sublinear_tf=True,
    )
    parts = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    reference = make_pipeline(make_union(words, parts), LogisticRegression(C=10, max_iter=1000))
    reference.fit(TEXTS.texts[train], TEXTS.labels[train])
    expected = reference.predict_proba(TEXTS.texts[evaluation])
    assert outputs_of("tfidf_logistic", TEXTS, train, task, evaluation) == pytest.approx(expected, abs=1e-6)


def test_ridge_resamples_sequences_of_another_length_than_all_it_has_seen() -> None:
    data = sequences_of([np.linspace(0, level, 9) for level in range(1, 13)], np.arange(1, 13), classes=())
    fitted = fit_sequence_baseline("ridge", data, np.arange(12), NUMBERS)
    slow = sequences_of([np.linspace(0, 5, 17), np.linspace(0, 7, 5)], [0, 0], classes=())
    assert fitted.predict(RawSequences.of(slow))[:, 0] == pytest.approx([5, 7], abs=0.1)
