"""What is said of the winner, and how long the refit trains."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from helpers.combinations import each_row

from lstmgru.evaluation.significance import Interval
from search.study.records import HoldoutRecord
from search.tasks.epochs import refit_epochs
from search.tasks.verdict import around, judge, of_baselines, unscored


@pytest.mark.parametrize(
    ("best_epochs", "expected"), [([5], 5), ([4, 9, 30], 9), ([4, 9], 6), ([1, 2], 2), ([1, 1, 1, 9], 1)]
)
def test_the_refit_trains_for_the_median_of_the_best_epochs(best_epochs: list[int], expected: int) -> None:
    assert refit_epochs(best_epochs) == expected


@each_row(
    ("winner", "interval", "beats", "sentence"),
    [
        (2.0, Interval(-0.5, -0.7, -0.3), True, "The winner beats the best baseline (seasonal naive) on the holdout: "
         "MAE of sales 2.000 against 2.500, 20.0% lower."),
        (2.4, Interval(-0.1, -0.3, 0.1), False, "The winner does not clearly beat the best baseline (seasonal naive) "
         "on the holdout: MAE of sales 2.400 against 2.500, 4.0% lower, a difference that is not significant."),
        (2.6, Interval(0.1, -0.1, 0.3), False, "The winner does not beat the best baseline (seasonal naive) on the "
         "holdout: MAE of sales 2.600 against 2.500, 4.0% higher, a difference that is not significant. Prefer "
         "seasonal naive."),
        (25.0, Interval(22.5, -np.inf, np.inf, 1.0, "cutoffs"), False, "The winner does not beat the best baseline "
         "(seasonal naive) on the holdout: MAE of sales 25.00 against 2.50, 900.0% higher, with too few cutoffs for "
         "a significance test. Prefer seasonal naive."),
        (3.0, Interval(0.5, 0.3, 0.7, 0.016), False, "A simple baseline is better: seasonal naive beats the winner on "
         "the holdout (MAE of sales 3.000 against 2.500, 20.0% higher). Use seasonal naive."),
        (2.0, Interval(-0.5, -np.inf, np.inf, 1.0, "groups"), False, "The winner does not clearly beat the best "
         "baseline (seasonal naive) on the holdout: MAE of sales 2.000 against 2.500, 20.0% lower, with too few groups "
         "for a significance test."),
        # An interval on the other side than the scores, as one of squared errors may be, allows no claim.
        (2.6, Interval(-0.5, -0.7, -0.3), False, "The winner does not beat the best baseline (seasonal naive) on the "
         "holdout: MAE of sales 2.600 against 2.500, 4.0% higher, a difference that is not significant. Prefer "
         "seasonal naive."),
        (2.4, Interval(0.5, 0.3, 0.7, 0.001), False, "The winner does not clearly beat the best baseline (seasonal "
         "naive) on the holdout: MAE of sales 2.400 against 2.500, 4.0% lower, a difference that is not significant."),
        (2.5, Interval(0.0, -0.2, 0.2), False, "The winner does not beat the best baseline (seasonal naive) on the "
         "holdout: MAE of sales 2.500 against 2.500, equal. Prefer seasonal naive."),
        (2.4999, Interval(-0.1, -0.2, 0.2), False, "The winner does not clearly beat the best baseline (seasonal "
         "naive) on the holdout: MAE of sales 2.500 against 2.500, equal."),
        (2.5, Interval(0.0, -np.inf, np.inf, 1.0, "cutoffs"), False, "The winner does not beat the best baseline "
         "(seasonal naive) on the holdout: MAE of sales 2.500 against 2.500, equal, with too few cutoffs for a "
         "significance test. Prefer seasonal naive."),
        # A significant difference is shown with the digits that it needs.
        (2.49996, Interval(-0.1, -0.2, -0.1), True, "The winner beats the best baseline (seasonal naive) on the "
         "holdout: MAE of sales 2.49996 against 2.50000, less than 0.1% lower."),
    ],
)  # fmt: skip
def test_the_verdict_claims_what_the_interval_allows(
    winner: float, interval: Interval, beats: bool, sentence: str
) -> None:
    assert judge("mae", winner, "seasonal_naive", 2.5, interval, targets=["sales"], choices=3) == (sentence, beats)


@each_row(
    ("interval", "own", "squared", "ends"),
    [
        (Interval(-0.5, -0.7, -0.3, 0.01), False, False, (4.8, 5.2)),
        (Interval(-0.5, -0.9, -0.1, 0.01, blocks=0.2), False, False, (4.8, 5.2)),
        (Interval(-0.5, -3.0, 2.0, 0.60, blocks=0.2), False, False, (4.5, 5.5)),  # not significant: to 4.5
        (Interval(-0.5, -3.0, 2.0, 0.60, blocks=0.9), False, False, (4.1, 5.9)),
        (Interval(5.0, -3.0, 13.0, 0.20, blocks=0.2), True, False, (4.8, 5.2)),
        (Interval(0.0, -9.0, 9.0), False, True, (4.0, 34**0.5)),
        (Interval(0.0, -30.0, 30.0), False, True, (0.0, 55**0.5)),
        (Interval(9.0, -30.0, 48.0, 0.60, blocks=1.0), False, True, (4.0, 34**0.5)),
        (Interval.unknown(0.1, "cutoffs"), False, False, None),
    ],
)
def test_an_interval_is_shown_around_a_score(
    interval: Interval, own: bool, squared: bool, ends: tuple[float, float] | None
) -> None:
    assert around(5.0, interval, own=own, squared=squared) == (ends if ends is None else pytest.approx(ends))


def test_intervals_of_scores_come_back_from_the_journal() -> None:
    record = HoldoutRecord(1, 2.0, {}, "It wins.", True, (), 1, (1.5, 2.5), {"naive": (2.5, 3.5)})

    assert HoldoutRecord.from_dict(json.loads(json.dumps(asdict(record)))) == record
    old = {name: value for name, value in asdict(record).items() if "interval" not in name}
    assert HoldoutRecord.from_dict(old).score_interval is None


@pytest.mark.parametrize(("choices", "claimed"), [(1, True), (2, True), (3, False)])
def test_a_baseline_that_was_chosen_from_several_has_to_be_better_beyond_the_choice(
    choices: int, claimed: bool
) -> None:
    sentence, beats = judge("mae", 3.0, "linear", 2.5, Interval(0.5, 0.1, 0.9, 0.02), targets=[], choices=choices)

    assert sentence.startswith("A simple baseline is better") == claimed
    assert ("a difference that is not significant. Prefer linear." in sentence) == (not claimed)
    assert not beats


def test_a_blend_is_called_a_blend() -> None:
    better, worse = Interval(-0.5, -0.9, -0.1, 0.02), Interval(0.5, 0.3, 0.7, 0.001)
    assert judge("mae", 2.0, "linear", 2.5, better, targets=[], choices=1, called="blend")[0] == (
        "The blend beats the best baseline (linear) on the holdout: MAE 2.000 against 2.500, 20.0% lower."
    )
    assert judge("mae", 3.0, "linear", 2.5, worse, targets=[], choices=1, called="blend")[0] == (
        "A simple baseline is better: linear beats the blend on the holdout (MAE 3.000 against 2.500, 20.0% higher). "
        "Use linear."
    )


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["linear"], "No network completed, so the baseline linear is exported (MAE of sales 2.500 on the holdout)."),
        (
            ["linear", "seasonal_naive"],
            "No network completed, so a blend of the baselines linear and seasonal naive is exported (MAE of sales "
            "2.500 on the holdout).",
        ),
    ],
)
def test_a_model_without_networks_says_why(names: list[str], sentence: str) -> None:
    assert of_baselines("mae", names, 2.5, "No network completed", targets=["sales"]) == sentence


def test_the_choice_of_the_baseline_does_not_count_against_the_winner() -> None:
    assert judge("mae", 2.0, "linear", 2.5, Interval(-0.5, -0.9, -0.1, 0.02), targets=[], choices=10)[1]


@pytest.mark.parametrize(("late", "way_out"), [(False, "."), (True, "; rerun with a longer --timeout.")])
def test_baselines_that_the_comparison_lacks_are_named(late: bool, way_out: str) -> None:
    assert unscored(["channel_linear", "trees"], late=late) == (
        "The comparison lacks channel linear and trees, the best baselines on the folds, which could not be scored on "
        f"the holdout{way_out}"
    )


@each_row(
    ("metric", "targets", "numbers"),
    [
        ("mae", ["sales"], "MAE of sales 2.000 against 2.500, 20.0% lower"),
        ("mae", ["sales", "stock"], "MAE 2.000 against 2.500, 20.0% lower"),
        ("mse", ["sales"], "MSE of sales 2.000 against 2.500, 20.0% lower"),
        ("smape", ["sales"], "sMAPE 2.000% against 2.500%, 20.0% lower"),
        ("mase", ["sales"], "MASE 2.000 against 2.500, 20.0% lower"),
    ],
)
def test_the_verdict_names_the_unit_of_the_scores(metric: str, targets: list[str], numbers: str) -> None:
    sentence, _ = judge(metric, 2.0, "linear", 2.5, Interval(-0.5, -0.9, -0.1, 0.02), targets=targets, choices=1)

    assert sentence == f"The winner beats the best baseline (linear) on the holdout: {numbers}."
