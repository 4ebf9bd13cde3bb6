"""The words of a comparison: what counts as a difference, what a verdict says, and how p-values are corrected."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from helpers.combinations import each_row
from helpers.comparisons import make_baseline, make_family, make_score
from helpers.lazy import LazyModule

from lstmgru.evaluation.significance import holm, paired_interval
from search.compare.results import STANDINGS, ComparedBaseline, Difference, Standing
from search.compare.significance import (
    Compare,
    against_baselines,
    baseline_differences,
    differences,
    seeds_differ,
    seeds_differ_from,
    standing,
    verdict,
)
from search.tasks.compare import Terms
from search.tasks.forecasting.compare import ForecastSeed, error_interval

stats = LazyModule("scipy.stats")

WINDOWS = Terms("mae", "windows", ("sales",))


@each_row(
    ("mean", "low", "corrected", "beyond_seeds", "expected"),
    [
        (0.2, 0.1, 0.01, True, "worse"),
        (-0.2, -0.3, 0.01, True, "better"),
        (0.2, 0.1, 0.049, True, "worse"),
        (0.2, 0.1, 0.05, True, "equal"),
        (0.2, 0.01, 0.08, True, "equal"),  # the interval leaves out 0, but not after the correction
        (0.2, -0.1, 0.4, False, "equal"),
        (0.2, 0.1, 0.01, False, "seeds"),
        (-0.2, -0.3, 0.01, False, "seeds"),
        (0.2, None, 1.0, True, "unknown"),
        (0.2, 0.1, 0.01, None, "unknown"),
    ],
)
def test_a_difference_counts_beyond_chance_and_beyond_seeds(
    mean: float, low: float | None, corrected: float, beyond_seeds: bool | None, expected: Standing
) -> None:
    high = None if low is None else mean + 0.1
    found = Difference(mean, low, high, corrected / 2, corrected, beyond_seeds)
    assert standing(found, larger_is_better=False) == expected
    opposite = {"worse": "better", "better": "worse"}.get(expected, expected)
    assert standing(found, larger_is_better=True) == opposite


@each_row(
    ("one", "other", "expected"),
    [
        ([1.0, 1.1, 0.9, 1.0], [2.0, 2.1, 1.9, 2.0], True),
        ([1.0, 1.1, 0.9, 1.0], [1.05, 1.1, 0.95, 1.0], False),
        ([1.0, 3.0], [2.0, 4.0], False),
        ([1.0, 1.0], [1.0, 1.0], False),
        ([1.0, 1.0], [1.2, 1.2], True),
        ([1.0], [2.0, 2.1], None),
        ([1.0, 1.1], [], None),
    ],
)
def test_seeds_differ_where_welchs_test_says_so(one: list[float], other: list[float], expected: bool | None) -> None:
    assert seeds_differ(one, other) is expected


def test_the_test_of_seeds_is_scipys() -> None:
    generator = np.random.default_rng(0)
    answers = set()
    for shift in np.linspace(0, 2, 40):
        one, other = generator.normal(size=5), generator.normal(loc=shift, scale=2, size=4)
        expected = bool(stats.ttest_ind(one, other, equal_var=False).pvalue < 0.05)
        answers.add(expected)
        assert seeds_differ(list(one), list(other)) is expected
    assert answers == {True, False}


@each_row(
    ("standings", "words"),
    [
        ({}, "Only gru has a score, so there is nothing to compare."),
        (
            {"lstm": "worse", "fused": "worse"},
            "gru is the best family: its errors on the holdout are lower than those of lstm and fused.",
        ),
        ({"lstm": "worse"}, "gru is the best family: its errors on the holdout are lower than those of lstm."),
        (
            {"lstm": "equal", "fused": "equal", "stacked": "equal"},
            "No significant difference: gru has the best score on the folds; lstm, fused and stacked are not "
            "significantly different on the holdout.",
        ),
        (
            {"lstm": "seeds", "fused": "equal"},
            "No significant difference: gru has the best score on the folds; fused is not significantly different on "
            "the holdout, and lstm differs from gru by no more than the variation between seeds.",
        ),
        (
            {"lstm": "worse", "fused": "equal", "stacked": "unknown"},
            "gru is better than lstm; fused is not significantly different on the holdout, and there are too few "
            "cutoffs or seeds to compare gru with stacked.",
        ),
        (
            {"lstm": "unknown", "fused": "unknown"},
            "gru has the best score on the folds, but there are too few cutoffs or seeds to compare it with the "
            "others.",
        ),
        (
            {"lstm": "better", "fused": "worse"},
            "Folds and holdout disagree: gru has the best score on the folds, but lstm has lower errors on the "
            "holdout. No family is the best one.",
        ),
        (
            {"lstm": "better", "fused": "better"},
            "Folds and holdout disagree: gru has the best score on the folds, but lstm and fused have lower errors on "
            "the holdout. No family is the best one.",
        ),
    ],
)
def test_a_verdict_says_what_the_standings_support(standings: dict[str, Standing], words: str) -> None:
    assert verdict("gru", standings, WINDOWS) == words


@pytest.mark.parametrize(
    ("metric", "cases", "standings", "words"),
    [
        (
            "accuracy", "texts", {"lstm": "worse", "fused": "worse"},
            "gru is the best family: its accuracy on the holdout is higher than that of lstm and fused.",
        ),
        (
            "log_loss", "sequences", {"lstm": "worse"},
            "gru is the best family: its log loss on the holdout is lower than that of lstm.",
        ),
        (
            "macro_f1", "texts", {"lstm": "better", "fused": "better"},
            "Folds and holdout disagree: gru has the best score on the folds, but lstm and fused have a higher macro "
            "F1 on the holdout. No family is the best one.",
        ),
        (
            "mae", "sequences", {"lstm": "better"},
            "Folds and holdout disagree: gru has the best score on the folds, but lstm has a lower MAE on the holdout. "
            "No family is the best one.",
        ),
        (
            "r2", "sequences", {"lstm": "worse", "fused": "unknown"},
            "gru is better than lstm; there are too few sequences or seeds to compare gru with fused.",
        ),
        (
            "auroc", "texts", {"lstm": "unknown"},
            "gru has the best score on the folds, but there are too few texts or seeds to compare it with the others.",
        ),
    ],
)  # fmt: skip
def test_a_verdict_speaks_of_the_score_the_way_it_is_better(
    metric: str, cases: Any, standings: dict[str, Standing], words: str
) -> None:
    assert verdict("gru", standings, Terms(metric, cases)) == words


def test_there_is_a_winner_only_where_all_others_are_worse() -> None:
    for other in [name for name in STANDINGS if name != "best"]:
        said = verdict("gru", {"lstm": "worse", "fused": other}, WINDOWS)
        assert said.startswith("gru is the best family") == (other == "worse"), other


@each_row(
    ("baselines", "words"),
    [
        ([], ""),
        (
            [make_baseline("linear", 2.5), make_baseline("naive", 3.5)],
            "gru beats all baselines on the holdout; the best one is linear (MAE of sales 2.000 against 2.500, 20.0% "
            "lower).",
        ),
        (
            [make_baseline()],
            "gru beats the only baseline on the holdout; the best one is seasonal naive (MAE of sales 2.000 against "
            "2.500, 20.0% lower).",
        ),
        (
            [make_baseline("linear", 2.1), make_baseline("naive", 3.5, standing="seeds")],
            "gru beats the best baseline on the holdout (linear): MAE of sales 2.000 against 2.100, 4.8% lower.",
        ),
        (
            [make_baseline("linear", 1.9, standing="better"), make_baseline("naive", 3.5)],
            "On the holdout, the baseline linear is better than gru (MAE of sales 2.000 against 1.900, 5.3% higher): "
            "use it.",
        ),
        (
            [make_baseline("linear", 1.8, standing="better"), make_baseline("theta", 1.9, standing="better")],
            "On the holdout, the baselines linear and theta are better than gru (MAE of sales 2.000 against 1.800, "
            "11.1% higher): use linear.",
        ),
        (
            [make_baseline("linear", 1.9, standing="equal"), make_baseline("naive", 3.5)],
            "gru does not beat the best baseline on the holdout (linear): MAE of sales 2.000 against 1.900, 5.3% "
            "higher, a difference that is not significant. Prefer linear.",
        ),
        (
            [make_baseline("linear", 2.1, standing="seeds"), make_baseline("naive", 3.5)],
            "gru does not clearly beat the best baseline on the holdout (linear): MAE of sales 2.000 against 2.100, "
            "4.8% lower, a difference that is not significant.",
        ),
        (
            [make_baseline("linear", 2.1, standing="unknown", difference=Difference(0.1, None, None, 1.0, 1.0, True))],
            "gru does not clearly beat the best baseline on the holdout (linear): MAE of sales 2.000 against 2.100, "
            "4.8% lower, with too few cutoffs for a significance test.",
        ),
        (
            [make_baseline("linear", 2.0, standing="equal")],
            "gru does not beat the best baseline on the holdout (linear): MAE of sales 2.000 against 2.000, equal. "
            "Prefer linear.",
        ),
    ],
)  # fmt: skip
def test_the_best_family_is_compared_with_the_baselines_on_the_holdout(
    baselines: list[ComparedBaseline], words: str
) -> None:
    gru = make_family("gru", standing="best", folds=make_score(1.0), holdout=make_score(2.0))

    assert against_baselines(gru, baselines, WINDOWS) == words


def test_the_best_baseline_is_the_one_with_the_largest_accuracy() -> None:
    gru = make_family("gru", standing="best", holdout=make_score(0.8))
    said = partial(against_baselines, terms=Terms("accuracy", "texts"))

    assert said(gru, [make_baseline("ridge", 0.7, standing="equal")]).startswith("gru does not clearly beat")
    assert said(gru, [make_baseline("ridge", 0.9, standing="equal")]).endswith("Prefer ridge.")


@pytest.mark.parametrize(
    ("seeds", "value", "expected"),
    [([1.0, 1.1, 0.9], 2.0, True), ([1.0, 1.1, 0.9], 1.05, False), ([1.0], 2.0, None), ([1.0, 1.0], 1.1, True),
     ([1.0, 1.0], 1.0, False)],
)  # fmt: skip
def test_seeds_differ_from_a_baseline_where_the_t_test_says_so(
    seeds: list[float], value: float, expected: bool | None
) -> None:
    assert seeds_differ_from(seeds, value) is expected
    if len(set(seeds)) > 1:
        assert bool(stats.ttest_1samp(seeds, value).pvalue < 0.05) is expected


# --- the tests behind the standings -----------------------------------------------------------------------------------


def over_windows(overlap: int) -> Compare:
    return partial(error_interval, overlap=overlap)


def seed_result(by_time: Any, holdout: float | None = None) -> ForecastSeed:
    score = float(np.mean(by_time)) if holdout is None else holdout
    return ForecastSeed(0, (score,), (1,), 0.1, 0.1, score, (score,), tuple(by_time))


def errors(shift: float, seed: int, count: int = 300) -> np.ndarray:
    """Errors of neighboring windows, which share parts."""
    noise = np.random.default_rng(seed).normal(0, 0.3, count + 6)
    return 2 + shift + np.convolve(noise, np.ones(7) / 7, "valid")


def test_a_difference_has_the_interval_of_the_windows_averaged_over_the_seeds() -> None:
    seeds = [errors(0.0, 1), errors(0.0, 2)]
    others = [errors(0.2, 3), errors(0.2, 4)]
    results = {"gru": [seed_result(each) for each in seeds], "lstm": [seed_result(each) for each in others]}

    found = differences(results, "gru", over_windows(7))

    expected = paired_interval(np.mean(others, axis=0) - np.mean(seeds, axis=0), np.arange(300), overlap=7)
    assert list(found) == ["lstm"]
    assert (found["lstm"].mean, found["lstm"].low, found["lstm"].high) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )
    assert found["lstm"].corrected == found["lstm"].p_value == pytest.approx(expected.p_value)


def test_baselines_are_compared_with_the_seeds_of_the_best_family_and_corrected_for_their_number() -> None:
    best = [seed_result(errors(0.0, seed)) for seed in (1, 2, 3)]
    baselines = {"linear": seed_result(errors(0.05, 4)), "naive": seed_result(errors(1.0, 5))}

    found = baseline_differences(baselines, best, over_windows(7))

    mean = np.mean([errors(0.0, seed) for seed in (1, 2, 3)], axis=0)
    for name, result in baselines.items():
        expected = paired_interval(np.array(result.by_time) - mean, np.arange(300), overlap=7)
        assert (found[name].mean, found[name].p_value) == pytest.approx((expected.mean, expected.p_value))
    assert [each.corrected for each in found.values()] == pytest.approx(holm([each.p_value for each in found.values()]))
    assert standing(found["naive"], larger_is_better=False) == "worse"


def test_several_differences_are_corrected_together() -> None:
    shifts = {"gru": 0.0, "lstm": 0.02, "fused": 0.05, "stacked": 0.1}
    results = {name: [seed_result(errors(shift, seed)) for seed in (1, 2)] for name, shift in shifts.items()}
    results = {name: [*found, seed_result(errors(shifts[name], 9 + len(name)))] for name, found in results.items()}

    found = differences(results, "gru", over_windows(7))

    assert [each.corrected for each in found.values()] == pytest.approx(holm([each.p_value for each in found.values()]))
    assert any(each.corrected > each.p_value for each in found.values())


def test_too_few_windows_of_one_series_have_no_interval() -> None:
    results = {name: [seed_result([1.0 + shift] * 4)] * 2 for name, shift in (("gru", 0.0), ("lstm", 3.0))}

    found = differences(results, "gru", over_windows(3))["lstm"]

    assert (found.low, found.high, found.corrected) == (None, None, 1.0)
    assert standing(found, larger_is_better=False) == "unknown"


def test_the_luck_of_seeds_is_seldom_taken_for_a_difference() -> None:
    """Two families that are the same: their seeds are networks that differ a little on all windows alike."""
    generator = np.random.default_rng(0)
    by_windows = by_both = 0
    for _ in range(300):
        windows = 2 + generator.normal(0, 0.3, 60)
        results = {
            name: [seed_result(windows + generator.normal(0, 0.05) + generator.normal(0, 0.1, 60)) for _ in range(5)]
            for name in ("gru", "lstm")
        }
        found = differences(results, "gru", over_windows(1))["lstm"]
        by_windows += found.corrected < 0.05
        by_both += standing(found, larger_is_better=False) in ("worse", "better")
    assert by_windows / 300 > 0.5
    assert by_both / 300 < 0.06
