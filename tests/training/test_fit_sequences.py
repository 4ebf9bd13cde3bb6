"""Fits of labeling networks: they learn, repeat exactly, read the training part only, and put outputs in order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from helpers.lazy import LazyModule
from helpers.sequences import CLASSES, NUMBERS, make_sequences, make_texts, sequences_of, split_of

from lstmgru.data.sequences.sequences import LabeledSequences
from lstmgru.data.sequences.vocabulary import WordVectors
from lstmgru.errors import DataError, SpecError
from lstmgru.evaluation.sequences import SequenceEvaluation
from lstmgru.specs import LabelSpec, SequenceModelSpec, TrainSpec, parse_branches

MODEL = SequenceModelSpec(parse_branches("bi-gru(6)"), max_length=8, pooling="mean")
WORDS = replace(MODEL, tokens="word", embedding_size=6, normalization="none", pooling="max")
TRAIN = TrainSpec(learning_rate=0.02, batch_size=8, max_epochs=12, loss="cross_entropy", accelerator="cpu")
FEW = replace(TRAIN, max_epochs=2)

if TYPE_CHECKING:
    from lstmgru.training.fit_sequences import SequenceFitResult
    from lstmgru.training.training import EpochResult

training = LazyModule("lstmgru.training.fit_sequences")


def fit(
    data: LabeledSequences | None = None,
    model: SequenceModelSpec = MODEL,
    train: TrainSpec = TRAIN,
    task: LabelSpec = CLASSES,
    **options: Any,
) -> SequenceFitResult:
    data = make_sequences() if data is None else data
    return training.fit_sequences(data, split_of(data), model, train, task, **options)


def test_classes_of_sequences_of_numbers_are_learnt() -> None:
    result = fit(make_sequences(150))
    assert result.outputs is not None
    assert result.outputs.shape == (15, 3)
    assert result.outputs.sum(1) == pytest.approx(np.ones(15), abs=1e-6)
    assert result.score > 0.85


def test_classes_of_texts_are_learnt() -> None:
    data = make_texts(120)
    assert fit(data, WORDS).score > 0.9


@pytest.mark.parametrize("loss", ["mae", "mse", "huber"])
def test_numbers_are_learnt_in_their_own_units(loss: str) -> None:
    data = make_sequences(n_classes=0)
    result = fit(data, train=replace(TRAIN, loss=loss), task=NUMBERS)  # type: ignore[arg-type]
    labels = data.labels[split_of(data).evaluation]
    assert result.outputs is not None
    assert result.outputs.shape == (15, 1)
    assert result.score == pytest.approx(np.sqrt(((labels - result.outputs[:, 0]) ** 2).mean()))
    assert result.score < 0.6 * labels.std()


@pytest.mark.parametrize(
    ("data", "model", "task"),
    [
        (make_sequences(), MODEL, CLASSES),
        (make_texts(), replace(WORDS, dropout=0.3, token_dropout=0.2), CLASSES),
        (make_sequences(n_classes=0), replace(MODEL, normalization="sequence"), NUMBERS),
        (make_sequences(), replace(MODEL, fcn_filters=4, convolution=3), CLASSES),
    ],
    ids=["numbers", "texts", "regression", "convolutions"],
)
def test_the_same_seed_gives_the_same_network(
    data: LabeledSequences, model: SequenceModelSpec, task: LabelSpec
) -> None:
    train = replace(FEW, loss="mse" if task.task == "regression" else "cross_entropy")
    one, two = (fit(data, model, train, task) for _ in range(2))
    assert one.outputs is not None
    assert two.outputs is not None
    assert np.array_equal(one.outputs, two.outputs)
    assert [each.train_loss for each in one.epochs] == [each.train_loss for each in two.epochs]
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, two.network.state_dict()[name])
    other = fit(data, model, replace(train, seed=1), task)
    assert other.outputs is not None
    assert not np.array_equal(one.outputs, other.outputs)


@pytest.mark.parametrize(("data", "model"), [(make_sequences(), MODEL), (make_texts(), WORDS)])
def test_outputs_are_what_the_best_network_predicts_in_the_order_of_the_split(
    data: LabeledSequences, model: SequenceModelSpec
) -> None:
    result, split = fit(data, model), split_of(data)
    predicted = training.predict_sequences(result.network, result.encoding, data, split.evaluation, CLASSES)
    assert result.outputs == pytest.approx(predicted, abs=1e-6)
    assert SequenceEvaluation.of(data, split.evaluation, CLASSES).score("accuracy", predicted) == result.score
    one_by_one = [
        training.predict_sequences(result.network, result.encoding, data, split.evaluation[[n]], CLASSES)
        for n in range(15)
    ]
    assert np.concatenate(one_by_one) == pytest.approx(predicted, abs=1e-6)


@pytest.mark.parametrize(("data", "model"), [(make_sequences(), MODEL), (make_texts(), WORDS)])
def test_only_the_training_part_is_learnt_from(data: LabeledSequences, model: SequenceModelSpec) -> None:
    split, train = split_of(data), replace(FEW, class_weights="balanced")
    whole = fit(data, model, train, validate=False)
    hidden = fit(data.hiding(split.evaluation), model, train, validate=False)
    assert hidden.encoding.to_dict() == whole.encoding.to_dict()
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, hidden.network.state_dict()[name])


def test_without_validation_all_epochs_are_trained_and_nothing_is_scored() -> None:
    result = fit(train=FEW, validate=False)
    assert result.outputs is None
    assert np.isnan(result.score)
    assert result.best_epoch == len(result.epochs) == 2


def test_the_best_epoch_is_the_one_with_the_largest_accuracy() -> None:
    result = fit()
    scores = [each.score for each in result.epochs]
    assert result.score == max(scores)
    assert result.best_epoch == scores.index(max(scores)) + 1


def test_a_longer_sequence_is_cut_at_its_end() -> None:
    result = fit(train=FEW)
    long = np.random.default_rng(0).standard_normal((20, 2))
    short, whole = (sequences_of([values], [0]) for values in (long[:8], long))
    predicted = [
        training.predict_sequences(result.network, result.encoding, data, np.array([0]), CLASSES)
        for data in (short, whole)
    ]
    assert np.array_equal(*predicted)


def test_a_table_without_labels_is_predicted() -> None:
    result = fit(train=FEW)
    data = make_sequences()
    unlabeled = replace(data, labels=np.zeros(0, np.int64))
    expected, predicted = (
        training.predict_sequences(result.network, result.encoding, each, np.array([3, 1]), CLASSES)
        for each in (data, unlabeled)
    )
    assert np.array_equal(predicted, expected)
    assert training.predict_sequences(result.network, result.encoding, data, np.zeros(0, np.int64), CLASSES).shape == (
        0,
        3,
    )


def test_the_observer_hears_of_every_epoch_and_may_stop_it() -> None:
    heard: list[EpochResult] = []

    class Once:
        def on_epoch(self, result: EpochResult) -> None:
            heard.append(result)

        def should_stop(self) -> bool:
            return len(heard) > 0

    assert fit(observer=Once()).stopped
    assert [each.epoch for each in heard] == [1]


def test_words_begin_with_the_vectors_that_are_given() -> None:
    generator = np.random.default_rng(0)
    vectors = WordVectors(6, {word: generator.standard_normal(6).astype(np.float32) for word in ("red", "sky", "none")})
    still = replace(FEW, learning_rate=1e-12, ema_decay=None)
    result = fit(make_texts(), WORDS, still, vectors=vectors)
    assert result.encoding.vocabulary is not None
    weight = result.network.reader.embedding.weight  # type: ignore[union-attr]
    for word in ("red", "sky"):
        code = result.encoding.vocabulary.tokens.index(word) + 2
        assert weight[code].tolist() == pytest.approx(vectors.vectors[word].tolist(), abs=1e-6)
    assert weight.isfinite().all()


@pytest.mark.parametrize(
    ("data", "model", "message"),
    [
        (make_texts(), replace(WORDS, embedding_size=5), r"embedding_size must be that of the vectors \(6\) but got 5"),
        (make_texts(), replace(WORDS, tokens="character"), "vectors of words need tokens of word but got 'character'"),
        (make_sequences(), MODEL, "vectors of words need tokens of word but got None"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(data: LabeledSequences, model: SequenceModelSpec, message: str) -> None:
    vectors = WordVectors(6, {"red": np.zeros(6, np.float32)})
    with pytest.raises(SpecError, match=message):
        fit(data, model, FEW, vectors=vectors)


@pytest.mark.parametrize(
    ("loss", "task", "message"),
    [
        ("mae", CLASSES, "the loss of a classification must be cross_entropy but got 'mae'"),
        ("cross_entropy", NUMBERS, "the loss of a regression must be mae, mse or huber but got 'cross_entropy'"),
        ("quantile", NUMBERS, "must be cross_entropy, mae, mse or huber but got 'quantile'"),
    ],
)
def test_a_loss_that_does_not_fit_the_labels_is_refused(loss: str, task: LabelSpec, message: str) -> None:
    data = make_sequences(n_classes=len(task.classes))
    with pytest.raises(SpecError, match=message):
        fit(data, train=replace(FEW, loss=loss), task=task)  # type: ignore[arg-type]


def test_a_metric_without_a_value_is_refused_before_the_training() -> None:
    data = make_sequences()
    labels = data.labels.copy()
    labels[split_of(data).evaluation] = 1
    with pytest.raises(DataError, match="auroc is undefined, because all 15 scored labels are the same"):
        fit(replace(data, labels=labels), task=replace(CLASSES, metric="auroc"))


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0] * 7 + [1] * 2 + [2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert training.balanced_weights(labels, CLASSES).tolist() == pytest.approx(expected.tolist())
    assert training.balanced_weights(labels[:9], CLASSES).tolist() == pytest.approx([9 / 14, 9 / 4, 0])


def test_balanced_weights_find_a_rare_class() -> None:
    """Where it differs little from the others, a rare class is worth guessing only if it weighs more."""
    generator = np.random.default_rng(0)
    labels = (np.arange(400) % 10 == 0).astype(np.int64)
    data = sequences_of(
        list(generator.standard_normal((400, 3, 1)) + 0.6 * labels[:, None, None]), labels, classes=(0, 1)
    )
    task = LabelSpec("classification", "balanced_accuracy", (0, 1))
    shares = {}
    for weights in ("none", "balanced"):
        train = replace(TRAIN, class_weights=weights, batch_size=32)  # type: ignore[arg-type]
        result = fit(data, train=train, task=task, validate=False)
        predicted = training.predict_sequences(result.network, result.encoding, data, np.arange(400), task)
        shares[weights] = predicted.argmax(1).mean()
    assert shares["none"] < 0.1
    assert shares["balanced"] > 0.2
