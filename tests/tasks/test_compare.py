"""What tasks answer to a comparison: intervals of differences, scores of steps, contexts, lengths and classes."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.combinations import each_row
from helpers.comparisons import JobContext
from helpers.drivers import plan_of
from helpers.running_comparisons import LABEL_STUDIES, label_candidate_of, label_plan_of

from lstmgru.evaluation.sequences import SequenceEvaluation
from lstmgru.evaluation.significance import paired_bootstrap
from lstmgru.specs import LabelSpec
from search.compare.significance import differences, standing
from search.tasks import task_of
from search.tasks.compare import ContextScore
from search.tasks.final_steps import RefitCandidate, retrain
from search.tasks.forecasting.compare import context_scores
from search.tasks.sequences.compare import (
    ComparedSequences,
    SequenceSeed,
    case_lengths,
    drawn_scores,
    length_groups,
    score_interval,
)
from search.tasks.sequences.plan import SequencePlan


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SequencePlan]:
    return {name: label_plan_of(tmp_path_factory.mktemp(name), text) for name, text in LABEL_STUDIES.items()}


def result_of(candidate: RefitCandidate, seed: int = 5) -> SequenceSeed:
    result = retrain(candidate, seed, JobContext())
    assert isinstance(result, SequenceSeed)
    return result


CLASSES = LabelSpec("classification", "macro_f1", ("a", "b", "c"))


def outputs_of(labels: np.ndarray, right: float, seed: int) -> np.ndarray:
    """(k, 3) probabilities, the largest one of the right class in that share of the cases."""
    generator = np.random.default_rng(seed)
    chosen = np.where(generator.random(len(labels)) < right, labels, generator.integers(3, size=len(labels)))
    outputs = generator.random((len(labels), 3))
    outputs[np.arange(len(labels)), chosen] += 1
    return (outputs / outputs.sum(axis=1, keepdims=True)).astype(np.float32)


def seed_of(evaluation: SequenceEvaluation, outputs: np.ndarray) -> SequenceSeed:
    score = evaluation.score(evaluation.task.metric, outputs)
    return SequenceSeed(0, (score,), (1,), 0.1, 0.1, score, drawn_scores(evaluation, outputs), (), (), ())


@pytest.mark.parametrize(
    ("metric", "grouped"),
    [
        ("accuracy", False),
        ("accuracy", True),
        ("balanced_accuracy", True),
        ("macro_f1", True),
        ("log_loss", False),
        ("auroc", False),
    ],
)
def test_a_difference_of_single_seeds_is_that_of_two_methods(metric: Any, grouped: bool) -> None:
    labels = np.random.default_rng(0).integers(3, size=90)
    groups = np.arange(90) // 6 if grouped else None
    evaluation = SequenceEvaluation(labels, replace(CLASSES, metric=metric), groups)
    good, bad = outputs_of(labels, 0.8, 1), outputs_of(labels, 0.5, 2)

    found = score_interval([seed_of(evaluation, good)], [seed_of(evaluation, bad)], evaluation)

    expected = evaluation.difference(metric, good, bad)  # of errors
    sign = -1 if metric != "log_loss" else 1
    assert found.mean == pytest.approx(sign * expected.mean)
    assert sorted((sign * found.low, sign * found.high)) == pytest.approx([expected.low, expected.high])
    assert found.p_value == expected.p_value


def test_scores_are_averaged_over_the_seeds_draw_by_draw() -> None:
    """Accuracy is a mean over the cases, so that of several seeds is the accuracy of cases that are right in part."""
    labels = np.random.default_rng(0).integers(3, size=60)
    evaluation = SequenceEvaluation(labels, replace(CLASSES, metric="accuracy"))
    ours = [outputs_of(labels, 0.7, seed) for seed in (1, 2, 3)]
    theirs = [outputs_of(labels, 0.5, seed) for seed in (4, 5)]

    found = score_interval(
        [seed_of(evaluation, each) for each in ours], [seed_of(evaluation, each) for each in theirs], evaluation
    )

    right = [np.mean([each.argmax(axis=1) == labels for each in group], axis=0) for group in (ours, theirs)]
    expected = paired_bootstrap(lambda rows: float((right[0] - right[1])[rows].mean()), np.arange(60), "labels")
    assert (found.mean, found.low, found.high) == pytest.approx((expected.mean, expected.low, expected.high))
    assert found.p_value == pytest.approx(expected.p_value)


def test_too_few_groups_allow_no_claim() -> None:
    labels = np.random.default_rng(0).integers(3, size=60)
    evaluation = SequenceEvaluation(labels, CLASSES, groups=np.arange(60) // 20)
    results = {
        name: [seed_of(evaluation, outputs_of(labels, right, seed)) for seed in (1, 2)]
        for name, right in (("gru", 0.9), ("lstm", 0.4))
    }

    found = differences(results, "gru", partial(score_interval, evaluation=evaluation))["lstm"]

    assert (found.low, found.high, found.p_value) == (None, None, 1.0)
    assert found.mean == pytest.approx(results["lstm"][0].holdout - results["gru"][0].holdout, abs=0.2)
    assert standing(found, larger_is_better=True) == "unknown"


@each_row(
    ("lengths", "groups"),
    [
        ([5, 5, 5], []),
        ([3, 9], [[0], [1]]),
        ([4, 8, 6], [[0], [2], [1]]),
        ([1, 2, 3, 4, 5, 6], [[0, 1], [2, 3], [4, 5]]),
        ([7, 7, 7, 7, 7, 9], [[0, 1, 2, 3, 4], [5]]),
        ([1, 7, 7, 7, 7, 7], [[0], [1, 2, 3, 4, 5]]),
        ([1, 1, 1, 2, 2, 2, 2, 3, 3, 3], [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]]),
        ([1, 2, 3, 4, 4, 4, 4, 4, 4], [[0, 1, 2], [3, 4, 5, 6, 7, 8]]),
    ],
)
def test_cases_are_short_middle_or_long(lengths: list[int], groups: list[list[int]]) -> None:
    assert [group.tolist() for group in length_groups(np.array(lengths))] == groups


def test_steps_are_counted_and_of_texts_characters(plans: dict[str, SequencePlan]) -> None:
    waves, notes = plans["waves"].sequences, plans["notes"].sequences
    numbers = np.array([3, 0])

    assert case_lengths(waves, numbers).tolist() == waves.lengths[[3, 0]].tolist()
    assert case_lengths(notes, numbers).tolist() == [len(notes.texts[3]), len(notes.texts[0])]


def test_the_scores_by_length_and_by_class_fit_that_of_the_holdout(plans: dict[str, SequencePlan]) -> None:
    plan = plans["waves"]
    seeds = [result_of(label_candidate_of(plan), seed) for seed in (5, 6)]

    found = ComparedSequences(plan).findings(seeds)

    mean = np.mean([each.holdout for each in seeds])
    lengths, classes = found["lengths"], found["classes"]
    assert np.average([each.score for each in lengths], weights=[each.cases for each in lengths]) == pytest.approx(mean)
    assert np.average([each.recall for each in classes], weights=[each.support for each in classes]) == pytest.approx(
        mean
    )
    assert [each.name for each in classes] == ["fast", "flat", "slow"]
    assert [each.f1 for each in classes] == pytest.approx(np.mean([each.f1 for each in seeds], axis=0))
    assert all(one.longest < other.shortest for one, other in pairwise(lengths))


def test_where_a_part_has_no_score_it_is_left_out(plans: dict[str, SequencePlan]) -> None:
    plan = plans["waves"]
    seed = result_of(label_candidate_of(plan, epochs=1))
    without = replace(seed, by_length=(math.nan, *seed.by_length[1:]))

    lengths = ComparedSequences(plan).findings([seed, without])["lengths"]

    assert len(lengths) == len(seed.by_length) - 1


def test_sequences_of_one_length_and_numbers_have_no_parts(plans: dict[str, SequencePlan]) -> None:
    plan = plans["sums"]

    assert ComparedSequences(plan).findings([result_of(label_candidate_of(plan, epochs=1))]) == {
        "classes": (),
        "lengths": (),
    }


def test_the_task_of_a_plan_is_known(plans: dict[str, SequencePlan], tmp_path: Path) -> None:
    cases = {name: task_of(plan).compare(plan).terms.cases for name, plan in plans.items()}

    assert cases == {"waves": "sequences", "notes": "texts", "sums": "sequences"}
    assert task_of(plan_of(tmp_path)).compare(plan_of(tmp_path)).terms.cases == "windows"


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([], []),
        ([(14, 2.0)], [(14, 14, 1, 2.0)]),
        ([(14, 2.0), (7, 3.0), (14, 4.0), (14, 9.0)], [(7, 7, 1, 3.0), (14, 14, 3, 4.0)]),
        (
            [(length, float(length)) for length in range(1, 10)],
            [(1, 3, 3, 2.0), (4, 6, 3, 5.0), (7, 9, 3, 8.0)],
        ),
    ],
)
def test_scores_are_put_together_by_context(
    trials: list[tuple[int, float]], expected: list[tuple[int, int, int, float]]
) -> None:
    assert list(context_scores(trials)) == [ContextScore(*each) for each in expected]
