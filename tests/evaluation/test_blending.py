"""Blends are selected greedily with replacement, as an independent search by brute force selects them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Sequence

import numpy as np
import pytest
from helpers.combinations import each_row

from lstmgru.evaluation.blending import Criterion, Folds, blended, blended_folds, select


def mae(outputs: Folds) -> float:
    """Mean over the folds of the mean absolute output: the true values are 0."""
    return float(np.mean([np.abs(values).mean() for values in outputs]))


def mse(outputs: Folds) -> float:
    return float(np.mean([np.square(values).mean() for values in outputs]))


def folds(*values: Sequence[float]) -> list[np.ndarray]:
    return [np.array(each, np.float32) for each in values]


def brute_force(
    candidates: Sequence[Folds], score: Callable[[Folds], float], *, members: int, rounds: int, sign: int = 1
) -> tuple[dict[int, float], float]:
    """Greedy selection that averages every multiset from scratch, in exact order and with the rule of the prefix."""
    chosen: list[int] = []
    scores: list[float] = []
    for _ in range(rounds):
        best: tuple[float, bool, int] | None = None
        for each in range(len(candidates)):
            trial = [*chosen, each]
            if len(set(trial)) > members:
                continue
            mean = [
                np.mean([np.asarray(candidates[i][fold], np.float64) for i in trial], axis=0)
                for fold in range(len(candidates[0]))
            ]
            key = (sign * score(mean), each not in chosen, each)
            if best is None or (key[0] < best[0] - 1e-9) or (abs(key[0] - best[0]) <= 1e-9 and key[1:] < best[1:]):
                best = key
        assert best is not None
        chosen.append(best[2])
        scores.append(best[0])
    kept = 0
    for count in range(1, rounds):
        if scores[count] < scores[kept] - 1e-4 * abs(scores[kept]):
            kept = count
    prefix = chosen[: kept + 1]
    return {each: prefix.count(each) / len(prefix) for each in set(prefix)}, sign * scores[kept]


@each_row(
    ("candidates", "expected"),
    [
        # One is best, and nothing helps it.
        ([folds([1, 1], [1]), folds([3, 3], [3])], {0: 1.0}),
        ([folds([3, 3], [3]), folds([1, 1], [1])], {1: 1.0}),
        # Opposite errors of the same size cancel.
        ([folds([1, 1], [1]), folds([-1, -1], [-1])], {0: 0.5, 1: 0.5}),
        # Opposite errors of different size: chosen as often as their sizes demand.
        ([folds([1, 1], [1]), folds([-2, -2], [-2])], {0: 2 / 3, 1: 1 / 3}),
        ([folds([1, 1], [1]), folds([-3, -3], [-3])], {0: 0.75, 1: 0.25}),
        # Equal candidates: the first, alone.
        ([folds([2, -1], [1]), folds([2, -1], [1]), folds([2, -1], [1])], {0: 1.0}),
        # A candidate that improves by less than a share of 1e-4 is not worth a member.
        ([folds([1000, 0.05]), folds([1000, -0.05])], {0: 1.0}),
            ([folds([100, 0.05]), folds([100, -0.05])], {0: 0.5, 1: 0.5}),
        # NaN is no candidate.
        ([folds([1, np.nan], [1]), folds([4, 4], [4])], {1: 1.0}),
        ([folds([4, 4], [4]), folds([-4, np.nan], [-4])], {0: 1.0}),
        # A fold counts the same, however many cases it has.
        ([folds([0, 0, 0, 0, 0, 0], [5]), folds([3, 3, 3, 3, 3, 3], [1])], {1: 1.0}),
    ],
)  # fmt: skip
def test_members_and_weights(candidates: list[Folds], expected: dict[int, float]) -> None:
    found = select(candidates, Criterion(mae))
    assert found is not None
    assert found.weights == pytest.approx(expected)
    assert list(found.weights) == sorted(found.weights, key=lambda each: (-found.weights[each], each))
    assert sum(found.weights.values()) == pytest.approx(1)
    assert found.score == mae(blended_folds(candidates, found.weights))


def test_a_longer_selection_is_undone_to_the_best_prefix() -> None:
    """The first two rounds cancel; every further round is worse until the counts are even again, and no better then."""
    found = select([folds([1.0]), folds([-1.0])], Criterion(lambda outputs: mae(outputs) + 1), rounds=7)
    assert found is not None
    assert found.weights == {0: 0.5, 1: 0.5}
    assert found.score == 1.0


@each_row(("rounds", "members"), [(1, 8), (2, 8), (20, 8), (20, 2), (20, 1)])
@each_row("seed", range(6))
def test_the_selection_is_that_of_brute_force(seed: int, rounds: int, members: int) -> None:
    generator = np.random.default_rng(seed)
    quality = generator.uniform(0.5, 1.5, 7)
    candidates = [folds(*(generator.normal(0, size, (count, 2)) for count in (9, 5))) for size in quality]
    weights, score = brute_force(candidates, mse, members=members, rounds=rounds)
    found = select(candidates, Criterion(mse), members=members, rounds=rounds)
    assert found is not None
    assert found.weights == pytest.approx(weights)
    assert found.score == pytest.approx(score, rel=1e-5)
    assert len(found.weights) <= members
    assert found.score <= min(map(mse, candidates)) * (1 + 1e-6)
    assert found == select(candidates, Criterion(mse), members=members, rounds=rounds)


@pytest.mark.parametrize("seed", range(4))
def test_larger_scores_may_be_better(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = [generator.normal(size=40) for _ in range(2)]
    candidates = [folds(*(each + generator.normal(0, 1.5, 40) for each in truth)) for _ in range(5)]

    def r2(outputs: Folds) -> float:
        pairs = zip(outputs, truth, strict=True)
        return float(np.mean([1 - np.square(found - true).sum() / np.square(true).sum() for found, true in pairs]))

    weights, score = brute_force(candidates, r2, members=8, rounds=20, sign=-1)
    found = select(candidates, Criterion(r2, larger_is_better=True))
    assert found is not None
    assert found.weights == pytest.approx(weights)
    assert found.score == pytest.approx(score, rel=1e-5)
    assert found.score > max(map(r2, candidates))


def test_more_candidates_never_make_the_start_worse() -> None:
    generator = np.random.default_rng(0)
    candidates = [folds(generator.normal(size=30)) for _ in range(12)]
    for count in range(1, 13):
        found = select(candidates[:count], Criterion(mse))
        assert found is not None
        assert found.score <= min(map(mse, candidates[:count])) * (1 + 1e-6)


# --- ties of accuracy -------------------------------------------------------------------------------------------------

LABELS = np.array([0, 1, 1, 0])


def accuracy(outputs: Folds) -> float:
    return float(np.mean([(values.argmax(axis=1) == LABELS).mean() for values in outputs]))


def log_loss(outputs: Folds) -> float:
    return float(np.mean([-np.log(values[np.arange(4), LABELS]).mean() for values in outputs]))


def sure(*right: float) -> Folds:
    """Probabilities of the true classes."""
    found = np.array(right, np.float32)
    return [np.where(np.arange(2) == LABELS[:, None], found[:, None], 1 - found[:, None]).astype(np.float32)]


@pytest.mark.parametrize(
    ("candidates", "tie_break", "members"),
    [
        ([sure(0.6, 0.6, 0.6, 0.4), sure(0.9, 0.9, 0.9, 0.4)], None, {0}),  # equal accuracy: the first
        ([sure(0.6, 0.6, 0.6, 0.4), sure(0.9, 0.9, 0.9, 0.4)], log_loss, {1}),  # ... or the more certain
        ([sure(0.9, 0.9, 0.1, 0.1), sure(0.51, 0.51, 0.51, 0.4)], log_loss, {1}),  # accuracy comes first
        ([sure(0.9, 0.9, 0.9, 0.2), sure(0.9, 0.9, 0.2, 0.9)], log_loss, {0, 1}),  # together all are right
        ([sure(0.9, 0.6, 0.9, 0.6), sure(0.6, 0.9, 0.6, 0.9)], None, {0}),  # all are right already
        ([sure(0.9, 0.6, 0.9, 0.6), sure(0.6, 0.9, 0.6, 0.9)], log_loss, {0, 1}),  # ... but less certain alone
    ],
)
def test_between_equal_accuracies_the_log_loss_decides(
    candidates: list[Folds], tie_break: Callable[[Folds], float] | None, members: set[int]
) -> None:
    found = select(candidates, Criterion(accuracy, larger_is_better=True, tie_break=tie_break))
    assert found is not None
    assert set(found.weights) == members


# --- bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "members"), [(5, {0, 1}), (4, {0}), (2, {1}), (1, {2}), (0, None)])
def test_a_bound_holds_for_the_sum_of_the_members(limit: int, members: set[int] | None) -> None:
    candidates, costs = [folds([1.0]), folds([-1.0]), folds([5.0])], [3, 2, 1]

    def allowed(positions: Collection[int]) -> bool:
        return sum(costs[each] for each in positions) <= limit

    found = select(candidates, Criterion(mae), allowed=allowed)
    assert (None if found is None else set(found.weights)) == members


@pytest.mark.parametrize("candidates", [[], [folds([np.nan])], [folds([np.inf, -np.inf])]])
def test_without_a_score_nothing_is_selected(candidates: list[Folds]) -> None:
    def score(outputs: Folds) -> float:
        value = mae(outputs)
        return value if math.isfinite(value) else math.nan

    assert select(candidates, Criterion(score)) is None


# --- outputs ----------------------------------------------------------------------------------------------------------


def test_a_single_member_is_blended_to_itself_bit_for_bit() -> None:
    values = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert blended([values], [1.0]).tobytes() == values.tobytes()


def test_blended_outputs_are_the_weighted_mean() -> None:
    generator = np.random.default_rng(0)
    outputs = [generator.normal(size=(6, 3, 2)).astype(np.float32) for _ in range(3)]
    weights = (0.5, 0.3, 0.2)
    expected = np.einsum("m,mnhy->nhy", weights, np.stack(outputs).astype(np.float64))
    np.testing.assert_allclose(blended(outputs, weights), expected, rtol=1e-6, atol=1e-7)
    for order in itertools.permutations(range(3)):
        again = blended([outputs[each] for each in order], [weights[each] for each in order])
        np.testing.assert_allclose(again, expected, rtol=1e-6, atol=1e-7)
