"""Scores of labels against scikit-learn, with classes that do not occur, and the direction of a difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.lazy import LazyModule
from helpers.sequences import CLASSES, NUMBERS, make_sequences

from lstmgru.errors import DataError
from lstmgru.evaluation.metrics import find_metric, metric_names
from lstmgru.evaluation.sequences import SequenceEvaluation
from lstmgru.specs import LabelSpec

reference = LazyModule("sklearn.metrics")

CLASS_METRICS, VALUE_METRICS = metric_names("classification"), metric_names("regression")
TWO = LabelSpec("classification", "auroc", ("no", "yes"))


def draw(n_classes: int, count: int = 200, *, seed: int = 0, absent: tuple[int, ...] = ()) -> tuple[Any, Any]:
    """Labels, and probabilities that know something of them; with ties, as baselines have them."""
    generator = np.random.default_rng(seed)
    labels = generator.choice([code for code in range(n_classes) if code not in absent], count)
    logits = generator.normal(size=(count, n_classes)) + 1.5 * np.eye(n_classes)[labels]
    shares = np.round(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), 2) + 1e-4
    return labels, (shares / shares.sum(1, keepdims=True)).astype(np.float32)


def score(metric: str, labels: Any, outputs: Any, task: LabelSpec = CLASSES) -> float:
    return SequenceEvaluation(np.asarray(labels), task).score(metric, np.asarray(outputs, np.float32))


@pytest.mark.parametrize("absent", [(), (1,)], ids=["all classes", "one class is absent"])
def test_scores_of_classes_are_those_of_scikit_learn(absent: tuple[int, ...]) -> None:
    labels, outputs = draw(3, absent=absent)
    predicted, exact = outputs.argmax(1), outputs / outputs.sum(1, keepdims=True, dtype=np.float64)
    found = SequenceEvaluation(labels, CLASSES).scores(outputs)
    occurring = [code for code in range(3) if code not in absent]
    areas = [reference.roc_auc_score(labels == code, outputs[:, code]) for code in occurring]
    assert found == pytest.approx(
        {
            "accuracy": reference.accuracy_score(labels, predicted),
            "balanced_accuracy": np.mean(
                reference.recall_score(labels, predicted, labels=occurring, average=None, zero_division=np.nan)
            ),
            "macro_f1": reference.f1_score(labels, predicted, labels=range(3), average="macro", zero_division=0),
            "log_loss": reference.log_loss(labels, exact, labels=range(3)),
            "auroc": np.mean(areas),
        }
    )
    if not absent:
        macro = reference.roc_auc_score(labels, outputs.astype(np.float64), multi_class="ovr", average="macro")
        assert found["auroc"] == pytest.approx(macro, abs=1e-6)
        assert found["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(labels, predicted))


def test_of_two_classes_the_second_ones_probability_is_scored() -> None:
    labels, outputs = draw(2)
    assert score("auroc", labels, outputs, TWO) == pytest.approx(reference.roc_auc_score(labels, outputs[:, 1]))
    assert score("auroc", [0, 0, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], TWO) == 1


def test_ties_count_half_in_the_area() -> None:
    assert score("auroc", [0, 1], [[0.5, 0.5], [0.5, 0.5]], TWO) == 0.5


def test_a_probability_of_0_costs_much_but_not_everything() -> None:
    assert score("log_loss", [0, 1], [[1, 0], [1, 0]], TWO) == pytest.approx(-np.log(2**-23) / 2)


def test_scores_of_numbers_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    labels = generator.normal(50, 10, 100).astype(np.float32)
    outputs = (labels + generator.normal(0, 5, 100)).astype(np.float32)[:, None]
    assert SequenceEvaluation(labels, NUMBERS).scores(outputs) == pytest.approx(
        {
            "mae": reference.mean_absolute_error(labels, outputs),
            "rmse": reference.root_mean_squared_error(labels, outputs),
            "r2": reference.r2_score(labels, outputs),
        }
    )


def test_a_score_without_a_value_is_nan_and_left_out() -> None:
    labels, outputs = np.zeros(5, np.int64), np.full((5, 2), 0.5, np.float32)
    assert np.isnan(score("auroc", labels, outputs, TWO))
    assert set(SequenceEvaluation(labels, TWO).scores(outputs)) == set(CLASS_METRICS) - {"auroc"}
    same = np.full(5, 7, np.float32)
    assert set(SequenceEvaluation(same, NUMBERS).scores(same[:, None] + 1)) == set(VALUE_METRICS) - {"r2"}


@pytest.mark.parametrize("metric", CLASS_METRICS)
def test_outputs_that_are_not_finite_have_no_score(metric: str) -> None:
    labels, outputs = draw(3)
    outputs[7, 1] = np.nan
    assert np.isnan(score(metric, labels, outputs))


@pytest.mark.parametrize(("metric", "task"), [("auroc", TWO), ("r2", NUMBERS)])
def test_a_metric_without_a_value_is_refused_by_name(metric: Any, task: LabelSpec) -> None:
    with pytest.raises(DataError, match=f"{metric} is undefined, because all 4 scored labels are the same"):
        SequenceEvaluation(np.ones(4, np.int64), task).check(metric)
    SequenceEvaluation(np.arange(4) % 2, task).check(metric)


def test_the_confusion_matrix_has_labels_in_rows_and_predictions_in_columns() -> None:
    labels, outputs = draw(3, absent=(1,))
    evaluation = SequenceEvaluation(labels, CLASSES)
    assert np.array_equal(
        evaluation.confusion(outputs), reference.confusion_matrix(labels, outputs.argmax(1), labels=range(3))
    )
    assert SequenceEvaluation(np.array([0]), TWO).confusion(np.array([[0.2, 0.8]], np.float32)).tolist() == [
        [0, 1],
        [0, 0],
    ]


@pytest.mark.parametrize("absent", [(), (1,)])
def test_the_table_of_classes_is_that_of_scikit_learn(absent: tuple[int, ...]) -> None:
    labels, outputs = draw(3, absent=absent)
    table = SequenceEvaluation(labels, CLASSES).per_class(outputs)
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        labels, outputs.argmax(1), labels=range(3), zero_division=0
    )
    assert table["class"].tolist() == ["a", "b", "c"]
    assert table["support"].tolist() == support.tolist()
    for column, expected in (("precision", precision), ("recall", recall), ("f1", f1)):
        assert table[column].tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("metric", CLASS_METRICS)
def test_a_difference_of_classes_is_below_0_where_the_first_is_better(metric: Any) -> None:
    labels, good = draw(3)
    bad = good[:, [1, 2, 0]]
    evaluation = SequenceEvaluation(labels, CLASSES)
    found = evaluation.difference(metric, good, bad)
    sign = -1 if find_metric(metric).larger_is_better else 1
    assert found.mean == pytest.approx(sign * (evaluation.score(metric, good) - evaluation.score(metric, bad)))
    assert found.low < found.mean < found.high < 0
    assert found.p_value < 0.01
    other = evaluation.difference(metric, bad, good)
    assert (other.mean, other.low, other.high) == pytest.approx((-found.mean, -found.high, -found.low))


@pytest.mark.parametrize("metric", VALUE_METRICS)
def test_a_difference_of_numbers_is_below_0_where_the_first_is_better(metric: Any) -> None:
    labels = np.random.default_rng(0).normal(size=100).astype(np.float32)
    noise = np.random.default_rng(1).normal(size=(100, 1)).astype(np.float32)
    found = SequenceEvaluation(labels, NUMBERS).difference(
        metric, labels[:, None] + 0.1 * noise, labels[:, None] + noise
    )
    assert found.high < 0


def test_a_difference_that_is_none_is_chance() -> None:
    labels, outputs = draw(3)
    found = SequenceEvaluation(labels, CLASSES).difference("accuracy", outputs, outputs)
    assert (found.mean, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_sequences_of_a_group_are_drawn_together() -> None:
    """Ten groups that are each right or wrong as a whole tell less than as many sequences that stand by themselves."""
    groups = np.repeat(np.arange(10), 20)
    labels = np.zeros(200, np.int64)
    good = np.tile(np.array([[0.9, 0.1]], np.float32), (200, 1))
    wrong = np.where((groups < 3)[:, None], good[:, ::-1], good)
    alone = SequenceEvaluation(labels, TWO).difference("accuracy", good, wrong)
    together = SequenceEvaluation(labels, TWO, groups).difference("accuracy", good, wrong)
    assert together.mean == alone.mean == pytest.approx(-0.3)
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_an_evaluation_is_of_the_sequences_that_are_scored() -> None:
    data = make_sequences(9)
    evaluation = SequenceEvaluation.of(data, np.array([2, 4]), CLASSES)
    assert evaluation.labels.tolist() == data.labels[[2, 4]].tolist()
    assert evaluation.groups is None
