"""Strengths, weaknesses and advice: rules with thresholds, as tables."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.combinations import each_row
from helpers.comparisons import make_baseline, make_counts, make_family, make_label_family, make_score

from search.compare.results import FamilyResult
from search.compare.strengths import RULES, advise, class_traits, judge, with_traits
from search.tasks.compare import ClassScore, ContextScore, LengthScore, Terms

WINDOWS = Terms("mae", "windows")
OTHERS = (make_family("gru"), make_family("fused"))


def contexts(short: float, long: float, trials: int = 3) -> tuple[ContextScore, ...]:
    return ContextScore(7, 7, trials, short), ContextScore(14, 14, trials, long)


@each_row(
    ("measure", "changes", "good", "bad"),
    [
        ("latency", {"latency": 0.00075}, "fast single forecasts: 0.750 ms, 0.75 times the median of the others", None),
        ("latency", {"latency": 0.00076}, None, None),
        ("latency", {"latency": 0.00134}, None, "slow single forecasts: 1.34 ms, 1.3 times the median of the others"),
        ("latency", {"latency": None}, None, None),
        ("batch_latency", {"batch_latency": 0.001}, "fast forecasts of 64 windows: 1.00 ms, 0.25 times", None),
        ("batch_latency", {"batch_latency": 1.2}, None, "slow forecasts of 64 windows: 1.20 s, 300 times"),
        ("n_parameters", {"n_parameters": 500}, "small: 500 parameters, 0.50 times the median of the others", None),
        ("n_parameters", {"n_parameters": 1499}, None, None),
        ("n_parameters", {"n_parameters": 2500}, None, "large: 2,500 parameters, 2.5 times the median of the others"),
        ("memory", {"memory": 10_000_000}, "little memory in training: 10.0 MB, 0.50 times", None),
        ("memory", {"memory": 3_000_000}, "little memory in training: at most 5.00 MB, 0.25 times", None),
        ("memory", {"memory": 40_000_000}, None, "much memory in training: 40.0 MB, 2.0 times"),
        ("memory", {"memory": None}, None, None),
        ("epoch_seconds", {"epoch_seconds": 0.3}, "fast epochs: 300 ms, 0.60 times", None),
        ("epoch_seconds", {"epoch_seconds": 0.7}, None, "slow epochs: 700 ms, 1.4 times"),
        ("best_seconds", {"best_seconds": 1.2}, "trains quickly: 1.20 s until the best epoch, 0.60 times", None),
        ("best_seconds", {"best_seconds": 5.0}, None, "trains slowly: 5.00 s until the best epoch, 2.5 times"),
        ("sensitivity", {"sensitivity": 0.15}, "robust to hyperparameters: interquartile range of its", None),
        ("sensitivity", {"sensitivity": 0.6}, None, "sensitive to hyperparameters: interquartile range"),
        ("sensitivity", {"sensitivity": None}, None, None),
        ("failures", {"trials": make_counts(20, failed=2)}, None, "10% of its trials failed"),
        ("failures", {"trials": make_counts(20, failed=1)}, None, None),
        ("failures", {"trials": make_counts(20, failed=0)}, None, None),
        ("near", {"steps": (0.8, 1.0)}, "near steps: error of the first 0.800, 0.80 times", None),
        ("near", {"steps": (1.2, 2.0)}, None, "near steps: error of the first 1.200, 1.2 times"),
        ("near", {"steps": (0.5,)}, None, None),
        ("far", {"steps": (1.0, 1.6)}, "far steps: error of the last 1.600, 0.80 times", None),
        ("far", {"steps": (1.0, 2.4)}, None, "far steps: error of the last 2.400, 1.2 times"),
        ("context", {"contexts": contexts(2.0, 1.8)}, "gains from long contexts: median score 10% lower", None),
        ("context", {"contexts": contexts(2.0, 2.2)}, None, "loses with long contexts: median score 10% higher"),
        ("context", {"contexts": contexts(2.0, 1.95)}, None, None),
        ("context", {"contexts": contexts(2.0, 1.0, trials=2)}, None, None),
        ("context", {"contexts": contexts(2.0, 1.0)[:1]}, None, None),
    ],
)  # fmt: skip
def test_a_rule_finds_a_strength_or_a_weakness_beyond_its_threshold(
    measure: str, changes: dict[str, Any], good: str | None, bad: str | None
) -> None:
    (rule,) = [rule for rule in RULES if rule.measure == measure]

    for trait, text in zip(judge(rule, make_family("lstm", **changes), OTHERS, WINDOWS, 3), (good, bad), strict=True):
        assert (trait is None) == (text is None)
        if trait is not None and text is not None:
            assert trait.text.startswith(text)
            assert trait.measure == measure


def lengths(short: float, long: float, cases: int = 40) -> tuple[LengthScore, ...]:
    return LengthScore(3, 5, cases, short), LengthScore(6, 9, cases, long)


@each_row(
    ("measure", "metric", "changes", "good", "bad"),
    [
        ("short", "accuracy", {"lengths": lengths(0.85, 0.9)},
         "short texts: accuracy 0.850, its distance from 1 is 0.50 times the median of the others", None),
        ("short", "accuracy", {"lengths": lengths(0.6, 0.9)}, None, "short texts: accuracy 0.600, its distance"),
        ("short", "accuracy", {"lengths": lengths(0.75, 0.9)}, None, None),
        ("short", "accuracy", {"lengths": lengths(0.85, 0.9, cases=29)}, None, None),
        ("short", "accuracy", {"lengths": ()}, None, None),
        ("long", "accuracy", {"lengths": lengths(0.7, 0.95)}, "long texts: accuracy 0.950, its distance from 1", None),
        ("long", "log_loss", {"lengths": lengths(0.7, 0.6)}, "long texts: log loss 0.600, 0.67 times the median", None),
        ("long", "log_loss", {"lengths": lengths(0.7, 1.2)}, None, "long texts: log loss 1.200, 1.3 times the median"),
        ("latency", "accuracy", {"latency": 0.0005}, "fast single predictions: 0.500 ms, 0.50 times", None),
        ("batch_latency", "accuracy", {"batch_latency": 0.4}, None, "slow predictions of 64 texts: 400 ms, 100 times"),
        ("near", "accuracy", {}, None, None),
        ("context", "accuracy", {}, None, None),
    ],
)  # fmt: skip
def test_of_labels_short_and_long_ones_are_judged_and_no_steps(
    measure: str, metric: str, changes: dict[str, Any], good: str | None, bad: str | None
) -> None:
    (rule,) = [rule for rule in RULES if rule.measure == measure]
    family = make_label_family("lstm", **changes)
    others = (make_label_family("gru"), make_label_family("fused"))

    for trait, text in zip(judge(rule, family, others, Terms(metric, "texts"), 3), (good, bad), strict=True):
        assert (trait is None) == (text is None)
        assert trait is None or text is None or trait.text.startswith(text)


@pytest.mark.parametrize(
    ("classes", "good", "bad"),
    [
        ({"a": 0.95, "b": 0.6, "c": 0.8}, "strong on class a: F1 0.9500, median of the others 0.8000",
         "weak on class b: F1 0.6000, median of the others 0.7500"),
        ({"a": 0.85, "b": 0.7, "c": 0.8}, None, None),
        ({"a": 0.95, "b": 0.99, "c": 0.85}, "strong on class b: F1 0.99", None),
        ({}, None, None),
    ],
)  # fmt: skip
def test_the_class_that_a_family_is_best_and_worst_at_is_named(
    classes: dict[str, float], good: str | None, bad: str | None
) -> None:
    family = make_label_family("lstm", classes=tuple(ClassScore(name, 30, 0.8, f1) for name, f1 in classes.items()))
    others = (make_label_family("gru"), make_label_family("fused"))

    for trait, text in zip(class_traits(family, others), (good, bad), strict=True):
        assert (trait is None) == (text is None)
        assert trait is None or text is None or trait.text.startswith(text)


def test_little_is_said_of_a_class_with_few_labels() -> None:
    rare = make_label_family("lstm", classes=(ClassScore("a", 19, 0.9, 1.0), ClassScore("b", 19, 0.1, 0.1)))
    others = [make_label_family("gru")]

    assert class_traits(rare, others) == (None, None)


@pytest.mark.parametrize(("spread", "seeds", "good"), [(0.02, 3, True), (0.02, 2, False), (0.2, 3, False)])
def test_little_is_said_of_few_seeds(spread: float, seeds: int, good: bool) -> None:
    (rule,) = [rule for rule in RULES if rule.measure == "seeds"]
    score = make_score(2.0, 2.1)
    family = make_family(seeds=seeds, folds=type(score)(score.mean, spread, 0.1, 2.0, 2.1, score.by_seed))

    strength, weakness = judge(rule, family, OTHERS, WINDOWS, 3)

    assert (strength is not None) == good
    assert (weakness is not None) == (spread == 0.2)


def test_a_measure_that_no_other_family_has_says_nothing() -> None:
    (rule,) = [rule for rule in RULES if rule.measure == "memory"]
    others = [make_family("gru", memory=None)]

    assert judge(rule, make_family(memory=1), others, WINDOWS, 3) == (None, None)


def test_a_few_megabytes_are_not_told_apart() -> None:
    (rule,) = [rule for rule in RULES if rule.measure == "memory"]
    others = [make_family("gru", memory=4_000_000)]

    assert judge(rule, make_family(memory=0), others, WINDOWS, 3) == (None, None)


def test_families_that_are_alike_have_neither_strengths_nor_weaknesses() -> None:
    for rule in RULES:
        assert judge(rule, make_family("lstm"), OTHERS, WINDOWS, 3) == (None, None), rule.measure


@pytest.mark.parametrize(
    ("standings", "said"),
    [
        (("best", "equal", "equal"), (None, None, None)),
        (("best", "worse", "equal"), ("+accurate: better on the holdout than b", "-higher errors than the", None)),
        (("best", "better", "equal"), (None, "+accurate on the holdout", None)),
        (("best", "seeds", "unknown"), (None, None, None)),
    ],
)
def test_accuracy_is_a_trait_where_a_difference_is_shown(
    standings: tuple[Any, ...], said: tuple[str | None, ...]
) -> None:
    families = [make_family(name, standing=found) for name, found in zip("abc", standings, strict=True)]

    for family, expected in zip(with_traits(families, WINDOWS), said, strict=True):
        found = [f"+{t.text}" for t in family.strengths] + [f"-{t.text}" for t in family.weaknesses]
        assert len(found) == (expected is not None)
        assert expected is None or found[0].startswith(expected)


def test_of_labels_accuracy_is_spoken_of_by_its_name() -> None:
    families = [
        make_label_family(name, standing=found) for name, found in zip("abc", ("best", "worse", "better"), strict=True)
    ]

    first, second, third = with_traits(families, Terms("accuracy", "sequences"))

    assert first.strengths[0].text == "accurate: better on the holdout than b"
    assert second.weaknesses[0].text == "a lower accuracy than the best family"
    assert (
        third.strengths[0].text
        == "accurate on the holdout: a higher accuracy than the family that is best on the folds"
    )


def test_a_family_without_a_score_is_judged_by_nothing() -> None:
    unscored = make_family("lstm", standing=None, folds=None, latency=0.1)

    (first, *_) = with_traits([unscored, *OTHERS], WINDOWS)

    assert (first.strengths, first.weaknesses) == ((), ())


# --- advice -----------------------------------------------------------------------------------------------------------


def family(name: str, standing: Any, latency: float, size: int) -> FamilyResult:
    return make_family(name, standing=standing, latency=latency, n_parameters=size)


@pytest.mark.parametrize(
    ("families", "chosen"),
    [
        ([("a", "best", 3, 30), ("b", "equal", 2, 40), ("c", "worse", 1, 10)], ("a", "b", "a")),
        ([("a", "best", 3, 30), ("b", "worse", 2, 20), ("c", "worse", 1, 10)], ("a", "a", "a")),
        ([("a", "best", 3, 30), ("b", "seeds", 2, 20), ("c", "unknown", 1, 10)], ("a", "c", "c")),
        ([("a", "best", 1, 10), ("b", "better", 2, 20)], ("a", "a", "a")),
        ([("a", "best", 1, 10)], ("a", "a", "a")),
    ],
)
def test_speed_and_size_are_looked_for_among_what_is_not_shown_to_be_worse(
    families: list[tuple[str, Any, float, int]], chosen: tuple[str, ...]
) -> None:
    advice = advise([family(*each) for each in families], (), WINDOWS)

    assert [each.preference for each in advice] == ["accuracy", "speed", "size"]
    assert tuple(each.family for each in advice) == chosen


def test_advice_on_accuracy_names_those_that_need_not_be_worse() -> None:
    first, *_ = advise([family("a", "best", 1, 1), family("b", "equal", 1, 1), family("c", "worse", 1, 1)], (), WINDOWS)

    assert first.reason == "best score on the folds, 2.100; not significantly better than b"


def test_of_labels_the_quickest_prediction_is_advised() -> None:
    _, speed, _ = advise([family("a", "best", 2, 1), family("b", "equal", 1, 1)], (), Terms("accuracy", "sequences"))

    assert speed.reason == "fastest prediction among families that are not significantly worse, 1.00 s"


def test_nothing_is_advised_without_a_score() -> None:
    assert advise([make_family("a", standing=None)], (make_baseline(),), WINDOWS) == ()


def test_what_was_not_measured_is_not_advised() -> None:
    unmeasured = make_family("a", standing="best", latency=None, n_parameters=None)

    assert [each.preference for each in advise([unmeasured], (), WINDOWS)] == ["accuracy"]


@pytest.mark.parametrize(
    ("score", "latency", "size", "chosen"),
    [
        (1.9, 0.5, 5, ("linear", "linear", "linear")),  # ahead of the best family on the holdout, which has 2.0
        (2.0, 5, 50, ("linear", "b", "b")),  # as good, but neither fast nor small
        (2.2, 0.5, 5, ("a", "linear", "linear")),  # better than b, which has 2.3 and is not significantly worse
        (2.4, 0.5, 5, ("a", "b", "b")),  # worse than all families that count
    ],
)
def test_a_baseline_is_advised_where_it_is_as_good_and_costs_less(
    score: float, latency: float, size: int, chosen: tuple[str, ...]
) -> None:
    families = [
        make_family("a", standing="best", latency=3, n_parameters=30, holdout=make_score(2.0)),
        make_family("b", standing="equal", latency=2, n_parameters=20, holdout=make_score(2.3)),
        make_family("c", standing="worse", latency=1, n_parameters=10, holdout=make_score(3.0)),
    ]
    linear = make_baseline("linear", score, standing="equal", latency=latency, n_parameters=size)

    advice = advise(families, [linear, make_baseline("naive", 9.0, latency=0.001)], WINDOWS)

    assert tuple(each.family for each in advice) == chosen
    assert [each.kind for each in advice] == ["baseline" if name == "linear" else "family" for name in chosen]


def test_advice_on_a_baseline_says_what_it_is_as_good_as() -> None:
    best = make_family("gru", standing="best", holdout=make_score(0.8))
    ridge = make_baseline("ridge", 0.9, standing="equal")

    accuracy, speed, _ = advise([best], [ridge], Terms("accuracy", "sequences"))

    assert accuracy.reason == "gru is not better on the holdout, 0.9000 against 0.8000"
    tied, *_ = advise([best], [make_baseline("ridge", 0.8)], Terms("accuracy", "sequences"))
    assert tied.reason == "gru is equal on the holdout, 0.8000 against 0.8000"
    assert speed.reason == "fastest prediction, 0.100 ms; on the holdout at least as good as gru"
